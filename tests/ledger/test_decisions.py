"""What a person decides about an attempt, and takes back: each is a move on record. Runs on both databases."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from dailies.domain.creates import Accepted
from dailies.domain.money import ZERO
from dailies.domain.records import Attempt, at_risk
from dailies.domain.states import LIVE, Failure, IllegalMove, State
from dailies.ledger import BoughtAgain, Ledger, Owner, Unclaimed
from tests.ledger.factories import (
    NO_CAPS,
    NOON,
    USD,
    FakeClock,
    MakeLedger,
    a_dead_owner,
    all_attempts,
    an_owner,
    assert_counters_are_sums,
    bring_to,
    claim,
    claimed,
    plan,
    store,
)

SHOWN = Accepted("", "https://cdn.example/again.mp4", Decimal("1.30"), 2_600_000)


def settled_free(ledger: Ledger) -> Attempt:
    """In doubt, and a person has said that it was never charged."""
    return ledger.resolve_free(bring_to(ledger, State.IN_DOUBT).id, "support says so")


# Taking a word back


def test_a_word_that_it_was_free_is_taken_back_and_its_quote_counts_again(ledger: Ledger) -> None:
    free = settled_free(ledger)
    assert ledger.counted("smiles") == ZERO
    doubt = ledger.take_back(free.id, "a person takes it back")
    assert (doubt.state, doubt.failure, doubt.usd_charged, doubt.usd_at_risk) == (State.IN_DOUBT, None, None, USD)
    assert ledger.counted("smiles") == USD
    assert ledger.claim(free.clip_key, "smiles", "aiml", USD, NO_CAPS, "d") is Unclaimed.TAKEN
    last = ledger.history(free.id)[-1]
    assert (last.before, last.after, last.note) == (State.FAILED, State.IN_DOUBT, "a person takes it back")
    assert_counters_are_sums(ledger)


@pytest.mark.parametrize("live", sorted(LIVE))
def test_a_word_is_not_taken_back_while_another_attempt_of_the_clip_is_live(ledger: Ledger, live: State) -> None:
    free = settled_free(ledger)
    second = bring_to(ledger, live, free.clip_key)
    with pytest.raises(BoughtAgain) as refused:
        ledger.take_back(free.id, "a person takes it back")
    assert refused.value.attempt.id == second.id
    assert ledger.attempt(free.id) == free


def test_a_word_is_taken_back_after_a_second_create_was_refused(ledger: Ledger) -> None:
    free = settled_free(ledger)
    ledger.mark_not_charged(claim(ledger, free.clip_key).id, Failure.REFUSED, "moderation")
    assert ledger.take_back(free.id, "back").state is State.IN_DOUBT


@pytest.mark.parametrize("state", list(State))
def test_only_what_somebody_declared_free_is_taken_back(ledger: Ledger, state: State) -> None:
    """A refusal by the provider is none, and neither is one that a person lets try again."""
    attempt = bring_to(ledger, state)
    with pytest.raises(IllegalMove):
        ledger.take_back(attempt.id, "back")
    if state is State.FAILED:
        ledger.resubmit(attempt.id, "once more")
        with pytest.raises(IllegalMove):
            ledger.take_back(attempt.id, "back")


def test_what_a_person_lets_try_again_stays_failed_on_record_with_the_word(ledger: Ledger) -> None:
    attempt = bring_to(ledger, State.FAILED)
    again = ledger.resubmit(attempt.id, "once more")
    assert (again.state, again.failure) == (State.FAILED, Failure.SETTLED_FREE)
    last = ledger.history(attempt.id)[-1]
    assert (last.before, last.after, last.note) == (State.FAILED, State.FAILED, "once more")


# Lost, and shown again


def test_a_lost_clip_that_is_shown_again_is_ready_to_be_fetched_by_who_found_it(
    make_ledger: MakeLedger, clock: FakeClock
) -> None:
    lost = bring_to(make_ledger(a_dead_owner()), State.RESULT_LOST)
    finder = make_ledger(an_owner("elsewhere"))
    clock.advance(1000)
    ready = finder.reopen(lost.id, "shown again", SHOWN)
    assert (ready.state, ready.result_url, ready.error) == (State.COMPLETED, SHOWN.result_url, None)
    assert (ready.usd_charged, ready.owner, ready.epoch) == (Decimal("1.30"), str(finder.owner), lost.epoch + 1)
    assert ready.completed_at == lost.completed_at and finder.take_over(ready)
    assert store(finder, ready).state is State.STORED
    assert_counters_are_sums(finder)


def test_a_lost_late_answer_is_shown_again_and_stays_a_late_answer(ledger: Ledger) -> None:
    orphan = ledger.record_completed(bring_to(ledger, State.ORPHANED), "https://cdn.example/c.mp4")
    lost = ledger.result_lost(orphan, "HTTP 404")
    assert lost.lost and ledger.unfinished() == []
    again = ledger.reopen(lost.id, "shown again", SHOWN)
    assert (again.state, again.failure) == (State.ORPHANED, None)
    assert [a.id for a in ledger.unfinished()] == [lost.id]
    assert store(ledger, again).delivered


@pytest.mark.parametrize("state", sorted(frozenset(State) - {State.RESULT_LOST}))
def test_only_what_is_lost_is_reopened(ledger: Ledger, state: State) -> None:
    attempt = bring_to(ledger, state)
    with pytest.raises(IllegalMove):
        ledger.reopen(attempt.id, "shown again", SHOWN)
    assert ledger.attempt(attempt.id) == attempt


def test_a_generation_that_failed_is_not_lost(ledger: Ledger) -> None:
    """Neither as a late answer: there never was a clip."""
    orphan = ledger.generation_failed(bring_to(ledger, State.ORPHANED), "moderation")
    assert not orphan.lost and ledger.lost(NOON - timedelta(days=1)) == []


def test_lost_clips_are_listed_as_long_as_they_may_be_shown_again(ledger: Ledger, clock: FakeClock) -> None:
    lost = bring_to(ledger, State.RESULT_LOST)
    assert [a.id for a in ledger.lost(NOON)] == [lost.id]
    assert ledger.lost(NOON + timedelta(seconds=1)) == []


def test_a_lost_clip_is_bought_again_when_a_person_says_so_and_its_charge_stays(ledger: Ledger) -> None:
    lost = bring_to(ledger, State.RESULT_LOST)
    given_up = ledger.resubmit(lost.id, "we need it")
    assert (given_up.state, given_up.usd_at_risk, given_up.usd_counted) == (State.SUPERSEDED, ZERO, USD)
    assert claim(ledger, lost.clip_key).no == 2
    assert ledger.counted("smiles") == 2 * USD


# Money at risk


def test_money_at_risk_is_what_is_in_doubt_or_given_up_and_not_settled_since(ledger: Ledger) -> None:
    keys = plan(ledger, len(State) + 1)
    for state, key in zip(State, keys, strict=False):
        bring_to(ledger, state, key)
    settled = bring_to(ledger, State.SUPERSEDED, keys[-1])
    assert at_risk(all_attempts(ledger)) == at_risk(ledger.unsettled()) == 3 * USD
    ledger.mark_submitted(settled.id, "gen-1")
    assert at_risk(all_attempts(ledger)) == at_risk(ledger.unsettled()) == 2 * USD


# Whose answer may still come


def test_nothing_is_settled_while_the_sender_lives(make_ledger: MakeLedger, clock: FakeClock) -> None:
    far = make_ledger(an_owner("elsewhere"))
    attempt = claimed(far)
    near = make_ledger()
    assert near.sender_lives(attempt)
    clock.advance(301)
    assert not near.sender_lives(attempt), "its lease has run out, and nobody can ask that machine"


def test_a_doubt_that_the_sender_told_itself_may_be_settled_while_it_goes_on_with_others(ledger: Ledger) -> None:
    assert not ledger.sender_lives(bring_to(ledger, State.IN_DOUBT))


@pytest.mark.parametrize("stopped", [True, False], ids=["stopped past its lease", "gone"])
def test_a_sender_that_was_taken_for_dead_and_is_there_still_keeps_its_attempt(
    make_ledger: MakeLedger, clock: FakeClock, stopped: bool
) -> None:
    process = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(600)"])
    try:
        os.kill(process.pid, signal.SIGSTOP)
        started = Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()[19]
        sender = replace(Owner.this_process(), pid=process.pid, started=started, nonce="sender")
        attempt = claimed(make_ledger(sender))
        clock.advance(301)
        near = make_ledger()
        near.reap()
        if not stopped:
            process.kill()
            process.wait()
        doubt = near.attempt(attempt.id)
        assert doubt and doubt.state is State.IN_DOUBT
        assert near.sender_lives(doubt) is stopped
    finally:
        process.kill()
        process.wait()


def test_attempts_are_found_by_their_first_digits(ledger: Ledger) -> None:
    first, second = (claim(ledger, key) for key in plan(ledger, 2))
    assert [a.id for a in ledger.like(first.id[:10])] == [first.id]
    assert {a.id for a in ledger.like("")} == {first.id, second.id}
    assert ledger.like("%") == []
