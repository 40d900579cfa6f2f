"""Each rule of the real ledger is held by a check: turned round or left out, that check fails."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from dailies.domain.creates import Accepted, KnownAttempt
from dailies.domain.money import ZERO
from dailies.domain.records import Attempt
from dailies.domain.states import LEASED, MOVES, Failure, IllegalMove, State, may_claim
from dailies.ledger import BoughtAgain, Caps, Ledger, LostOwnership, Unclaimed, answers, decisions
from dailies.ledger import ledger as module
from dailies.ledger import tables as t
from tests.ledger.factories import (
    NO_CAPS,
    USD,
    FakeClock,
    a_dead_owner,
    a_row,
    an_owner,
    assert_counters_are_sums,
    bring_to,
    claim,
    claimed,
    ledgers_on,
    plan,
    store,
)

Patch = pytest.MonkeyPatch


@dataclass
class Bench:
    """Two workers, elsewhere and here, on one database."""

    far: Ledger
    near: Ledger
    dead: Ledger
    clock: FakeClock


@pytest.fixture
def sqlite_bench(sqlite_url: str) -> Iterator[Bench]:
    yield from bench_on(sqlite_url)


@pytest.fixture
def postgres_bench(postgres_url: str) -> Iterator[Bench]:
    yield from bench_on(postgres_url)


def bench_on(url: str) -> Iterator[Bench]:
    clock = FakeClock()
    with ledgers_on(url, clock) as make:
        yield Bench(make(an_owner("elsewhere")), make(an_owner()), make(a_dead_owner()), clock)


# The checks


def a_dead_create_is_in_doubt(bench: Bench) -> None:
    attempt = claimed(bench.dead)
    bench.near.reap()
    assert bench.near.attempts(attempt.clip_key)[0].state is State.IN_DOUBT


def a_dead_create_is_not_bought_again(bench: Bench) -> None:
    attempt = claimed(bench.dead)
    bench.near.reap()
    assert bench.near.claim(attempt.clip_key, "smiles", "aiml", USD, NO_CAPS, "digest") is Unclaimed.TAKEN


def a_doubt_is_not_bought_again(bench: Bench) -> None:
    attempt = bring_to(bench.near, State.IN_DOUBT)
    assert bench.far.claim(attempt.clip_key, "smiles", "aiml", USD, NO_CAPS, "digest") is Unclaimed.TAKEN


def a_paid_orphan_is_not_bought_again(bench: Bench) -> None:
    attempt = bring_to(bench.near, State.ORPHANED)
    assert bench.far.claim(attempt.clip_key, "smiles", "aiml", USD, NO_CAPS, "digest") is Unclaimed.TAKEN


def a_late_id_is_recorded(bench: Bench) -> None:
    attempt = claimed(bench.far)
    bench.clock.advance(301)
    bench.near.reap()
    bench.far.mark_submitted(attempt.id, "gen-1")
    found = bench.near.attempt(attempt.id)
    assert found is not None
    assert (found.state, found.generation_id) == (State.SUBMITTED, "gen-1")


def an_id_after_failure_is_an_orphan(bench: Bench) -> None:
    attempt = bring_to(bench.near, State.FAILED)
    assert bench.near.mark_submitted(attempt.id, "gen-1").state is State.ORPHANED


def the_first_id_stays(bench: Bench) -> None:
    attempt = bring_to(bench.near, State.SUBMITTED)
    bench.near.mark_submitted(attempt.id, "gen-2")
    found = bench.near.attempt(attempt.id)
    assert found is not None
    assert found.generation_id == attempt.generation_id


def money_in_doubt_keeps_its_place(bench: Bench) -> None:
    first, second = plan(bench.near, 2)
    bench.near.mark_in_doubt(claim(bench.near, first).id, "lost")
    refused = bench.near.claim(second, "smiles", "aiml", USD, Caps(batch_usd=USD), "digest")
    assert refused is Unclaimed.BATCH_BUDGET


def two_claims_at_once_stay_below_the_cap(bench: Bench) -> None:
    keys = plan(bench.near, 2)
    start = threading.Barrier(2)

    def buy(ledger: Ledger, key: str, provider: str) -> object:  # two providers: the brake lets one pass at a time
        start.wait(10)
        return ledger.claim(key, "smiles", provider, USD, Caps(batch_usd=USD), "digest")

    buyers = zip((bench.near, bench.far), keys, ("aiml", "onerouter"), strict=True)
    with ThreadPoolExecutor(2) as pool:
        granted = [one.result() for one in [pool.submit(buy, *buyer) for buyer in buyers]]
    assert sum(isinstance(one, Attempt) for one in granted) == 1


def counters_are_sums(bench: Bench) -> None:
    for state, key in zip(State, plan(bench.near, len(State)), strict=True):
        bring_to(bench.near, state, key)
    assert_counters_are_sums(bench.near)


def only_the_completed_is_stored(bench: Bench) -> None:
    attempt = bring_to(bench.near, State.SUBMITTED)
    try:
        store(bench.near, attempt)
    except IllegalMove:
        return
    raise AssertionError("a clip that was never completed is called stored")


def a_charge_is_never_called_free(bench: Bench) -> None:
    attempt = bring_to(bench.near, State.SUBMITTED)
    bench.near.mark_not_charged(attempt.id, Failure.NOT_SENT, "refused")
    assert bench.near.counted("smiles") == USD


def every_move_leaves_an_event(bench: Bench) -> None:
    events = bench.near.history(bring_to(bench.near, State.STORED).id)
    assert [event.after for event in events] == [State.SUBMITTING, State.SUBMITTED, State.COMPLETED, State.STORED]


def who_lost_a_clip_can_not_move_it(bench: Bench) -> None:
    attempt = bring_to(bench.far, State.SUBMITTED)
    bench.clock.advance(301)
    assert bench.near.take_over(attempt) is not None
    try:
        bench.far.generation_failed(attempt, "stale news")
    except LostOwnership:
        return
    raise AssertionError("a worker moved a clip that another had taken over")


def a_living_worker_keeps_its_clip(bench: Bench) -> None:
    attempt = bring_to(bench.far, State.SUBMITTED)
    assert bench.near.take_over(attempt) is None


def nobody_sends_for_an_attempt_in_doubt(bench: Bench) -> None:
    attempt = claimed(bench.far)
    bench.clock.advance(301)
    bench.near.reap()
    assert not bench.far.ours_for_s(attempt)


def the_stored_row_keeps_no_url(bench: Bench) -> None:
    ready = bring_to(bench.near, State.COMPLETED)
    store(bench.near, ready)
    bench.near.record_completed(ready, "https://cdn.example/clip.mp4?signature=s3cr3t")
    with bench.near.engine.connect() as connection:
        assert connection.execute(sa.select(t.attempt.c.result_url)).scalar() is None


def an_answer_is_recorded_whole(bench: Bench) -> None:
    told = bench.near.mark_submitted(claimed(bench.near).id, Accepted("gen-1", "https://c/1", USD / 2))
    assert (told.state, told.result_url, told.usd_charged) == (State.COMPLETED, "https://c/1", USD / 2)


def a_forgotten_attempt_gets_its_id(bench: Bench) -> None:
    attempt = bring_to(bench.near, State.SUBMITTING)._replace(id="e" * 32)
    try:
        bench.near.tell(KnownAttempt(attempt, a_row(1)), Accepted("gen-1"))
    except KeyError:
        raise AssertionError("an id in hand was dropped") from None


def a_word_is_not_taken_back_beside_a_live_attempt(bench: Bench) -> None:
    free = bench.near.resolve_free(bring_to(bench.near, State.IN_DOUBT).id, "support says so")
    claim(bench.near, free.clip_key)
    try:
        bench.near.take_back(free.id, "support was wrong")
    except BoughtAgain:
        return
    raise AssertionError("two attempts of one clip are live")


def a_generation_that_failed_holds_its_clip(bench: Bench) -> None:
    free = bench.near.resolve_free(bring_to(bench.near, State.IN_DOUBT).id, "support says so")
    bench.near.mark_not_charged(claim(bench.near, free.clip_key).id, Failure.NOT_SENT, "refused connections")
    bench.near.take_back(free.id, "support was wrong")
    bench.near.generation_failed(bench.near.mark_submitted(free.id, "gen-1"), "the provider failed to make it")
    assert bench.near.claim(free.clip_key, "smiles", "aiml", USD, NO_CAPS, "digest") is Unclaimed.TAKEN


# The mutants


def without_the_index(bench: Bench) -> None:
    with bench.near.engine.connect().execution_options(dailies_writes=True) as connection, connection.begin():
        connection.exec_driver_sql("DROP INDEX one_live_attempt_per_clip")


def claimable(*states: State) -> Callable[[Bench, Patch], None]:
    def patch(bench: Bench, monkeypatch: Patch) -> None:
        without_the_index(bench)
        monkeypatch.setattr(
            module, "may_claim", lambda attempts, _provider=None: all(a.state in states for a in attempts)
        )

    return patch


def reap_as_not_sent(_bench: Bench, monkeypatch: Patch) -> None:
    monkeypatch.setattr(Ledger, "_reap_one", lambda self, a: self.mark_not_charged(a.id, Failure.NOT_SENT, "dead"))


def fence_the_id(_bench: Bench, monkeypatch: Patch) -> None:
    answer = Ledger.mark_submitted

    def fenced(self: Ledger, attempt_id: str, generation_id: str, note: str = "") -> Attempt:
        found = self.attempt(attempt_id)
        assert found is not None
        return answer(self, attempt_id, generation_id, note) if found.epoch == 1 else found

    monkeypatch.setattr(Ledger, "mark_submitted", fenced)


def answers_move_nothing(_bench: Bench, monkeypatch: Patch) -> None:
    monkeypatch.setattr(answers, "on_answer", lambda state: State.SUBMITTED if state is State.SUBMITTING else state)
    for state in (State.IN_DOUBT, State.FAILED):
        monkeypatch.setitem(MOVES, state, frozenset({state}))


def last_id_wins(_bench: Bench, monkeypatch: Patch) -> None:
    def overwrite(self: Ledger, attempt_id: str, generation_id: str, note: str = "") -> Attempt:
        with self._write() as connection:
            found = self._locked(connection, attempt_id)
            return self._update(connection, found, state=State.SUBMITTED, generation_id=generation_id)

    monkeypatch.setattr(Ledger, "mark_submitted", overwrite)


def reserve_without_a_lock(_bench: Bench, monkeypatch: Patch) -> None:
    both_have_looked = threading.Barrier(2)

    def reserve(
        self: Ledger, connection: sa.Connection, batch: str, _key: str, _now: object, usd: Decimal, caps: Caps
    ) -> Unclaimed | None:
        counted = connection.execute(sa.select(t.spend.c.usd_counted).where(t.spend.c.name == batch)).scalar() or ZERO
        both_have_looked.wait(10)
        if caps.batch_usd is not None and counted + usd > caps.batch_usd:
            return Unclaimed.BATCH_BUDGET
        self._add_spend(connection, "batch", batch, usd)
        return None

    monkeypatch.setattr(Ledger, "_reserve", reserve)


def doubt_counts_nothing(_bench: Bench, monkeypatch: Patch) -> None:
    def optimistic(attempt: Attempt) -> Decimal:
        return ZERO if attempt.state in (State.IN_DOUBT, State.FAILED) else attempt.usd_quoted

    monkeypatch.setattr(Attempt, "usd_counted", property(optimistic))


def free_from_anywhere(_bench: Bench, monkeypatch: Patch) -> None:
    monkeypatch.setitem(MOVES, State.SUBMITTED, frozenset({State.FAILED}))

    def mark_not_charged(self: Ledger, attempt_id: str, failure: Failure, error: str) -> Attempt:
        with self._write() as connection:
            return self._move(connection, self._locked(connection, attempt_id), State.FAILED, error, failure=failure)

    monkeypatch.setattr(Ledger, "mark_not_charged", mark_not_charged)


def keep_the_epoch(_bench: Bench, monkeypatch: Patch) -> None:
    def take_over(self: Ledger, attempt: Attempt) -> Attempt:
        with self._write() as connection:
            return self._update(connection, self._locked(connection, attempt.id), owner=str(self.owner))

    monkeypatch.setattr(Ledger, "take_over", take_over)


def url_comes_back(_bench: Bench, monkeypatch: Patch) -> None:
    def record_completed(self: Ledger, attempt: Attempt, result_url: str, *_: object) -> Attempt:
        with self._write() as connection:
            return self._update(connection, self._locked(connection, attempt.id), result_url=result_url)

    ready = Ledger.record_completed
    monkeypatch.setattr(
        Ledger,
        "record_completed",
        lambda self, a, url: (record_completed if self.attempt(a.id).delivered else ready)(self, a, url),
    )


def setting(target: object, name: str, value: Any) -> Callable[[Bench, Patch], None]:
    return lambda _bench, monkeypatch: monkeypatch.setattr(target, name, value)


def take_back_blindly(bench: Bench, monkeypatch: Patch) -> None:
    without_the_index(bench)
    monkeypatch.setattr(decisions, "LIVE", frozenset())


def the_last_word_alone_decides(_bench: Bench, monkeypatch: Patch) -> None:
    monkeypatch.setattr(module, "may_claim", lambda attempts, provider=None: may_claim(attempts[-1:], provider))


def a_cancelled_clip_is_not_bought(bench: Bench) -> None:
    (key,) = plan(bench.near, 1)
    ended = bench.near.cancel_unsent(key, "smiles", "aiml", "cancelled")
    assert ended is not None and (ended.state, ended.failure) == (State.FAILED, Failure.CANCELLED)
    refused = bench.far.claim(key, "smiles", "aiml", USD, NO_CAPS, "digest", "ab" * 32)
    assert refused is Unclaimed.TAKEN
    bench.near.resubmit(ended.id, "wanted again")
    claim(bench.far, key)


def what_is_under_way_is_not_cancelled_unsent(bench: Bench) -> None:
    attempt = claimed(bench.far)
    assert bench.near.cancel_unsent(attempt.clip_key, attempt.batch, attempt.provider, "cancelled") is None
    assert [a.id for a in bench.near.attempts(attempt.clip_key)] == [attempt.id]


MUTANTS: dict[str, tuple[Callable[[Bench, Patch], None], Callable[[Bench], None]]] = {
    "a cancelled clip is claimable": (claimable(State.FAILED), a_cancelled_clip_is_not_bought),
    "what is under way is cancelled": (
        setting(decisions, "may_claim", lambda *_: True),
        what_is_under_way_is_not_cancelled_unsent,
    ),
    "half an answer is recorded": (
        setting(Ledger, "_with_result", lambda self, connection, attempt, told: attempt),
        an_answer_is_recorded_whole,
    ),
    "what the ledger forgot stays forgotten": (
        setting(
            Ledger, "_locked_or_anew", lambda self, connection, attempt_id, *_: self._locked(connection, attempt_id)
        ),
        a_forgotten_attempt_gets_its_id,
    ),
    "a word is taken back blindly": (take_back_blindly, a_word_is_not_taken_back_beside_a_live_attempt),
    "only the last attempt's word counts": (the_last_word_alone_decides, a_generation_that_failed_holds_its_clip),
    "a dead create stays as it is": (setting(module, "on_dead_owner", lambda state: state), a_dead_create_is_in_doubt),
    "a dead create is planned again": (reap_as_not_sent, a_dead_create_is_not_bought_again),
    "a doubt is claimable": (claimable(State.IN_DOUBT, State.FAILED), a_doubt_is_not_bought_again),
    "an orphan is claimable": (claimable(State.ORPHANED, State.FAILED), a_paid_orphan_is_not_bought_again),
    "an id is fenced by epoch": (fence_the_id, a_late_id_is_recorded),
    "an id in doubt moves nothing": (answers_move_nothing, a_late_id_is_recorded),
    "an id after failure moves nothing": (answers_move_nothing, an_id_after_failure_is_an_orphan),
    "the last id wins": (last_id_wins, the_first_id_stays),
    "the budget is read without a lock": (reserve_without_a_lock, two_claims_at_once_stay_below_the_cap),
    "money in doubt does not count": (doubt_counts_nothing, money_in_doubt_keeps_its_place),
    "spend is not moved": (setting(Ledger, "_add_spend", lambda *_: None), counters_are_sums),
    "stored before completed": (
        lambda _bench, patch: patch.setitem(MOVES, State.SUBMITTED, frozenset({State.STORED})),
        only_the_completed_is_stored,
    ),
    "late news of a refusal is believed": (free_from_anywhere, a_charge_is_never_called_free),
    "events are not written": (setting(Ledger, "_record", lambda *_: None), every_move_leaves_an_event),
    "taking over keeps the epoch": (keep_the_epoch, who_lost_a_clip_can_not_move_it),
    "everybody is dead": (setting(Ledger, "is_dead", lambda *_: True), a_living_worker_keeps_its_clip),
    "nobody asks before sending": (
        setting(Ledger, "ours_for_s", lambda *_: 1.0),
        nobody_sends_for_an_attempt_in_doubt,
    ),
    "a stored row takes a url": (url_comes_back, the_stored_row_keeps_no_url),
}
ONLY_WITH_ROW_LOCKS = {"the budget is read without a lock"}  # SQLite has one writer: it can not be raced


def bench_for(name: str, request: pytest.FixtureRequest) -> Bench:
    bench: Bench = request.getfixturevalue("postgres_bench" if name in ONLY_WITH_ROW_LOCKS else "sqlite_bench")
    return bench


@pytest.mark.parametrize("name", sorted(MUTANTS))
def test_the_ledger_passes_the_check(name: str, request: pytest.FixtureRequest) -> None:
    MUTANTS[name][1](bench_for(name, request))


@pytest.mark.parametrize("name", sorted(MUTANTS))
def test_the_mutant_fails_it(name: str, request: pytest.FixtureRequest, monkeypatch: Patch) -> None:
    bench = bench_for(name, request)
    mutate, check = MUTANTS[name]
    mutate(bench, monkeypatch)
    with pytest.raises(AssertionError):
        check(bench)


def test_even_a_wrong_decision_does_not_get_past_the_database(sqlite_bench: Bench, monkeypatch: Patch) -> None:
    monkeypatch.setattr(module, "may_claim", lambda *_: True)
    for state, key in zip(sorted(LEASED), plan(sqlite_bench.near, len(LEASED)), strict=True):
        bring_to(sqlite_bench.near, state, key)
        if state is not State.ORPHANED:
            with pytest.raises(sa.exc.IntegrityError):
                claim(sqlite_bench.far, key)
