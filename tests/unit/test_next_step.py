"""What a clip needs now: the table behind a second run, a retry and a crash."""

from __future__ import annotations

import pytest

from dailies.domain.money import ZERO
from dailies.domain.next_step import Step, attempt_step, next_step
from dailies.domain.records import Attempt
from dailies.domain.states import Failure, State
from tests.ledger.factories import NOON, an_attempt

MINE, OTHER = "here", "elsewhere"


def step(*attempts: Attempt, dead: bool = False) -> Step:
    """The decision of the owner `here`."""
    return next_step(attempts, {MINE}, lambda _attempt: dead)


def test_a_clip_without_an_attempt_is_bought() -> None:
    assert step() is Step.BUY


@pytest.mark.parametrize(
    ("state", "mine", "others", "dead_owners"),
    [
        (State.SUBMITTING, Step.NOTHING, Step.FOLLOW, Step.FOLLOW),
        (State.SUBMITTED, Step.COLLECT, Step.FOLLOW, Step.COLLECT),
        (State.COMPLETED, Step.COLLECT, Step.FOLLOW, Step.COLLECT),
        (State.ORPHANED, Step.COLLECT, Step.FOLLOW, Step.COLLECT),
        (State.IN_DOUBT, Step.SETTLE, Step.SETTLE, Step.SETTLE),
        (State.STORED, Step.NOTHING, Step.NOTHING, Step.NOTHING),
        (State.RESULT_LOST, Step.NOTHING, Step.NOTHING, Step.NOTHING),
    ],
)
def test_whose_attempt_it_is_decides(state: State, mine: Step, others: Step, dead_owners: Step) -> None:
    """Nobody waits for a create of its own: it has ended, and if the ledger did not take that, the next run finds it."""
    assert step(an_attempt(state, owner=MINE)) is mine
    assert step(an_attempt(state, owner=OTHER)) is others
    assert step(an_attempt(state, owner=OTHER), dead=True) is dead_owners


@pytest.mark.parametrize(
    ("failure", "wanted"),
    [(Failure.REFUSED, Step.NOTHING), (Failure.GENERATION, Step.NOTHING), (Failure.NOT_SENT, Step.BUY),
     (Failure.BUSY, Step.BUY), (Failure.STOPPED, Step.BUY), (Failure.SETTLED_FREE, Step.BUY)],
)  # fmt: skip
def test_only_what_was_free_and_may_help_is_tried_again(failure: Failure, wanted: Step) -> None:
    assert step(an_attempt(State.FAILED, failure=failure)) is wanted


@pytest.mark.parametrize(
    ("attempt", "wanted"),
    [
        (an_attempt(State.ORPHANED, generation_id="g"), Step.COLLECT),
        (an_attempt(State.ORPHANED, generation_id="g", s3_uri="s3://c/a.mp4"), Step.NOTHING),
        (an_attempt(State.ORPHANED, generation_id="g", failure=Failure.GENERATION), Step.NOTHING),
        (an_attempt(State.ORPHANED, generation_id="g", failure=Failure.GENERATION, completed_at=NOON), Step.REOPEN),
        (an_attempt(State.RESULT_LOST, generation_id="g"), Step.REOPEN),
        (an_attempt(State.SUPERSEDED), Step.SETTLE),
        (an_attempt(State.SUPERSEDED, generation_id="g"), Step.NOTHING),
        (an_attempt(State.IN_DOUBT), Step.SETTLE),
        (an_attempt(State.SUBMITTED, generation_id="g"), Step.COLLECT),
        (an_attempt(State.FAILED, failure=Failure.NOT_SENT), Step.NOTHING),
    ],
)
def test_each_attempt_with_an_id_comes_home_whichever_speaks_for_its_clip(attempt: Attempt, wanted: Step) -> None:
    """Beside a stored one the clip itself needs nothing, and that decides nothing about this attempt."""
    assert attempt_step(attempt, {MINE}, lambda _attempt: True) is wanted
    assert step(an_attempt(State.STORED, no=9, s3_uri="s3://c/b.mp4"), attempt) is Step.NOTHING


def test_a_doubt_without_a_quote_is_settled_like_any_other() -> None:
    """What was bought unpriced has no money at risk by its quote, and was followed for ever."""
    unpriced = an_attempt(State.IN_DOUBT, usd_quoted=ZERO)
    assert attempt_step(unpriced, {"nobody"}, lambda _: False) is Step.SETTLE


@pytest.mark.parametrize(("provider", "wanted"), [(None, Step.NOTHING), ("aiml", Step.NOTHING), ("fal", Step.BUY)])
def test_what_one_provider_refused_may_be_asked_of_another(provider: str | None, wanted: Step) -> None:
    refused = an_attempt(State.FAILED, failure=Failure.REFUSED)
    assert next_step([refused], {MINE}, lambda _: False, provider) is wanted
