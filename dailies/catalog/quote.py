"""What a clip should cost, in US dollars, before it is bought. Pure; an unknown price is None, never zero.

Where a rate depends on something the row leaves open, the dearest possible rate counts: a budget must not be passed
because a default at the provider was dearer than thought.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from dailies.catalog.models import Offer, ResolvedOptions
from dailies.catalog.values import number_of

_SECONDS_IN = {"second": 1, "seconds": 1, "sec": 1, "s": 1, "minute": 60, "minutes": 60}
_CLIP_WORDS = frozenset({"clip", "video", "videos", "generation", "generations", "request"})


@dataclass(frozen=True, slots=True)
class _Candidate:
    when: Mapping[str, object]
    usd: Decimal | None


def quote(offer: Offer, resolved: ResolvedOptions) -> Decimal | None:
    """Dollars for one clip by the bundled price; None where no price is known for these settings."""
    if offer.price is None:
        return None
    rates = offer.price.rates
    return _dearest((_Candidate(rate.when, _cost(rate.usd, rate.per, 1, resolved)) for rate in rates), resolved)


def live_quote(pricing: Mapping[str, object], resolved: ResolvedOptions) -> Decimal | None:
    """Dollars for one clip by the `pricing` block of `GET /v1/models?include=pricing`; None if it can't be told.

    Documented shape: kind `fixed` with units[], `variants` with variants[] (each with `when`), or `variable`; `price`
    buys `per` units of `unit`.
    """
    if str(pricing.get("currency") or "USD").upper() != "USD":
        return None
    match pricing.get("kind"):
        case "fixed":
            costs = [_entry_cost(entry, resolved) for entry in _entries(pricing.get("units"))]
            known = [usd for usd in costs if usd is not None]
            return sum(known, Decimal(0)) if known and len(known) == len(costs) else None
        case "variants":
            entries = _entries(pricing.get("variants"))
            return _dearest((_Candidate(_when(entry), _entry_cost(entry, resolved)) for entry in entries), resolved)
        case _:
            return None


def _dearest(candidates: Iterable[_Candidate], resolved: ResolvedOptions) -> Decimal | None:
    """Of the rates that may apply, the most closely described ones; of these the dearest, or None if one is unknown."""
    values = _values(resolved)
    known = [c for c in candidates if all(values.get(key) in (None, _form(want)) for key, want in c.when.items())]
    if not known:
        return None
    closest = max(_closeness(candidate, values) for candidate in known)
    costs = [candidate.usd for candidate in known if _closeness(candidate, values) == closest]
    return None if None in costs else max(usd for usd in costs if usd is not None)


def _closeness(candidate: _Candidate, values: Mapping[str, str | None]) -> int:
    return sum(values.get(key) is not None for key in candidate.when)


def _values(resolved: ResolvedOptions) -> dict[str, str | None]:
    chosen: dict[str, object] = {
        "resolution": resolved.resolution,
        "aspect_ratio": resolved.aspect_ratio,
        "duration": resolved.duration_s,
        **resolved.options,
    }
    return {key: None if value is None else _form(value) for key, value in chosen.items()}


def _form(value: object) -> str:
    """Values that mean the same in one form: True and "true", 10 and "10", `1080P` and `1080p`."""
    return str(value).strip().casefold()


def _cost(price: Decimal, unit: str, count: Decimal | int, resolved: ResolvedOptions) -> Decimal | None:
    if unit in _CLIP_WORDS:
        return price / count
    seconds = _SECONDS_IN.get(unit)
    if seconds is None or resolved.duration_s is None:
        return None
    return price * resolved.duration_s / (seconds * count)


def _entry_cost(entry: Mapping[str, object], resolved: ResolvedOptions) -> Decimal | None:
    price = number_of(str(entry.get("price")))
    per = str(entry.get("per") or 1).strip().casefold()
    unit = str(entry.get("unit") or "second").strip().casefold()
    count = number_of(per)
    if count is None:  # `per` may name the unit itself
        unit, count = per, Decimal(1)
    if price is None or price <= 0 or count <= 0:
        return None
    return _cost(price, unit, count, resolved)


def _entries(value: object) -> list[Mapping[str, object]]:
    return [entry for entry in value if isinstance(entry, Mapping)] if isinstance(value, list) else []


def _when(entry: Mapping[str, object]) -> Mapping[str, object]:
    when = entry.get("when")
    return when if isinstance(when, Mapping) else {}
