"""Prices that a provider told, as rates of the catalog: what a price file keeps. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from pydantic import ValidationError

from dailies.catalog.models import JSON, Price, Rate, ResolvedOptions
from dailies.catalog.quote import live_quote

_UNITS = ResolvedOptions(None, None, 1), ResolvedOptions(None, None, 2)
"""One second and two: what costs the same for both is sold by the clip."""


def price_of(pricing: Mapping[str, Any], as_of: date, source: str) -> Price | None:
    """The rates in a provider's `pricing` block; None where not all of them can be told."""
    blocks = list(_single_rates(pricing))
    rates = [_rate(block, when) for block, when in blocks]
    known = [rate for rate in rates if rate is not None]
    return Price(rates=tuple(known), as_of=as_of, source=source) if known and len(known) == len(blocks) else None


def _single_rates(pricing: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], dict[str, Any]]]:
    """Each variant as a block without conditions, beside its conditions; another block as it is."""
    variants = pricing.get("variants") if pricing.get("kind") == "variants" else None
    if not isinstance(variants, list):
        yield pricing, {}
        return
    for variant in variants:
        if isinstance(variant, Mapping):
            when = variant.get("when")
            block = {"kind": "fixed", "currency": pricing.get("currency"), "units": [variant]}
            yield block, dict(when) if isinstance(when, Mapping) else {}


def _rate(block: Mapping[str, Any], when: dict[str, Any]) -> Rate | None:
    one, two = (live_quote(block, resolved) for resolved in _UNITS)
    if one is None or two is None:
        return None
    try:
        return Rate(usd=one, per="clip" if one == two else "second", when=when)
    except ValidationError:  # a condition that no row can name
        return None


def as_entry(model_id: str, provider: str, price: Price) -> dict[str, JSON]:
    """The price as an entry of a file that DAILIES_MODELS names."""
    rates: list[JSON] = []
    for rate in price.rates:
        said: dict[str, JSON] = {"usd": _plain(rate.usd), "per": rate.per}
        rates.append({**said, "when": dict(rate.when)} if rate.when else said)
    told: dict[str, JSON] = {"rates": rates, "as_of": price.as_of.isoformat(), "source": price.source}
    return {"id": model_id, "offers": {provider: {"price": told}}}


def _plain(usd: Decimal) -> str:
    return f"{usd.normalize():f}"


def merged(document: Mapping[str, Any], entries: list[dict[str, JSON]]) -> dict[str, Any]:
    """A file's models with these prices in them; everything else in it stays as it is."""
    models = [dict(model) for model in document.get("models", []) if isinstance(model, Mapping)]
    by_id = {model.get("id"): model for model in models}
    for entry in entries:
        known = by_id.get(entry["id"])
        if known is None:
            by_id[entry["id"]] = entry
            models.append(entry)
            continue
        offers = dict(known.get("offers") or {})
        for provider, offer in entry["offers"].items():  # type: ignore[union-attr]
            offers[provider] = {**(offers.get(provider) or {}), **offer}  # type: ignore[dict-item]
        known["offers"] = offers
    return {**document, "models": models}
