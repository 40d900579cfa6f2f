"""What can be bought: one entry per model and provider, with its price, as far as it is known. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any

from dailies.catalog import Catalog, Model, Offer, ResolvedOptions, resolve_options
from dailies.media.images import ImageFacts
from dailies.planning.live import LiveView

KIND = "image-to-video"
"""What every model of the catalog is: one entry is one form of a model, and the catalog holds this form alone."""


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


ANYTHING = Wish()


@dataclass(frozen=True, slots=True)
class Entry:
    """One model at one provider. `usd` is the price of one clip as it was wished, else with the model's defaults.

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

    def as_json(self) -> dict[str, Any]:
        """The entry in the words of `dailies models --json`."""
        model = self.model
        return {
            "id": model.id, "provider": self.provider, "provider_model": self.offer.name, "kind": KIND, "served": self.served,
            "usd_per_second": _number(self.usd_per_second), "usd_per_clip": _number(self.usd_per_clip),
            "price_source": self.price_source, "price_date": self.price_date.isoformat() if self.price_date else None,
            "durations": list(model.duration.values) if model.duration else [],
            "resolutions": list(model.resolution.values) if model.resolution else [],
            "aspect_ratios": list(model.aspect_ratio.values) if model.aspect_ratio else [],
            "options": sorted(model.options),
        }  # fmt: skip


def _number(usd: Decimal | None) -> float | None:
    return None if usd is None else float(usd)


def entries(catalog: Catalog, view: LiveView, today: date, wish: Wish = ANYTHING) -> list[Entry]:
    """What meets the wish, by id; what is switched off comes last."""
    found = [entry for model in catalog for entry in offers_of(model, view, today, wish)]
    return sorted(found, key=lambda entry: (entry.served is False, entry.model.id.casefold(), entry.provider))


def offers_of(model: Model, view: LiveView, today: date, wish: Wish = ANYTHING) -> Iterator[Entry]:
    """One model at each provider, where it meets the wish."""
    resolved = _settled(model, wish)
    if resolved is None:
        return
    for provider, offer in model.offers.items():
        if wish.providers and provider not in wish.providers:
            continue
        entry = _priced(Entry(model, provider, offer, resolved, _served(model, provider, view, today)), view, today)
        if wish.usd_at_most is None or (entry.usd is not None and entry.usd <= wish.usd_at_most):
            yield entry


def _settled(model: Model, wish: Wish) -> ResolvedOptions | None:
    """What the wish comes to with this model; None where the model can't meet it."""
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
    return resolved if isinstance(resolved, ResolvedOptions) else None


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
