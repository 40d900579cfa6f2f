"""A model that is no longer served, and three that take the same rows instead. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from dailies.catalog import FROM_IMAGE, Catalog, Kind, Model, ResolvedOptions, check_prompt, resolve_options
from dailies.domain.money import show_usd, sum_usd
from dailies.errors import BadInput
from dailies.media.images import ImageFacts
from dailies.planning.live import LiveView
from dailies.providers.live import Live

SHOWN: Final = 3


@dataclass(frozen=True, slots=True)
class Needed:
    """What one row asks of whichever model makes it: its own words, None where it leaves the choice to the model.

    `image` is None where its pixels are not known.
    """

    resolution: object = None
    aspect_ratio: object = None
    duration: object = None
    prompt: str = "-"
    image: ImageFacts | None = None
    kind: Kind = FROM_IMAGE


@dataclass(frozen=True, slots=True)
class Gone:
    """A model that its provider no longer serves, in the provider's words, and the rows that asked for it."""

    model: Model
    provider: str
    live: Live
    rows: tuple[Needed, ...]


def candidates(gone: Gone, catalog: Catalog) -> list[tuple[str, Model]]:
    """Provider and model of everything that takes all these rows unchanged, the nearest first."""
    first = gone.rows[0]
    near = catalog.nearest(
        gone.model,
        duration=first.duration,
        resolution=first.resolution,
        aspect_ratio=first.aspect_ratio,
        kind=first.kind,
    )
    successor = gone.live.replaced_by
    fitting = [model for model in near if all(_fits(model, row) for row in gone.rows)]
    return [(next(iter(model.offers)), model) for model in sorted(fitting, key=lambda model: model.id != successor)]


def _fits(model: Model, row: Needed) -> bool:
    image = row.image
    return (
        _as_asked(model, row) is not None
        and row.kind in model.kinds_at(next(iter(model.offers)))
        and not check_prompt(model, row.prompt)
        and (image is None or image.format in model.image.formats)
    )


def _as_asked(model: Model, row: Needed) -> ResolvedOptions | None:
    found = resolve_options(
        model,
        resolution=row.resolution,
        aspect_ratio=row.aspect_ratio,
        duration=row.duration,
        image_size=row.image.shown_size if row.image else None,
    )
    return found if isinstance(found, ResolvedOptions) else None


def refusal(gone: Sequence[Gone], catalog: Catalog, view: LiveView) -> BadInput:
    """When each model ended, and the flag that makes the same rows with another, at which price."""
    return BadInput(
        "\n".join([*(_words(one, catalog, view) for one in gone), "Nothing was bought."]), trouble="model-gone"
    )


def _words(gone: Gone, catalog: Catalog, view: LiveView) -> str:
    live = gone.live
    when = f" (withdrawn on {live.shutdown_at})" if live.shutdown_at else ""
    successor = f" Its successor is {live.replaced_by}." if live.replaced_by else ""
    text = f"{gone.model.id} is no longer served at {gone.provider}{when}.{successor}"
    choices = _best(gone, candidates(gone, catalog), view)
    if not choices:
        return f"{text} No model of the catalog takes these rows unchanged."
    count = "1 clip" if len(gone.rows) == 1 else f"{len(gone.rows)} clips"
    lines = (f"  --model {name} ({price} for {count})" for name, price in choices.items())
    return "\n".join([f"{text} These take the rows as they are; add one of:", *lines])


def _best(gone: Gone, near: Sequence[tuple[str, Model]], view: LiveView) -> Mapping[str, str]:
    """Ids with prices of the nearest that are served, those with a known price before the others."""
    priced: dict[str, str] = {}
    unpriced: dict[str, str] = {}
    for provider, model in near:
        if view.gone(model, provider):
            continue
        usd = [_usd(model, provider, row, view) for row in gone.rows]
        if None in usd:
            unpriced[model.id] = "price unknown"
        else:
            priced[model.id] = show_usd(sum_usd(usd))
    return dict(list({**priced, **unpriced}.items())[:SHOWN])


def _usd(model: Model, provider: str, row: Needed, view: LiveView) -> Decimal | None:
    resolved = _as_asked(model, row)
    return view.quote(model, provider, resolved)[0] if resolved else None
