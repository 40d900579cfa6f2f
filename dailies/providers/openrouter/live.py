"""OpenRouter's public list of video models: served or not, which values each takes, and what a second or a clip costs where that
is said plainly."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from dailies.domain.money import to_usd
from dailies.providers.http import ApiClient
from dailies.providers.live import Live, LiveUnavailable, cached

T = TypeVar("T", int, str)
MODELS = "/videos/models"
_SECOND = re.compile(r"per-video-second(?:-(\d+p|\d+k))?", re.IGNORECASE)


async def ask_openrouter(client: ApiClient, names: Iterable[str], cache: Path) -> dict[str, Live]:
    """Ask for these models. Raises LiveUnavailable."""
    document = await cached(client, MODELS, {}, cache / "models.json")
    return read_models(names, document)


def read_models(names: Iterable[str], document: Any) -> dict[str, Live]:
    """The list as one answer per name. Raises LiveUnavailable for a list that shows no models."""
    data = document.get("data") if isinstance(document, dict) else None
    entries = [entry for entry in data or [] if isinstance(entry, dict) and isinstance(entry.get("id"), str)]
    if not entries:
        raise LiveUnavailable("its list shows no video models")
    listed: dict[str, Mapping[str, Any]] = {}
    for entry in entries:
        for name in (entry["id"], entry.get("canonical_slug")):
            if isinstance(name, str):
                listed.setdefault(name.casefold(), entry)
    return {name: _one(listed.get(name.casefold())) for name in names}


def _one(entry: Mapping[str, Any] | None) -> Live:
    if entry is None:
        return Live(False)
    seconds = _listed(entry, "supported_durations", int)
    return Live(
        True,
        pricing=pricing_of(entry.get("pricing_skus")),
        durations=seconds,
        resolutions=_listed(entry, "supported_resolutions", str),
        aspect_ratios=_listed(entry, "supported_aspect_ratios", str),
    )


def _listed(entry: Mapping[str, Any], name: str, kind: type[T]) -> tuple[T, ...] | None:
    """What an entry lists; None where it lists nothing, or something that is not understood."""
    values = entry.get(name)
    if not isinstance(values, list) or not values:
        return None
    return tuple(values) if all(type(value) is kind for value in values) else None


def pricing_of(skus: Any) -> Mapping[str, Any] | None:
    """Prices in the form of the catalog. One SKU that is not understood makes all of them none: a price is never a guess."""
    if not isinstance(skus, dict) or not skus:
        return None
    rates: dict[str, dict[str, Any]] = {}
    for sku, usd in skus.items():
        per_second, per_clip = _SECOND.fullmatch(str(sku)), sku == "generate"
        try:
            price = to_usd(usd)
        except ValueError:
            return None
        if not per_second and not per_clip:
            return None
        resolution = (per_second[1] or "") if per_second else ""
        rates[resolution.lower()] = {"price": price, "unit": "second" if per_second else "clip", "per": 1}
    if set(rates) == {""}:
        return {"kind": "fixed", "currency": "USD", "units": [rates[""]]}
    if "" in rates:
        return None
    variants = [{"when": {"resolution": name}} | rate for name, rate in rates.items()]
    return {"kind": "variants", "currency": "USD", "dimensions": ["resolution"], "variants": variants}
