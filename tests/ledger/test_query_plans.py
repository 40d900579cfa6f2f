"""What is asked all the time is answered from an index, however long the history grows (SQLite's own query plans)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from dailies.domain.states import State
from dailies.ledger import Caps, Ledger, Owner, open_engine
from tests.ledger.factories import NOON, USD, a_clip, bring_to, plan

KEY = a_clip("prompt 1").key

HOT: dict[str, Callable[[Ledger], Any]] = {
    "attempts of a clip": lambda ledger: ledger.attempts(KEY),
    "attempts of many clips": lambda ledger: ledger.attempts_of([KEY, "b", "c"]),
    "briefs of many clips": lambda ledger: list(ledger.briefs_of([KEY, "b", "c"])),
    "one attempt": lambda ledger: ledger.attempt(ledger.attempts(KEY)[0].id),
    "unfinished": lambda ledger: ledger.unfinished(),
    "unsettled": lambda ledger: ledger.unsettled(),
    "lost": lambda ledger: ledger.lost(NOON),
    "whose generation": lambda ledger: ledger.attempt_of_generation("aiml", "gen-1"),
    "reap": lambda ledger: ledger.reap(),
    "renew": lambda ledger: ledger.renew(),
    "rows of a batch": lambda ledger: ledger.rows("smiles"),
    "rows of clips": lambda ledger: ledger.rows_of_clips([KEY]),
    "counts": lambda ledger: ledger.counts("smiles"),
    "counted": lambda ledger: ledger.counted("smiles"),
    "told": lambda ledger: ledger.told(["a", "b"]),
    "history": lambda ledger: ledger.history("a"),
    "claim": lambda ledger: ledger.claim(KEY, "smiles", "aiml", USD, Caps(USD, USD), "digest"),
    "answer": lambda ledger: ledger.mark_submitted(ledger.attempts(KEY)[0].id, "gen-1"),
    "polled": lambda ledger: ledger.record_polled(ledger.attempts(KEY)[0]),
    "close": lambda ledger: ledger.close(),
}


@pytest.fixture
def filled(sqlite_url: str) -> Iterator[Ledger]:
    """A ledger with an attempt in every state, whose statistics are known."""
    ledger = Ledger(open_engine(sqlite_url), Owner.this_process(), clock=lambda: NOON)
    for state, key in zip([State.SUBMITTING, *State], plan(ledger, len(State) + 1), strict=True):
        bring_to(ledger, state, key)
    yield ledger
    ledger.engine.dispose()


def plans(ledger: Ledger, call: Callable[[Ledger], Any]) -> list[str]:
    """The query plan of every statement that `call` sends."""
    sent: list[tuple[str, Any]] = []

    @sa.event.listens_for(ledger.engine, "before_cursor_execute")
    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.lstrip().startswith(("SELECT", "UPDATE", "DELETE")):
            sent.append((statement, parameters))

    call(ledger)
    sa.event.remove(ledger.engine, "before_cursor_execute", note)
    with ledger.engine.connect() as connection:
        return [
            str(row.detail)
            for statement, parameters in sent
            for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
        ]


@pytest.mark.parametrize("name", sorted(HOT))
def test_a_hot_query_never_reads_a_whole_table(filled: Ledger, name: str) -> None:
    steps = plans(filled, HOT[name])
    assert [step for step in steps if "INDEX" in step], steps
    assert not [step for step in steps if step.startswith("SCAN")], steps


def test_the_check_itself_sees_a_whole_table_being_read(filled: Ledger) -> None:
    assert any(step.startswith("SCAN attempt") for step in plans(filled, lambda ledger: ledger.attempt("no such")))
