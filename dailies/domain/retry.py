"""Which clips of a batch can be bought again, and what that costs a person to say. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from dailies.domain.money import ZERO
from dailies.domain.records import Attempt, BatchRow
from dailies.domain.states import Failure, State

CANCELLED = "cancelled"
"""How the error of a clip begins that a person has cancelled."""


class Kind(StrEnum):
    """Why a clip is not there, so that it may be wanted again."""

    FAILED = "failed"  # accepted, then failed at the provider
    REFUSED = "refused"  # never accepted
    LOST = "lost"  # paid for and gone: another one is a second charge
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Again:
    """One clip that would be bought again: its row, why, and the attempt that is given up for it."""

    row: BatchRow
    kind: Kind
    attempt: Attempt

    @property
    def usd(self) -> Decimal:
        """What it was quoted at last."""
        return self.row.usd_quoted if self.row.usd_quoted is not None else self.attempt.usd_quoted

    @property
    def usd_paid(self) -> Decimal:
        """What was charged for it already."""
        return self.attempt.usd_charged or ZERO


def kind_of(attempt: Attempt) -> Kind | None:
    """Why the clip of this attempt is not there; None where a run would go on with it by itself, or it is there."""
    if attempt.delivered:
        return None
    if attempt.state is State.RESULT_LOST:
        return Kind.LOST
    if attempt.state not in (State.FAILED, State.ORPHANED) or attempt.failure is None:
        return None
    if (attempt.error or "").startswith(CANCELLED):
        return Kind.CANCELLED
    if attempt.failure is Failure.REFUSED:
        return Kind.REFUSED
    return Kind.FAILED if attempt.failure is Failure.GENERATION else None


def to_retry(rows: Iterable[BatchRow], kinds: Collection[Kind]) -> list[Again]:
    """The clips of these rows that were lost on the way in one of these ways. Left out are rows that left the CSV, and what a
    person asked to forget."""
    found = []
    for row in rows:
        attempt = row.attempt
        kind = kind_of(attempt) if attempt and not (row.retired or row.forgotten) else None
        if attempt and kind in kinds and kind is not None:
            found.append(Again(row, kind, attempt))
    return found
