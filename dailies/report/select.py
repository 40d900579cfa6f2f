"""Which clips a report is about: a batch, a span of days, a provider, a model. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from dailies.domain.clip_line import COLUMNS
from dailies.domain.figures import Sum, Totals
from dailies.domain.records import Attempt, BatchRow
from dailies.errors import BadInput
from dailies.report.credits import Credits, credits_of
from dailies.report.divide import BY_ATTEMPT, divided, part_of

ALL = "all batches"


@dataclass(frozen=True, slots=True)
class Selection:
    """What to report on; None means everything. Days are UTC, the last one included."""

    batch: str | None = None
    since: date | None = None
    until: date | None = None
    provider: str | None = None
    model: str | None = None

    @property
    def start(self) -> datetime | None:
        """The first moment of the span."""
        return _midnight(self.since) if self.since else None

    @property
    def end(self) -> datetime | None:
        """The first moment after the span; None where there is none, as after the last day of all."""
        return _midnight(self.until + timedelta(days=1)) if self.until and self.until < date.max else None

    @property
    def title(self) -> str:
        """The report's name."""
        return self.batch or ALL

    @property
    def detail(self) -> str:
        """What was chosen beside the batch, for the head of a page."""
        span = [f"from {self.since}" if self.since else "", f"to {self.until}" if self.until else ""]
        return " · ".join(
            part for part in (" ".join(filter(None, span)), self.provider or "", self.model or "") if part
        )


def chosen(rows: Iterable[BatchRow], selection: Selection) -> list[BatchRow]:
    """The rows to report on, each with those attempts that are within the choice. Over several batches a clip counts once,
    for the batch that bought it; a row that left its CSV is there for its money.

    So the sums of views that cover all, such as one for each provider, or for each month, add up to the ledger's. Raises
    BadInput for a batch that the rows do not hold.
    """
    rows = list(rows)
    if selection.batch and not any(row.batch == selection.batch for row in rows):
        raise BadInput(f"the ledger knows no batch {selection.batch!r}", trouble="which-one")
    mine = [row for row in rows if selection.batch in (None, row.batch) and is_called(row.clip.model, selection.model)]
    found = mine if selection.batch else _distinct(mine)
    return [part for row in found for part in [_within(row, selection)] if part]


def each_chosen(rows: Iterable[BatchRow], selection: Selection) -> Iterator[BatchRow]:
    """The same of a single batch, one after another: none of the rows is kept. Raises BadInput at the end where there was none."""
    any_row = False
    for row in rows:
        any_row = True
        if is_called(row.clip.model, selection.model) and (part := _within(row, selection)):
            yield part
    if selection.batch and not any_row:
        raise BadInput(f"the ledger knows no batch {selection.batch!r}", trouble="which-one")


def is_called(model: str, name: str | None) -> bool:
    """Whether a choice by this name takes in a model: its id, or that without its maker. None takes in all."""
    known = model.casefold()
    return name is None or name.casefold() in (known, known.split("/")[-1])


def _within(row: BatchRow, selection: Selection) -> BatchRow | None:
    """The part of a row that a choice of provider and span is about; None where there is none."""
    if selection.provider is None and selection.start is None and selection.end is None:
        return row
    if not row.attempts:
        planned_there = selection.start is None and selection.end is None and row.providers[0] == selection.provider
        return row if planned_there else None
    return part_of(row, lambda attempt: _fits(attempt, selection))


def _fits(attempt: Attempt, selection: Selection) -> bool:
    return (
        selection.provider in (None, attempt.provider)
        and (selection.start is None or attempt.created_at >= selection.start)
        and (selection.end is None or attempt.created_at < selection.end)
    )


def _distinct(rows: Sequence[BatchRow]) -> list[BatchRow]:
    best: dict[str, BatchRow] = {}
    for row in rows:
        known = best.get(row.clip_key)
        if known is None or _claim_on_its_clip(row) > _claim_on_its_clip(known):
            best[row.clip_key] = row
    return list(best.values())


def _claim_on_its_clip(row: BatchRow) -> tuple[bool, bool]:
    """A row that stands comes before one that left its CSV, then that of the batch that bought the clip."""
    return not row.retired, row.attempt is not None and row.attempt.batch == row.batch


def grouped(rows: Sequence[BatchRow], credits: Credits, name: str) -> dict[str, Totals]:
    """The sums of a report by a column: model, provider, batch, state, day, or one of the team's own. Raises BadInput.

    `credits` are the figures of `rows`. Where the attempts of one clip may differ (`BY_ATTEMPT`), its money is divided.
    """
    if name in BY_ATTEMPT:
        credits = credits_of("", (part for row in rows for part in divided(row, BY_ATTEMPT[name])))
    return _sums_in(credits, name)


def _sums_in(credits: Credits, name: str) -> dict[str, Totals]:
    sums = credits.sums
    found = {"model": sums.model, "batch": sums.batch}.get(name) if name not in sums.names else None
    if found is None:
        key, found = grouping(credits, name), dict[str, Sum]()
        for at, line in enumerate(credits.lines):
            found.setdefault(key(at), Sum()).add(line)
    return {value: some.totals() for value, some in found.items()}


def grouping(credits: Credits, name: str) -> Callable[[int], str]:
    """How to group the report's lines by a column: gives each line's value by its place. Raises BadInput."""
    lines, labels = credits.lines, credits.labels
    own = credits.sums.names
    if name == "day":
        return lambda at: (lines[at].created_at or "not bought")[:10]
    if name in own:
        return lambda at: labels[at].get(name) or "–"
    if name in COLUMNS:
        return lambda at: str(getattr(lines[at], name) or "–")
    choices = ", ".join(sorted({*own, "batch", "model", "provider", "state", "outcome", "day"}))
    raise BadInput(f"--group-by {name}: there is no such column; there are {choices}")


def day(option: str, text: str | None) -> date | None:
    """A day from the command line. Raises BadInput."""
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise BadInput(f"{option} {text}: not a day such as 2026-11-01") from None


def _midnight(moment: date) -> datetime:
    return datetime.combine(moment, datetime.min.time(), UTC)
