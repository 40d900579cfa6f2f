"""Every fault of the ledger: an id in hand is never thrown away, and a doubtful claim is never sent twice."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine.default import DefaultDialect

from dailies.domain.states import State
from tests.e2e.harness import World, named, until
from tests.e2e.invariants import assert_invariants

NO_ANSWERS = {
    "sqlite": (
        "CREATE TRIGGER no_answers BEFORE UPDATE ON attempt WHEN NEW.generation_id IS NOT NULL AND OLD.generation_id IS NULL "
        "BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END",
    ),
    "postgresql": (
        "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'could not extend file: no space left on device' USING ERRCODE = '53100'; END $$",
        "CREATE TRIGGER no_answers BEFORE UPDATE ON attempt FOR EACH ROW "
        "WHEN (NEW.generation_id IS NOT NULL AND OLD.generation_id IS NULL) EXECUTE FUNCTION full_disk()",
    ),
}  # fmt: skip
"""The disk fills up between the POST and the record of its answer."""
ANSWERS_AGAIN = {
    "sqlite": ("DROP TRIGGER no_answers",),
    "postgresql": ("DROP TRIGGER no_answers ON attempt", "DROP FUNCTION full_disk"),
}


def kind_of(world: World) -> str:
    """Which database it is."""
    return world.ledger_url.split(":")[0].split("+")[0]


NO_NEWS = (
    "CREATE TRIGGER no_answers BEFORE UPDATE ON attempt WHEN NEW.state <> OLD.state "
    "BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END",
)
"""The disk is too full for anything at all that a create has to tell (SQLite)."""


@contextmanager
def full_disk_for_answers(world: World, trigger: tuple[str, ...] = ()) -> Iterator[None]:
    """No generation id can be recorded while the block runs."""
    world.command("check", str(world.prompts))  # makes the tables
    world.sql(*(trigger or NO_ANSWERS[kind_of(world)]))
    try:
        yield
    finally:
        world.sql(*ANSWERS_AGAIN[kind_of(world)])


def test_a_full_disk_after_the_post_leaves_the_id_in_the_spool_and_the_next_run_goes_on(
    hasty: None, each_world: World
) -> None:
    """Bought once, fetched later, never bought again."""
    each_world.csv(2)
    with full_disk_for_answers(each_world):
        first = each_world.run()
        assert (first.code, first.json["in_doubt"]) == (1, 2)
        assert len(list((each_world.home / "spool").glob("*.json"))) == 2
        assert {attempt.state for attempt in each_world.attempts()} == {State.IN_DOUBT}, "everybody can see it"
    again = assert_invariants(each_world)
    assert again and again.code == 0 and len(each_world.charges()) == 2
    assert not list((each_world.home / "spool").iterdir())


@pytest.mark.parametrize("fault", [None, "lost"], ids=["the id", "a doubt"])
def test_a_create_whose_end_the_ledger_can_not_take_at_all_is_left_to_the_next_run(
    hasty: None, world: World, fault: str | None
) -> None:
    """Neither the id nor the doubt is on record: the run ends all the same, and the next one buys nothing."""
    world.csv(1)
    if fault:
        world.sandbox.fault("create", fault)
    with full_disk_for_answers(world, NO_NEWS):
        first = world.run(fork=True)
    assert first.code == 1 and "Traceback" not in first.stderr, first.stderr
    assert "left where it is" not in first.stderr, "its create told its end in its own words"
    assert [attempt.state for attempt in world.attempts()] == [State.SUBMITTING]
    again = assert_invariants(world)
    assert again and again.code == 0 and len(world.charges()) == 1


def test_collect_drains_the_spool_too(hasty: None, world: World) -> None:
    """And brings the clips home without a POST."""
    world.csv(1)
    with full_disk_for_answers(world):
        world.run()
    assert world.command("collect").code == 0
    assert len(world.posts()) == 1
    assert_invariants(world)


def test_a_full_disk_for_ledger_and_spool_prints_the_id_and_the_log_still_finds_it(
    hasty: None, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last resort is a line for a person; the next run finds the charge by our reference."""

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    world.csv(1)
    with full_disk_for_answers(world), monkeypatch.context() as patched:
        patched.setattr("dailies.ledger.spool.os.fsync", full)
        first = world.run()
        assert "PAID AND NOT ON DISK" in first.stderr and world.charges()[0].generation_id in first.stderr
    again = assert_invariants(world)
    assert again and again.code == 0 and len(world.charges()) == 1


def test_a_ledger_locked_for_a_while_after_the_post_is_waited_for(world: World) -> None:
    """As by a backup: the id is recorded when the lock is gone, and nothing is in doubt."""
    world.csv(2)
    world.sandbox.fault("create", "late", delay_s=0.5, times=2)
    child = world.start()
    until(lambda: len(world.charges()) == 2)
    engine = sa.create_engine(world.ledger_url)
    with engine.connect() as connection:
        connection.connection.driver_connection.isolation_level = None  # type: ignore[union-attr]
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        threading.Event().wait(3)
        connection.exec_driver_sql("ROLLBACK")
    engine.dispose()
    assert child.wait() == 0
    assert not list((world.home / "spool").iterdir())
    assert_invariants(world)


def test_a_ledger_that_goes_away_after_the_post_and_comes_back_loses_nothing(
    hasty: None, make_world: Any, postgres_url: str
) -> None:
    """Postgres is shut for this database while the creates are under way."""
    world = make_world(postgres_url)
    name = sa.make_url(postgres_url).database
    admin = sa.make_url(postgres_url).set(database="postgres").render_as_string(hide_password=False)
    world.csv(2)
    world.sandbox.fault("create", "late", delay_s=1, times=2)
    child = world.start()
    until(lambda: len(world.charges()) == 2)
    _autocommit(admin, f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    _autocommit(admin, f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
    code = child.wait()
    _autocommit(admin, f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    assert code == 1 and "Traceback" not in child.text("stderr"), child.text("stderr")
    again = assert_invariants(world)
    assert again and again.code == 0 and len(world.charges()) == 2


def _autocommit(url: str, statement: str) -> None:
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(statement)
    engine.dispose()


@pytest.mark.parametrize("turn", range(1, 9))
def test_a_commit_whose_answer_is_lost_costs_nothing_twice(
    hasty: None, world: World, monkeypatch: pytest.MonkeyPatch, turn: int
) -> None:
    """Whichever commit of a run it is: claim, answer, poll, completion, storing."""
    world.csv(named("a", "b"))
    passed = iter(range(1, 10_000))
    real: Any = DefaultDialect.do_commit

    def lost(self: DefaultDialect, connection: Any) -> None:
        real(self, connection)
        if world.posts() == [] and turn > 1:
            return
        if next(passed) == turn:
            raise sa.exc.OperationalError("COMMIT", {}, Exception("server closed the connection unexpectedly"))

    with monkeypatch.context() as patched:
        patched.setattr(DefaultDialect, "do_commit", lost)
        result = world.run("--in-flight", "1")
    assert next(passed) > turn, "the fault never struck"
    assert "Traceback" not in result.stderr, result.stderr
    assert_invariants(world)
    assert len(world.charges()) <= 2
    assert all(a.state in (State.STORED, State.IN_DOUBT) for a in world.attempts())


NO_END = (
    "CREATE TRIGGER no_answers BEFORE UPDATE ON attempt WHEN NEW.state IN ('failed', 'in_doubt') "
    "BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END",
)
"""The ledger takes no refusal and no doubt (SQLite)."""

ENDS = {
    "a refusal of the row": (400, State.FAILED, "HTTP 400"),
    "a key that is refused": (401, State.FAILED, "HTTP 401"),
    "a doubt": (500, State.IN_DOUBT, "HTTP 500"),
}


@pytest.mark.parametrize("end", sorted(ENDS))
def test_every_end_of_a_create_goes_to_the_spool_when_the_ledger_is_away(hasty: None, world: World, end: str) -> None:
    """A refusal is not remembered as a doubt, and a doubt keeps the words of its answer."""
    status, after, words = ENDS[end]
    world.csv(1, provider="onerouter")
    world.sandbox.fault("create", "status", times=None, status=status)
    with full_disk_for_answers(world, NO_END):
        assert world.run().code == 1
        assert [a.state for a in world.attempts()] == [State.SUBMITTING]
        [waiting] = (world.home / "spool").glob("*.json")
    world.command("collect")
    [attempt] = world.attempts()
    assert attempt.state is after and words in (attempt.error or "")
    assert not waiting.exists()
    assert_invariants(world)
