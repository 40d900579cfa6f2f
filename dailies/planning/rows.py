"""Each row by itself: its model and providers, its settings, its image; or all that is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path

from dailies.catalog import (
    Model,
    Problem,
    ResolvedOptions,
    check_prompt,
    image_problem,
    resolve_options,
)
from dailies.domain.clips import Clip, Image, Option, Row
from dailies.domain.takes import MOST_TAKES, number_of_takes
from dailies.errors import BadInput, BadRow
from dailies.planning.drafts import Drafts
from dailies.planning.fitting import first_version_fitted, make_ready
from dailies.planning.further import checked as further_images
from dailies.planning.images import NO_IMAGE, Measured
from dailies.planning.request import BatchRequest
from dailies.planning.routing import IMAGE, RoutedRow, who_makes_it
from dailies.prompts import RawRow


@dataclass(frozen=True, slots=True)
class PlannedRow:
    """One good row with what its request and its price depend on."""

    row: Row
    model: Model
    resolved: ResolvedOptions
    image: Measured
    sideways: Clip | None = None
    takes: int = 1
    compared: tuple[str, ...] = ()
    """The providers among which the cheapest is taken; empty where the row names who is asked."""
    further: Mapping[str, Measured] = field(default_factory=dict)
    """Files that are sent beside the first image, by option."""
    in_full: ResolvedOptions | None = None
    """Of a draft, what the row asks for as it stands."""


def asked_of(raw: RawRow, order: BatchRequest) -> dict[str, object]:
    """What a row asks of its model, by its own words or the command line's; None where neither says."""
    return {
        "resolution": raw.get("resolution") or order.resolution,
        "aspect_ratio": raw.get("aspect_ratio") or order.aspect_ratio,
        "duration": raw.get("duration") or order.duration,
    }


def resolve_rows(
    routed: Sequence[RoutedRow],
    order: BatchRequest,
    measured: Mapping[str, Measured | BadInput],
    ids: Mapping[int, str],
    derived: Path,
) -> tuple[list[PlannedRow], list[BadRow]]:
    """Every row as a clip, and all that is wrong with the others. Images are turned and fitted here: it blocks."""
    made: list[PlannedRow] = []
    bad: list[BadRow] = []
    drafts = Drafts()
    for routed_row in routed:
        found = _row(routed_row, order, measured, ids, derived)
        if order.draft and isinstance(found, PlannedRow):
            found = _draft(found, drafts, routed_row, order, measured, ids, derived)
        if isinstance(found, PlannedRow):
            made.append(found)
        else:
            bad += found
    return made, bad


def _draft(  # noqa: PLR0913 - what a row is made of
    full: PlannedRow,
    drafts: Drafts,
    routed_row: RoutedRow,
    order: BatchRequest,
    measured: Mapping[str, Measured | BadInput],
    ids: Mapping[int, str],
    derived: Path,
) -> PlannedRow:
    """The row at the cheapest setting that can be made of it: its image may fit few, and a provider may take only some."""
    for cheaper in drafts.of(routed_row, full.resolved):
        written = cheaper.written(routed_row.raw, full.resolved.aspect_ratio)
        found = _row(replace(routed_row, raw=written), order, measured, ids, derived)
        if isinstance(found, PlannedRow):
            return replace(found, in_full=full.resolved)
    return full


def _row(
    routed_row: RoutedRow,
    order: BatchRequest,
    measured: Mapping[str, Measured | BadInput],
    ids: Mapping[int, str],
    derived: Path,
) -> PlannedRow | list[BadRow]:
    """One row as a clip, with its file if it lies on disk; or all that is wrong with it."""
    raw, model = routed_row.raw, routed_row.model
    problems = check_prompt(model, raw.cells["prompt"]) if raw.get("prompt") else []
    takes = number_of_takes(raw.cells["takes"]) if raw.get("takes") else order.takes or 1
    if takes is None:
        reason, cure = f"{raw.cells['takes']!r} is no number of takes", f"use a whole number from 1 to {MOST_TAKES}"
        problems.append(Problem("takes", reason, cure))
    image = measured.get(raw.cells[IMAGE]) if raw.get(IMAGE) else NO_IMAGE
    if isinstance(image, BadInput):
        problems.append(Problem("image", str(image)))
        image = None
    options = {name: text for name, text in raw.labels.items() if name in model.options}
    values, further, wrong = further_images(model, options, measured)
    options |= values
    problems += wrong
    original = image
    if image and image is not NO_IMAGE:
        try:
            image = make_ready(image, model, raw, order, derived)
        except BadInput as error:
            problems.append(Problem("image", str(error)))
            image = None
    asked, has_image = asked_of(raw, order), image is not None and image is not NO_IMAGE
    size = image.facts.shown_size if image and has_image else None
    resolved = resolve_options(model, **asked, options=options, image_size=size)
    if isinstance(resolved, list):
        problems += resolved
    elif image and has_image and image.facts.format not in model.image.formats:
        wanted = " or ".join(model.image.formats)
        problems.append(Problem("image", f"is a {image.facts.format}; {model.id} takes {wanted}", f"use {wanted}"))
    providers = routed_row.providers
    if isinstance(resolved, ResolvedOptions) and not image_problem(model, has_image):
        providers, more = who_makes_it(routed_row, resolved)
        problems += more
    if problems or isinstance(resolved, list) or image is None or original is None or takes is None:
        told = {bad.column for bad in raw.bad}
        return [raw.problem(p.column, p.reason, p.cure) for p in problems if p.column not in told]
    labels = {name: text for name, text in raw.labels.items() if name not in options}
    row = Row(
        raw.number,
        ids[raw.number],
        _clip(raw, model, resolved, image, order),
        providers,
        labels,
        raw.sheet_row,
    )
    sideways = _sideways(routed_row, original, asked, options, order)
    compared = providers if routed_row.cheapest else ()
    return PlannedRow(row, model, resolved, image, sideways, takes, compared, further)


def _sideways(
    routed_row: RoutedRow, image: Measured, asked: Mapping[str, object], options: Mapping[str, str], order: BatchRequest
) -> Clip | None:
    """The clip that the first version made of this row, where it sent the image as it is stored though it is shown turned."""
    if (
        image is NO_IMAGE
        or image.facts.orientation == 1
        or first_version_fitted(image, routed_row.model, routed_row.raw, order)
    ):
        return None
    stored = resolve_options(
        routed_row.model, **asked, options=options, image_size=(image.facts.width, image.facts.height)
    )
    return (
        _clip(routed_row.raw, routed_row.model, stored, image, order) if isinstance(stored, ResolvedOptions) else None
    )


def _clip(raw: RawRow, model: Model, resolved: ResolvedOptions, image: Measured, order: BatchRequest) -> Clip:
    facts = image.facts
    return Clip(
        model=model.id,
        prompt=raw.cells["prompt"],
        image=Image(
            image.source,
            facts.width,
            facts.height,
            facts.format,
            facts.size_bytes,
            image.content,
            image.made,
            facts.seen,
        ),
        resolution=resolved.resolution,
        aspect_ratio=resolved.aspect_ratio,
        duration_s=resolved.duration_s,
        take=raw.get("take") or order.take or "",
        options={name: _plain(value) for name, value in resolved.options.items()},
    )


def _plain(value: object) -> Option:
    return float(value) if isinstance(value, Decimal) else value  # type: ignore[return-value]
