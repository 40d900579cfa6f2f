"""The history: one event per move, in the same transaction as the move, never changed. Runs on both databases."""

from __future__ import annotations

from itertools import pairwise

import pytest
import sqlalchemy as sa

from dailies.domain.states import MOVES, Failure, IllegalMove, State
from dailies.ledger import Ledger
from dailies.ledger import tables as t
from tests.ledger.factories import FakeClock, MakeLedger, a_dead_owner, an_owner, bring_to, claimed, plan, store

HISTORIES = {
    State.SUBMITTING: [State.SUBMITTING],
    State.SUBMITTED: [State.SUBMITTING, State.SUBMITTED],
    State.COMPLETED: [State.SUBMITTING, State.SUBMITTED, State.COMPLETED],
    State.STORED: [State.SUBMITTING, State.SUBMITTED, State.COMPLETED, State.STORED],
    State.RESULT_LOST: [State.SUBMITTING, State.SUBMITTED, State.COMPLETED, State.RESULT_LOST],
    State.FAILED: [State.SUBMITTING, State.FAILED],
    State.IN_DOUBT: [State.SUBMITTING, State.IN_DOUBT],
    State.SUPERSEDED: [State.SUBMITTING, State.IN_DOUBT, State.SUPERSEDED],
    State.ORPHANED: [State.SUBMITTING, State.FAILED, State.ORPHANED],
}


@pytest.mark.parametrize("state", list(State))
def test_there_is_one_event_per_move_and_each_begins_where_the_last_ended(ledger: Ledger, state: State) -> None:
    events = ledger.history(bring_to(ledger, state).id)
    assert [event.after for event in events] == HISTORIES[state]
    assert [event.before for event in events] == [None, *HISTORIES[state][:-1]]
    assert all(after.after in MOVES[before.after] for before, after in pairwise(events))


def test_an_event_says_when_and_why(ledger: Ledger, clock: FakeClock) -> None:
    attempt = claimed(ledger)
    clock.advance(7)
    ledger.mark_not_charged(attempt.id, Failure.REFUSED, "moderation")
    first, last = ledger.history(attempt.id)
    assert (last.at - first.at).total_seconds() == 7
    assert (first.note, last.note) == ("claimed for smiles", "moderation")
    assert last.at.utcoffset() is not None


def test_an_event_names_the_worker_that_moved(make_ledger: MakeLedger) -> None:
    dead, ledger = make_ledger(a_dead_owner()), make_ledger(an_owner())
    attempt = claimed(dead)
    ledger.reap()
    with ledger.engine.connect() as connection:
        query = sa.select(t.event.c.owner).where(t.event.c.attempt_id == attempt.id).order_by(t.event.c.id)
        assert list(connection.execute(query).scalars()) == [str(dead.owner), str(ledger.owner)]


def test_taking_over_is_on_record(make_ledger: MakeLedger) -> None:
    attempt = bring_to(make_ledger(a_dead_owner()), State.SUBMITTED)
    make_ledger().take_over(attempt)
    assert "taken over" in make_ledger().history(attempt.id)[-1].note


def test_a_move_that_is_not_in_the_table_leaves_no_event(ledger: Ledger) -> None:
    attempt = bring_to(ledger, State.SUBMITTED)
    before = ledger.history(attempt.id)
    with pytest.raises(IllegalMove):
        store(ledger, attempt)
    assert ledger.history(attempt.id) == before


def test_a_move_that_is_rolled_back_leaves_no_event(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    attempt = claimed(ledger)
    before = ledger.history(attempt.id)
    record = ledger._record

    def broken(*values: object) -> None:
        record(*values)  # type: ignore[arg-type]
        raise OSError("the connection broke before the commit")

    monkeypatch.setattr(ledger, "_record", broken)
    with pytest.raises(OSError, match="broke"):
        ledger.mark_submitted(attempt.id, "gen-1")
    assert ledger.history(attempt.id) == before
    assert ledger.attempt(attempt.id) == attempt


def test_a_claim_that_is_rolled_back_leaves_neither_attempt_nor_event(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    (key,) = plan(ledger)

    def broken(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(ledger, "_record", broken)
    with pytest.raises(OSError, match="disk full"):
        claimed(ledger)
    assert ledger.attempts(key) == ()
    with ledger.engine.connect() as connection:
        assert connection.execute(sa.select(t.event)).all() == []


def test_no_event_holds_a_result_url(ledger: Ledger) -> None:
    stored = bring_to(ledger, State.STORED)
    assert all("s3cr3t" not in event.note for event in ledger.history(stored.id))
