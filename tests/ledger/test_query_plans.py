"""What is asked all the time is answered from an index, however long the history grows (the databases' own query plans)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from dailies.domain.states import State
from dailies.ledger import Caps, Ledger, Owner, open_engine
from tests.ledger.factories import NOON, USD, FakeClock, a_clip, bring_to, claim, ledgers_on, plan

KEY = a_clip("prompt 1").key

HOT: dict[str, Callable[[Ledger], Any]] = {
    "attempts of a clip": lambda ledger: ledger.attempts(KEY),
    "attempts of many clips": lambda ledger: ledger.attempts_of([KEY, "b", "c"]),
    "briefs of many clips": lambda ledger: list(ledger.briefs_of([KEY, "b", "c"])),
    "one attempt": lambda ledger: ledger.attempt(ledger.attempts(KEY)[0].id),
    "unfinished": lambda ledger: ledger.unfinished(),
    "unsettled": lambda ledger: ledger.unsettled(),
    "lost": lambda ledger: ledger.lost(NOON),
    "usd in flight": lambda ledger: ledger.usd_in_flight("aiml"),
    "how long they took": lambda ledger: ledger.generation_times("aiml", "m", "720p", 4),
    "lying": lambda ledger: ledger.lying([KEY]),
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
    sent = sent_by(ledger, call)
    with ledger.engine.connect() as connection:
        return explained(connection, sent, "EXPLAIN QUERY PLAN")


def sent_by(ledger: Ledger, call: Callable[[Ledger], Any]) -> list[tuple[str, Any]]:
    """Every statement that `call` sends and a database can explain, with its parameters."""
    sent: list[tuple[str, Any]] = []

    @sa.event.listens_for(ledger.engine, "before_cursor_execute")
    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.lstrip().startswith(("SELECT", "UPDATE", "DELETE")):
            sent.append((statement, parameters))

    call(ledger)
    sa.event.remove(ledger.engine, "before_cursor_execute", note)
    return sent


def explained(connection: sa.Connection, sent: list[tuple[str, Any]], words: str) -> list[str]:
    """The steps of the plans of these statements."""
    return [
        str(row[-1])
        for statement, parameters in sent
        for row in connection.exec_driver_sql(f"{words} {statement}", parameters)
    ]


@pytest.mark.parametrize("name", sorted(HOT))
def test_a_hot_query_never_reads_a_whole_table(filled: Ledger, name: str) -> None:
    steps = plans(filled, HOT[name])
    assert [step for step in steps if "INDEX" in step], steps
    assert not [step for step in steps if step.startswith("SCAN")], steps


def test_a_lease_is_renewed_by_what_its_owner_has_open_not_by_all_that_its_provider_ever_had(filled: Ledger) -> None:
    steps = [step for step in plans(filled, lambda ledger: ledger.renew()) if "attempt" in step]
    assert len(steps) == 2 and all("attempt_unfinished" in step for step in steps), steps


def test_what_is_in_flight_is_found_without_all_that_a_provider_ever_had(filled: Ledger) -> None:
    steps = [step for step in plans(filled, lambda ledger: ledger.usd_in_flight("aiml")) if "attempt" in step]
    assert not [step for step in steps if step.endswith("(provider=?)")], steps
    assert any("attempt_unfinished" in step for step in steps), steps
    assert any("(provider=? AND kind=? AND completed_at>?)" in step for step in steps), steps


def test_what_is_in_flight_is_asked_in_one_statement(filled: Ledger) -> None:
    """In two, a clip that becomes ready between them would be counted twice, or not at all."""
    sent = sent_by(filled, lambda ledger: ledger.usd_in_flight("aiml"))
    assert len([statement for statement, _ in sent if "usd_quoted" in statement]) == 1


def test_postgres_finds_what_is_in_flight_by_the_same_indexes(postgres_url: str) -> None:
    with ledgers_on(postgres_url, FakeClock()) as make:
        ledger = make()
        bring_to(ledger, State.STORED, plan(ledger)[0])
        with ledger.engine.begin() as connection:
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
            sent = sent_by(ledger, lambda one: one.usd_in_flight("aiml"))
            seen = explained(connection, sent, "EXPLAIN")
    bounds = [step for step in seen if "Index Cond" in step]
    assert any("attempt_unfinished" in step for step in seen), seen
    assert any("kind" in step and "completed_at >" in step for step in bounds), seen


def test_postgres_renews_a_lease_by_the_same_index(postgres_url: str) -> None:
    with ledgers_on(postgres_url, FakeClock()) as make:
        ledger = make()
        claim(ledger, plan(ledger)[0])
        with ledger.engine.begin() as connection:
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")  # else it reads the one page that there is
            seen = "\n".join(explained(connection, sent_by(ledger, lambda one: one.renew()), "EXPLAIN"))
    assert seen.count("attempt_unfinished") == 2, seen


def test_the_check_itself_sees_a_whole_table_being_read(filled: Ledger) -> None:
    assert any(step.startswith("SCAN attempt") for step in plans(filled, lambda ledger: ledger.attempt("no such")))
