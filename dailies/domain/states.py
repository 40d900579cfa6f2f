"""The states of an attempt and the only moves between them. Every move in the ledger goes through `MOVES`.

    (claim) ─► submitting ─► submitted(id) ─► completed(url) ─► stored(key, sha256, size)
                  │               │                │                 └─► completed   (its object is gone from S3)
                  │               │                └─► result_lost   (charged; the provider itself says it is gone)
                  │               │                        └─► completed | superseded   (shown again | a person buys it again)
                  │               └─► failed        (the provider's own failure; charged or not as the provider declares)
                  ├─► failed                        (refused or never sent: not charged)
                  └─► in_doubt ─► submitted | failed | superseded   (found again | proven free | operator buys again)
                               ─► submitting                        (a repeat with the same key, while its life lasts)
    failed (settled free by a person) ─► in_doubt   (taken back, where no other attempt of the clip is live)
    failed, superseded ─► orphaned(id)              (a late answer: still polled and stored, counted as waste)

A clip whose attempts are all failed or superseded, or that has none, is *planned*: it may be claimed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Protocol, TypeVar


class State(StrEnum):
    """Where one attempt, one possible charge, stands."""

    SUBMITTING = "submitting"
    SUBMITTED = "submitted"
    COMPLETED = "completed"
    STORED = "stored"
    RESULT_LOST = "result_lost"
    FAILED = "failed"
    IN_DOUBT = "in_doubt"
    SUPERSEDED = "superseded"
    ORPHANED = "orphaned"


class Failure(StrEnum):
    """Why an attempt failed, or why a create is not yet settled. It decides whether the clip may be claimed again."""

    REFUSED = "refused"  # the provider's verdict on this very request: the same words would be refused again
    NOT_SENT = "not_sent"
    BUSY = "busy"
    STOPPED = "stopped"  # key, credits or route: no clip can be bought there now
    MISCONFIGURED = "misconfigured"  # the address's refusal, which says nothing of the clip
    GENERATION = "generation"  # accepted, then failed at the provider
    SETTLED_FREE = "settled_free"  # proven or declared never charged
    CANCELLED = "cancelled"  # not wanted any more before it was sent: only a person wants it again


MOVES: dict[State, frozenset[State]] = {
    State.SUBMITTING: frozenset({State.SUBMITTED, State.FAILED, State.IN_DOUBT}),
    State.SUBMITTED: frozenset({State.COMPLETED, State.FAILED}),
    State.COMPLETED: frozenset({State.STORED, State.RESULT_LOST}),
    State.IN_DOUBT: frozenset({State.SUBMITTED, State.FAILED, State.SUPERSEDED, State.SUBMITTING}),
    State.FAILED: frozenset({State.ORPHANED, State.IN_DOUBT}),
    State.SUPERSEDED: frozenset({State.ORPHANED}),
    State.STORED: frozenset({State.COMPLETED}),
    State.RESULT_LOST: frozenset({State.COMPLETED, State.SUPERSEDED}),
    State.ORPHANED: frozenset(),
}

LIVE = frozenset({State.SUBMITTING, State.SUBMITTED, State.COMPLETED, State.STORED, State.RESULT_LOST, State.IN_DOUBT})
"""At most one attempt of a clip is in one of these; the database enforces it with a partial unique index."""

WITH_ID = frozenset({State.SUBMITTED, State.COMPLETED, State.STORED, State.RESULT_LOST, State.ORPHANED})
"""States that cannot exist without the provider's generation id."""

LEASED = frozenset({State.SUBMITTING, State.SUBMITTED, State.COMPLETED, State.ORPHANED})
"""States in which somebody works on the attempt, or should."""

RETRYABLE = frozenset({Failure.NOT_SENT, Failure.BUSY, Failure.STOPPED, Failure.MISCONFIGURED, Failure.SETTLED_FREE})
"""Failures that cost nothing and that a later run may try again. A refusal or a failed generation is final until a
person says `dailies resolve ATTEMPT --resubmit`."""


class IllegalMove(Exception):
    """A move that is not in the table was asked for: a defect in the program, never a user's mistake."""


def check_move(before: State, after: State) -> None:
    """Raise IllegalMove unless the table allows it."""
    if after not in MOVES[before]:
        raise IllegalMove(f"{before} → {after} is not a move")


def on_answer(state: State) -> State:
    """T2: where an id in hand takes an attempt that has none. There is no state that throws it away."""
    match state:
        case State.SUBMITTING | State.IN_DOUBT:
            return State.SUBMITTED
        case State.FAILED | State.SUPERSEDED:
            return State.ORPHANED
        case State.SUBMITTED | State.COMPLETED | State.STORED | State.RESULT_LOST | State.ORPHANED:
            return state


def on_dead_owner(state: State) -> State:
    """What a vanished owner leaves: a create that may have been charged is in doubt, everything else can be taken over."""
    return State.IN_DOUBT if state is State.SUBMITTING else state


class AttemptStatus(Protocol):
    """The part of an attempt that says where its clip stands."""

    @property
    def state(self) -> State: ...
    @property
    def no(self) -> int: ...
    @property
    def failure(self) -> Failure | None: ...
    @property
    def provider(self) -> str: ...


A = TypeVar("A", bound=AttemptStatus)


def current(attempts: Iterable[A]) -> A | None:
    """The attempt that speaks for the clip: the live one, else an orphan that may bring it home, else the latest."""
    attempts = tuple(attempts)
    if len(attempts) == 1:
        return attempts[0]  # as of nearly all clips
    return max(
        attempts,
        key=lambda a: (a.state in LIVE, a.state is State.ORPHANED and a.failure is None, a.no),
        default=None,
    )


def may_claim(attempts: Sequence[AttemptStatus], provider: str | None = None) -> bool:
    """Whether a clip may be bought: nothing live, no paid orphan, no failed generation that nobody has decided about, and
    no final refusal as its last word.

    A refusal is final for the provider that spoke it; where the row names another one, that one may be asked.
    """
    if any(a.state is State.FAILED and a.failure is Failure.GENERATION for a in attempts):
        return False  # of whichever attempt: one that was taken back may fail after a later one was refused
    last = current(attempts)
    if last is None or last.state is State.SUPERSEDED:
        return True
    if last.state not in (State.FAILED, State.ORPHANED) or last.failure is None:
        return False
    if last.failure in RETRYABLE:
        return True
    refused = {a.provider for a in attempts if a.failure is Failure.REFUSED}
    return last.failure is Failure.REFUSED and provider is not None and provider not in refused
