"""Where and with which model each row is to be made, before anything of it is measured or priced. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from dailies.catalog import (
    FROM_IMAGE,
    FROM_TEXT,
    Catalog,
    Kind,
    Model,
    Problem,
    ResolvedOptions,
    image_problem,
    problems_at,
)
from dailies.errors import BadInput, BadRow
from dailies.planning.cheapest import CHEAPEST, Named, named_providers, to_compare
from dailies.planning.request import BatchRequest
from dailies.prompts import RawRow, Sheet
from dailies.registry import provider_names
from dailies.settings import DEFAULT_MODEL

IMAGE: Final = "image"


@dataclass(frozen=True, slots=True)
class RoutedRow:
    """Where and with which model one row is to be made."""

    raw: RawRow
    model: Model
    providers: tuple[str, ...]
    cheapest: bool = False

    @property
    def kind(self) -> Kind:
        """From an image, or from the prompt alone."""
        return FROM_IMAGE if self.raw.get(IMAGE) else FROM_TEXT


def check_order(order: BatchRequest, catalog: Catalog) -> list[BadRow]:
    """Problems of the command line itself, which stand for the whole file."""
    bad = []
    if order.provider:
        bad += [BadRow(0, "--provider", reason) for reason in provider_problems(order.provider)]
    if order.draft and order.final:
        bad.append(BadRow(0, "--draft", "and --final are two things: drafts first, then what was kept of them in full"))
    if order.final and order.only:
        bad.append(BadRow(0, "--final", "makes what was kept, and --only retake what was sent back: say one of them"))
    if order.model:
        try:
            catalog.find(order.model)
        except BadInput as error:
            bad.append(BadRow(0, "--model", str(error)))
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
        found = [] if raw.get("prompt") else [raw.problem("prompt", "is empty", "fill it in")]
        found += raw.bad
        try:
            one = _routed(raw, order, catalog, keyed)
        except _Bad as error:
            found.append(error.row)
        else:
            routed.append(one)
            wrong = image_problem(one.model, bool(raw.get("image")))
            if wrong and (raw.get("image") or IMAGE in raw.cells):  # a column that is not there is said once
                found.append(raw.problem(wrong.column, wrong.reason, wrong.cure))
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


def who_makes_it(routed_row: RoutedRow, resolved: ResolvedOptions) -> tuple[tuple[str, ...], list[Problem]]:
    """The row's providers, and what one of them does not make of it; of those to be compared only who makes it."""
    wrong = {name: problems_at(routed_row.model, name, resolved, routed_row.kind) for name in routed_row.providers}
    able = tuple(name for name, problems in wrong.items() if not problems)
    if routed_row.cheapest and able:
        return able, []
    return routed_row.providers, next((problems for problems in wrong.values() if problems), [])


def without_the_column(sheet: Sheet, routed: Sequence[RoutedRow]) -> list[BadRow]:
    """The column of images that is missing, said once, where a row's model needs one."""
    needed = (image_problem(one.model, False) for one in routed if IMAGE not in one.raw.cells)
    return list(sheet.lacks) if any(needed) else []
