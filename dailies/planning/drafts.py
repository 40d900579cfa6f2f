"""A draft: the row at the cheapest setting that its model has, to be looked at before it is made in full. Pure.

A draft differs from its row by the resolution, the length, and options that the price depends on. The bundled prices decide,
not those of the day: the same row always has the same draft, and a second run buys nothing again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from itertools import product
from typing import Any

from dailies.catalog import Model, ResolvedOptions, quote
from dailies.catalog.models import OptionValue
from dailies.catalog.values import short_side_of
from dailies.domain.clips import Clip
from dailies.domain.money import show_usd, sum_usd
from dailies.planning.routing import RoutedRow
from dailies.prompts import RawRow

Cost = tuple[bool, Decimal]
"""Dollars; or, behind all of these, pixels times seconds where no price is known: smaller and shorter is cheaper."""


@dataclass(frozen=True, slots=True)
class Cheaper:
    """What a draft has in place of its row's own; `options` are those that it sets."""

    resolution: str | None
    duration_s: int | None
    options: Mapping[str, OptionValue]

    def written(self, raw: RawRow, aspect_ratio: str | None) -> RawRow:
        """The row as a person would write it to get this, in the shape that it has."""
        said = {"resolution": self.resolution, "duration": self.duration_s, "aspect_ratio": aspect_ratio}
        cells = {name: str(value) for name, value in said.items() if value is not None}
        labels = {
            name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in self.options.items()
        }
        return replace(raw, cells={**raw.cells, **cells}, labels={**raw.labels, **labels})


@dataclass(frozen=True, slots=True)
class Drafts:
    """Settings that are cheaper than a row's own. Rows that ask for the same are answered from memory."""

    _known: dict[tuple[object, ...], tuple[Cheaper, ...]] = field(default_factory=dict)

    def of(self, routed_row: RoutedRow, resolved: ResolvedOptions) -> tuple[Cheaper, ...]:
        """What a draft of this row may be, the cheapest first; nothing where the row itself is as cheap."""
        model, providers = routed_row.model, routed_row.providers
        options = tuple(sorted((name, str(value)) for name, value in resolved.options.items()))
        asked = (resolved.resolution, resolved.aspect_ratio, resolved.duration_s, options)
        key = (model.id, providers, routed_row.cheapest, *asked)
        if key not in self._known:
            self._known[key] = tuple(_cheaper(model, providers if routed_row.cheapest else providers[:1], resolved))
        return self._known[key]


def priced_options(model: Model) -> tuple[str, ...]:
    """Options that a price of the model depends on, at whichever provider."""
    rates = (rate for offer in model.offers.values() if offer.price for rate in offer.price.rates)
    named = {name for rate in rates for name in rate.when}
    return tuple(sorted(named & model.options.keys()))


def subject(clip: Clip, model: Model) -> str:
    """What a clip and its drafts have in common: an identity without what a draft may have in place of its row's own.

    How an image is fitted goes with the resolution; whose picture it is stays.
    """
    priced = priced_options(model)
    options = {name: value for name, value in clip.options.items() if name not in priced}
    image = clip.image._replace(made="")
    return replace(clip, resolution=None, duration_s=None, options=options, image=image, known_as=None).identity


def draft_note(quotes: Iterable[tuple[Decimal | None, Decimal | None]], rows: int) -> str:
    """How many rows have a draft that is another clip, and the dollars of these as drafts and in full."""
    pairs = list(quotes)
    draft, full = sum_usd(usd for usd, _ in pairs), sum_usd(usd for _, usd in pairs)
    count = "1 row is" if len(pairs) == 1 else f"{len(pairs)} rows are"
    own = "" if len(pairs) == rows else f", {rows - len(pairs)} are at their cheapest as they stand"
    return f"draft: {count} made at the cheapest setting, for {show_usd(draft)} in place of {show_usd(full)}{own}"


def _cheaper(model: Model, providers: Iterable[str], own: ResolvedOptions) -> Iterator[Cheaper]:
    offers = [model.offers[name] for name in providers if name in model.offers]
    sizes = model.resolution.values if model.resolution else ()

    def cost(one: ResolvedOptions) -> Cost:
        known = [usd for usd in (quote(offer, one) for offer in offers) if usd is not None]
        size = 1 + sizes.index(one.resolution) if one.resolution in sizes else 1
        pixels = (one.resolution and short_side_of(one.resolution)) or size
        return not known, min(known) if known else Decimal(pixels * (one.duration_s or 1))

    def changes(one: ResolvedOptions) -> int:
        return (one.resolution != own.resolution) + (one.duration_s != own.duration_s) + (one.options != own.options)

    found = [(cost(one), changes(one), one) for one in _settings(model, own)]
    for _, _, one in sorted((c for c in found if c[0] < found[0][0]), key=lambda c: c[:2]):
        options = {name: value for name, value in one.options.items() if own.options.get(name) != value}
        yield Cheaper(one.resolution, one.duration_s, options)


def _settings(model: Model, own: ResolvedOptions) -> Iterator[ResolvedOptions]:
    """Everything that may be asked for in place of the row's own; that comes first."""
    choices: list[list[Any]] = [
        _own_first(own.resolution, model.resolution.values if model.resolution else ()),
        _own_first(own.duration_s, model.duration.values if model.duration else ()),
    ]
    names = priced_options(model)
    choices += [_own_first(own.options.get(name), _values(model, name)) for name in names]
    for resolution, duration_s, *values in product(*choices):
        said = {name: value for name, value in zip(names, values, strict=True) if value is not None}
        yield replace(own, resolution=resolution, duration_s=duration_s, options={**own.options, **said})


def _own_first(own: object, values: Iterable[object]) -> list[object]:
    return list(dict.fromkeys([own, *values]))


def _values(model: Model, name: str) -> tuple[OptionValue, ...]:
    option = model.options[name]
    return (False, True) if option.type == "bool" else tuple(option.values or ())
