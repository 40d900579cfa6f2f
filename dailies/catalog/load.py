"""Reads the catalog: the models in `models/`, what each provider offers of them (its `offers.json`), and what a user adds or
overrides in a file or folder of models."""

from __future__ import annotations

import json
from collections.abc import Iterable
from decimal import Decimal
from functools import lru_cache
from importlib import resources
from importlib.resources.abc import Traversable
from itertools import product
from pathlib import Path
from typing import Any, TypeAlias

from pydantic import ValidationError

from dailies.catalog.find import Catalog
from dailies.catalog.models import Kind, Model
from dailies.errors import Misconfigured
from dailies.registry import declared

Entry: TypeAlias = dict[str, Any]


def load_catalog(extra: Path | None = None) -> Catalog:
    """The bundled models, with those of `extra` (a JSON file, or a folder of them) added or changed.

    An entry whose id is known changes only the fields it names, and within `offers` only the fields of the providers
    it names. Raises Misconfigured with one line per mistake: file, model, field, reason.

    The bundled ones alone are read once in a process: a run asks for them once for each provider.
    """
    offered = tuple((one.name, one.offers) for one in declared().values() if one.offers)
    return _bundled(offered) if extra is None else _read(offered, _user_files(extra))


@lru_cache(maxsize=1)
def _bundled(offered: tuple[tuple[str, str], ...]) -> Catalog:
    return _read(offered, [])


def _read(offered: Iterable[tuple[str, str]], more: Iterable[Path]) -> Catalog:
    entries: dict[str, tuple[str, Entry]] = {}
    mistakes: list[str] = []
    bundled = sorted((resources.files(__package__) / "models").iterdir(), key=lambda file: file.name)
    for file in bundled:
        if file.name.endswith(".json"):
            _take(file, file.name, entries, mistakes)
    for provider, offers in offered:
        _take_offers(provider, offers, entries, mistakes)
    for path in more:
        _take(path, str(path), entries, mistakes)
    models = _models(entries, mistakes)
    if not mistakes:
        mistakes = _contradictions(models, entries)
    if mistakes:
        raise Misconfigured(
            "the catalog of models has mistakes:\n" + "\n".join(f"  {line}" for line in mistakes), trouble="catalog"
        )
    return Catalog(models)


def _user_files(extra: Path) -> list[Path]:
    if extra.is_dir():
        return sorted(extra.glob("*.json"))
    if extra.is_file():
        return [extra]
    raise Misconfigured(f"DAILIES_MODELS: there is no file or folder {extra}", trouble="catalog")


def _take_offers(provider: str, offers: str, entries: dict[str, tuple[str, Entry]], mistakes: list[str]) -> None:
    """What a provider offers, by the models' ids; its file may bring models of its own, too."""
    package, _, name = offers.partition(":")
    file = resources.files(package) / name
    document = json.loads(file.read_text(encoding="utf-8"), parse_float=Decimal)
    if "models" in document:
        _take(file, offers, entries, mistakes)
    for model_id, offer in document.get("offers", {}).items():
        if model_id not in entries:
            mistakes.append(f"{offers}: there is no model {model_id}")
            continue
        origin, known = entries[model_id]
        entries[model_id] = (origin, _merged({"offers": {}, **known}, {"offers": {provider: offer}}))


def _take(file: Traversable | Path, name: str, entries: dict[str, tuple[str, Entry]], mistakes: list[str]) -> None:
    """Adds the models of one file to `entries` (by id, with the file they came from), merged over known ones."""
    try:
        document = json.loads(file.read_text(encoding="utf-8-sig"), parse_float=Decimal)
    except json.JSONDecodeError as error:
        mistakes.append(f"{name}: not valid JSON, line {error.lineno}: {error.msg}")
        return
    except (OSError, UnicodeDecodeError) as error:
        mistakes.append(f"{name}: can't be read: {error}")
        return
    models = document.get("models") if isinstance(document, dict) else None
    if not isinstance(models, list):
        mistakes.append(f'{name}: must be an object with a list "models"')
        return
    seen: set[str] = set()
    for position, entry in enumerate(models, start=1):
        model_id = entry.get("id") if isinstance(entry, dict) else None
        if not isinstance(model_id, str) or not model_id:
            mistakes.append(f'{name}: model {position}: id: every model needs an "id"')
        elif model_id in seen:
            mistakes.append(f"{name}: {model_id}: id: stands here twice")
        else:
            seen.add(model_id)
            known = entries.get(model_id)
            new = {"maker": document.get("maker", ""), **entry}
            entries[model_id] = (name, _merged(known[1], entry) if known else new)


def _merged(known: Entry, change: Entry) -> Entry:
    """`change` over `known`; inside `offers` provider by provider, so that a price alone can be set."""
    merged = {**known, **change}
    before, after = known.get("offers"), change.get("offers")
    if isinstance(before, dict) and isinstance(after, dict):
        merged["offers"] = {
            **before,
            **{
                provider: {**before.get(provider, {}), **offer} if isinstance(offer, dict) else offer
                for provider, offer in after.items()
            },
        }
    return merged


def _models(entries: dict[str, tuple[str, Entry]], mistakes: list[str]) -> list[Model]:
    models = []
    for model_id, (file, entry) in entries.items():
        try:
            models.append(Model.model_validate(entry))
        except ValidationError as error:
            for detail in error.errors(include_url=False):
                where = ".".join(str(part) for part in detail["loc"])
                reason = detail["msg"].removeprefix("Value error, ")
                mistakes.append(": ".join(part for part in (file, model_id, where, reason) if part))
    return models


def _contradictions(models: Iterable[Model], entries: dict[str, tuple[str, Entry]]) -> list[str]:
    """Mistakes that only show between models: one name for two, successors that don't exist."""
    mistakes = []
    owner: dict[tuple[str, str, Kind], str] = {}  # what takes an image and what takes none may share a name
    for model in models:
        file = entries[model.id][0]
        for provider, offer in model.offers.items():
            if provider not in declared():
                mistakes.append(f"{file}: {model.id}: offers.{provider}: no provider of this name is installed")
            names = dict.fromkeys((offer.name, offer.text or offer.name, *offer.aliases))
            for name, kind in product(names, model.kinds):
                other = owner.setdefault((provider, name.casefold(), kind), model.id)
                if other != model.id:
                    mistakes.append(f"{file}: {model.id}: offers.{provider}: {name} is already the name of {other}")
        for name in model.successors:
            if name not in entries:
                mistakes.append(f"{file}: {model.id}: successors: there is no model {name}")
    return mistakes
