"""Each row by itself: its model and providers, its settings, its image; or all that is wrong with it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from dailies.catalog import Catalog, Model, Problem, ResolvedOptions, check_prompt, resolve_options
from dailies.domain.clips import Clip, Image, Option, Row
from dailies.domain.takes import MOST_TAKES, number_of_takes
from dailies.errors import BadInput, BadRow
from dailies.planning.cheapest import CHEAPEST, Named, named_providers, to_compare
from dailies.planning.fitting import first_version_fitted, make_ready
from dailies.planning.images import Measured
from dailies.planning.request import BatchRequest
from dailies.prompts import RawRow
from dailies.registry import provider_names
from dailies.settings import DEFAULT_MODEL
from dailies.sheets.columns import REQUIRED


@dataclass(frozen=True, slots=True)
class RoutedRow:
    """Where and with which model one row is to be made."""

    raw: RawRow
    model: Model
    providers: tuple[str, ...]
    cheapest: bool = False


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


def check_order(order: BatchRequest, catalog: Catalog) -> list[BadRow]:
    """Problems of the command line itself, which stand for the whole file."""
    bad = []
    if order.provider:
        bad += [BadRow(0, "--provider", reason) for reason in provider_problems(order.provider)]
    if order.model:
        try:
            catalog.find(order.model)
        except BadInput as error:
            bad.append(BadRow(0, "--model", str(error)))
    if not order.batch_name.strip() or len(order.batch_name) > 200:
        bad.append(BadRow(0, "--batch", "needs a name of 1 to 200 characters"))
    return bad


def provider_problems(text: str) -> list[str]:
    """What is wrong with a list of providers; nothing where all of them are known."""
    known = provider_names()
    strange = [name for name in named_providers(text).providers if name not in known]
    return [f"{name!r} is not a provider; there are {', '.join(known)}, and {CHEAPEST}" for name in strange]


def route_rows(
    raw_rows: Sequence[RawRow], order: BatchRequest, catalog: Catalog, keyed: Collection[str] = ()
) -> tuple[list[RoutedRow], list[BadRow]]:
    """Model and providers of every row, and the rows for which that can't be said; `keyed` are providers with a key."""
    routed, bad = [], []
    for raw in raw_rows:
        found = [raw.problem(name, "is empty", "fill it in") for name in REQUIRED if not raw.get(name)]
        found += raw.bad
        try:
            routed.append(_routed(raw, order, catalog, keyed))
        except _Bad as error:
            found.append(error.row)
        bad += found
    return routed, bad


class _Bad(Exception):
    def __init__(self, row: BadRow) -> None:
        self.row = row


def _refused(raw: RawRow, column: str, reason: str) -> _Bad:
    """Of the row whose own cell says it, else of the whole file: the command line or a setting said it."""
    return _Bad(raw.problem(column, reason) if raw.get(column) else BadRow(0, column, reason))


def _routed(raw: RawRow, order: BatchRequest, catalog: Catalog, keyed: Collection[str]) -> RoutedRow:
    name = raw.get("model") or order.model or DEFAULT_MODEL
    try:
        model = catalog.find(name)
    except BadInput as error:
        raise _refused(raw, "model", str(error)) from None
    text = raw.get("provider") or order.provider
    if text:
        problems = provider_problems(text)
        if problems:
            raise _refused(raw, "provider", problems[0])
        named = named_providers(text)
    else:
        named = Named((catalog.provider_of(name) or _first_offer(model),))
    providers = named.providers
    if named.cheapest:
        providers = to_compare(model, providers, keyed) or providers
    for provider in providers:
        try:
            model.offer_at(provider)
        except BadInput as error:
            raise _Bad(raw.problem("provider", str(error))) from None
    return RoutedRow(raw, model, providers, named.cheapest)


def _first_offer(model: Model) -> str:
    return next((name for name in provider_names() if name in model.offers), next(iter(model.offers)))


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
    for routed_row in routed:
        found = _row(routed_row, order, measured, ids, derived)
        if isinstance(found, PlannedRow):
            made.append(found)
        else:
            bad += found
    return made, bad


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
    image = measured.get(raw.cells["image"])
    if isinstance(image, BadInput):
        problems.append(Problem("image", str(image)))
        image = None
    options = {name: text for name, text in raw.labels.items() if name in model.options}
    original = image
    if image:
        try:
            image = make_ready(image, model, raw, order, derived)
        except BadInput as error:
            problems.append(Problem("image", str(error)))
            image = None
    asked = asked_of(raw, order)
    resolved = resolve_options(model, **asked, options=options, image_size=image.facts.shown_size if image else None)
    if isinstance(resolved, list):
        problems += resolved
    elif image and image.facts.format not in model.image.formats:
        wanted = " or ".join(model.image.formats)
        problems.append(Problem("image", f"is a {image.facts.format}; {model.id} takes {wanted}", f"use {wanted}"))
    if problems or isinstance(resolved, list) or image is None or original is None or takes is None:
        told = {bad.column for bad in raw.bad}
        return [raw.problem(p.column, p.reason, p.cure) for p in problems if p.column not in told]
    labels = {name: text for name, text in raw.labels.items() if name not in options}
    row = Row(
        raw.number,
        ids[raw.number],
        _clip(raw, model, resolved, image, order),
        routed_row.providers,
        labels,
        raw.sheet_row,
    )
    sideways = _sideways(routed_row, original, asked, options, order)
    compared = routed_row.providers if routed_row.cheapest else ()
    return PlannedRow(row, model, resolved, image, sideways, takes, compared)


def _sideways(
    routed_row: RoutedRow, image: Measured, asked: Mapping[str, object], options: Mapping[str, str], order: BatchRequest
) -> Clip | None:
    """The clip that the first version made of this row, where it sent the image as it is stored though it is shown turned."""
    if image.facts.orientation == 1 or first_version_fitted(image, routed_row.model, routed_row.raw, order):
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
