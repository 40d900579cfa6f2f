"""The table of moves, and the decisions that stand on it."""

from __future__ import annotations

import itertools
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dailies.domain.records import Attempt
from dailies.domain.states import (
    LEASED,
    LIVE,
    MOVES,
    RETRYABLE,
    WITH_ID,
    Failure,
    IllegalMove,
    State,
    check_move,
    current,
    may_claim,
    on_answer,
    on_dead_owner,
)
from tests.ledger.factories import an_attempt

FINAL = {State.ORPHANED}
attempts = st.lists(
    st.builds(an_attempt, st.sampled_from(State), failure=st.none() | st.sampled_from(Failure)), max_size=4
).map(lambda made: [an_attempt(a.state, no=no, failure=a.failure) for no, a in enumerate(made, 1)])


def test_every_state_has_its_moves_and_only_the_ends_have_none() -> None:
    assert set(MOVES) == set(State)
    assert {state for state, after in MOVES.items() if not after} == FINAL


def test_every_state_can_be_reached_from_a_claim() -> None:
    reached, new = {State.SUBMITTING}, {State.SUBMITTING}
    while new:
        new = {after for state in new for after in MOVES[state]} - reached
        reached |= new
    assert reached == set(State)


@pytest.mark.parametrize(("before", "after"), list(itertools.product(State, State)))
def test_a_move_is_allowed_only_by_the_table(before: State, after: State) -> None:
    if after in MOVES[before]:
        check_move(before, after)
    else:
        with pytest.raises(IllegalMove, match=f"{before} → {after}"):
            check_move(before, after)


@pytest.mark.parametrize("state", list(State))
def test_no_state_throws_an_id_away(state: State) -> None:
    after = on_answer(state)
    assert after in WITH_ID
    assert after is state or after in MOVES[state]


@pytest.mark.parametrize("state", sorted(WITH_ID))
def test_what_has_an_id_never_comes_to_a_state_that_means_none_unless_it_failed_or_a_person_buys_it_again(
    state: State,
) -> None:
    ends = {State.SUPERSEDED} if state is State.RESULT_LOST else {State.FAILED}
    assert MOVES[state] <= WITH_ID | ends


@pytest.mark.parametrize("state", list(State))
def test_only_a_create_under_way_is_in_doubt_when_its_owner_dies(state: State) -> None:
    assert on_dead_owner(state) is (State.IN_DOUBT if state is State.SUBMITTING else state)


def test_only_a_doubt_leads_back_to_the_create() -> None:
    """By a repeat with the same key, which the provider knows for one and the same request."""
    assert [state for state, after in MOVES.items() if State.SUBMITTING in after] == [State.IN_DOUBT]


def test_a_lost_clip_may_be_shown_again_and_a_person_may_buy_it_again_or_take_a_word_back() -> None:
    assert MOVES[State.RESULT_LOST] == {State.COMPLETED, State.SUPERSEDED}
    assert MOVES[State.FAILED] == {State.ORPHANED, State.IN_DOUBT}


def test_only_failed_superseded_and_orphaned_leave_room_for_another_attempt() -> None:
    assert frozenset(State) - LIVE == {State.FAILED, State.SUPERSEDED, State.ORPHANED}
    assert State.IN_DOUBT not in LEASED


@pytest.mark.parametrize("failure", list(Failure))
def test_a_verdict_is_final_and_everything_else_that_was_free_may_be_tried_again(failure: Failure) -> None:
    final = {Failure.REFUSED, Failure.GENERATION, Failure.CANCELLED}
    assert may_claim([an_attempt(State.FAILED, failure=failure)]) is (failure not in final)
    assert frozenset(Failure) - final == RETRYABLE


@pytest.mark.parametrize("state", list(State))
def test_one_attempt_decides_whether_its_clip_may_be_claimed(state: State) -> None:
    failure = Failure.NOT_SENT if state is State.FAILED else None
    assert may_claim([an_attempt(state, failure=failure)]) is (state in (State.FAILED, State.SUPERSEDED))


def test_a_refusal_is_final_only_for_the_provider_that_spoke_it() -> None:
    refused = an_attempt(State.FAILED, failure=Failure.REFUSED)
    assert not may_claim([refused], "aiml")
    assert may_claim([refused], "onerouter")
    both = [refused, an_attempt(State.FAILED, failure=Failure.REFUSED, no=2, provider="onerouter")]
    assert not any(may_claim(both, provider) for provider in (None, "aiml", "onerouter"))


def test_a_failed_generation_holds_its_clip_whatever_was_refused_after_it() -> None:
    """The word that it was never charged was taken back, and it failed at the provider, after a second create was refused."""
    failed = an_attempt(State.FAILED, failure=Failure.GENERATION, no=1)
    assert not may_claim([failed, an_attempt(State.FAILED, failure=Failure.NOT_SENT, no=2)])


def test_a_clip_without_attempts_may_be_claimed() -> None:
    assert may_claim([])
    assert current([]) is None


@given(attempts)
def test_nothing_is_claimed_beside_a_live_or_paid_attempt(made: list[Attempt]) -> None:
    paid = any(a.state in LIVE or (a.state is State.ORPHANED and a.failure is None) for a in made)
    assert not (paid and (may_claim(made) or may_claim(made, "another provider")))


def test_a_late_answer_that_came_to_nothing_holds_its_clip_until_a_person_says_otherwise() -> None:
    """Nothing was delivered for it: `dailies resolve ATTEMPT --resubmit` frees the clip, as it does for any failed one."""
    assert not may_claim([an_attempt(State.ORPHANED, failure=Failure.GENERATION)])
    assert may_claim([an_attempt(State.ORPHANED, failure=Failure.SETTLED_FREE)])


@given(attempts, st.randoms())
def test_the_attempt_that_speaks_for_a_clip_does_not_depend_on_their_order(made: list[Attempt], random: Random) -> None:
    assert current(random.sample(made, len(made))) is current(made)


def test_the_live_attempt_speaks_then_the_paid_one_then_the_latest() -> None:
    live = an_attempt(State.IN_DOUBT, no=1)
    orphan, failed = an_attempt(State.ORPHANED, no=2), an_attempt(State.FAILED, no=3)
    assert current([failed, live, orphan]) is live
    assert current([failed, orphan]) is orphan
    assert current([an_attempt(State.SUPERSEDED, no=1), failed]) is failed
