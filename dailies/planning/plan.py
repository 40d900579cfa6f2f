"""Rows become clips: provider, model, settings and image are settled, checked and priced, all rows before the first cent."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path

import anyio.to_thread

from dailies.catalog import Catalog, Model, Problem, Settled, check_prompt, settle
from dailies.domain.clips import Clip, Image, Option, Row
from dailies.domain.money import show_usd, sum_usd
from dailies.errors import BadInput, BadRow, BadRows
from dailies.order import Order
from dailies.planning.fitting import fit_to_disk
from dailies.planning.images import Images, Measured
from dailies.planning.live import Ask, LiveView, ask_all, refuse_gone
from dailies.planning.shards import chosen
from dailies.prompts import RawRow, Sheet, with_ids
from dailies.providers.live import Live
from dailies.settings import DEFAULT_MODEL, DEFAULT_PROVIDER, PROVIDERS
from dailies.sheets.columns import REQUIRED


@dataclass(frozen=True, slots=True)
class Plan:
    """A whole batch, ready to be bought: good rows only, each with its quote (None: no price is known)."""

    batch: str
    source: str
    rows: tuple[Row, ...]
    quotes: Mapping[str, Decimal | None]
    files: Mapping[str, Path] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    quotes_elsewhere: Mapping[tuple[str, str], Decimal | None] = field(default_factory=dict)
    price_origins: Mapping[str, int] = field(default_factory=dict)
    own_columns: tuple[str, ...] = ()

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


@dataclass(frozen=True, slots=True)
class Choice:
    """Where and with which model one row is to be made."""

    raw: RawRow
    model: Model
    providers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Made:
    """One good row with what its request and its price depend on."""

    row: Row
    model: Model
    settled: Settled
    path: Path | None


async def make_plan(
    sheet: Sheet,
    order: Order,
    source: str,
    catalog: Catalog,
    images: Images,
    derived: Path,
    ask: Ask,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Plan:
    """Settle every row. Raises BadRows with all problems of all rows at once. Buys nothing and sends no key anywhere.

    `derived` is the folder where images made by `--fit` are kept; `ask` asks a provider about its models.
    """
    ids, bad = with_ids(sheet.rows)  # of the whole CSV: a part's rows keep the names they have in the whole
    raw_rows = chosen(sheet.rows, order.rows, order.ids, order.limit, ids)
    bad += check_order(order, catalog)
    choices, more = _choose(raw_rows, order, catalog)
    bad += more
    measured = await images.measure_all([c.raw.cells["image"] for c in choices if c.raw.get("image")], progress)
    view = await ask_all([(p, c.model) for c in choices for p in c.providers], ask, order.require_live)
    made: list[Made] = []
    for choice in choices:
        found = (
            await anyio.to_thread.run_sync(_row, choice, order, measured, ids, derived)
            if order.fit != "strict"
            else _row(choice, order, measured, ids, derived)
        )
        if isinstance(found, Made):
            made.append(found)
        else:
            bad += found
    bad += _twins([m.row for m in made])
    if bad:
        raise BadRows(source, sorted(set(bad), key=lambda b: (b.row, b.column, b.reason)))
    made = _served(made, catalog, view)
    quotes: dict[tuple[str, str], Decimal | None] = {}
    origins: Counter[str] = Counter()
    for m in made:
        for provider in m.row.providers:
            quotes[m.row.clip.key, provider], origin = view.quote(m.model, provider, m.settled)
            origins[origin] += provider == m.row.providers[0]
    return Plan(
        batch=order.batch_name,
        source=source,
        rows=tuple(m.row for m in made),
        quotes={m.row.clip.key: quotes[m.row.clip.key, m.row.providers[0]] for m in made},
        files={m.row.clip.key: m.path for m in made if m.path},
        notes=(*_notes(choices, catalog), *view.notes),
        quotes_elsewhere=quotes,
        price_origins=origins,
        own_columns=sheet.own_columns,
    )


def _served(made: Sequence[Made], catalog: Catalog, view: LiveView) -> list[Made]:
    """Drop providers that no longer serve a row's model; raise BadInput where none is left."""
    kept: list[Made] = []
    gone: dict[str, tuple[str, Live]] = {}
    asked: dict[str, list[Settled]] = defaultdict(list)
    for m in made:
        left = tuple(p for p in m.row.providers if not view.gone(m.model, p))
        if left:
            kept.append(m if left == m.row.providers else replace(m, row=replace(m.row, providers=left)))
            continue
        provider = m.row.providers[0]
        live = view.gone(m.model, provider)
        assert live
        gone[m.model.id] = (provider, live)
        asked[m.model.id].append(m.settled)
    refuse_gone(gone, asked, catalog, view)
    return kept


def check_order(order: Order, catalog: Catalog) -> list[BadRow]:
    """Problems of the command line itself, which stand for the whole file."""
    bad = []
    if order.provider:
        bad += [BadRow(0, "--provider", reason) for reason in _provider_problems(order.provider)]
    if order.model:
        try:
            catalog.find(order.model)
        except BadInput as error:
            bad.append(BadRow(0, "--model", str(error)))
    if not order.batch_name.strip() or len(order.batch_name) > 200:
        bad.append(BadRow(0, "--batch", "needs a name of 1 to 200 characters"))
    return bad


def _provider_problems(text: str) -> list[str]:
    names = [name.strip().lower() for name in text.split(",")]
    return [
        f"{name!r} is not a provider; there are {' and '.join(PROVIDERS)}" for name in names if name not in PROVIDERS
    ]


def _choose(raw_rows: Sequence[RawRow], order: Order, catalog: Catalog) -> tuple[list[Choice], list[BadRow]]:
    choices, bad = [], []
    for raw in raw_rows:
        found = [raw.problem(name, "is empty", "fill it in") for name in REQUIRED if not raw.get(name)]
        found += raw.bad
        try:
            choices.append(_choice(raw, order, catalog))
        except _Bad as error:
            found.append(error.row)
        bad += found
    return choices, bad


class _Bad(Exception):
    def __init__(self, row: BadRow) -> None:
        self.row = row


def _refused(raw: RawRow, column: str, reason: str) -> _Bad:
    """Of the row whose own cell says it, else of the whole file: the command line or a setting said it."""
    return _Bad(raw.problem(column, reason) if raw.get(column) else BadRow(0, column, reason))


def _choice(raw: RawRow, order: Order, catalog: Catalog) -> Choice:
    name = raw.get("model") or order.model or DEFAULT_MODEL
    try:
        model = catalog.find(name)
    except BadInput as error:
        raise _refused(raw, "model", str(error)) from None
    text = raw.get("provider") or order.provider
    if text:
        problems = _provider_problems(text)
        if problems:
            raise _refused(raw, "provider", problems[0])
        providers = tuple(dict.fromkeys(part.strip().lower() for part in text.split(",")))
    else:
        providers = (catalog.provider_of(name) or _first_offer(model),)
    for provider in providers:
        try:
            model.offer_at(provider)
        except BadInput as error:
            raise _Bad(raw.problem("provider", str(error))) from None
    return Choice(raw, model, providers)


def _first_offer(model: Model) -> str:
    return DEFAULT_PROVIDER if DEFAULT_PROVIDER in model.offers else next(iter(model.offers))


def _row(
    choice: Choice, order: Order, measured: Mapping[str, Measured | BadInput], ids: Mapping[int, str], derived: Path
) -> Made | list[BadRow]:
    """One row as a clip, with its file if it lies on disk; or all that is wrong with it."""
    raw, model = choice.raw, choice.model
    problems = check_prompt(model, raw.cells["prompt"]) if raw.get("prompt") else []
    image = measured.get(raw.cells["image"])
    if isinstance(image, BadInput):
        problems.append(Problem("image", str(image)))
        image = None
    options = {name: text for name, text in raw.labels.items() if name in model.options}
    if image and order.fit != "strict":
        image = fit_to_disk(image, model, raw, order, derived)
    settled = settle(
        model,
        resolution=raw.get("resolution") or order.resolution,
        aspect_ratio=raw.get("aspect_ratio") or order.aspect_ratio,
        duration=raw.get("duration") or order.duration,
        options=options,
        image_size=(image.facts.width, image.facts.height) if image else None,
    )
    if isinstance(settled, list):
        problems += settled
    elif image and image.facts.format not in model.image.formats:
        problems.append(
            Problem("image", f"is a {image.facts.format}; {model.id} takes {' or '.join(model.image.formats)}")
        )
    if problems or isinstance(settled, list) or image is None:
        told = {bad.column for bad in raw.bad}
        return [raw.problem(p.column, p.reason, p.cure) for p in problems if p.column not in told]
    labels = {name: text for name, text in raw.labels.items() if name not in options}
    clip = _clip(raw, model, settled, image, order)
    return Made(
        Row(raw.number, ids[raw.number], clip, choice.providers, labels, raw.sheet_row), model, settled, image.path
    )


def _clip(raw: RawRow, model: Model, settled: Settled, image: Measured, order: Order) -> Clip:
    facts = image.facts
    by_bytes = image.sha256 if image.path else None  # the identity of what lies elsewhere is its address
    return Clip(
        model=model.id,
        prompt=raw.cells["prompt"],
        image=Image(image.source, facts.width, facts.height, facts.format, facts.size_bytes, by_bytes),
        resolution=settled.resolution,
        aspect_ratio=settled.aspect_ratio,
        duration_s=settled.duration_s,
        take=raw.get("take") or order.take or "",
        options={name: _plain(value) for name, value in settled.options.items()},
    )


def _plain(value: object) -> Option:
    return float(value) if isinstance(value, Decimal) else value  # type: ignore[return-value]


def _twins(rows: Sequence[Row]) -> list[BadRow]:
    first: dict[str, Row] = {}
    bad = []
    for row in rows:
        twin = first.setdefault(row.clip.key, row)
        if twin is not row:
            reason = f"asks for the same clip as row {twin.sheet_row} ({twin.id})"
            cure = "give it another `take` to buy it twice on purpose"
            bad.append(BadRow(row.sheet_row, "prompt", reason, row.id, cure))
    return bad


def _notes(choices: Sequence[Choice], catalog: Catalog) -> tuple[str, ...]:
    """What a person should know though nothing is wrong."""
    notes = []
    words = catalog.option_words()
    for name in dict.fromkeys(name for c in choices for name in c.raw.labels if name in words):
        without = sorted({c.model.id for c in choices if name not in c.model.options and c.raw.labels.get(name)})
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
