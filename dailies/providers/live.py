"""What a provider says of its models for free: served or not, until when, what replaced it, what it costs now."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dailies.providers.http import ApiClient

FRESH_S = 3600.0  # an answer is good for an hour; after that its ETag is shown and a 304 makes it good again
MODELS, DEPRECATIONS = "/v1/models", "/v1/models/deprecations"


class LiveUnavailable(Exception):
    """The provider can't be asked, now or at all."""


@dataclass(frozen=True, slots=True)
class Live:
    """One model as the provider describes it now. `status` is deprecated, superseded or withdrawn, or None."""

    served: bool
    status: str | None = None
    shutdown_at: str | None = None
    replaced_by: str | None = None
    pricing: Mapping[str, Any] | None = None


def read_live(names: Iterable[str], models: Any, deprecations: Any) -> dict[str, Live]:
    """The two documents as one answer per name. Ids and aliases are compared without regard to case."""
    listed: dict[str, Mapping[str, Any]] = {}
    for entry in _entries(models):
        for name in (entry.get("id"), *(entry.get("aliases") or ())):
            if isinstance(name, str):
                listed.setdefault(name.casefold(), entry)
    ended: dict[str, Mapping[str, Any]] = {}
    for entry in _entries(deprecations):
        for name in (entry.get("id"), *(entry.get("aliases") or ())):
            if isinstance(name, str):
                ended.setdefault(name.casefold(), entry)
    return {name: _one(listed.get(name.casefold()), ended.get(name.casefold())) for name in names}


def _one(listed: Mapping[str, Any] | None, ended: Mapping[str, Any] | None) -> Live:
    status = str(ended.get("status")) if ended else None
    served = status != "withdrawn" and (listed is not None or status == "superseded")
    pricing = listed.get("pricing") if listed else None
    return Live(
        served,
        status,
        str(ended["shutdown_at"])[:10] if ended and ended.get("shutdown_at") else None,
        str(ended["replaced_by"]) if ended and ended.get("replaced_by") else None,
        pricing if isinstance(pricing, Mapping) else None,
    )


def _entries(document: Any) -> list[Mapping[str, Any]]:
    data = document.get("data") if isinstance(document, Mapping) else None
    return [entry for entry in data if isinstance(entry, Mapping)] if isinstance(data, list) else []


async def ask_aiml(client: ApiClient, names: Iterable[str], cache: Path) -> dict[str, Live]:
    """Ask AI/ML API about these models. Raises LiveUnavailable when it can't be asked."""
    wanted = sorted(set(names))
    models = await _cached(client, MODELS, {"id": ",".join(wanted), "include": "pricing"}, cache / "models.json")
    try:
        deprecations = await _cached(client, DEPRECATIONS, {}, cache / "deprecations.json")
    except LiveUnavailable:
        deprecations = {}
    return read_live(wanted, models, deprecations)


async def _cached(client: ApiClient, path: str, params: dict[str, str], cache: Path) -> Any:
    kept = _read(cache, client.base_url, params)
    if kept and time.time() - kept["at"] < FRESH_S:
        return kept["body"]
    headers = {"If-None-Match": kept["etag"]} if kept and kept.get("etag") else {}
    reply = await client.get(path, params, headers)
    if reply is not None and reply.status == 304 and kept:
        body, etag = kept["body"], kept["etag"]
    elif (
        reply is not None
        and reply.status == 200
        and isinstance(reply.body, dict)
        and isinstance(reply.body.get("data"), list)
    ):
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
