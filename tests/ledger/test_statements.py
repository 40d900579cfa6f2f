"""What a clip costs the database: transactions, waits for the disk and statements are counted, and stay as few as they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest
import sqlalchemy as sa

from dailies.domain.states import State
from dailies.ledger import Caps, Ledger
from tests.ledger.factories import USD, MakeLedger, a_clip, a_row, bring_to, claim, plan, store

ABOUT_THE_TRANSACTION = ("BEGIN", "PRAGMA", "SET LOCAL")


@dataclass
class Load:
    """What was asked of a database. `waits` are commits that are on disk when they return."""

    transactions: int = 0
    waits: int = 0
    statements: int = 0

    def __iter__(self) -> Iterator[int]:
        return iter((self.transactions, self.waits, self.statements))


@contextmanager
def counted(ledger: Ledger) -> Iterator[Load]:
    """Count what happens inside."""
    load = Load()

    def begun(_connection: sa.Connection) -> None:
        load.transactions += 1

    def sent(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        load.statements += not statement.startswith(ABOUT_THE_TRANSACTION)

    def committing(connection: sa.Connection) -> None:
        if connection.get_execution_options().get("dailies_writes"):
            load.waits += waits_for_the_disk(connection)

    heard: tuple[tuple[str, Callable[..., None]], ...] = (
        ("begin", begun), ("before_cursor_execute", sent), ("commit", committing),
    )  # fmt: skip
    for name, function in heard:
        sa.event.listen(ledger.engine, name, function)
    yield load
    for name, function in heard:
        sa.event.remove(ledger.engine, name, function)


def waits_for_the_disk(connection: sa.Connection) -> bool:
    """Whether the database says that this commit will."""
    cursor: Any = connection.connection.cursor()
    if connection.dialect.name == "postgresql":  # a test's server never waits; what counts is who has said so
        cursor.execute("SELECT source FROM pg_settings WHERE name = 'synchronous_commit'")
        return bool(cursor.fetchone()[0] != "session")
    return bool(cursor.execute("PRAGMA synchronous").fetchone()[0] == 2)


def looks_like_work(ledger: Ledger) -> list[str]:
    """Two planned clips, after one whose provider, batch and day the ledger knows already."""
    first, *rest = plan(ledger, 3)
    store(ledger, ledger.record_completed(ledger.mark_submitted(claim(ledger, first).id, "gen-0"), "https://c/0"))
    return rest


def test_what_a_clip_costs_the_ledger(ledger: Ledger) -> None:
    """Transactions, waits for the disk, statements."""
    key, _ = looks_like_work(ledger)
    caps = Caps(100 * USD, 100 * USD)
    with counted(ledger) as life:
        with counted(ledger) as t1:
            attempt = ledger.claim(key, "smiles", "aiml", USD, caps, "digest", at_once=40)
        with counted(ledger) as asked:
            ledger.ours_for_s(attempt)  # type: ignore[arg-type]
        with counted(ledger) as t2:
            attempt = ledger.mark_submitted(attempt.id, "gen-1")  # type: ignore[union-attr]
        with counted(ledger) as look:
            ledger.record_polled(attempt, generating=True)
        with counted(ledger) as last_look:
            ready = ledger.record_completed(attempt, "https://c/1", polled=True)
        with counted(ledger) as t4:
            store(ledger, ready)
    assert tuple(t1) == (1, 1, 11)
    assert tuple(asked) == (1, 0, 1)
    assert tuple(t2) == (1, 1, 6)
    assert tuple(look) == (1, 0, 1)
    assert tuple(last_look) == (1, 1, 3)
    assert tuple(t4) == (1, 1, 3)
    assert tuple(life) == (6, 4, 25)


def test_a_commit_that_waits_for_the_disk_does_so_after_one_that_did_not(ledger: Ledger) -> None:
    first, second = looks_like_work(ledger)
    attempt = ledger.mark_submitted(claim(ledger, first).id, "gen-1")
    for _ in range(3):
        ledger.record_polled(attempt)
        with counted(ledger) as renewed:
            ledger.note_error(attempt.id, "still on its way")
        assert renewed.waits == 1
    with counted(ledger) as bought:
        claim(ledger, second)
    assert bought.waits == 1


def test_the_last_look_is_counted_with_what_it_found(ledger: Ledger) -> None:
    key, _ = looks_like_work(ledger)
    attempt = ledger.mark_submitted(claim(ledger, key).id, "gen-1")
    ledger.record_polled(attempt, generating=True)
    ready = ledger.record_completed(attempt, "https://c/1", polled=True)
    assert ready.polls == 2
    assert ledger.attempts(key)[0] == ready


@pytest.mark.parametrize("clips", [1, 40])
def test_all_leases_of_an_owner_are_renewed_by_one_statement_for_each_provider(
    make_ledger: MakeLedger, clips: int
) -> None:
    ledger = make_ledger()
    for number, key in enumerate(plan(ledger, clips)):
        ledger.mark_submitted(claim(ledger, key).id, f"gen-{number}")
    with counted(ledger) as renewed:
        ledger.renew()
    assert tuple(renewed) == (1, 1, 2)


@contextmanager
def written(ledger: Ledger) -> Iterator[list[str]]:
    """The statements inside that write, and how many rows each was given."""
    found: list[str] = []

    def sent(_connection: Any, _cursor: Any, statement: str, given: Any, _context: Any, many: bool) -> None:
        words = statement.split()
        if words[0] in ("INSERT", "UPDATE"):
            found.append(f"{' '.join(words[:3])} {len(given) if many else 1}".replace("INSERT INTO", "INSERT"))

    sa.event.listen(ledger.engine, "before_cursor_execute", sent)
    yield found
    sa.event.remove(ledger.engine, "before_cursor_execute", sent)


def test_what_is_planned_just_so_again_is_not_written_again(make_ledger: MakeLedger) -> None:
    """Ten thousand delivered rows are planned in each run: only what changed goes to the disk."""
    ledger = make_ledger()
    rows = [a_row(number, a_clip(f"clip {number}")) for number in (1, 2, 3)]
    quotes = {row.clip.key: USD for row in rows}
    ledger.plan("smiles", "/smiles.csv", "s3://a", rows, quotes)
    for row in rows[:2]:
        bring_to(ledger, State.STORED, row.clip.key)
    before = ledger.rows("smiles")
    with written(ledger) as same:
        ledger.plan("smiles", "/smiles.csv", "s3://a", rows, quotes)
    assert [words for words in same if "batch_row" in words] == []
    assert [words for words in same if words.startswith("INSERT clip")] == ["INSERT clip 1"], "that which is not bought"
    assert ledger.rows("smiles") == before
    changed = [replace(rows[0], labels={"client": "acme"}), rows[2]]
    ledger.plan("smiles", "/smiles.csv", "s3://a", changed, quotes)
    found = {row.id: (row.retired, row.labels.get("client")) for row in ledger.rows("smiles")}
    assert found == {
        rows[0].id: (False, "acme"),
        rows[1].id: (True, rows[1].labels.get("client")),
        rows[2].id: (False, rows[2].labels.get("client")),
    }
    ledger.plan("smiles", "/smiles.csv", "s3://a", rows, quotes)
    assert ledger.rows("smiles") == before, "a row that comes back counts again"
