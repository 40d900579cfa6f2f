"""Rows become clips: provider, model, settings and image are settled, checked and priced, all rows before the first cent."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Protocol

import anyio.to_thread

from dailies.catalog import Catalog
from dailies.domain.clips import Row
from dailies.domain.money import show_usd, sum_usd
from dailies.domain.takes import Link
from dailies.errors import BadInput, BadRow, BadRows
from dailies.planning import fill, finals, takes
from dailies.planning.cheapest import Quotes, lowest
from dailies.planning.drafts import draft_note
from dailies.planning.earlier import Wanted, recognised
from dailies.planning.estimates import Estimate, ask_estimates
from dailies.planning.further import all_in
from dailies.planning.images import Images, Measured
from dailies.planning.live import Ask, LiveView, ask_all
from dailies.planning.replacements import Gone, Needed, candidates, refusal
from dailies.planning.request import BatchRequest
from dailies.planning.routing import RoutedRow, check_order, route_rows, without_the_column
from dailies.planning.rows import PlannedRow, asked_of, resolve_rows
from dailies.planning.shards import chosen
from dailies.planning.takes import with_takes
from dailies.prompts import RawRow, Sheet, with_ids


@dataclass(frozen=True, slots=True)
class Market:
    """Whom planning asks: `ask` for a provider's list of models, `estimate` for what a request would cost on this account.

    `keyed` are the providers for which there is a key.
    """

    ask: Ask
    estimate: Estimate
    keyed: frozenset[str] = frozenset()


class Record(fill.Record, takes.Record, finals.Record, Protocol):
    """What planning asks of the ledger. Its methods block."""


@dataclass(frozen=True, slots=True)
class SentFile:
    """A file whose bytes are sent with a request, and their digest when they were checked; `fitted_of` as in `Measured`."""

    path: Path
    sha256: str
    fitted_of: Path | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """A whole batch, ready to be bought: good rows only, each with its quote (None: no price is known)."""

    batch: str
    source: str
    rows: tuple[Row, ...]
    quotes: Mapping[str, Decimal | None]
    files: Mapping[str, SentFile] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    quotes_elsewhere: Mapping[tuple[str, str], Decimal | None] = field(default_factory=dict)
    price_origins: Mapping[str, int] = field(default_factory=dict)
    own_columns: tuple[str, ...] = ()
    takes: tuple[Link, ...] = ()
    replaced: tuple[str, ...] = ()
    """Drafts that leave the batch, because what was kept of them is made in full."""
    forgotten: tuple[str, ...] = ()
    """Takes of its rows that a person had removed: they stay rows of the batch, and are never made again."""
    further_files: Mapping[tuple[str, str], SentFile] = field(default_factory=dict)
    """Files that are sent beside the first image, by clip_key and option."""
    compared: Mapping[str, Quotes] = field(default_factory=dict)
    """Of clips that are made where it is cheapest what each provider would ask, by clip_key; one of them is the row's."""

    def quote_at(self, clip_key: str, provider: str) -> Decimal | None:
        """The quote at a row's first provider, or at one that it may be moved to."""
        return self.quotes_elsewhere.get((clip_key, provider), self.quotes[clip_key])

    @property
    def usd_quoted(self) -> Decimal:
        """The sum of the known quotes."""
        return sum_usd(self.quotes.values())

    @property
    def unpriced(self) -> list[Row]:
        """Rows for which no price is known."""
        return [row for row in self.rows if self.quotes[row.clip.key] is None]

    @property
    def providers(self) -> tuple[str, ...]:
        """Every provider that the batch may buy from."""
        return tuple(sorted({name for row in self.rows for name in row.providers}))


async def make_plan(  # noqa: PLR0913 - what a plan is made of, each with its default
    sheet: Sheet,
    order: BatchRequest,
    source: str,
    catalog: Catalog,
    images: Images,
    derived: Path,
    market: Market,
    record: Record,
    progress: Callable[[int, int], None] = lambda *_: None,
) -> Plan:
    """Settle every row. Raises BadRows with all problems of all rows at once. Buys nothing.

    `derived` is the folder where images that were turned or fitted are kept; `market` is asked what is sold and for how much,
    and `record` is the ledger, which knows what was bought.
    """
    order = _as_recorded(order, sheet)
    ids, bad = with_ids(sheet.rows)  # of the whole CSV: a part's rows keep the names they have in the whole
    raw_rows = chosen(sheet.rows, order.rows, order.ids, order.limit, ids)
    bad += check_order(order, catalog)
    routed, more = route_rows(raw_rows, order, catalog, market.keyed)
    bad += more
    bad += without_the_column(sheet, routed)
    sources = [c.raw.cells["image"] for c in routed if c.raw.get("image")]
    measured = await images.measure_all(sources + all_in((c.model, c.raw.labels) for c in routed), progress)
    view = await ask_all([(p, c.model) for c in routed for p in c.providers], market.ask, order.require_live)
    if not bad:
        await _refuse_ended(routed, order, measured, catalog, view, market.ask)
    made, more = await anyio.to_thread.run_sync(resolve_rows, routed, order, measured, ids, derived)
    bad += more
    made, more = _within_todays_lists(made, view)
    bad += more
    prompts = await _filled(sheet, made, raw_rows, record)
    made = list(prompts.rows)
    bad += prompts.bad
    refused = {b.row for b in bad}  # forty rows without a prompt are not twins as well
    bad += _twins([m.row for m in made if m.row.sheet_row not in refused], catalog.option_words())
    if bad:
        raise BadRows(source, sorted(set(bad), key=lambda b: (b.row, b.column, b.reason)))
    made = [_served(m, view) for m in made]
    view = replace(view, estimates=await ask_estimates(made, market.estimate))
    made = [_at_the_cheapest(m, view) for m in made]
    wanted = [Wanted(m.row.clip, m.image, m.sideways) for m in made]
    known = await anyio.to_thread.run_sync(recognised, wanted, record)
    made = [_under_its_key(m, known.get(m.row.clip.identity)) for m in made]
    taken = await anyio.to_thread.run_sync(finals.finals if order.final else with_takes, made, order, record)
    made = list(taken.rows)
    if bad := _twins([m.row for m in made], catalog.option_words()):
        raise BadRows(source, bad)
    quotes: dict[tuple[str, str], Decimal | None] = {}
    origins: Counter[str] = Counter()
    for m in made:
        for provider in m.row.providers:
            quotes[m.row.clip.key, provider], origin = view.quote(m.model, provider, m.resolved)
            origins[origin] += provider == m.row.providers[0]
    return Plan(
        batch=order.batch_name,
        source=source,
        rows=tuple(m.row for m in made),
        quotes={m.row.clip.key: quotes[m.row.clip.key, m.row.providers[0]] for m in made},
        files={
            m.row.clip.key: SentFile(m.image.path, m.image.sha256, m.image.fitted_of)
            for m in made
            if m.image.path and m.image.sha256
        },
        notes=(
            *sheet.notes,
            *_notes(routed, catalog),
            *_sideways_notes(made),
            *view.notes,
            *prompts.notes,
            *_draft_notes(made, view),
            *taken.notes,
        ),
        quotes_elsewhere=quotes,
        price_origins=origins,
        own_columns=sheet.own_columns,
        takes=taken.links,
        replaced=taken.replaced,
        forgotten=taken.forgotten,
        further_files={
            (m.row.clip.key, name): SentFile(found.path, found.sha256)
            for m in made
            for name, found in m.further.items()
            if found.path and found.sha256
        },
        compared={m.row.clip.key: _quotes(m, m.compared, view) for m in made if m.compared},
    )


def _as_recorded(order: BatchRequest, sheet: Sheet) -> BatchRequest:
    """Rows on record say themselves at which setting they are made, and none is chosen for being kept."""
    return order.but(draft=False, final=False) if sheet.on_record else order


def _draft_notes(made: Sequence[PlannedRow], view: LiveView) -> list[str]:
    """What drafts come to beside the same rows in full, at the first provider of each."""
    drafts = [(m, m.in_full, m.row.providers[0]) for m in made if m.in_full]
    if not drafts:
        return []
    quotes = [
        (view.quote(m.model, name, m.resolved)[0], view.quote(m.model, name, full)[0]) for m, full, name in drafts
    ]
    return [draft_note(quotes, len(made))]


async def _filled(sheet: Sheet, made: Sequence[PlannedRow], raws: Sequence[RawRow], record: Record) -> fill.Filled:
    """The rows with their prompts filled in; the record's own prompts are."""
    if sheet.on_record:
        return fill.Filled(tuple(made))
    return await anyio.to_thread.run_sync(fill.fill_prompts, made, {raw.number: raw for raw in raws}, record)


def _under_its_key(made: PlannedRow, key: str | None) -> PlannedRow:
    """The row with the key under which the ledger has its clip, where that is not today's."""
    if key is None or key == made.row.clip.identity:
        return made
    return replace(made, row=replace(made.row, clip=replace(made.row.clip, known_as=key)))


def _sideways_notes(made: Sequence[PlannedRow]) -> list[str]:
    """Clips that the first version bought with an image as it is stored, though it is shown turned."""
    rows = [m.row for m in made if m.sideways and m.row.clip.known_as == m.sideways.identity]
    if not rows:
        return []
    names = ", ".join(f"row {row.sheet_row} ({row.id})" for row in rows[:3]) + (", …" if len(rows) > 3 else "")
    return [
        f"{names}: bought by an earlier version with the image as it is stored, which may be lying on its side; "
        "give the row another take to buy it upright"
    ]


async def _refuse_ended(
    routed: Sequence[RoutedRow],
    order: BatchRequest,
    measured: Mapping[str, Measured | BadInput],
    catalog: Catalog,
    view: LiveView,
    ask: Ask,
) -> None:
    """Raise BadInput for models that none of their rows' providers serves any more, naming what takes the same rows."""
    ended: dict[str, list[RoutedRow]] = defaultdict(list)
    for choice in routed:
        if all(view.gone(choice.model, provider) for provider in choice.providers):
            ended[choice.model.id].append(choice)
    if ended:
        gone = [_gone(rows, order, measured, view) for _, rows in sorted(ended.items())]
        instead = [pair for one in gone for pair in candidates(one, catalog)]
        raise refusal(gone, catalog, await ask_all(instead, ask, require_live=False))


def _gone(
    rows: Sequence[RoutedRow], order: BatchRequest, measured: Mapping[str, Measured | BadInput], view: LiveView
) -> Gone:
    model, provider = rows[0].model, rows[0].providers[0]
    live = view.gone(model, provider)
    assert live
    needed = []
    for choice in rows:
        image = measured.get(choice.raw.cells.get("image", ""))
        facts = image.facts if isinstance(image, Measured) else None
        prompt = choice.raw.cells.get("prompt", "")
        needed.append(Needed(**asked_of(choice.raw, order), prompt=prompt, image=facts, kind=choice.kind))
    return Gone(model, provider, live, tuple(needed))


def _within_todays_lists(made: Sequence[PlannedRow], view: LiveView) -> tuple[list[PlannedRow], list[BadRow]]:
    """The rows whose values the providers' lists of today have; of rows to be compared only who has them."""
    kept, bad = [], []
    for one in made:
        wrong = {name: view.outside(one.model, name, one.resolved) for name in one.row.providers}
        able = tuple(name for name, problem in wrong.items() if problem is None)
        if able and one.compared:
            one = replace(one, row=replace(one.row, providers=able), compared=able)
        elif problem := next(filter(None, wrong.values()), None):
            bad.append(BadRow(one.row.sheet_row, problem.column, problem.reason, one.row.id, problem.cure))
        kept.append(one)
    return kept, bad


def _served(made: PlannedRow, view: LiveView) -> PlannedRow:
    """The row without the providers that no longer serve its model; at least one is left."""
    left = tuple(provider for provider in made.row.providers if not view.gone(made.model, provider))
    return made if left == made.row.providers else replace(made, row=replace(made.row, providers=left))


def _at_the_cheapest(made: PlannedRow, view: LiveView) -> PlannedRow:
    """The row at the provider that asks least for it, where it was left to that."""
    if not made.compared:
        return made
    chosen = lowest(_quotes(made, made.row.providers, view))
    return replace(made, row=replace(made.row, providers=(chosen,)), compared=made.row.providers)


def _quotes(made: PlannedRow, providers: Sequence[str], view: LiveView) -> Quotes:
    return {name: view.quote(made.model, name, made.resolved)[0] for name in providers}


def _twins(rows: Sequence[Row], options: Iterable[str]) -> list[BadRow]:
    """Rows that come to a clip that another one buys: written twice, or told apart by an option that their model does not take."""
    words = sorted(options)
    first: dict[str, Row] = {}
    bad = []
    for row in rows:
        twin = first.setdefault(row.clip.key, row)
        if twin is row:
            continue
        column, reason = "prompt", f"asks for the same clip as row {twin.sheet_row} ({twin.id})"
        cure = "give it another `take` to buy it twice on purpose"
        if idle := next((name for name in words if row.labels.get(name) != twin.labels.get(name)), None):
            column, reason = idle, f"{reason}: {row.clip.model} takes no {idle}"
            cure = f"name a model that takes {idle}, or {cure}"
        bad.append(BadRow(row.sheet_row, column, reason, row.id, cure))
    return bad


def _notes(routed: Sequence[RoutedRow], catalog: Catalog) -> tuple[str, ...]:
    """What a person should know though nothing is wrong."""
    notes = []
    words = catalog.option_words()
    for name in dict.fromkeys(name for c in routed for name in c.raw.labels if name in words):
        without = sorted({c.model.id for c in routed if name not in c.model.options and c.raw.labels.get(name)})
        if without:
            notes.append(f"column {name} is no option of {', '.join(without)}: kept as the team's own, not sent")
    return tuple(notes)


def unpriced_message(plan: Plan) -> str:
    """Why a batch without a price is refused, and what to do."""
    names = ", ".join(sorted({row.clip.model for row in plan.unpriced}))
    rows = ", ".join(row.id for row in plan.unpriced[:5]) + ("…" if len(plan.unpriced) > 5 else "")
    return (
        f"no price is known for {names} with these settings (rows {rows}); the others come to {show_usd(plan.usd_quoted)}. "
        "Nothing was bought. Say --allow-unpriced to buy without a quote, or add a price in DAILIES_MODELS"
    )
