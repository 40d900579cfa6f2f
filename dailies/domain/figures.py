"""The figures of a report: a pure function of the ledger's records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar

from dailies.domain.clips import Clip
from dailies.domain.marks import Marks
from dailies.domain.money import NANO, ZERO, show_usd
from dailies.domain.origin import Origin
from dailies.domain.records import Attempt, BatchRow
from dailies.domain.states import Failure, State
from dailies.domain.verdicts import Verdict, Word


class Outcome(StrEnum):
    """How a clip stands, in the words of the JSON answer; each row of a batch has exactly one."""

    DELIVERED = "delivered"
    ALREADY_DELIVERED = "already_delivered"
    FAILED = "failed"
    IN_DOUBT = "in_doubt"
    OVERDUE = "overdue"
    INTERRUPTED = "interrupted"
    NOT_STARTED = "not_started"


NOT_STORED = "not stored"
"""How the error of a clip begins that is paid, ready and on disk, and that the store did not take: it counts as interrupted."""
WAITING_FAILURES = frozenset({Failure.STOPPED, Failure.BUSY, Failure.MISCONFIGURED, Failure.SETTLED_FREE})
"""Failures that say nothing about the clip: it was simply not started."""


FORGOTTEN = "forgotten"
"""The error of a clip that a person asked to forget."""


class Standing(NamedTuple):
    """How the attempt that speaks for a clip stands: its state in the words of the ledger, and what that comes to."""

    state: str
    outcome: Outcome


@lru_cache
def _standing(state: State | None, failure: Failure | None, delivered: bool, overdue: bool) -> Standing:
    """Of a hundred thousand attempts only few differ in this."""
    waiting = Standing("planned", Outcome.NOT_STARTED)
    if state is None or state is State.SUPERSEDED:
        return waiting
    if delivered:
        return Standing(str(State.STORED), Outcome.DELIVERED)
    match state:
        case State.FAILED if failure in WAITING_FAILURES:
            return waiting
        case State.FAILED | State.RESULT_LOST:
            return Standing(str(state), Outcome.FAILED)
        case State.IN_DOUBT | State.SUBMITTING:
            return Standing(str(state), Outcome.IN_DOUBT)
        case _ if failure:
            return Standing(str(state), Outcome.FAILED)
        case _:
            return Standing(str(state), Outcome.OVERDUE if overdue else Outcome.INTERRUPTED)


def standing_of(attempt: Attempt | None) -> Standing:
    """How one attempt stands; None where nothing was sent for a clip."""
    if attempt is None:
        return _standing(None, None, delivered=False, overdue=False)
    return _standing(attempt.state, attempt.failure, attempt.delivered, attempt.overdue)


def outcome_of(row: BatchRow, delivered_before: frozenset[str] | None = None) -> Outcome:
    """How one row stands now. `delivered_before` are the clip_keys that were in S3 when a run began; None where no run is
    told of: then a clip that was forgotten since counts as it did before.
    """
    return _outcome(standing_of(row.attempt).outcome, row, delivered_before)


def _outcome(outcome: Outcome, row: BatchRow, delivered_before: frozenset[str] | None) -> Outcome:
    if delivered_before is None:
        return outcome
    if row.forgotten:
        return Outcome.FAILED
    earlier = outcome is Outcome.DELIVERED and row.clip_key in delivered_before
    return Outcome.ALREADY_DELIVERED if earlier else outcome


def shown_state(row: BatchRow) -> str:
    """The state in the words of the ledger; `planned` for a clip that waits to be bought."""
    return standing_of(row.attempt).state


class Line(NamedTuple):
    """One clip in the credits report: `credits.csv` has these columns in this order, then the team's own.

    Dollars and credits that a provider did not report are None, never zero or guessed: `unreported` counts such charges,
    `usd_unreported_quoted` is what they were quoted at. A line that is not `counted` is no row of the batch (it has left
    the CSV, or its clip went on elsewhere); only its money is in the totals.
    """

    row: int
    id: str
    clip_key: str
    batch: str
    state: str
    outcome: str
    provider: str
    model: str
    resolution: str | None
    aspect_ratio: str | None
    duration_s: int | None
    take: str
    prompt: str
    image: str
    attempt: str | None
    attempts: int
    generation_id: str | None
    s3_uri: str | None
    sha256: str | None
    size_bytes: int | None
    usd_quoted: Decimal | None
    usd_charged: Decimal | None
    usd_at_risk: Decimal
    credits_used: int | None
    seconds: float | None
    polls: int
    created_at: str | None
    stored_at: str | None
    mismatch: str | None
    error: str | None
    unreported: int
    usd_unreported_quoted: Decimal
    counted: bool
    verdict: str | None = None
    verdict_by: str | None = None
    verdict_note: str | None = None
    marks: Marks | None = None
    c2pa: bool | None = None
    digital_source_type: str | None = None


COLUMNS = Line._fields


def line_of(row: BatchRow, delivered_before: frozenset[str] | None = None) -> Line:
    """One row of the report. Money is that of all the clip's attempts together, so that sums are whole."""
    return Line._make(column[0] for column in columns_of([row], delivered_before))


def columns_of(rows: Sequence[BatchRow], delivered_before: frozenset[str] | None = None) -> list[Sequence[Any]]:
    """Some rows of the report, at least one, column by column in the order of `COLUMNS`: a fraction of the work of so many lines."""
    asked = _by_name(BatchRow._fields, rows)
    attempts = [row.attempt for row in rows]
    sent = _by_name(Attempt._fields, [attempt or _NOTHING_SENT for attempt in attempts])
    columns: dict[str, Sequence[Any]] = {
        **_told_by_the_row(asked),
        **_told_by_the_attempt(attempts, sent),
        **_by_name(Paid._fields, map(paid_for, asked["attempts"])),
        **_told_by_the_standing(rows, attempts, delivered_before),
        "provider": [at or first[0] for at, first in zip(sent["provider"], asked["providers"], strict=True)],
        "s3_uri": [uri and (copy or uri) for uri, copy in zip(sent["s3_uri"], asked["copy_uri"], strict=True)],
        "usd_quoted": [
            mine if mine is None or then is None else then
            for mine, then in zip(asked["usd_quoted"], sent["usd_quoted"], strict=True)
        ],
        "error": [
            FORGOTTEN if forgotten else error if uri is None else None
            for forgotten, error, uri in zip(asked["forgotten"], sent["error"], sent["s3_uri"], strict=True)
        ],
    }
    return [columns[name] for name in COLUMNS]


_WORDS = {outcome: str(outcome) for outcome in Outcome}
_NOTHING_SENT = (None,) * len(Attempt._fields)


def _by_name(names: Sequence[str], records: Iterable[Iterable[Any]]) -> dict[str, Sequence[Any]]:
    return dict(zip(names, zip(*records, strict=True), strict=True))


def _told_by_the_row(asked: Mapping[str, Sequence[Any]]) -> dict[str, Sequence[Any]]:
    """The columns that are the same whatever was tried for a clip."""
    clips: Sequence[Clip] = asked["clip"]
    verdicts: Sequence[Verdict | None] = asked["verdict"]
    standing = zip(asked["counted"], asked["retired"], strict=True)
    return {
        "row": asked["number"], "id": asked["id"], "clip_key": asked["clip_key"], "batch": asked["batch"],
        **{name: [getattr(clip, name) for clip in clips] for name in _OF_THE_CLIP},
        "image": [clip.image.source for clip in clips],
        "attempts": [*map(len, asked["attempts"])],
        "counted": [counted and not retired for counted, retired in standing],
        "verdict": [(str(one.said.word) or None) if one else None for one in verdicts],
        "verdict_by": [one.author if one else None for one in verdicts],
        "verdict_note": [(one.said.note or None) if one else None for one in verdicts],
    }  # fmt: skip


def _told_by_the_standing(
    rows: Sequence[BatchRow], attempts: Sequence[Attempt | None], delivered_before: frozenset[str] | None
) -> dict[str, Sequence[Any]]:
    standings = [*map(standing_of, attempts)]
    outcomes = [_outcome(one.outcome, row, delivered_before) for one, row in zip(standings, rows, strict=True)]
    return {"state": [one.state for one in standings], "outcome": [_WORDS[outcome] for outcome in outcomes]}


_OF_THE_CLIP = ("model", "prompt", "resolution", "aspect_ratio", "duration_s", "take")


def _told_by_the_attempt(
    attempts: Sequence[Attempt | None], sent: Mapping[str, Sequence[Any]]
) -> dict[str, Sequence[Any]]:
    """The columns that the attempt which speaks for a clip has; what its file says only where that is in S3."""
    home = [uri is not None for uri in sent["s3_uri"]]
    origins: list[Origin | None] = [found if here else None for found, here in zip(sent["origin"], home, strict=True)]
    seconds = [one.seconds if one else None for one in attempts]
    return {
        "attempt": sent["id"],
        **{name: sent[name] for name in ("generation_id", "sha256", "size_bytes", "mismatch")},
        "seconds": [None if some is None else round(some, 1) for some in seconds],
        **{name: [at and at.isoformat(timespec="seconds") for at in sent[name]] for name in ("created_at", "stored_at")},
        "marks": [found if here else None for found, here in zip(sent["marks"], home, strict=True)],
        "c2pa": [one.c2pa if one else None for one in origins],
        "digital_source_type": [one.digital_source_type if one else None for one in origins],
    }  # fmt: skip


class Paid(NamedTuple):
    """What all attempts of a clip come to: what was charged, as far as that is known, and what may have been."""

    usd_charged: Decimal | None
    credits_used: int | None
    usd_at_risk: Decimal
    unreported: int
    usd_unreported_quoted: Decimal
    polls: int


def paid_for(attempts: Iterable[Attempt]) -> Paid:
    """Attempts summed up. A charge counts for what the provider has accepted."""
    usd_charged: Decimal | None = None
    credits_used: int | None = None
    usd_at_risk = usd_unreported_quoted = ZERO
    unreported = polls = 0
    for one in attempts:
        polls += one.polls
        if one.generation_id and one.usd_charged is not None:
            usd_charged = _both(usd_charged, one.usd_charged)
        if one.credits_used is not None:
            credits_used = _both(credits_used, one.credits_used)
        if one.unsettled:
            usd_at_risk += one.usd_quoted
        if one.unreported:
            unreported += 1
            usd_unreported_quoted += one.usd_quoted
    return Paid(usd_charged, credits_used, usd_at_risk, unreported, usd_unreported_quoted, polls)


@dataclass(frozen=True, slots=True)
class Totals:
    """The sums of a batch. `rows` is the sum of the outcomes, and `usd_quoted` what these rows are quoted at; what was
    charged, is unreported or at risk is that of every line, counted or not.

    `usd_charged` is None when there were charges and none was reported. `kept` counts the rows with a keeper's verdict,
    `usd_rejected` is what rejected takes were charged; `usd_per_kept_second` is every charged dollar over the seconds that
    were kept, None while there are none.
    """

    rows: int
    delivered: int
    already_delivered: int
    failed: int
    in_doubt: int
    overdue: int
    interrupted: int
    not_started: int
    usd_quoted: Decimal
    usd_charged: Decimal | None
    usd_at_risk: Decimal
    unreported: int
    usd_unreported_quoted: Decimal
    credits_used: int | None
    kept: int = 0
    usd_rejected: Decimal = ZERO
    usd_per_kept_second: Decimal | None = None

    @property
    def complete(self) -> bool:
        """Every clip is in S3."""
        return self.delivered + self.already_delivered == self.rows

    def sentence(self) -> str:
        """`18 of 20 delivered · 1 failed · 1 in doubt · $22.68 charged, 2 not reported (about $2.52 quoted), $1.26 at risk`."""
        parts = [f"{self.delivered + self.already_delivered} of {self.rows} delivered"]
        if self.already_delivered:
            parts[0] += f" ({self.already_delivered} earlier)"
        counts = (
            ("failed", self.failed),
            ("in doubt", self.in_doubt),
            ("overdue", self.overdue),
            ("interrupted", self.interrupted),
            ("not started", self.not_started),
        )
        parts += [f"{count} {word}" for word, count in counts if count]
        return " · ".join([*parts, self.money()])

    def money(self) -> str:
        """What was spent and what may have been: no charge is left out, and none that was not reported counts as zero."""
        said = [] if self.usd_charged is None else [f"{show_usd(self.usd_charged)} charged"]
        if self.unreported:
            said.append(f"{self.unreported} not reported (about {show_usd(self.usd_unreported_quoted)} quoted)")
        if self.usd_at_risk:
            said.append(f"{show_usd(self.usd_at_risk)} at risk")
        return ", ".join(said)


class Figure(NamedTuple):
    """The part of a line that is summed up. Of a hundred thousand lines only few differ in it."""

    outcome: str
    counted: bool
    attempts: int
    usd_quoted: Decimal | None
    usd_charged: Decimal | None
    usd_at_risk: Decimal
    unreported: int
    usd_unreported_quoted: Decimal
    credits_used: int | None
    verdict: str | None
    duration_s: int | None


class Sum:
    """Lines summed up one after another: what every figure over several clips is made of."""

    __slots__ = (
        "charged", "count", "credits", "kept", "kept_s", "unreported", "usd_asked", "usd_at_risk", "usd_quoted", "usd_rejected",
        "usd_unreported",
    )  # fmt: skip

    def __init__(self) -> None:
        self.count = dict.fromkeys(map(str, Outcome), 0)
        self.charged: Decimal | None = None
        """What is known to be charged; None while no charge is known."""
        self.usd_quoted = self.usd_at_risk = self.usd_unreported = self.usd_rejected = ZERO
        self.usd_asked = ZERO
        """What those are quoted at for which something was sent."""
        self.credits: int | None = None
        self.unreported = self.kept = self.kept_s = 0

    def add(self, line: Line | Figure, times: int = 1) -> None:
        """One more line, or so many that are alike."""
        quoted = line.usd_quoted
        if line.counted:
            self.count[line.outcome] += times
            if quoted:
                self.usd_quoted += quoted * times
        if quoted and line.attempts:
            self.usd_asked += quoted * times
        if line.usd_charged is not None:
            self.charged = _both(self.charged, line.usd_charged * times)
        if line.usd_at_risk:
            self.usd_at_risk += line.usd_at_risk * times
        if line.unreported:
            self.unreported += line.unreported * times
            self.usd_unreported += line.usd_unreported_quoted * times
        if line.credits_used is not None:
            self.credits = (self.credits or 0) + line.credits_used * times
        if line.verdict:
            self._judge(line, times)

    def _judge(self, line: Line | Figure, times: int) -> None:
        if line.verdict == Word.KEEP and line.counted:
            self.kept, self.kept_s = self.kept + times, self.kept_s + (line.duration_s or 0) * times
        if line.verdict == Word.REJECT:
            self.usd_rejected += (line.usd_charged or ZERO) * times

    def copy(self) -> Sum:
        """The same sum, to go on with apart."""
        other = Sum()
        for name in self.__slots__:
            setattr(other, name, getattr(self, name))
        other.count = dict(self.count)
        return other

    def and_also(self, more: Sum) -> Sum:
        """Both together."""
        both = self.copy()
        for outcome, number in more.count.items():
            both.count[outcome] += number
        for name in (
            "usd_quoted",
            "usd_asked",
            "usd_at_risk",
            "usd_unreported",
            "usd_rejected",
            "unreported",
            "kept",
            "kept_s",
        ):
            setattr(both, name, getattr(self, name) + getattr(more, name))
        both.charged = _both(self.charged, more.charged)
        both.credits = _both(self.credits, more.credits)
        return both

    @property
    def rows(self) -> int:
        """How many rows of a batch are among them."""
        return sum(self.count.values())

    @property
    def usd_spent(self) -> Decimal:
        """What was charged, at the quote where nobody has said, and what is at risk."""
        return (self.charged or ZERO) + self.usd_at_risk + self.usd_unreported

    def totals(self) -> Totals:
        """The figures as people get them."""
        charged = ZERO if self.charged is None and not self.unreported else self.charged
        return Totals(
            rows=self.rows,
            **self.count,
            usd_quoted=self.usd_quoted,
            usd_charged=charged,
            usd_at_risk=self.usd_at_risk,
            unreported=self.unreported,
            usd_unreported_quoted=self.usd_unreported,
            credits_used=self.credits,
            kept=self.kept,
            usd_rejected=self.usd_rejected,
            usd_per_kept_second=(charged / self.kept_s).quantize(NANO) if charged is not None and self.kept_s else None,
        )


N = TypeVar("N", int, Decimal)


def _both(one: N | None, other: N | None) -> N | None:
    return other if one is None else one if other is None else one + other
