"""Several workers on one ledger: exclusive claims, dead owners, leases, clocks that disagree. Runs on both kinds."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, tzinfo
from typing import TypeVar

import pytest

from dailies.domain.states import LEASED, Failure, State
from dailies.ledger import Ledger, Unclaimed, open_engine
from dailies.ledger import reader as reader_module
from tests.ledger.factories import (
    NO_CAPS,
    USD,
    FakeClock,
    MakeLedger,
    a_dead_owner,
    a_row,
    an_owner,
    assert_counters_are_sums,
    bring_to,
    claim,
    claim_all,
    claimed,
    in_processes,
    plan,
    store,
)

R = TypeVar("R")
TAKEABLE = sorted(LEASED - {State.SUBMITTING})


def together(count: int, work: Callable[[], R]) -> list[R]:
    """The results of so many threads that start `work` at the same moment."""
    barrier = threading.Barrier(count)

    def start() -> R:
        barrier.wait(30)
        return work()

    with ThreadPoolExecutor(count) as pool:
        return [one.result() for one in [pool.submit(start) for _ in range(count)]]


# Exclusive


def test_of_eight_threads_one_gets_the_clip(ledger: Ledger) -> None:
    (key,) = plan(ledger)
    granted = together(8, lambda: ledger.claim(key, "smiles", "aiml", USD, NO_CAPS, "digest"))
    assert granted.count(Unclaimed.TAKEN) == 7
    assert len(ledger.attempts(key)) == 1
    assert ledger.counted("smiles") == USD


def test_of_eight_workers_with_connections_of_their_own_one_gets_the_clip(make_ledger: MakeLedger) -> None:
    (key,) = plan(make_ledger())
    workers = iter([make_ledger(an_owner(nonce=str(number))) for number in range(8)])
    granted = together(8, lambda: next(workers).claim(key, "smiles", "aiml", USD, NO_CAPS, "digest"))
    assert granted.count(Unclaimed.TAKEN) == 7


def test_of_eight_threads_one_takes_a_dead_workers_clip_over(make_ledger: MakeLedger) -> None:
    attempt = bring_to(make_ledger(a_dead_owner()), State.SUBMITTED)
    workers = iter([make_ledger(an_owner(nonce=str(number))) for number in range(8)])
    taken = together(8, lambda: next(workers).take_over(attempt))
    assert sum(one is not None for one in taken) == 1


def test_of_eight_threads_one_settles_a_doubt_and_no_answer_is_lost(ledger: Ledger) -> None:
    attempt = bring_to(ledger, State.IN_DOUBT)
    ids = iter([f"gen-{number}" for number in range(8)])
    answers = together(8, lambda: ledger.mark_submitted(attempt.id, next(ids)))
    assert len({answer.generation_id for answer in answers}) == 1
    notes = " ".join(event.note for event in ledger.history(attempt.id))
    assert all(f"gen-{number}" in notes for number in range(8))


@pytest.mark.timeout(300)
def test_eight_processes_buy_each_of_many_clips_once(ledger_url: str, make_ledger: MakeLedger) -> None:
    ledger = make_ledger(real_time=True)
    keys = plan(ledger, 100)
    granted = in_processes([(ledger_url, keys, NO_CAPS)] * 8, claim_all)
    assert sorted(key for some in granted for key in some) == sorted(keys)
    assert ledger.counted("smiles") == 100 * USD
    assert_counters_are_sums(ledger)


@pytest.mark.timeout(300)
def test_two_csvs_that_share_clips_can_be_planned_at_once_in_any_order(make_ledger: MakeLedger) -> None:
    one, two = make_ledger(), make_ledger()
    work: Iterator[Callable[[], list[str]]] = iter(
        [lambda: plan(one, 400, "smiles"), lambda: plan_backwards(two, 400, "frowns")]
    )
    keys = together(2, lambda: next(work)())
    assert sorted(keys[0]) == sorted(keys[1])
    assert len(one.rows("smiles")) == len(one.rows("frowns")) == 400


def plan_backwards(ledger: Ledger, count: int, batch: str) -> list[str]:
    """The same clips as `plan`, in the opposite order."""
    rows = [a_row(number) for number in range(count, 0, -1)]
    ledger.plan(batch, "b.csv", "s3://clips", rows, {row.clip.key: USD for row in rows})
    return [row.clip.key for row in rows]


# Dead owners


def test_a_create_of_a_vanished_process_is_in_doubt_at_once(make_ledger: MakeLedger) -> None:
    attempt = claimed(make_ledger(a_dead_owner()))
    ledger = make_ledger()
    assert ledger.reap() == []  # nothing that can be taken over
    (doubt,) = ledger.unfinished()
    assert (doubt.id, doubt.state) == (attempt.id, State.IN_DOUBT)
    assert ledger.counted("smiles") == USD
    assert ledger.claim(attempt.clip_key, "smiles", "aiml", USD, NO_CAPS, "d") is Unclaimed.TAKEN


def test_a_worker_on_another_machine_is_dead_only_when_its_lease_has_run_out(
    make_ledger: MakeLedger, clock: FakeClock
) -> None:
    attempt = claimed(make_ledger(an_owner("elsewhere")))
    ledger = make_ledger()
    clock.advance(300)
    ledger.reap()
    assert ledger.attempts(attempt.clip_key) == (attempt,)
    clock.advance(1)
    ledger.reap()
    assert ledger.attempts(attempt.clip_key)[0].state is State.IN_DOUBT


def test_a_worker_that_lives_is_left_alone(make_ledger: MakeLedger, clock: FakeClock) -> None:
    attempt = claimed(make_ledger(an_owner()))
    clock.advance(299)
    ledger = make_ledger()
    assert ledger.reap() == []
    assert ledger.attempts(attempt.clip_key) == (attempt,)


def test_a_lease_that_is_renewed_does_not_run_out(make_ledger: MakeLedger, clock: FakeClock) -> None:
    worker, ledger = make_ledger(an_owner("elsewhere")), make_ledger()
    first, second = plan(worker, 2)
    claim(worker, first)
    bring_to(worker, State.SUBMITTED, second)
    for _ in range(5):
        clock.advance(250)
        worker.renew()
        assert ledger.reap() == []
    assert {a.state for a in ledger.unfinished()} == {State.SUBMITTING, State.SUBMITTED}


def test_a_lease_renewed_while_we_looked_saves_the_create(make_ledger: MakeLedger, clock: FakeClock) -> None:
    worker, ledger = make_ledger(an_owner("elsewhere")), make_ledger()
    attempt = claimed(worker)
    clock.advance(301)
    looked = ledger.is_dead

    def renewed_after_the_look(seen: object) -> bool:
        dead = looked(attempt)
        worker.renew()
        return dead

    ledger.is_dead = renewed_after_the_look  # type: ignore[assignment, method-assign]
    ledger.reap()
    assert ledger.attempts(attempt.clip_key)[0].state is State.SUBMITTING


@pytest.mark.parametrize("state", TAKEABLE)
def test_what_a_dead_worker_has_paid_for_is_offered_and_taken_over_once(make_ledger: MakeLedger, state: State) -> None:
    attempt = bring_to(make_ledger(a_dead_owner()), state)
    one, two = make_ledger(an_owner(nonce="one")), make_ledger(an_owner(nonce="two"))
    assert one.reap() == [attempt]
    taken = one.take_over(attempt)
    assert taken is not None
    assert (taken.state, taken.owner, taken.epoch) == (state, str(one.owner), attempt.epoch + 1)
    assert two.take_over(attempt) is None
    assert two.reap() == []


@pytest.mark.parametrize("state", TAKEABLE)
def test_what_is_ours_already_is_ours_again(ledger: Ledger, clock: FakeClock, state: State) -> None:
    attempt = bring_to(ledger, state)
    clock.advance(10_000)
    taken = ledger.take_over(attempt)
    assert taken is not None
    assert (taken.epoch, taken.lease_until) == (attempt.epoch, clock.now + timedelta(seconds=300))


@pytest.mark.parametrize("state", sorted(frozenset(State) - set(TAKEABLE)))
def test_a_create_a_doubt_and_an_end_are_never_taken_over(make_ledger: MakeLedger, state: State) -> None:
    attempt = bring_to(make_ledger(a_dead_owner()), state)
    assert make_ledger().take_over(attempt) is None


def test_closing_gives_leases_up(make_ledger: MakeLedger) -> None:
    worker, ledger = make_ledger(an_owner("elsewhere")), make_ledger()
    first, second, third = plan(worker, 3)
    claim(worker, first)
    paid = bring_to(worker, State.SUBMITTED, second)
    ours = claim(ledger, third)
    worker.close()
    assert [a.id for a in ledger.reap()] == [paid.id]
    assert ledger.attempts(first)[0].state is State.IN_DOUBT
    assert ledger.attempts(third) == (ours,)


# Back from the dead


def test_a_worker_taken_for_dead_still_gets_its_id_on_record(make_ledger: MakeLedger, clock: FakeClock) -> None:
    stopped, ledger = make_ledger(an_owner("elsewhere")), make_ledger()
    attempt = claimed(stopped)
    clock.advance(301)
    ledger.reap()
    assert not stopped.ours_for_s(attempt)
    recorded = stopped.mark_submitted(attempt.id, "gen-1")
    assert (recorded.state, recorded.owner) == (State.SUBMITTED, str(stopped.owner))
    assert recorded.epoch > attempt.epoch
    assert stopped.record_completed(recorded, "https://cdn.example/c.mp4").state is State.COMPLETED


def test_a_worker_taken_for_dead_may_still_say_that_nothing_was_sent(make_ledger: MakeLedger, clock: FakeClock) -> None:
    stopped, ledger = make_ledger(an_owner("elsewhere")), make_ledger()
    attempt = claimed(stopped)
    clock.advance(301)
    ledger.reap()
    assert stopped.mark_not_charged(attempt.id, Failure.NOT_SENT, "refused").state is State.FAILED
    assert ledger.counted("smiles") == 0
    assert claim(ledger, attempt.clip_key).no == 2


def test_an_answer_after_the_operator_bought_again_is_an_orphan_beside_the_new_attempt(
    make_ledger: MakeLedger, clock: FakeClock
) -> None:
    stopped, ledger = make_ledger(an_owner("elsewhere")), make_ledger()
    attempt = claimed(stopped)
    clock.advance(301)
    ledger.reap()
    ledger.resubmit(attempt.id, "we need it today")
    second = store(
        ledger,
        ledger.record_completed(ledger.mark_submitted(claim(ledger, attempt.clip_key).id, "gen-2"), "https://c/2"),
    )
    orphan = stopped.mark_submitted(attempt.id, "gen-1")
    assert orphan.state is State.ORPHANED
    assert store(stopped, stopped.record_completed(orphan, "https://c/1")).delivered
    assert ledger.attempt(second.id) == second
    assert ledger.counted("smiles") == 2 * USD
    assert_counters_are_sums(ledger)


def test_both_workers_that_stored_the_same_clip_agree(make_ledger: MakeLedger, clock: FakeClock) -> None:
    stopped, ledger = make_ledger(an_owner("elsewhere")), make_ledger()
    ready = bring_to(stopped, State.COMPLETED)
    clock.advance(301)
    taken = ledger.take_over(ready)
    assert taken is not None
    assert store(ledger, taken) == store(stopped, ready)


def test_a_create_may_only_be_sent_while_the_claim_stands(ledger: Ledger) -> None:
    attempt = claimed(ledger)
    assert ledger.ours_for_s(attempt)
    ledger.mark_in_doubt(attempt.id, "lost")
    assert not ledger.ours_for_s(attempt)


# Real processes


HOLD = """
import sys
from tests.ledger.factories import claim, open_ledger
ledger = open_ledger(sys.argv[1])
print(claim(ledger, sys.argv[2]).id, flush=True)
sys.stdin.read()
"""


@contextmanager
def holder(url: str, clip_key: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A process that has claimed a clip and holds on to it."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    command = [sys.executable, "-c", HOLD, url, clip_key]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        try:
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


@pytest.mark.timeout(300)
def test_a_killed_process_is_dead_at_once(ledger_url: str, make_ledger: MakeLedger) -> None:
    ledger = make_ledger(real_time=True)
    (key,) = plan(ledger)
    with holder(ledger_url, key) as (process, attempt_id):
        ledger.reap()
        assert [(a.id, a.state) for a in ledger.attempts(key)] == [(attempt_id, State.SUBMITTING)]
        process.send_signal(signal.SIGKILL)
        process.wait()
        ledger.reap()
        assert ledger.attempts(key)[0].state is State.IN_DOUBT


@pytest.mark.timeout(300)
def test_a_stopped_process_is_dead_when_its_lease_has_run_out(ledger_url: str, make_ledger: MakeLedger) -> None:
    ledger = make_ledger(real_time=True)
    (key,) = plan(ledger)
    later = make_ledger(clock=lambda: ledger.now() + timedelta(seconds=301))
    with holder(ledger_url, key) as (process, _attempt_id):
        process.send_signal(signal.SIGSTOP)
        ledger.reap()
        assert ledger.attempts(key)[0].state is State.SUBMITTING
        later.reap()
        assert ledger.attempts(key)[0].state is State.IN_DOUBT
        process.send_signal(signal.SIGCONT)


# Clocks


@contextmanager
def local_clock(monkeypatch: pytest.MonkeyPatch, hours: float) -> Iterator[None]:
    """This machine's clock is off by so many hours."""

    class Wrong(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return datetime.now(tz) + timedelta(hours=hours)

    with monkeypatch.context() as patched:
        patched.setattr(reader_module, "datetime", Wrong)
        yield


@pytest.mark.parametrize("hours", [-1.0, 1.0])
def test_machines_whose_clocks_differ_by_an_hour_agree_by_the_servers_time(
    postgres_url: str, hours: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = Ledger(open_engine(postgres_url), an_owner("right"))
    with local_clock(monkeypatch, hours):
        wrong = Ledger(open_engine(postgres_url), an_owner("wrong"))
        first, second = plan(wrong, 2)
        attempt = claim(wrong, first)
        assert abs(wrong.now() - datetime.now(UTC)) < timedelta(minutes=1)
        wrong.renew()
    assert abs(attempt.created_at - datetime.now(UTC)) < timedelta(minutes=1)
    assert right.reap() == []
    assert right.attempts(first)[0].state is State.SUBMITTING
    claim(right, second)
    with local_clock(monkeypatch, hours):
        assert wrong.reap() == []
    assert right.attempts(second)[0].state is State.SUBMITTING
    for ledger in (right, wrong):
        ledger.engine.dispose()
