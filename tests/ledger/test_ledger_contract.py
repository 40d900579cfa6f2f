"""What every database must do for the money protocol: T0 to T4, and what a person decides. Runs on both."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy.exc import IntegrityError

from dailies.domain.money import ZERO
from dailies.domain.records import Attempt
from dailies.domain.states import LIVE, WITH_ID, Failure, IllegalMove, State
from dailies.ledger import Adopted, DuplicateGeneration, Ledger, LostOwnership, Unclaimed
from tests.ledger.factories import (
    NO_CAPS,
    NOON,
    USD,
    FakeClock,
    MakeLedger,
    a_clip,
    a_row,
    an_owner,
    assert_counters_are_sums,
    bring_to,
    claim,
    claimed,
    plan,
    store,
)

# T0


def test_planning_twice_changes_nothing(ledger: Ledger) -> None:
    plan(ledger, 3)
    before = ledger.rows("smiles")
    plan(ledger, 3)
    assert ledger.rows("smiles") == before


def test_a_plan_of_many_rows_is_kept_whole_and_in_order(ledger: Ledger) -> None:
    keys = plan(ledger, 2_500)
    assert [row.clip_key for row in ledger.rows("smiles")] == keys


def test_planning_again_takes_new_labels_numbers_quotes_and_destination(ledger: Ledger) -> None:
    key = plan(ledger)[0]
    moved = a_row(7, a_clip("prompt 1"), id="sunrise", labels={"campaign": "autumn"}, providers=("onerouter", "aiml"))
    ledger.plan("smiles", "new.csv", "s3://other/place", [moved], {key: None})
    (row,) = ledger.rows("smiles")
    assert (row.number, row.id, row.labels, row.usd_quoted) == (7, "sunrise", {"campaign": "autumn"}, None)
    assert row.providers == ("onerouter", "aiml")
    assert ledger.batch_destination("smiles") == "s3://other/place"


def test_a_row_that_left_the_csv_is_retired_and_its_money_stays_on_record(ledger: Ledger) -> None:
    keys = plan(ledger, 2)
    claim(ledger, keys[0])
    row = a_row(1, a_clip("prompt 2"))
    ledger.plan("smiles", "s", "s3://clips", [row], {keys[1]: USD})
    kept, retired = ledger.rows("smiles")
    assert (kept.clip_key, kept.retired) == (keys[1], False)
    assert (retired.clip_key, retired.retired, len(retired.attempts)) == (keys[0], True, 1)
    assert ledger.counted("smiles") == USD


def test_a_clip_comes_back_as_it_was_planned(ledger: Ledger) -> None:
    clip = a_clip(
        "Zürich · 猫 🐈", options={"generate_audio": True, "seed": 7}, duration_s=None, take="b", resolution=None
    )
    clip = replace(clip, image=clip.image._replace(sha256="ab" * 32, size_bytes=None))
    ledger.plan("smiles", "s", "s3://clips", [a_row(1, clip)], {clip.key: USD})
    (row,) = ledger.rows("smiles")
    assert row.clip == clip
    assert row.clip.key == row.clip_key


# T1


def test_a_claim_is_on_record_before_it_returns(make_ledger: MakeLedger) -> None:
    attempt = claimed(make_ledger())
    assert make_ledger().attempt(attempt.id) == attempt
    assert (attempt.state, attempt.no, attempt.epoch) == (State.SUBMITTING, 1, 1)
    assert attempt.request_digest == "digest-of-the-request"


def test_a_clip_nobody_planned_can_not_be_claimed(ledger: Ledger) -> None:
    plan(ledger)
    with pytest.raises(IntegrityError):
        ledger.claim("unknown", "smiles", "aiml", USD, NO_CAPS, "digest")
    assert ledger.counted("smiles") == ZERO


@pytest.mark.parametrize("state", sorted(LIVE | {State.ORPHANED}))
def test_a_clip_that_is_live_or_paid_is_never_claimed_again(ledger: Ledger, state: State) -> None:
    attempt = bring_to(ledger, state)
    counted = ledger.counted("smiles")
    assert ledger.claim(attempt.clip_key, "smiles", "aiml", USD, NO_CAPS, "digest") is Unclaimed.TAKEN
    assert ledger.counted("smiles") == counted


@pytest.mark.parametrize("failure", list(Failure))
def test_a_failed_create_may_be_tried_again_unless_it_was_a_verdict(ledger: Ledger, failure: Failure) -> None:
    attempt = claimed(ledger)
    ledger.mark_not_charged(attempt.id, failure, "words")
    again = ledger.claim(attempt.clip_key, "smiles", "aiml", USD, NO_CAPS, "digest")
    if failure in (Failure.REFUSED, Failure.GENERATION, Failure.CANCELLED):
        assert again is Unclaimed.TAKEN
    else:
        assert isinstance(again, Attempt)
        assert again.no == 2


def test_a_clip_in_another_batch_is_the_same_clip(ledger: Ledger) -> None:
    key = plan(ledger)[0]
    plan(ledger, batch="frowns")
    claim(ledger, key)
    assert ledger.claim(key, "frowns", "aiml", USD, NO_CAPS, "digest") is Unclaimed.TAKEN
    assert {row.batch for row in ledger.rows_of_clips([key])} == {"smiles", "frowns"}


# T2


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (State.SUBMITTING, State.SUBMITTED),
        (State.IN_DOUBT, State.SUBMITTED),
        (State.FAILED, State.ORPHANED),
        (State.SUPERSEDED, State.ORPHANED),
    ],
)
def test_an_id_is_recorded_in_every_state_without_lease_or_epoch(
    make_ledger: MakeLedger, clock: FakeClock, before: State, after: State
) -> None:
    attempt = bring_to(make_ledger(), before)
    clock.advance(1_000_000)  # the lease is long gone
    stranger = make_ledger(an_owner("elsewhere"))
    recorded = stranger.mark_submitted(attempt.id, "gen-1")
    assert (recorded.state, recorded.generation_id) == (after, "gen-1")
    assert recorded == stranger.attempt(attempt.id)
    assert recorded.lease_until > clock.now
    assert recorded.failure is None


@pytest.mark.parametrize("state", sorted(WITH_ID))
def test_a_second_id_is_noted_and_the_first_stays(ledger: Ledger, state: State) -> None:
    attempt = bring_to(ledger, state)
    assert ledger.mark_submitted(attempt.id, "another-id") == attempt
    assert ledger.attempt(attempt.id) == attempt
    last = ledger.history(attempt.id)[-1]
    assert "another-id" in last.note
    assert last.before is last.after is state


@pytest.mark.parametrize("state", sorted(WITH_ID))
def test_telling_the_same_id_twice_changes_nothing(ledger: Ledger, state: State) -> None:
    attempt = bring_to(ledger, state)
    moves = ledger.history(attempt.id)
    assert ledger.mark_submitted(attempt.id, attempt.generation_id or "") == attempt
    assert ledger.history(attempt.id) == moves


def test_an_id_that_belongs_to_another_attempt_puts_this_one_in_doubt(ledger: Ledger) -> None:
    first, second = plan(ledger, 2)
    bought = ledger.mark_submitted(claim(ledger, first).id, "gen-1")
    attempt = claim(ledger, second)
    with pytest.raises(DuplicateGeneration):
        ledger.mark_submitted(attempt.id, "gen-1")
    doubted = ledger.attempt(attempt.id)
    assert doubted is not None
    assert (doubted.state, doubted.generation_id) == (State.IN_DOUBT, None)
    assert "gen-1" in (doubted.error or "")
    assert ledger.attempt(bought.id) == bought
    assert ledger.counted("smiles") == 2 * USD


def test_two_providers_may_use_the_same_id(ledger: Ledger) -> None:
    first, second = plan(ledger, 2)
    ledger.mark_submitted(claim(ledger, first).id, "gen-1")
    other = ledger.claim(second, "smiles", "onerouter", USD, NO_CAPS, "digest")
    assert isinstance(other, Attempt)
    assert ledger.mark_submitted(other.id, "gen-1").state is State.SUBMITTED


def test_an_answer_for_an_attempt_of_which_nothing_is_known_is_an_error(ledger: Ledger) -> None:
    with pytest.raises(KeyError):
        ledger.mark_submitted("nobody", "gen-1")


def test_a_late_answer_after_never_charged_counts_at_its_quote_again(ledger: Ledger) -> None:
    attempt = bring_to(ledger, State.IN_DOUBT)
    ledger.resolve_free(attempt.id, "support says so")
    assert ledger.counted("smiles") == ZERO
    orphan = ledger.mark_submitted(attempt.id, "gen-1")
    assert orphan.usd_counted == USD
    assert ledger.counted("smiles") == USD
    assert_counters_are_sums(ledger)


def test_the_senders_refusal_is_proof_even_after_it_was_put_in_doubt(ledger: Ledger) -> None:
    attempt = bring_to(ledger, State.IN_DOUBT)
    freed = ledger.mark_not_charged(attempt.id, Failure.NOT_SENT, "connection refused")
    assert (freed.state, ledger.counted("smiles")) == (State.FAILED, ZERO)


@pytest.mark.parametrize("state", sorted(frozenset(State) - {State.SUBMITTING, State.IN_DOUBT}))
def test_news_that_it_was_free_comes_too_late_for_any_later_state(ledger: Ledger, state: State) -> None:
    attempt, counted = bring_to(ledger, state), ledger.counted("smiles")
    assert ledger.mark_not_charged(attempt.id, Failure.NOT_SENT, "refused") == attempt
    assert "too late" in ledger.history(attempt.id)[-1].note
    assert ledger.counted("smiles") == counted


@pytest.mark.parametrize("state", sorted(frozenset(State) - {State.SUBMITTING}))
def test_news_of_a_lost_answer_moves_nothing_that_has_already_moved(ledger: Ledger, state: State) -> None:
    attempt = bring_to(ledger, state)
    assert ledger.mark_in_doubt(attempt.id, "timeout") == attempt
    assert ledger.attempt(attempt.id) == attempt


# T3, T4


def test_a_look_is_counted_and_prolongs_the_lease(ledger: Ledger, clock: FakeClock) -> None:
    attempt = bring_to(ledger, State.SUBMITTED)
    clock.advance(200)
    ledger.record_polled(attempt)
    found = ledger.attempt(attempt.id)
    assert found is not None
    assert (found.polls, found.lease_until) == (1, clock.now + timedelta(seconds=300))


def test_a_worker_that_lost_its_clip_can_not_move_it(make_ledger: MakeLedger, clock: FakeClock) -> None:
    slow, quick = make_ledger(an_owner("one")), make_ledger(an_owner("two"))
    attempt = bring_to(slow, State.SUBMITTED)
    clock.advance(301)
    taken = quick.take_over(attempt)
    assert taken is not None
    for move in (
        lambda: slow.record_polled(attempt),
        lambda: slow.record_completed(attempt, "https://cdn.example/late.mp4"),
        lambda: slow.generation_failed(attempt, "error"),
    ):
        with pytest.raises(LostOwnership):
            move()
    assert quick.attempt(attempt.id) == taken


def test_what_the_provider_says_it_cost_replaces_the_quote(ledger: Ledger) -> None:
    attempt = bring_to(ledger, State.SUBMITTED)
    done = ledger.record_completed(attempt, "https://cdn.example/c.mp4", Decimal("2.52"), 5_040_000)
    assert (done.state, done.usd_charged, done.credits_used) == (State.COMPLETED, Decimal("2.52"), 5_040_000)
    assert ledger.counted("smiles") == ledger.counted() == Decimal("2.52")


def test_a_second_look_at_a_completed_clip_keeps_the_freshest_url_and_the_first_time(
    ledger: Ledger, clock: FakeClock
) -> None:
    attempt = bring_to(ledger, State.COMPLETED)
    clock.advance(60)
    again = ledger.record_completed(attempt, "https://cdn.example/fresh.mp4")
    assert (again.result_url, again.completed_at) == ("https://cdn.example/fresh.mp4", NOON)


def test_a_generation_that_failed_gives_its_reservation_back_unless_the_provider_charged(ledger: Ledger) -> None:
    first, second = plan(ledger, 2)
    ledger.generation_failed(bring_to(ledger, State.SUBMITTED, first), "moderation")
    assert ledger.counted("smiles") == ZERO
    ledger.generation_failed(bring_to(ledger, State.SUBMITTED, second), "error", Decimal("0.5"))
    assert ledger.counted("smiles") == Decimal("0.5")


def test_stored_wipes_the_result_url_for_good(ledger: Ledger) -> None:
    ready = bring_to(ledger, State.COMPLETED)
    stored = store(ledger, ready)
    assert (stored.state, stored.result_url) == (State.STORED, None)
    assert ledger.record_completed(ready, "https://cdn.example/late.mp4?signature=s3cr3t") == stored
    assert ledger.attempt(ready.id) == stored


def test_stored_is_told_once_and_repeating_it_changes_nothing(ledger: Ledger) -> None:
    stored = bring_to(ledger, State.STORED)
    assert ledger.record_stored(stored.id, "s3://elsewhere/x.mp4", "00" * 32, 1) == stored
    assert sum(event.after is State.STORED for event in ledger.history(stored.id)) == 1


def test_an_orphan_is_polled_and_stored_and_stays_an_orphan(ledger: Ledger) -> None:
    orphan = bring_to(ledger, State.ORPHANED)
    ledger.record_polled(orphan)
    ready = ledger.record_completed(orphan, "https://cdn.example/c.mp4", Decimal(1), 2_000_000)
    home = store(ledger, ready)
    assert (home.state, home.delivered, home.result_url) == (State.ORPHANED, True, None)
    assert ledger.unfinished() == []
    assert ledger.counted("smiles") == Decimal(1)


@pytest.mark.parametrize("end", ["failed", "lost"])
def test_an_orphan_that_came_to_nothing_is_at_its_end(ledger: Ledger, clock: FakeClock, end: str) -> None:
    orphan = bring_to(ledger, State.ORPHANED)
    ended = ledger.generation_failed(orphan, "error") if end == "failed" else ledger.result_lost(orphan, "HTTP 403")
    clock.advance(1_000)
    assert ended.state is State.ORPHANED
    assert ledger.unfinished() == []
    assert ledger.reap() == []


@pytest.mark.parametrize("state", sorted(frozenset(State) - {State.COMPLETED, State.STORED, State.ORPHANED}))
def test_nothing_is_called_stored_that_was_not_completed(ledger: Ledger, state: State) -> None:
    attempt = bring_to(ledger, state)
    with pytest.raises(IllegalMove):
        ledger.record_stored(attempt.id, "s3://clips/x.mp4", "00" * 32, 1)
    assert ledger.attempt(attempt.id) == attempt


@pytest.mark.parametrize("state", [State.COMPLETED, State.STORED, State.RESULT_LOST, State.FAILED])
def test_a_failure_after_the_clip_was_ready_moves_nothing(ledger: Ledger, state: State) -> None:
    attempt = bring_to(ledger, state)
    assert ledger.generation_failed(attempt, "error") == attempt
    assert ledger.attempt(attempt.id) == attempt


# What a person decides


def test_a_doubt_is_settled_as_found_free_or_bought_again(ledger: Ledger) -> None:
    found, free, again = (bring_to(ledger, State.IN_DOUBT, key) for key in plan(ledger, 3))
    assert ledger.resolve_found(found.id, "gen-1", "in the log").state is State.SUBMITTED
    assert ledger.resolve_free(free.id, "support says so").usd_charged == ZERO
    assert ledger.resubmit(again.id, "we need it").usd_at_risk == USD
    assert ledger.counted("smiles") == 2 * USD
    assert ledger.claim(free.clip_key, "smiles", "aiml", USD, NO_CAPS, "d") is not Unclaimed.TAKEN
    assert ledger.claim(again.clip_key, "smiles", "aiml", USD, NO_CAPS, "d") is not Unclaimed.TAKEN


@pytest.mark.parametrize("state", sorted(frozenset(State) - {State.IN_DOUBT}))
def test_only_a_doubt_can_be_settled_as_free(ledger: Ledger, state: State) -> None:
    attempt = bring_to(ledger, state)
    with pytest.raises(IllegalMove):
        ledger.resolve_free(attempt.id, "not true")
    assert ledger.attempt(attempt.id) == attempt


@pytest.mark.parametrize("state", sorted(frozenset(State) - {State.IN_DOUBT, State.FAILED, State.RESULT_LOST}))
def test_only_a_doubt_a_failure_or_a_loss_can_be_bought_again(ledger: Ledger, state: State) -> None:
    attempt = bring_to(ledger, state)
    with pytest.raises(IllegalMove):
        ledger.resubmit(attempt.id, "again")
    assert ledger.attempt(attempt.id) == attempt


def test_a_refused_clip_is_bought_again_when_a_person_says_so(ledger: Ledger) -> None:
    attempt = claimed(ledger)
    ledger.mark_not_charged(attempt.id, Failure.REFUSED, "moderation")
    ledger.resubmit(attempt.id, "the rules have changed")
    assert claim(ledger, attempt.clip_key).no == 2


def test_a_late_answer_that_came_to_nothing_is_bought_again_only_when_a_person_says_so(ledger: Ledger) -> None:
    orphan = bring_to(ledger, State.ORPHANED)
    failed = ledger.generation_failed(orphan, "the provider failed to make it")
    assert ledger.claim(failed.clip_key, "smiles", "aiml", USD, NO_CAPS, "digest") is Unclaimed.TAKEN
    ledger.resubmit(failed.id, "once more")
    assert claim(ledger, failed.clip_key).no == 2
    assert_counters_are_sums(ledger)


# Adopting


def adopted(clip_key: str, generation_id: str, attempt_id: str = "e" * 32) -> Adopted:
    """A purchase as the provider's log remembers it."""
    return Adopted(
        attempt_id,
        clip_key,
        "smiles",
        "row-1",
        "openai/sora-2-pro-i2v",
        "aiml",
        generation_id,
        USD,
        NOON,
        "from the log",
    )


def test_a_forgotten_purchase_is_adopted_once_and_not_bought_again(ledger: Ledger) -> None:
    key = plan(ledger)[0]
    taken = ledger.adopt(adopted(key, "video_1:m"))
    assert taken and (taken.state, taken.generation_id) == (State.SUBMITTED, "video_1:m")
    assert ledger.adopt(adopted(key, "video_1:m")) is None
    assert ledger.claim(key, "smiles", "aiml", USD, NO_CAPS, "digest") is Unclaimed.TAKEN
    assert_counters_are_sums(ledger)


def test_what_is_adopted_is_a_further_attempt_of_its_clip(ledger: Ledger, clock: FakeClock) -> None:
    """Beside one that surely cost nothing; stored in the moment in which that is known."""
    free = bring_to(ledger, State.FAILED)
    clock.advance(60)
    found = replace(adopted(free.clip_key, "video_1:m"), s3_uri="s3://bucket/clip.mp4", sha256="f" * 64, size_bytes=7)
    taken = ledger.adopt(found)
    assert taken and (taken.no, taken.epoch, taken.state) == (2, 1, State.STORED)
    assert taken.created_at == NOON and taken.stored_at == taken.submitted_at == clock.now
    assert ledger.attempts(free.clip_key) == (ledger.attempt(free.id), ledger.attempt(taken.id))


def stored_by(attempt: Attempt, generation_id: str = "video_1:m") -> Adopted:
    """The same attempt as its clip in S3 remembers it."""
    found = adopted(attempt.clip_key, generation_id, attempt.id)
    return replace(found, s3_uri="s3://bucket/clip.mp4", sha256="f" * 64, size_bytes=7, usd_charged=USD, note="in S3")


@pytest.mark.parametrize(
    "known", ["submitting", "in doubt", "submitted", "completed", "lost", "superseded", "settled free"]
)
def test_a_clip_in_s3_settles_its_attempt_in_a_ledger_that_was_rolled_back(ledger: Ledger, known: str) -> None:
    """The copy was made before the clip came home; the provider may have forgotten it since."""
    attempt = claim(ledger, plan(ledger)[0])
    if known in ("in doubt", "superseded", "settled free"):
        ledger.mark_in_doubt(attempt.id, "no answer")
    if known in ("submitted", "completed", "lost"):
        attempt = ledger.mark_submitted(attempt.id, "video_1:m")
    if known in ("completed", "lost"):
        attempt = ledger.record_completed(attempt, "https://results.example/a")
    if known == "lost":
        ledger.result_lost(attempt, "gone")
    if known == "superseded":
        ledger.resubmit(attempt.id, "again")
    if known == "settled free":
        ledger.resolve_free(attempt.id, "surely")
    taken = ledger.adopt(stored_by(attempt))
    assert taken and taken.delivered and taken.result_url is None
    assert taken.state is (State.ORPHANED if known in ("superseded", "settled free") else State.STORED)
    assert taken.usd_charged == USD
    assert ledger.claim(attempt.clip_key, "smiles", "aiml", USD, NO_CAPS, "digest") is Unclaimed.TAKEN
    assert ledger.adopt(stored_by(attempt)) is None
    assert_counters_are_sums(ledger)


def test_an_attempt_is_not_settled_by_an_object_of_another_generation(ledger: Ledger) -> None:
    """Two ids for one attempt: the first stays, and the second is noted."""
    attempt = ledger.mark_submitted(claim(ledger, plan(ledger)[0]).id, "video_1:m")
    assert ledger.adopt(stored_by(attempt, "video_2:m")) is None
    found = ledger.attempt(attempt.id)
    assert found and (found.state, found.generation_id) == (State.SUBMITTED, "video_1:m")


def test_a_clip_of_another_batch_is_adopted_into_its_own(ledger: Ledger) -> None:
    """The clip is planned here, and was bought under a name that this ledger never heard."""
    key = plan(ledger)[0]
    taken = ledger.adopt(replace(adopted(key, "video_1:m"), batch="earlier name"))
    assert taken and taken.batch == "earlier name" and "earlier name" in ledger.batches()
    assert ledger.counted("earlier name") == USD and ledger.counted("smiles") == 0
    assert_counters_are_sums(ledger)


def test_a_generation_that_is_on_record_under_another_clip_is_not_adopted(ledger: Ledger) -> None:
    first, second = plan(ledger, 2)
    known = ledger.mark_submitted(claim(ledger, first).id, "video_1:m")
    assert ledger.adopt(adopted(second, "video_1:m")) is None
    assert ledger.attempts(second) == () and ledger.attempts(first) == (known,)
    assert_counters_are_sums(ledger)
