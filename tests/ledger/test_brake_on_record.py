"""The brake on doubt on record: it holds over all processes that share a ledger, on SQLite and on Postgres."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest

from dailies.domain.brake import FIRST_PROBE_S, PROBES, CreateResult, GivenUp, Hold, Phase
from dailies.domain.records import Attempt
from dailies.domain.states import Failure, State
from dailies.ledger import Ledger, Owner, Unclaimed, open_engine
from tests.ledger.factories import (
    NO_CAPS,
    USD,
    FakeClock,
    MakeLedger,
    a_dead_owner,
    all_attempts,
    an_owner,
    assert_counters_are_sums,
    in_processes,
    plan,
)


def ask(
    ledger: Ledger, key: str, at_once: int | None = 5, provider: str = "aiml"
) -> Attempt | Unclaimed | Hold | GivenUp:
    """T1, as a run asks for it."""
    return ledger.claim(key, "smiles", provider, USD, NO_CAPS, "digest", None, at_once)


def granted(ledger: Ledger, key: str, at_once: int | None = 5) -> Attempt:
    """T1, where it must be granted."""
    attempt = ask(ledger, key, at_once)
    assert isinstance(attempt, Attempt), attempt
    return attempt


def lose(ledger: Ledger, keys: list[str], wait_s: float = 0.0) -> None:
    """Claim each and lose its answer."""
    for key in keys:
        ledger.mark_in_doubt(granted(ledger, key).id, "HTTP 503", wait_s=wait_s)


def test_three_lost_answers_halt_claiming_for_every_process_and_for_this_provider_only(make_ledger: MakeLedger) -> None:
    mine, others = make_ledger(), make_ledger(an_owner(nonce="other"))
    keys = plan(mine, 6)
    lose(mine, keys[:3])
    held = ask(others, keys[3])
    assert isinstance(held, Hold) and held.phase is Phase.HALTED and held.wait_s == FIRST_PROBE_S
    assert mine.attempts(keys[3]) == () and mine.brakes() == {"aiml": Phase.HALTED}
    assert isinstance(ask(others, keys[4], provider="onerouter"), Attempt)


def test_one_probe_at_a_time_and_an_accepted_one_opens_the_brake_for_all(
    make_ledger: MakeLedger, clock: FakeClock
) -> None:
    mine, others = make_ledger(), make_ledger(an_owner(nonce="other"))
    keys = plan(mine, 8)
    lose(mine, keys[:3])
    clock.advance(FIRST_PROBE_S)
    probe = granted(mine, keys[3])
    held = ask(others, keys[4])
    assert isinstance(held, Hold) and held.phase is Phase.PROBING and mine.brakes() == {"aiml": Phase.PROBING}
    mine.mark_submitted(probe.id, "gen-1")
    assert mine.brakes() == {"aiml": Phase.OPEN}
    granted(others, keys[4])
    granted(mine, keys[5])


def test_after_five_lost_probes_the_rest_is_given_up_and_a_later_run_sends_one(
    make_ledger: MakeLedger, clock: FakeClock
) -> None:
    ledger = make_ledger()
    keys = plan(ledger, 20)
    lose(ledger, keys[:3])
    wait_s = FIRST_PROBE_S
    for number in range(PROBES):
        clock.advance(wait_s)
        lose(ledger, [keys[3 + number]])
        wait_s *= 2
    assert ask(ledger, keys[9]) == GivenUp(8)
    clock.advance(1)
    later = make_ledger(an_owner(nonce="later"))
    assert isinstance(ask(later, keys[9]), Hold)
    clock.advance(FIRST_PROBE_S)
    probe = granted(later, keys[9])
    assert isinstance(ask(later, keys[10]), Hold), "one, not fifty"
    later.mark_submitted(probe.id, "gen-1")
    granted(later, keys[10])


def test_a_retry_after_of_a_lost_answer_is_the_least_wait(ledger: Ledger) -> None:
    keys = plan(ledger, 4)
    lose(ledger, keys[:3], wait_s=60)
    held = ask(ledger, keys[3])
    assert isinstance(held, Hold) and held.wait_s == 60


def test_a_probe_whose_process_dies_does_not_stop_the_brake_for_ever(make_ledger: MakeLedger, clock: FakeClock) -> None:
    mine, dead = make_ledger(), make_ledger(a_dead_owner())
    elsewhere = make_ledger(an_owner("machine-2"))
    keys = plan(mine, 9)
    lose(mine, keys[:3])
    clock.advance(FIRST_PROBE_S)
    granted(dead, keys[3])
    lose(mine, [keys[4]])  # the dead one's process is gone from this machine: nobody waits for it
    clock.advance(2 * FIRST_PROBE_S)
    granted(elsewhere, keys[5])
    assert isinstance(ask(mine, keys[6]), Hold)
    clock.advance(301)  # of another machine only the lease tells
    granted(mine, keys[6])


def test_creates_of_all_processes_together_are_as_many_as_the_ramp_allows(make_ledger: MakeLedger) -> None:
    mine, others = make_ledger(), make_ledger(an_owner(nonce="other"))
    dead = make_ledger(a_dead_owner())
    keys = plan(mine, 12)
    granted(dead, keys[11])  # waits for no answer any more
    attempts = [granted(mine, key) for key in keys[:3]] + [granted(others, key) for key in keys[3:5]]
    held = ask(mine, keys[5])
    assert isinstance(held, Hold) and held.phase is Phase.OPEN
    others.mark_submitted(attempts[0].id, "gen-0")
    granted(mine, keys[5])


def test_a_found_answer_says_nothing_of_now(ledger: Ledger, clock: FakeClock) -> None:
    """What the log or a person finds later was accepted then."""
    keys = plan(ledger, 4)
    lose(ledger, keys[:3])
    ledger.resolve_found(ledger.attempts(keys[0])[0].id, "gen-1", "found in the log")
    assert isinstance(ask(ledger, keys[3]), Hold)


def test_a_refused_budget_makes_no_probe(ledger: Ledger, clock: FakeClock) -> None:
    keys = plan(ledger, 5)
    lose(ledger, keys[:3])
    clock.advance(FIRST_PROBE_S)
    poor = ledger.claim(keys[3], "smiles", "aiml", USD, NO_CAPS.__class__(USD), "digest", None, 5)
    assert poor is Unclaimed.BATCH_BUDGET
    granted(ledger, keys[4])


def test_each_create_is_counted_by_its_outcome(ledger: Ledger) -> None:
    keys = plan(ledger, 8)
    ledger.mark_submitted(granted(ledger, keys[0]).id, "gen-1")
    failures = [Failure.REFUSED, Failure.BUSY, Failure.NOT_SENT, Failure.STOPPED, Failure.MISCONFIGURED]
    for key, failure in zip(keys[1:], failures, strict=False):
        ledger.mark_not_charged(granted(ledger, key).id, failure, "no")
    late = ledger.mark_in_doubt(granted(ledger, keys[6]).id, "HTTP 503")
    ledger.mark_in_doubt(late.id, "once more: too late")
    ledger.count_create("aiml", CreateResult.BUSY)
    assert ledger.creates() == {
        ("aiml", CreateResult.ACCEPTED): 1, ("aiml", CreateResult.REFUSED): 2, ("aiml", CreateResult.BUSY): 2,
        ("aiml", CreateResult.NOT_SENT): 1, ("aiml", CreateResult.STOPPED): 1, ("aiml", CreateResult.IN_DOUBT): 1,
    }  # fmt: skip


@pytest.mark.parametrize("accepts", [True, False])
def test_eight_threads_that_claim_and_answer_at_once_never_wait_for_each_other_for_ever(
    make_ledger: MakeLedger, accepts: bool
) -> None:
    """T1 and T2 lock the brake and the budgets in one order."""
    keys = plan(make_ledger(), 48)
    workers = [make_ledger(an_owner(nonce=str(number))) for number in range(8)]
    barrier = threading.Barrier(8)

    def work(number: int) -> None:
        barrier.wait(30)
        for key in keys[number::8]:
            attempt = ask(workers[number], key, None)
            if isinstance(attempt, Attempt) and accepts:
                workers[number].mark_submitted(attempt.id, f"gen-{key}")
            elif isinstance(attempt, Attempt):
                workers[number].mark_not_charged(attempt.id, Failure.BUSY, "busy")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    outcome = CreateResult.ACCEPTED if accepts else CreateResult.BUSY
    assert workers[0].creates() == {("aiml", outcome): 48}
    assert_counters_are_sums(workers[0])


@pytest.mark.timeout(300)
def test_eight_processes_put_no_more_in_doubt_than_the_first_five(ledger_url: str, make_ledger: MakeLedger) -> None:
    """The provider loses every answer: eight processes with forty rows between them."""
    ledger = make_ledger(real_time=True)
    keys = plan(ledger, 40)
    in_processes([(ledger_url, keys[number * 5 :] + keys[: number * 5]) for number in range(8)], lose_all)
    attempts = all_attempts(ledger)
    assert 3 <= len(attempts) <= 5 and {attempt.state for attempt in attempts} == {State.IN_DOUBT}
    assert ledger.brakes() == {"aiml": Phase.HALTED}


def lose_all(url: str, keys: list[str], together: Any) -> None:
    """What one process does until the brake is on; each answer takes its time, and is lost."""
    ledger = Ledger(open_engine(url), Owner.this_process())
    try:
        together.wait(60)
        under_way: list[Attempt] = []
        for key in keys:
            attempt = ask(ledger, key)
            if isinstance(attempt, Attempt):
                under_way.append(attempt)
            elif isinstance(attempt, Hold) and under_way:
                time.sleep(0.05)  # an answer that is lost takes as long as one that is not
                ledger.mark_in_doubt(under_way.pop().id, "HTTP 503")
        for attempt in under_way:
            ledger.mark_in_doubt(attempt.id, "HTTP 503")
    finally:
        ledger.engine.dispose()


def test_the_ledger_knows_when_it_was_opened(clock: FakeClock, make_ledger: MakeLedger) -> None:
    assert make_ledger().began_at == clock.now == datetime(2026, 11, 21, 12, tzinfo=UTC)


def test_a_run_beside_a_larger_one_hears_of_what_that_one_has_accepted(make_ledger: MakeLedger) -> None:
    """Else it would wait for a place among the first five for as long as the other one has more of them."""
    large, small = make_ledger(), make_ledger()
    keys = plan(large, 12)
    under_way = [granted(large, key) for key in keys[:5]]
    first, second = ask(small, keys[10]), None
    large.mark_submitted(under_way.pop().id, "gen-1")
    granted(large, keys[5])
    second = ask(small, keys[10])
    assert isinstance(first, Hold) and isinstance(second, Hold)
    assert (first.phase, first.accepted, second.accepted) == (Phase.OPEN, 0, 1)
    granted(small, keys[10], at_once=10)
