"""What recovery finds and does: who takes an attempt over, what a clip needs next, and what the provider's word moves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from dailies.domain.creates import Accepted, KnownAttempt, PaidRequest, Reference
from dailies.domain.kept_request import keep
from dailies.domain.money import ZERO
from dailies.domain.next_step import Step
from dailies.domain.records import Attempt
from dailies.domain.states import Failure, State
from dailies.errors import DailiesError, MaybeCharged, ResultLost
from dailies.ledger.spool import Spooled
from dailies.providers.base import Found, LogUnavailable, Look
from dailies.steps import recover
from tests.ledger.factories import NO_CAPS, USD, FakeClock, a_dead_owner, a_row, bring_to, claim
from tests.unit.steps_bench import FAILED, GENERATING, READY, Bench, bench_on

FOUND = Found("video_found", True, Decimal("1.3"), 1_300_000, handle="https://api.example/jobs/video_found")


@pytest.fixture
def bench(sqlite_url: str, tmp_path: Path, clock: FakeClock) -> Iterator[Bench]:
    yield from bench_on(sqlite_url, tmp_path, clock)


def anothers(bench: Bench, attempt: Attempt, dead: bool = True) -> Attempt:
    """The attempt in another owner's hands, who is dead or silent for too short a time to be."""
    owner = str(a_dead_owner() if dead else replace(bench.ledger.owner, machine="far", nonce="lives"))
    with bench.ledger.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE attempt SET owner = ? WHERE id = ?", (owner, attempt.id))
    return bench.again(attempt)


def submitted(bench: Bench, attempt: Attempt, minutes_ago: int) -> None:
    """The attempt, as accepted then."""
    then = (bench.clock.now - timedelta(minutes=minutes_ago)).strftime("%Y-%m-%d %H:%M:%S.%f")
    with bench.ledger.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE attempt SET submitted_at = ? WHERE id = ?", (then, attempt.id))


def test_recovery_lists_what_a_dead_owner_left_the_most_urgent_first(bench: Bench) -> None:
    """What lives is left alone; a create is put in doubt and not listed."""
    batch = bench.batch(4)
    young, old = sorted((bench.attempt(State.SUBMITTED, batch, at) for at in (0, 1)), key=lambda attempt: attempt.id)
    lives = bench.attempt(State.SUBMITTED, batch, 2)
    create = claim(bench.ledger, batch.plan.rows[3].clip.key)
    submitted(bench, old, minutes_ago=5)
    for attempt in (young, old, create):
        anothers(bench, attempt)
    anothers(bench, lives, dead=False)
    found = bench.run(recover.recover)
    assert [a.id for a in found.left] == [old.id, young.id] and found.drained == 0
    assert bench.again(create).state is State.IN_DOUBT


def spooled(bench: Bench, attempt: Attempt, generation_id: str) -> None:
    """An answer that the ledger did not take when it came."""
    bench.runtime().spool.put(Spooled(KnownAttempt(attempt), Accepted(generation_id)))


@pytest.mark.parametrize(("in_spool", "dead"), [(True, False), (False, True), (False, False)])
def test_recovery_says_what_it_found(
    bench: Bench, caplog: pytest.LogCaptureFixture, in_spool: bool, dead: bool
) -> None:
    """An answer that waited, a clip that nobody watches; of nothing it does not speak."""
    batch = bench.batch(2)
    if in_spool:
        spooled(bench, claim(bench.ledger, batch.plan.rows[0].clip.key), "video_s")
    if dead:
        anothers(bench, bench.attempt(State.SUBMITTED, batch, 1))
    found = bench.run(recover.recover)
    assert (found.drained, len(found.left)) == (in_spool, dead)
    said = [line for name, _, line in caplog.record_tuples if name == "dailies.recover"]
    words = f"recovered: {in_spool:d} answers from the spool, {dead:d} paid clips without an owner"
    assert said == ([words] if in_spool or dead else [])


def test_nothing_is_to_be_collected_only_when_all_is_at_an_end(bench: Bench) -> None:
    batch = bench.batch(2)
    assert bench.run(recover.nothing_to_collect) is True
    bench.attempt(State.STORED, batch, 0)
    assert bench.run(recover.nothing_to_collect) is True
    lost = bench.attempt(State.RESULT_LOST, batch, 1)
    assert bench.run(recover.nothing_to_collect) is False
    bench.clock.advance(recover.RECONSIDERED_FOR.total_seconds() + 1)
    assert bench.run(recover.nothing_to_collect) is True, bench.again(lost)


@pytest.mark.parametrize(
    ("state", "step"),
    [
        (None, Step.BUY),
        (State.FAILED, Step.BUY),
        (State.SUBMITTED, Step.COLLECT),
        (State.COMPLETED, Step.COLLECT),
        (State.STORED, Step.NOTHING),
        (State.IN_DOUBT, Step.SETTLE),
        (State.SUPERSEDED, Step.BUY),
        (State.RESULT_LOST, Step.NOTHING),
    ],
)
def test_each_state_has_its_step(bench: Bench, state: State | None, step: Step) -> None:
    """Of the clip; of the attempt itself a lost clip may be reopened."""
    batch = bench.batch()
    key = batch.plan.rows[0].clip.key
    attempt = bench.attempt(state, batch) if state else None
    assert bench.run(recover.step_for, key) is step
    assert bench.run(recover.step_once_free, key) is step
    assert bench.run(recover.speaking_attempt, key) == (attempt.id if attempt else None)
    if attempt:
        mine = {State.FAILED: Step.NOTHING, State.SUPERSEDED: Step.SETTLE, State.RESULT_LOST: Step.REOPEN}
        assert bench.run(recover.attempt_step_for, attempt.id) is mine.get(attempt.state, step)


def test_an_attempt_that_nobody_knows_needs_nothing(bench: Bench) -> None:
    assert bench.run(recover.attempt_step_for, "nobody") is Step.NOTHING
    assert bench.run(recover.take_attempt, "nobody") is None


def test_what_one_provider_refused_may_be_bought_of_another(bench: Bench) -> None:
    refused = claim(bench.ledger, bench.batch().plan.rows[0].clip.key)
    bench.ledger.mark_not_charged(refused.id, Failure.REFUSED, "no")
    assert bench.run(recover.step_for, refused.clip_key, "aiml") is Step.NOTHING
    assert bench.run(recover.step_for, refused.clip_key, "fal") is Step.BUY


def test_a_clip_to_be_forgotten_needs_nothing(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    batch = bench.batch()
    key = batch.plan.rows[0].clip.key
    monkeypatch.setattr(bench.ledger, "forgotten", lambda keys: frozenset(keys))
    assert bench.run(recover.step_for, key) is Step.NOTHING


def test_what_another_has_in_hand_is_looked_at_later_and_a_dead_ones_is_taken(bench: Bench) -> None:
    """A claim of a dead owner is in doubt then."""
    batch = bench.batch(2)
    lives = anothers(bench, bench.attempt(State.SUBMITTED, batch), dead=False)
    with pytest.raises(recover.Elsewhere) as error:
        bench.run(recover.step_once_free, lives.clip_key)
    assert str(error.value) == "another run is at work on this clip"
    assert bench.run(recover.take_attempt, lives.id) is None
    dead = anothers(bench, claim(bench.ledger, batch.plan.rows[1].clip.key))
    assert bench.run(recover.step_once_free, dead.clip_key) is Step.SETTLE
    left = anothers(bench, lives)
    taken = bench.run(recover.take_attempt, left.id)
    assert taken is not None and (taken.owner, taken.epoch) == (str(bench.ledger.owner), left.epoch + 1)


def test_a_lost_clip_is_reopened_when_the_provider_shows_it_again(bench: Bench) -> None:
    """With what it says of the cost, and its word in the history."""
    attempt = bench.attempt(State.RESULT_LOST)
    bench.vendor.looks = [replace(READY, usd_charged=Decimal("1.3"), credits_used=1_300_000)]
    ready = bench.run(recover.reopen_attempt, attempt.id)
    assert (ready.state, ready.result_url, ready.usd_charged) == (State.COMPLETED, READY.url, Decimal("1.3"))
    assert ready.credits_used == 1_300_000 and bench.vendor.asked == [("look", attempt.generation_id)]
    assert "aiml shows it again" in bench.notes(attempt)


@pytest.mark.parametrize(
    "look", [GENERATING, FAILED, replace(READY, url=None), replace(FAILED, url="https://x.example")]
)
def test_a_lost_clip_stays_lost_while_the_provider_does_not_show_it(bench: Bench, look: Look) -> None:
    attempt = bench.attempt(State.RESULT_LOST)
    bench.vendor.looks = [look]
    with pytest.raises(ResultLost) as error:
        bench.run(recover.reopen_attempt, attempt.id)
    assert str(error.value) == f"aiml does not show {attempt.generation_id} again ({look.detail}): it stays lost"
    assert bench.again(attempt).state is State.RESULT_LOST


def test_what_was_never_accepted_can_not_be_reopened(bench: Bench) -> None:
    attempt = bench.attempt(State.IN_DOUBT)
    for attempt_id in (attempt.id, "nobody"):
        with pytest.raises(DailiesError, match=f"no attempt {attempt_id} that was accepted"):
            bench.run(recover.reopen_attempt, attempt_id)
    assert bench.vendor.asked == []


@pytest.mark.parametrize("succeeded", [True, False])
def test_a_doubt_is_settled_by_what_the_provider_shows(bench: Bench, succeeded: bool) -> None:
    """What it cost is taken from the log only where it succeeded: of a failed one the next look tells."""
    attempt = bench.attempt(State.IN_DOUBT)
    bench.vendor.found = replace(FOUND, succeeded=succeeded, failed=not succeeded)
    found = bench.run(recover.resolve_attempt, attempt.id)
    assert (found.state, found.generation_id) == (State.SUBMITTED, "video_found")
    assert found.usd_charged == (Decimal("1.3") if succeeded else None)
    assert found.credits_used == (1_300_000 if succeeded else None)
    assert found.handle == FOUND.handle and "found at the provider by our reference: video_found" in bench.notes(
        attempt
    )
    ((_, doubt),) = bench.vendor.asked
    assert doubt.reference.attempt_id == attempt.id
    assert (doubt.since, doubt.until) == (attempt.created_at - timedelta(hours=1), bench.clock.now + timedelta(hours=1))


def test_a_provider_is_asked_by_the_request_that_is_on_record(bench: Bench) -> None:
    """Its key, and all that was sent."""
    (row,) = bench.batch().plan.rows
    kept = keep(PaidRequest("https://api.example/v1", {"n": 1}, {"Key": "k"}), Reference("one", "k"), bench.clock.now)
    attempt = bench.ledger.claim(row.clip.key, "smiles", "aiml", USD, NO_CAPS, "d", request=kept)
    assert isinstance(attempt, Attempt)
    bench.ledger.mark_in_doubt(attempt.id, "answer lost")
    bench.vendor.found = FOUND
    bench.run(recover.resolve_attempt, attempt.id)
    ((_, doubt),) = bench.vendor.asked
    assert (doubt.reference, doubt.request) == (Reference("one", "k"), kept.again())


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (None, "the provider does not show it yet"),
        (LogUnavailable("the log is closed today"), "the log is closed today"),
    ],
)
def test_a_doubt_stays_where_nothing_is_found(bench: Bench, found: Exception | None, words: str) -> None:
    """A silence proves nothing."""
    attempt = bench.attempt(State.IN_DOUBT)
    bench.vendor.found = found
    with pytest.raises(MaybeCharged) as error:
        bench.run(recover.resolve_in_doubt, attempt)
    assert str(error.value).startswith(
        f"attempt {attempt.id[:8]} stays in doubt ({words}); `dailies collect` asks again"
    )
    assert bench.again(attempt).state is State.IN_DOUBT


def test_a_doubt_stays_where_the_id_is_anothers(bench: Bench) -> None:
    batch = bench.batch(2)
    other, doubt = bench.attempt(State.SUBMITTED, batch), bench.attempt(State.IN_DOUBT, batch, 1)
    bench.vendor.found = replace(FOUND, generation_id=str(other.generation_id))
    with pytest.raises(MaybeCharged) as error:
        bench.run(recover.resolve_in_doubt, doubt)
    assert str(error.value) == f"attempt {doubt.id[:8]} stays in doubt: its id belongs to another attempt"
    assert bench.again(doubt).state is State.IN_DOUBT


def test_only_a_doubt_can_be_settled(bench: Bench) -> None:
    attempt = bench.attempt(State.SUBMITTED)
    for attempt_id in (attempt.id, "nobody"):
        with pytest.raises(DailiesError, match="nothing is in doubt about attempt"):
            bench.run(recover.resolve_attempt, attempt_id)


def test_the_rows_in_doubt_are_those_of_the_batch(bench: Bench) -> None:
    batch = bench.batch(3)
    bench.attempt(State.IN_DOUBT, batch, 1)
    bench.attempt(State.SUBMITTED, batch, 2)
    assert bench.run(recover.rows_in_doubt, batch) == [batch.plan.rows[1]]
    part = bench.batch(1, on_record=False)
    assert bench.run(recover.rows_in_doubt, part) == []


def test_left_over_is_what_no_clip_of_the_batch_brings_home(bench: Bench) -> None:
    """Of clips that the batch does not want, and orphans beside the attempt that speaks."""
    whole = bench.batch(3)
    mine, foreign = bench.attempt(State.SUBMITTED, whole, 0), bench.attempt(State.SUBMITTED, whole, 1)
    bench.attempt(State.IN_DOUBT, whole, 2)
    part = bench.batch(1, on_record=False)
    assert [one.attempt_id for one in bench.run(recover.left_over, part)] == [foreign.id]
    (one,) = bench.run(recover.left_over, part)
    assert (one.label, one.batch) == ("row-2", "smiles") and mine.id != foreign.id


def test_left_over_of_other_owners_is_what_the_dead_have_paid_for(bench: Bench) -> None:
    """First what ends first, whatever its id; what a living owner follows is left to it."""
    whole = bench.batch(4)
    attempts = [bench.attempt(State.SUBMITTED, whole, at) for at in (1, 2)]
    lives = anothers(bench, bench.attempt(State.SUBMITTED, whole, 3), dead=False)
    young, old = sorted((anothers(bench, attempt) for attempt in attempts), key=lambda attempt: attempt.id)
    submitted(bench, old, minutes_ago=5)
    part = bench.batch(1, on_record=False)
    assert [one.attempt_id for one in bench.run(recover.left_over, part)] == [old.id, young.id]
    assert bench.run(recover.attempt_step_for, old.id) is Step.COLLECT
    assert bench.run(recover.attempt_step_for, lives.id) is Step.FOLLOW


def test_what_is_left_is_named_by_its_row_in_the_batch_that_bought_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another batch may call the same clip otherwise; without any row it has the first of its digits."""
    batch = bench.batch()
    attempt = bench.attempt(State.SUBMITTED, batch)
    for name, number in (("laughs", 8), ("zooms", 9)):
        row = a_row(number, batch.plan.rows[0].clip)
        bench.ledger.plan(name, f"{name}.csv", batch.destination, [row], {row.clip.key: USD})

    def label() -> str:
        (one,) = bench.run(recover.remaining).attempts
        assert (one.attempt_id, one.batch) == (attempt.id, "smiles")
        return one.label

    assert label() == "row-1"
    rows = [row for row in bench.ledger.rows_of_clips([attempt.clip_key]) if row.batch == "zooms"]
    monkeypatch.setattr(bench.ledger, "rows_of_clips", lambda keys: rows)
    assert label() == "row-9"
    rows.clear()
    assert label() == attempt.clip_key[:12]


def test_an_orphan_that_speaks_for_its_clip_is_no_more_left_over_than_others(bench: Bench) -> None:
    """Beside another attempt it is."""
    batch = bench.batch()
    free = bench.attempt(State.FAILED, batch)
    speaks = bring_to(bench.ledger, State.SUBMITTED, free.clip_key)
    orphan = bench.ledger.mark_submitted(free.id, "video_late")
    assert orphan.state is State.ORPHANED and bench.again(speaks).state is State.SUBMITTED
    assert [one.attempt_id for one in bench.run(recover.left_over, batch)] == [orphan.id]


def test_reconsidered_is_what_may_yet_be_shown(bench: Bench) -> None:
    """Lost clips, and doubts that were given up; none that is too old."""
    batch = bench.batch(3)
    lost, given_up = bench.attempt(State.RESULT_LOST, batch, 0), bench.attempt(State.SUPERSEDED, batch, 1)
    bench.attempt(State.IN_DOUBT, batch, 2)
    found = bench.run(recover.reconsidered)
    assert {one.attempt_id: one.label for one in found} == {lost.id: "row-1", given_up.id: "row-2"}
    bench.clock.advance(recover.RECONSIDERED_FOR.total_seconds())
    assert len(bench.run(recover.reconsidered)) == 2, "to the last moment"
    bench.clock.advance(1)
    assert bench.run(recover.reconsidered) == []


def test_remaining_sums_up_what_is_not_at_an_end(bench: Bench) -> None:
    """Money at risk counts doubts that were given up too."""
    nothing = bench.run(recover.remaining)
    assert not nothing.attempts and (nothing.sentence, nothing.usd_at_risk) == ("nothing is left to collect", ZERO)
    batch = bench.batch(4)
    for at, state in ((2, State.IN_DOUBT), (0, State.SUBMITTED), (1, State.COMPLETED), (3, State.SUPERSEDED)):
        bench.attempt(state, batch, at)
        bench.clock.advance(60)
    left = bench.run(recover.remaining)
    assert left.sentence == "2 in flight or to be fetched · 1 in doubt · $2.52 at risk" and left.usd_at_risk == 2 * USD
    assert [one.label for one in left.attempts] == ["row-3", "row-1", "row-2"], "what ends first"


def test_money_at_risk_alone_is_something_left(bench: Bench) -> None:
    bench.attempt(State.SUPERSEDED)
    left = bench.run(recover.remaining)
    assert left.attempts == () and left.sentence == "0 in flight or to be fetched · 0 in doubt · $1.26 at risk"
