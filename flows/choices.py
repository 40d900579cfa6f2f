"""What the form in the Prefect UI lists: models and providers, each with its price. Typing something else stays possible.

A form shows a choice by its value alone, so a value has its price behind it; `BatchRequest` takes the name before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any

from dailies.catalog.load import load_catalog
from dailies.domain.counting import how_many
from dailies.domain.money import show_usd
from dailies.planning.live import LiveView
from dailies.planning.offers import Entry, entries
from dailies.planning.request import NOTED
from dailies.registry import provider_names

CHEAPEST = "cheapest"


@cache
def choices() -> dict[str, list[str]]:
    """The values to choose from, by field, as the catalog knows them today."""
    found = entries(load_catalog(), LiveView(), datetime.now(UTC).date())
    return {"model": models(found), "provider": providers(found)}


def models(found: Iterable[Entry]) -> list[str]:
    """Each model that is served, with what it costs where it costs least; those whose price is known come first. Pure."""
    by_model: dict[str, list[Entry]] = {}
    for entry in found:
        if entry.served is not False:
            by_model.setdefault(entry.model.id, []).append(entry)
    named = sorted((all(one.usd is None for one in some), name, some) for name, some in by_model.items())
    return [f"{name}{NOTED}{_least(some) or 'price not known'}" for _, name, some in named]


def providers(found: Sequence[Entry]) -> list[str]:
    """Each provider with how many models it has and its lowest price, then the word for the cheapest of all. Pure."""
    listed = []
    for name in provider_names():
        mine = [entry for entry in found if entry.provider == name and entry.served is not False]
        many = how_many(len({entry.model.id for entry in mine}), "model") if mine else "none of the models below"
        listed.append(f"{name}{NOTED}{many}{f', from {price}' if (price := _least(mine)) else ''}")
    return [*listed, f"{CHEAPEST}{NOTED}the lowest known price for each row"]


def as_choice(values: Sequence[str]) -> dict[str, Any]:
    """A field that is chosen from a list, or typed."""
    return {"anyOf": [{"type": "string", "title": "Choose", "enum": list(values)}, {"type": "string", "title": "Type"}]}


def _least(some: Iterable[Entry]) -> str | None:
    priced = [entry for entry in some if entry.usd is not None]
    if not priced:
        return None
    least = min(priced, key=lambda entry: entry.usd_per_second or entry.usd or 0)
    return f"{show_usd(least.usd_per_second)} a second" if least.usd_per_second else f"{show_usd(least.usd)} a clip"
