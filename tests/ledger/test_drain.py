"""What waits in the spool reaches the ledger before its file goes, and is read back there first. Runs on both databases."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from dailies.domain.creates import Accepted, CreateOutcome, Doubtful, Free, KnownAttempt
from dailies.domain.records import Attempt
from dailies.domain.states import Failure, State
from dailies.ledger import Ledger, Spool
from dailies.ledger.record import drain_spool, on_record, record_outcome
from dailies.ledger.spool import Spooled
from tests.ledger.factories import USD, a_row, claim, claimed, plan
from tests.ledger.test_whole_answers import OUTCOMES, WHOLE, forget, forget_everything, known


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool")


def drain(ledger: Ledger, spool: Spool) -> int:
    return anyio.run(drain_spool, ledger, spool)


@pytest.mark.parametrize("forgotten", ["nothing", "the attempt", "everything"])
@pytest.mark.parametrize("outcome", OUTCOMES, ids=lambda outcome: outcome.kind)
def test_every_outcome_is_taken_whatever_the_ledger_has_forgotten(
    ledger: Ledger, spool: Spool, outcome: CreateOutcome, forgotten: str
) -> None:
    attempt = claimed(ledger)
    spool.put(Spooled(known(attempt), outcome))
    if forgotten != "nothing":
        forget(ledger, attempt) if forgotten == "the attempt" else forget_everything(ledger)
    assert drain(ledger, spool) == 1 and len(spool) == 0
    found = ledger.attempt(attempt.id)
    assert found and found.state is not State.SUBMITTING
    assert found.result_url == (WHOLE.result_url if outcome == WHOLE else None)


@pytest.mark.parametrize("outcome", OUTCOMES, ids=lambda outcome: outcome.kind)
def test_a_file_whose_outcome_is_not_read_back_stays(
    ledger: Ledger, spool: Spool, monkeypatch: pytest.MonkeyPatch, outcome: CreateOutcome
) -> None:
    """A ledger that says yes and has nothing: a replica that is behind, a commit that did not last."""
    attempt = claimed(ledger)
    spool.put(Spooled(known(attempt), outcome))
    monkeypatch.setattr(Ledger, "tell", lambda self, *_: attempt)
    assert drain(ledger, spool) == 0 and len(spool) == 1


def test_an_id_that_stands_at_another_attempt_or_in_the_history_is_on_record(ledger: Ledger, spool: Spool) -> None:
    first, second = (claim(ledger, key) for key in plan(ledger, 2))
    ledger.mark_submitted(first.id, "gen-1")
    spool.put(Spooled(known(second, 2), Accepted("gen-1")))
    spool.put(Spooled(known(first), Accepted("gen-2", usd_charged=USD)))
    assert drain(ledger, spool) == 2 and len(spool) == 0
    assert "gen-2" in ledger.history(first.id)[-1].note


def test_an_id_that_only_the_words_of_a_doubt_name_is_not_on_record(ledger: Ledger) -> None:
    attempt = claimed(ledger)
    ledger.mark_in_doubt(attempt.id, "accepted as gen-1, and the ledger did not take the id")
    assert not on_record(ledger, Spooled(known(attempt), Accepted("gen-1")))


def test_what_an_earlier_version_left_of_a_forgotten_attempt_is_taken(ledger: Ledger, spool: Spool) -> None:
    attempt = claimed(ledger)
    spool.put(Spooled(KnownAttempt(attempt), Accepted("gen-1")))
    forget_everything(ledger)
    assert drain(ledger, spool) == 1
    [found] = ledger.attempts(attempt.clip_key)
    assert (found.generation_id, found.usd_quoted) == ("gen-1", USD)


def test_whatever_goes_wrong_with_the_ledger_the_answer_is_on_disk_first(
    ledger: Ledger, spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also a defect of ours, which is then raised."""
    attempt = claimed(ledger)

    def broken(*_: object) -> Attempt:
        raise ZeroDivisionError

    monkeypatch.setattr(Ledger, "tell", broken)
    monkeypatch.setattr("dailies.ledger.record.RETRY_S", (0.0,))
    with pytest.raises(ZeroDivisionError):
        anyio.run(record_outcome, ledger, spool, known(attempt), WHOLE)
    assert [spooled.outcome for _, spooled in spool] == [WHOLE]


def test_an_answer_that_came_home_late_by_the_ledger_leaves_no_file(
    ledger: Ledger, spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempt, tell, tries = claimed(ledger), Ledger.tell, iter([OSError("away"), None])

    def away_once(self: Ledger, *given: object) -> Attempt:
        trouble = next(tries)
        if trouble:
            raise trouble
        return tell(self, *given)  # type: ignore[arg-type]

    monkeypatch.setattr(Ledger, "tell", away_once)
    monkeypatch.setattr("dailies.ledger.record.RETRY_S", (0.0,))
    recorded = anyio.run(record_outcome, ledger, spool, known(attempt), WHOLE)
    assert recorded and recorded.state is State.COMPLETED and len(spool) == 0


def test_an_unreadable_answer_that_can_not_be_kept_is_in_doubt_all_the_same(
    ledger: Ledger, spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Spool, "keep_answer", full)
    attempt = claimed(ledger)
    told = anyio.run(record_outcome, ledger, spool, known(attempt), Doubtful("HTTP 200 without an id", b"<html>"))
    assert told and told.state is State.IN_DOUBT and "No space left" in (told.error or "")


def test_a_refusal_that_arrives_after_its_attempt_was_put_in_doubt_is_proof(ledger: Ledger, spool: Spool) -> None:
    attempt = claimed(ledger)
    ledger.mark_in_doubt(attempt.id, "taken for dead")
    spool.put(Spooled(KnownAttempt(attempt, a_row(1)), Free(Failure.BUSY, "HTTP 429")))
    assert drain(ledger, spool) == 1
    found = ledger.attempt(attempt.id)
    assert found and (found.state, found.failure) == (State.FAILED, Failure.BUSY)
