"""What a clip needs now: the decision that makes a second run, a retry or a crash harmless."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from enum import StrEnum

from dailies.domain.records import Attempt
from dailies.domain.states import State, current, may_claim


class Step(StrEnum):
    """The next thing to do for one clip."""

    BUY = "buy"
    COLLECT = "collect"  # paid already and nobody's: poll and deliver it
    FOLLOW = "follow"  # somebody who lives is at work on it: wait for the result
    SETTLE = "settle"  # in doubt: ask the provider's log
    REOPEN = "reopen"  # paid and lost: ask the provider whether it shows the clip again
    NOTHING = "nothing"  # delivered, failed for good, or left to the next run


def next_step(
    attempts: Sequence[Attempt], mine: Collection[str], is_dead: Callable[[Attempt], bool], provider: str | None = None
) -> Step:
    """Decide by the clip's attempts; `mine` are the names of our owner and its senders, `is_dead` tells whether another owner is gone.

    `provider` is the one that would be asked next, when the row names several.
    """
    if may_claim(attempts, provider):
        return Step.BUY
    attempt = current(attempts)
    assert attempt is not None
    step = attempt_step(attempt, mine, is_dead)
    return Step.NOTHING if step is Step.REOPEN else step


def attempt_step(attempt: Attempt, mine: Collection[str], is_dead: Callable[[Attempt], bool]) -> Step:
    """What one attempt needs, whether it speaks for its clip or another one does: each that has an id comes home."""
    if attempt.delivered or attempt.state in (State.FAILED, State.STORED):
        return Step.NOTHING
    if attempt.lost:
        return Step.REOPEN
    if attempt.unsettled:
        return Step.SETTLE
    if attempt.ended or attempt.state is State.SUPERSEDED:
        return Step.NOTHING
    if attempt.state is State.SUBMITTING:
        # ours is not followed: its create has ended, and the ledger did not take the news
        return Step.NOTHING if attempt.owner in mine else Step.FOLLOW
    return Step.COLLECT if attempt.owner in mine or is_dead(attempt) else Step.FOLLOW
