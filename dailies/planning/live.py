"""The live check of a plan: models that are gone stop it, prices of today replace the catalog's."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from dailies.catalog import Model, Problem, ResolvedOptions, live_quote, quote
from dailies.catalog.values import one_of
from dailies.domain.money import to_usd
from dailies.errors import Misconfigured
from dailies.providers.live import Live, LiveUnavailable

Ask = Callable[[str, list[str]], Awaitable[dict[str, Live]]]
FREE_CHOICES: Final = frozenset({"seed"})
"""Options that a price never depends on, and that differ from row to row."""

Alike = tuple[object, ...]
"""What clips have in common that cost the same at a provider."""


def alike(model: Model, provider: str, resolved: ResolvedOptions) -> Alike:
    """The same for all clips that a provider sells at one price: what text or picture an option holds changes none."""
    if not resolved.options:
        return (model.id, provider, resolved.resolution, resolved.aspect_ratio, resolved.duration_s)
    said = {
        name: value if model.options[name].values or model.options[name].type in ("bool", "int", "number") else True
        for name, value in resolved.options.items()
        if name not in FREE_CHOICES
    }
    return (model.id, provider, resolved.resolution, resolved.aspect_ratio, resolved.duration_s, *said.items())


@dataclass(frozen=True, slots=True)
class LiveView:
    """What the providers said of the models of a batch; empty where one could not be asked. `estimates`: what such clips cost
    on this account, where a provider tells that."""

    found: Mapping[tuple[str, str], Live] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    estimates: Mapping[Alike, Decimal] = field(default_factory=dict)
    _told: dict[object, tuple[Decimal | None, str]] = field(default_factory=dict, init=False, repr=False, compare=False)

    def quote(self, model: Model, provider: str, resolved: ResolvedOptions) -> tuple[Decimal | None, str]:
        """The price of one clip, and where it is from: `live`, `catalog of DATE`, or `unknown`."""
        key = alike(model, provider, resolved)
        if key in self.estimates:
            return to_usd(self.estimates[key]), "live"
        if key not in self._told:  # most rows of a batch are priced alike
            self._told[key] = self._quote(model, provider, resolved)
        return self._told[key]

    def _quote(self, model: Model, provider: str, resolved: ResolvedOptions) -> tuple[Decimal | None, str]:
        offer = model.offer_at(provider)
        live = self.found.get((provider, model.id))
        usd = live_quote(live.pricing, resolved) if live and live.pricing else None
        if usd is not None:
            return to_usd(usd), "live"
        usd = quote(offer, resolved)
        if usd is None:
            return None, "unknown"
        return to_usd(usd), f"catalog of {offer.price.as_of.isoformat()}" if offer.price else "catalog"

    def outside(self, model: Model, provider: str, resolved: ResolvedOptions) -> Problem | None:
        """The value of a clip that the provider's own list of today does not have; None where it has all, or says nothing."""
        live = self.found.get((provider, model.id))
        if live is None or not live.served:
            return None
        asked = (
            ("duration", resolved.duration_s, live.durations),
            ("resolution", resolved.resolution, live.resolutions),
            ("aspect_ratio", resolved.aspect_ratio, live.aspect_ratios),
        )
        for word, value, listed in asked:
            if value is not None and listed and str(value).lower() not in {str(one).lower() for one in listed}:
                reason = f"{value} is no {word.replace('_', ' ')} of {model.id} at {provider} today"
                return Problem(word, reason, f"use {one_of(listed)}, or another provider")
        return None

    def gone(self, model: Model, provider: str) -> Live | None:
        """The provider's word that it does not serve the model; None while it does or could not be asked."""
        live = self.found.get((provider, model.id))
        return live if live and not live.served else None


async def ask_all(wanted: Sequence[tuple[str, Model]], ask: Ask, require_live: bool) -> LiveView:
    """Ask each provider about its models. One that can't be asked is a note, or Misconfigured with `--require-live`."""
    found: dict[tuple[str, str], Live] = {}
    notes = []
    for provider in sorted({name for name, _ in wanted}):
        models: dict[str, dict[str, Model]] = {}  # a text and an image form may have one name there
        for m in (model for name, model in wanted if name == provider):
            models.setdefault(m.offer_at(provider).name, {})[m.id] = m
        try:
            answers = await ask(provider, sorted(models))
        except LiveUnavailable as error:
            text = f"{provider} could not be asked whether its models are served and what they cost now ({error})"
            if require_live:
                raise Misconfigured(f"{text}. Nothing was bought (--require-live)", trouble="network") from None
            notes.append(f"{text}; prices are the catalog's")
            continue
        for model_id, live in ((one, live) for name, live in answers.items() for one in models[name]):
            found[provider, model_id] = live
            if live.served and live.status in ("deprecated", "superseded"):
                notes.append(_ending(model_id, provider, live))
    return LiveView(found, tuple(notes))


def _ending(model_id: str, provider: str, live: Live) -> str:
    until = f" and ends on {live.shutdown_at}" if live.shutdown_at else ""
    instead = f"; its successor is {live.replaced_by}" if live.replaced_by else ""
    return f"{model_id} is {live.status} at {provider}{until}{instead}"
