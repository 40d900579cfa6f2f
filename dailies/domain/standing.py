"""How a clip stands: one outcome for each row of a batch, from the attempt that speaks for it. Pure."""

from __future__ import annotations

from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

from dailies.domain.records import Attempt, BatchRow
from dailies.domain.states import Failure, State


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


WAITING = Standing("planned", Outcome.NOT_STARTED)


@lru_cache
def _standing(state: State, failure: Failure | None, delivered: bool, overdue: bool) -> Standing:
    """Of a hundred thousand attempts only few differ in this."""
    if state is State.SUPERSEDED:
        return WAITING
    if delivered:
        return Standing(str(State.STORED), Outcome.DELIVERED)
    match state:
        case State.FAILED if failure in WAITING_FAILURES:
            return WAITING
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
        return WAITING
    return _standing(attempt.state, attempt.failure, attempt.delivered, attempt.overdue)


def outcome_of(row: BatchRow, delivered_before: frozenset[str] | None = None) -> Outcome:
    """How one row stands now. `delivered_before` are the clip_keys that were in S3 when a run began; None where no run is
    told of: then a clip that was forgotten since counts as it did before.
    """
    return outcome_so_far(standing_of(row.attempt).outcome, row, delivered_before)


def outcome_so_far(outcome: Outcome, row: BatchRow, delivered_before: frozenset[str] | None) -> Outcome:
    """An outcome, told apart for clips that were delivered before this run; without those it stays as it is."""
    if delivered_before is None:
        return outcome
    if row.forgotten:
        return Outcome.FAILED
    earlier = outcome is Outcome.DELIVERED and row.clip_key in delivered_before
    return Outcome.ALREADY_DELIVERED if earlier else outcome


def shown_state(row: BatchRow) -> str:
    """The state in the words of the ledger; `planned` for a clip that waits to be bought."""
    return standing_of(row.attempt).state
