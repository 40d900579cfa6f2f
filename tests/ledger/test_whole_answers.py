"""T2 takes an answer whole, and writes anew what the ledger has forgotten. Runs on both databases."""

from __future__ import annotations

from decimal import Decimal

import pytest
import sqlalchemy as sa

from dailies.domain.creates import Accepted, CreateOutcome, Doubtful, Free, KnownAttempt
from dailies.domain.money import ZERO
from dailies.domain.records import Attempt
from dailies.domain.states import Failure, State
from dailies.ledger import DuplicateGeneration, Ledger
from dailies.ledger import tables as t
from tests.ledger.factories import USD, a_row, all_attempts, assert_counters_are_sums, bring_to, claim, claimed, plan

URL = "https://cdn.example/clip.mp4?signature=s3cr3t"
WHOLE = Accepted("gen-1", URL, Decimal("1.30"), 2_600_000)
OUTCOMES: list[CreateOutcome] = [WHOLE, Free(Failure.REFUSED, "moderation"), Doubtful("HTTP 500")]


def known(attempt: Attempt, number: int = 1) -> KnownAttempt:
    """What the process that claimed it still holds in memory."""
    return KnownAttempt(attempt, a_row(number), "smiles.csv", "s3://clips/smiles")


def forget_everything(ledger: Ledger) -> None:
    """As after a failover to a replica that is older than the batch."""
    with ledger.engine.connect().execution_options(dailies_writes=True) as connection, connection.begin():
        for table in reversed(t.metadata.sorted_tables):
            if table is not t.meta:
                connection.execute(sa.delete(table))


def forget(ledger: Ledger, attempt: Attempt) -> None:
    """As after a failover to a replica that is a moment old: this attempt is gone, its plan is not."""
    with ledger.engine.connect().execution_options(dailies_writes=True) as connection, connection.begin():
        connection.execute(sa.delete(t.event).where(t.event.c.attempt_id == attempt.id))
        connection.execute(sa.delete(t.attempt).where(t.attempt.c.id == attempt.id))
        connection.execute(sa.update(t.spend).values(usd_counted=t.spend.c.usd_counted - attempt.usd_counted))


@pytest.mark.parametrize("before", [State.SUBMITTING, State.IN_DOUBT])
def test_id_address_and_money_of_one_answer_are_recorded_together(ledger: Ledger, before: State) -> None:
    attempt = bring_to(ledger, before)
    done = ledger.mark_submitted(attempt.id, WHOLE)
    assert (done.state, done.generation_id, done.result_url) == (State.COMPLETED, "gen-1", URL)
    assert (done.usd_charged, done.credits_used) == (Decimal("1.30"), 2_600_000)
    assert done.completed_at and done == ledger.attempt(attempt.id)
    moves = [(event.before, event.after) for event in ledger.history(attempt.id)][-2:]
    assert moves == [(before, State.SUBMITTED), (State.SUBMITTED, State.COMPLETED)]
    assert ledger.counted("smiles") == Decimal("1.30")
    assert_counters_are_sums(ledger)


@pytest.mark.parametrize("before", [State.FAILED, State.SUPERSEDED])
def test_a_late_answer_brings_its_address_along(ledger: Ledger, before: State) -> None:
    attempt = bring_to(ledger, before)
    late = ledger.mark_submitted(attempt.id, WHOLE)
    assert (late.state, late.result_url, late.usd_charged) == (State.ORPHANED, URL, Decimal("1.30"))
    assert_counters_are_sums(ledger)


def test_nothing_of_an_answer_stays_when_its_transaction_breaks(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half an answer on record would be a clip that is polled for ever."""
    attempt = claimed(ledger)

    def broken(*_: object) -> Attempt:
        raise RuntimeError("killed between the two moves")

    with monkeypatch.context() as patched:
        patched.setattr(Ledger, "_with_result", broken)
        with pytest.raises(RuntimeError):
            ledger.mark_submitted(attempt.id, WHOLE)
    assert ledger.attempt(attempt.id) == attempt


def test_an_address_that_arrives_after_its_id_completes_the_attempt(ledger: Ledger) -> None:
    """An earlier version recorded the id alone, and the whole answer waits in the spool."""
    attempt = bring_to(ledger, State.SUBMITTED)
    done = ledger.mark_submitted(attempt.id, Accepted(attempt.generation_id or "", URL, USD))
    assert (done.state, done.result_url, done.usd_charged) == (State.COMPLETED, URL, USD)


@pytest.mark.parametrize("state", [State.COMPLETED, State.STORED, State.RESULT_LOST, State.FAILED])
def test_telling_a_whole_answer_again_changes_nothing_that_came_later(ledger: Ledger, state: State) -> None:
    attempt = claimed(ledger)
    ledger.mark_submitted(attempt.id, Accepted("gen-1", "https://cdn.example/first.mp4", USD, 1))
    found = ledger.attempt(attempt.id)
    assert found
    if state is State.STORED:
        found = ledger.record_stored(attempt.id, "s3://clips/a.mp4", "00" * 32, 1)
    if state is State.RESULT_LOST:
        found = ledger.result_lost(found, "gone")
    assert ledger.mark_submitted(attempt.id, WHOLE) == found == ledger.attempt(attempt.id)


def test_a_second_id_is_noted_with_what_it_cost(ledger: Ledger) -> None:
    attempt = bring_to(ledger, State.SUBMITTED)
    ledger.mark_submitted(attempt.id, Accepted("another-id", URL, Decimal("2.52")))
    note = ledger.history(attempt.id)[-1].note
    assert "another-id" in note and "2.52" in note and URL not in note


@pytest.mark.parametrize("everything", [True, False], ids=["an empty ledger", "an older one"])
@pytest.mark.parametrize("outcome", OUTCOMES, ids=lambda outcome: outcome.kind)
def test_an_attempt_that_the_ledger_forgot_is_written_anew(
    ledger: Ledger, outcome: CreateOutcome, everything: bool
) -> None:
    attempt = claimed(ledger)
    forget_everything(ledger) if everything else forget(ledger, attempt)
    told = ledger.tell(known(attempt), outcome)
    after = {"accepted": State.COMPLETED, "free": State.FAILED, "doubtful": State.IN_DOUBT}[outcome.kind]
    assert told.state is after and told == ledger.attempt(attempt.id)
    [row] = ledger.rows("smiles")
    assert (row.clip, row.id, row.providers, row.labels) == (a_row(1).clip, "row-1", ("aiml",), {"campaign": "spring"})
    assert row.attempts == (told,) and ledger.batch_destination("smiles") == "s3://clips/smiles"
    assert (told.usd_quoted, told.created_at, told.request_digest) == (USD, attempt.created_at, attempt.request_digest)
    assert ledger.counted("smiles") == (ZERO if outcome.kind == "free" else told.usd_counted)
    assert "anew" in ledger.history(attempt.id)[0].note
    assert_counters_are_sums(ledger)


@pytest.mark.parametrize("live", [State.SUBMITTING, State.COMPLETED, State.STORED, State.IN_DOUBT])
def test_a_forgotten_purchase_beside_a_live_one_is_an_orphan_on_its_way_home(ledger: Ledger, live: State) -> None:
    """The clip was bought again on the older ledger: both charges are on record, and the first one is fetched too."""
    attempt = claimed(ledger)
    forget(ledger, attempt)
    second = bring_to(ledger, live, attempt.clip_key)
    orphan = ledger.tell(known(attempt), WHOLE)
    assert (orphan.state, orphan.result_url, orphan.no) == (State.ORPHANED, URL, second.no + 1)
    assert orphan.id in {a.id for a in ledger.unfinished()}
    assert_counters_are_sums(ledger)


def test_a_forgotten_doubt_beside_a_live_attempt_stays_at_risk_and_a_forgotten_refusal_costs_nothing(
    ledger: Ledger,
) -> None:
    keys = plan(ledger, 2)
    doubted, refused = (claim(ledger, key) for key in keys)
    for attempt in (doubted, refused):
        forget(ledger, attempt)
        bring_to(ledger, State.STORED, attempt.clip_key)
    assert ledger.tell(known(doubted, 1), Doubtful("HTTP 500")).usd_at_risk == USD
    told = ledger.tell(known(refused, 2), Free(Failure.REFUSED, "moderation"))
    assert (told.state, told.failure, told.usd_counted) == (State.FAILED, Failure.REFUSED, ZERO)
    assert_counters_are_sums(ledger)


def test_a_forgotten_attempt_whose_id_is_on_record_under_another_is_in_doubt(ledger: Ledger) -> None:
    first, second = plan(ledger, 2)
    ledger.mark_submitted(claim(ledger, first).id, "gen-1")
    attempt = claim(ledger, second)
    forget(ledger, attempt)
    with pytest.raises(DuplicateGeneration):
        ledger.tell(known(attempt, 2), WHOLE)
    assert {a.id: a.state for a in all_attempts(ledger)}[attempt.id] is State.IN_DOUBT


def test_what_an_earlier_version_left_in_the_spool_is_written_anew_too(ledger: Ledger) -> None:
    """It knows the clip by its key alone; planning the row later fills in what it was."""
    attempt = claimed(ledger)
    forget_everything(ledger)
    ledger.tell(KnownAttempt(attempt), Accepted("gen-1"))
    assert [a.state for a in ledger.attempts(attempt.clip_key)] == [State.SUBMITTED]
    plan(ledger)
    assert [row.clip for row in ledger.rows("smiles")] == [a_row(1).clip]
