"""What a provider says of its models for free: served or not, until when, what replaced it, what it costs now."""

from __future__ import annotations

import json
import re
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from dailies.domain.money import to_usd
from dailies.providers.http import ApiClient
from dailies.providers.words import parts_of

FRESH_S = 3600.0  # an answer is good for an hour; after that its ETag is shown and a 304 makes it good again


class LiveUnavailable(Exception):
    """The provider can't be asked, now or at all."""


@dataclass(frozen=True, slots=True)
class Live:
    """One model as the provider describes it now. `status` is deprecated, superseded or withdrawn, or None. `pricing` is in the
    one form that `dailies.catalog.live_quote` reads. Of `durations` (seconds), `resolutions` and `aspect_ratios` None means
    that nothing is said."""

    served: bool
    status: str | None = None
    shutdown_at: str | None = None
    replaced_by: str | None = None
    pricing: Mapping[str, Any] | None = None
    durations: tuple[int, ...] | None = None
    resolutions: tuple[str, ...] | None = None
    aspect_ratios: tuple[str, ...] | None = None


async def ask_list(client: ApiClient, address: str, names: Iterable[str], cache: Path) -> dict[str, Live]:
    """Ask a public list of models whether these are on it. Raises LiveUnavailable when that can't be told."""
    document = await cached(client, address, {}, cache / "models.json", lambda body: bool(list(_objects(body))))
    return read_listed(names, document)


def read_listed(names: Iterable[str], document: Any) -> dict[str, Live]:
    """Which of these models stand among a list's video models, whatever its shape and the case of its names.

    A name that the list only shows is left out: nothing is known of it. Raises LiveUnavailable for a list without video
    models, which says nothing of ours.
    """
    listed: dict[str, bool] = {}
    for entry in _objects(document):
        if _makes_video(entry):
            usable = str(_field(entry, "isdisplayonly")).lower() != "true"
            for key in ("id", "modelid", "model", "slug", "name"):
                if isinstance(name := _field(entry, key), str) and name:
                    listed[_plain(name)] = listed.get(_plain(name), False) or usable
    if not listed:
        raise LiveUnavailable("its list shows no video models")
    best_effort_ui = {name for name, usable in listed.items() if not usable}
    return {name: Live(_plain(name) in listed) for name in names if _plain(name) not in best_effort_ui}


def balance_in(document: Any) -> Decimal | None:
    """The dollars left on an account, by the likeliest name in an answer of any shape; None where that can't be told."""
    for names in (
        ("balance", "availablebalance", "currentbalance", "balanceusd"),
        ("available", "remaining"),
        ("totalbalance",),
    ):
        for entry in _objects(document):
            currency = _field(entry, "currency") or _field(entry, "unit") or "USD"
            for name in names:
                value = _field(entry, name)
                if (
                    isinstance(value, int | float | str)
                    and not isinstance(value, bool)
                    and str(currency).upper() in ("USD", "$")
                ):
                    try:
                        return to_usd(value)
                    except ValueError:
                        continue
    return None


MOST_OBJECTS = 20_000
_KIND_OF_INPUT = re.compile("[-_ ]?((image|text|reference)[-_ ]?to[-_ ]?video|[it]2v)$", re.IGNORECASE)


def _plain(name: str) -> str:
    """A model's name without its maker, its case, and what it is made from: lists write them in several ways."""
    return _KIND_OF_INPUT.sub("", name.strip().rpartition("/")[2]).casefold()


def _makes_video(entry: Mapping[str, Any]) -> bool:
    said = (
        str(value).lower()
        for key, value in entry.items()
        if {"category", "output", "outputs"} & set(parts_of(str(key)))
    )
    return any("video" in text for text in said)


def _field(entry: Mapping[str, Any], name: str) -> Any:
    return next((value for key, value in entry.items() if "".join(parts_of(str(key))) == name), None)


def _objects(document: Any) -> Iterator[Mapping[str, Any]]:
    """Every object in a document, the nearest first, up to a limit."""
    waiting, seen = deque([document]), 0
    while waiting and seen < MOST_OBJECTS:
        value, seen = waiting.popleft(), seen + 1
        if isinstance(value, Mapping):
            yield value
            waiting.extend(inner for inner in value.values() if isinstance(inner, Mapping | list))
        elif isinstance(value, list):
            waiting.extend(value[:MOST_OBJECTS])


def _has_data(body: Any) -> bool:
    return isinstance(body, dict) and isinstance(body.get("data"), list)


async def cached(
    client: ApiClient, path: str, params: dict[str, str], cache: Path, usable: Callable[[Any], bool] = _has_data
) -> Any:
    """A public document, asked for at most once an hour. Raises LiveUnavailable where it can't be had."""
    kept = _read(cache, client.base_url, params)
    if kept and time.time() - kept["at"] < FRESH_S:
        return kept["body"]
    headers = {"If-None-Match": kept["etag"]} if kept and kept.get("etag") else {}
    reply = await client.get(path, params, headers)
    if reply is not None and reply.status == 304 and kept:
        body, etag = kept["body"], kept["etag"]
    elif reply is not None and reply.status == 200 and usable(reply.body):
        body, etag = reply.body, reply.headers.get("etag")
    else:
        raise LiveUnavailable("no answer" if reply is None else f"HTTP {reply.status}")
    _write(cache, {"base_url": client.base_url, "params": params, "at": time.time(), "etag": etag, "body": body})
    return body


def _read(cache: Path, base_url: str, params: dict[str, str]) -> dict[str, Any] | None:
    try:
        kept = json.loads(cache.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    same = isinstance(kept, dict) and kept.get("base_url") == base_url and kept.get("params") == params
    return kept if same and isinstance(kept.get("at"), int | float) else None


def _write(cache: Path, kept: dict[str, Any]) -> None:
    try:
        cache.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        cache.write_text(json.dumps(kept), encoding="utf-8")
    except OSError:
        pass  # a cache that can't be written is asked again
