"""AI/ML API's public lists: which models it serves, at which price, and which are about to go."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from dailies.providers.http import ApiClient
from dailies.providers.live import Live, LiveUnavailable, cached

MODELS, DEPRECATIONS = "/v1/models", "/v1/models/deprecations"


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
    models = await cached(client, MODELS, {"id": ",".join(wanted), "include": "pricing"}, cache / "models.json")
    try:
        deprecations = await cached(client, DEPRECATIONS, {}, cache / "deprecations.json")
    except LiveUnavailable:
        deprecations = {}
    return read_live(wanted, models, deprecations)
