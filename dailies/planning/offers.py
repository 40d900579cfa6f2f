"""What can be bought: one entry per model and provider, with its price, as far as it is known. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any

from dailies.catalog import (
    FROM_IMAGE,
    Catalog,
    Kind,
    Model,
    Offer,
    ResolvedOptions,
    options_at,
    problems_at,
    resolve_options,
    values_at,
)
from dailies.media.images import ImageFacts
from dailies.planning.live import LiveView
from dailies.providers.live import Live


@dataclass(frozen=True, slots=True)
class Wish:
    """What a clip should be; None leaves it open. `providers` empty: any."""

    providers: tuple[str, ...] = ()
    duration: int | None = None
    resolution: str | None = None
    aspect_ratio: str | None = None
    sound: bool = False
    image: ImageFacts | None = None
    usd_at_most: Decimal | None = None

    @property
    def asks(self) -> bool:
        """Whether it says anything of the clip's length or size."""
        return (self.duration, self.resolution, self.aspect_ratio) != (None, None, None)


ANYTHING = Wish()


@dataclass(frozen=True, slots=True)
class Entry:
    """One form of a model at one provider. `usd` is the price of one clip as it was wished, else with the model's defaults.

    `served` is None where nobody was asked. `estimated`: the price was not seen at this provider.
    """

    model: Model
    provider: str
    offer: Offer
    resolved: ResolvedOptions
    served: bool | None
    usd: Decimal | None = None
    usd_per_second: Decimal | None = None
    usd_per_clip: Decimal | None = None
    price_source: str | None = None
    price_date: date | None = None
    estimated: bool = False
    kind: Kind = FROM_IMAGE
    live: Live | None = None

    @property
    def name(self) -> str:
        """What the provider calls it."""
        return self.offer.called(self.kind == FROM_IMAGE)

    def values(self, word: str) -> list[str | int]:
        """What may be asked for there as `duration`, `resolution` or `aspect_ratio`, by the provider's list where it was asked."""
        listed = getattr(self.live, f"{word}s", None)
        today = {str(value).lower() for value in listed or ()}
        return [one for one in values_at(self.model, self.provider, word) if not today or str(one).lower() in today]

    def as_json(self) -> dict[str, Any]:
        """The entry in the words of `dailies models --json`."""
        model = self.model
        return {
            "id": model.id, "provider": self.provider, "provider_model": self.name, "kind": self.kind, "served": self.served,
            "usd_per_second": _number(self.usd_per_second), "usd_per_clip": _number(self.usd_per_clip),
            "price_source": self.price_source, "price_date": self.price_date.isoformat() if self.price_date else None,
            "durations": self.values("duration"), "resolutions": self.values("resolution"),
            "aspect_ratios": self.values("aspect_ratio"), "options": sorted(options_at(model, self.provider)),
        }  # fmt: skip


def _number(usd: Decimal | None) -> float | None:
    return None if usd is None else float(usd)


def entries(catalog: Catalog, view: LiveView, today: date, wish: Wish = ANYTHING) -> list[Entry]:
    """What meets the wish, by id; what is switched off comes last."""
    found = [entry for model in catalog for entry in offers_of(model, view, today, wish)]
    return sorted(found, key=lambda e: (e.served is False, e.model.id.casefold(), e.provider, e.kind))


def offers_of(model: Model, view: LiveView, today: date, wish: Wish = ANYTHING) -> Iterator[Entry]:
    """One model at each provider, in each of its forms, where it meets the wish."""
    for provider in model.offers:
        if wish.providers and provider not in wish.providers:
            continue
        for kind in model.kinds_at(provider):
            entry = _entry(model, provider, kind, view, today, wish)
            if entry and (wish.usd_at_most is None or (entry.usd is not None and entry.usd <= wish.usd_at_most)):
                yield entry


def _entry(model: Model, provider: str, kind: Kind, view: LiveView, today: date, wish: Wish) -> Entry | None:
    resolved = None if wish.image and kind != FROM_IMAGE else _settled(model, provider, wish)
    if resolved is None or (wish.asks and problems_at(model, provider, resolved, kind)):
        return None
    served = _served(model, provider, view, today)
    live = view.found.get((provider, model.id))
    return _priced(Entry(model, provider, model.offers[provider], resolved, served, kind=kind, live=live), view, today)


def _settled(model: Model, provider: str, wish: Wish) -> ResolvedOptions | None:
    """What the wish comes to with this model there; None where the model can't meet it. What is left open and the provider does
    not take as the model has it is the first that it does."""
    image = wish.image
    if (wish.sound and not model.audio) or (image and image.format not in model.image.formats):
        return None
    resolved = resolve_options(
        model,
        duration=wish.duration,
        resolution=wish.resolution,
        aspect_ratio=wish.aspect_ratio,
        image_size=image.shown_size if image else None,
    )
    if not isinstance(resolved, ResolvedOptions):
        return None
    only, seconds = model.offers[provider].only, resolved.duration_s
    if wish.duration is None and seconds not in only.get("duration", (seconds,)):
        resolved = replace(resolved, duration_s=int(only["duration"][0]))
    if wish.resolution is None and resolved.resolution not in only.get("resolution", (resolved.resolution,)):
        resolved = replace(resolved, resolution=str(only["resolution"][0]))
    return resolved


def _served(model: Model, provider: str, view: LiveView, today: date) -> bool | None:
    live = view.found.get((provider, model.id))
    if live is not None:
        return live.served
    return False if model.withdrawn_on is not None and model.withdrawn_on <= today else None


def _priced(entry: Entry, view: LiveView, today: date) -> Entry:
    usd, origin = view.quote(entry.model, entry.provider, entry.resolved)
    if usd is None:
        return entry
    per_second, per_clip = _sold_by(lambda s: view.quote(entry.model, entry.provider, s)[0], entry.resolved, usd)
    price = entry.offer.price
    if origin == "live" or price is None:
        source, as_of, estimated = f"asked of {entry.provider}", today, False
    else:
        source, as_of, estimated = price.source, price.as_of, all(rate.estimated for rate in price.rates)
    return replace(
        entry, usd=usd, usd_per_second=per_second, usd_per_clip=per_clip, price_source=source, price_date=as_of,
        estimated=estimated,
    )  # fmt: skip


def _sold_by(
    price: Callable[[ResolvedOptions], Decimal | None], resolved: ResolvedOptions, usd: Decimal
) -> tuple[Decimal | None, Decimal | None]:
    """Dollars for a second, or for a clip: by the second where twice as long costs twice as much."""
    seconds = resolved.duration_s
    if seconds and price(replace(resolved, duration_s=2 * seconds)) == 2 * usd:
        return usd / seconds, None
    return None, usd
