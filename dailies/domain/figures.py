"""The figures of a report: a pure function of the ledger's records."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple, TypeVar

from dailies.domain.marks import Marks
from dailies.domain.money import NANO, ZERO, show_usd
from dailies.domain.records import Attempt, BatchRow
from dailies.domain.states import Failure, State
from dailies.domain.verdicts import Word


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


def outcome_of(row: BatchRow, delivered_before: frozenset[str] | None = None) -> Outcome:
    """How one row stands now. `delivered_before` are the clip_keys that were in S3 when a run began; None where no run is
    told of: then a clip that was forgotten since counts as it did before.
    """
    if row.forgotten and delivered_before is not None:
        return Outcome.FAILED
    attempt = row.attempt
    if attempt is None or attempt.state is State.SUPERSEDED:
        return Outcome.NOT_STARTED
    if attempt.delivered:
        return Outcome.ALREADY_DELIVERED if row.clip_key in (delivered_before or ()) else Outcome.DELIVERED
    match attempt.state:
        case State.FAILED:
            return Outcome.NOT_STARTED if attempt.failure in WAITING_FAILURES else Outcome.FAILED
        case State.RESULT_LOST:
            return Outcome.FAILED
        case State.IN_DOUBT | State.SUBMITTING:
            return Outcome.IN_DOUBT
        case _ if attempt.failure:
            return Outcome.FAILED
        case _:
            return Outcome.OVERDUE if attempt.overdue else Outcome.INTERRUPTED


def shown_state(row: BatchRow) -> str:
    """The state in the words of the ledger; `planned` for a clip that waits to be bought."""
    attempt = row.attempt
    if attempt is None or attempt.state is State.SUPERSEDED:
        return "planned"
    if attempt.delivered:
        return str(State.STORED)
    if attempt.state is State.FAILED and attempt.failure in WAITING_FAILURES:
        return "planned"
    return str(attempt.state)


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
    attempt, clip, attempts = row.attempt, row.clip, row.attempts
    home = attempt if attempt and attempt.delivered else None
    verdict, origin = row.verdict, home.origin if home else None
    quoted = row.usd_quoted if attempt is None else attempt.usd_quoted if row.usd_quoted is not None else None
    seconds = attempt.seconds if attempt else None
    paid = paid_for(attempts)
    return Line(
        row=row.number,
        id=row.id,
        clip_key=row.clip_key,
        batch=row.batch,
        state=shown_state(row),
        outcome=str(outcome_of(row, delivered_before)),
        provider=attempt.provider if attempt else row.providers[0],
        model=clip.model,
        resolution=clip.resolution,
        aspect_ratio=clip.aspect_ratio,
        duration_s=clip.duration_s,
        take=clip.take,
        prompt=clip.prompt,
        image=clip.image.source,
        attempt=attempt.id if attempt else None,
        attempts=len(attempts),
        generation_id=attempt.generation_id if attempt else None,
        s3_uri=(row.copy_uri or home.s3_uri) if home else None,
        sha256=attempt.sha256 if attempt else None,
        size_bytes=attempt.size_bytes if attempt else None,
        usd_quoted=quoted,
        usd_charged=paid.usd_charged,
        usd_at_risk=paid.usd_at_risk,
        unreported=paid.unreported,
        usd_unreported_quoted=paid.usd_unreported_quoted,
        credits_used=paid.credits_used,
        seconds=None if seconds is None else round(seconds, 1),
        polls=paid.polls,
        created_at=attempt.created_at.isoformat(timespec="seconds") if attempt else None,
        stored_at=attempt.stored_at.isoformat(timespec="seconds") if attempt and attempt.stored_at else None,
        mismatch=attempt.mismatch if attempt else None,
        error=FORGOTTEN if row.forgotten else None if attempt is None or home else attempt.error,
        counted=row.counted and not row.retired,
        verdict=str(verdict.said.word) or None if verdict else None,
        verdict_by=verdict.author if verdict else None,
        verdict_note=verdict.said.note or None if verdict else None,
        marks=home.marks if home else None,
        c2pa=origin.c2pa if origin else None,
        digital_source_type=origin.digital_source_type if origin else None,
    )


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

    def add(self, line: Line) -> None:
        """One more line."""
        quoted, charged = line.usd_quoted, line.usd_charged
        if line.counted:
            self.count[line.outcome] += 1
            if quoted:
                self.usd_quoted += quoted
        if quoted and line.attempt:
            self.usd_asked += quoted
        if charged is not None:
            self.charged = charged if self.charged is None else self.charged + charged
        if line.usd_at_risk:
            self.usd_at_risk += line.usd_at_risk
        if line.unreported:
            self.unreported += line.unreported
            self.usd_unreported += line.usd_unreported_quoted
        if line.credits_used is not None:
            self.credits = (self.credits or 0) + line.credits_used
        if line.verdict:
            self._judge(line)

    def _judge(self, line: Line) -> None:
        if line.verdict == Word.KEEP and line.counted:
            self.kept, self.kept_s = self.kept + 1, self.kept_s + (line.duration_s or 0)
        if line.verdict == Word.REJECT:
            self.usd_rejected += line.usd_charged or ZERO

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
