"""The figures of a report: lines summed up. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from dailies.domain.clip_line import Line
from dailies.domain.money import NANO, ZERO, show_usd
from dailies.domain.paid import both
from dailies.domain.standing import Outcome
from dailies.domain.verdicts import Word


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
            self.charged = both(self.charged, line.usd_charged * times)
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
        together = self.copy()
        for outcome, number in more.count.items():
            together.count[outcome] += number
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
            setattr(together, name, getattr(self, name) + getattr(more, name))
        together.charged = both(self.charged, more.charged)
        together.credits = both(self.credits, more.credits)
        return together

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
