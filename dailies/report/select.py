"""Which clips a report is about: a batch, a span of days, a provider, a model. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from dailies.domain.figures import Line
from dailies.domain.records import BatchRow
from dailies.errors import BadInput
from dailies.report.credits import Credits

ALL = "all batches"


@dataclass(frozen=True, slots=True)
class Choice:
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
        """The first moment after the span."""
        return _midnight(self.until + timedelta(days=1)) if self.until else None

    @property
    def title(self) -> str:
        """The report's name."""
        return self.batch or ALL

    @property
    def words(self) -> str:
        """What was chosen beside the batch, for the head of a page."""
        span = [f"from {self.since}" if self.since else "", f"to {self.until}" if self.until else ""]
        return " · ".join(
            part for part in (" ".join(filter(None, span)), self.provider or "", self.model or "") if part
        )


def chosen(rows: Iterable[BatchRow], choice: Choice) -> list[BatchRow]:
    """The rows to report on. Over several batches a clip counts once, for the batch that bought it.

    Raises BadInput for a batch that the rows do not hold.
    """
    rows = list(rows)
    if choice.batch and not any(row.batch == choice.batch for row in rows):
        raise BadInput(f"the ledger knows no batch {choice.batch!r}")
    found = [row for row in rows if _fits(row, choice)]
    return found if choice.batch else _distinct(found)


def _fits(row: BatchRow, choice: Choice) -> bool:
    attempt = row.attempt
    if choice.batch and row.batch != choice.batch:
        return False
    if choice.batch is None and row.retired:
        return False
    if choice.provider and choice.provider != (attempt.provider if attempt else row.providers[0]):
        return False
    if choice.model and choice.model.casefold() not in (
        row.clip.model.casefold(),
        row.clip.model.casefold().split("/")[-1],
    ):
        return False
    if choice.start is None and choice.end is None:
        return True
    if attempt is None:
        return False
    return (choice.start is None or attempt.created_at >= choice.start) and (
        choice.end is None or attempt.created_at < choice.end
    )


def _distinct(rows: Sequence[BatchRow]) -> list[BatchRow]:
    best: dict[str, BatchRow] = {}
    for row in rows:
        bought_here = row.attempt is not None and row.attempt.batch == row.batch
        if row.clip_key not in best or bought_here:
            best[row.clip_key] = row
    return list(best.values())


def grouping(credits: Credits, name: str) -> Callable[[int], str]:
    """How to group the report's lines by a column: gives each line's value by its place. Raises BadInput."""
    lines, labels = credits.lines, credits.labels
    own = {label for row in labels for label in row}
    if name == "day":
        return lambda at: (lines[at].created_at or "not bought")[:10]
    if name in own:
        return lambda at: labels[at].get(name) or "–"
    if name in Line.__dataclass_fields__:
        return lambda at: str(getattr(lines[at], name) or "–")
    choices = ", ".join(sorted(own | {"batch", "model", "provider", "state", "outcome", "day"}))
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
