"""A ledger moves, whole, to another database; the old one is sealed; interrupted anywhere, one of the two is live."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from dailies.domain.states import State
from dailies.errors import Misconfigured
from dailies.ledger import copying as copying_module
from dailies.ledger import open_engine
from dailies.ledger.copying import TABLES, copy_ledger
from dailies.ledger.tables import metadata
from tests.databases import database_on
from tests.ledger.earlier import code_of_the_first_version, first_version
from tests.ledger.factories import (
    USD,
    all_attempts,
    assert_counters_are_sums,
    bring_to,
    claim,
    open_ledger,
    plan,
)

STATES = list(State)


@pytest.fixture(params=["sqlite to postgres", "postgres to sqlite", "sqlite to sqlite", "postgres to postgres"])
def move(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, str]]:
    """Where from and where to: empty databases both."""
    kinds = request.param.split(" to ")
    if kinds == ["postgres", "postgres"]:
        url: str = request.getfixturevalue("postgres_url")
        with database_on(url) as moved:
            yield url, moved
        return
    files = iter([f"sqlite:///{tmp_path / 'one' / 'ledger.db'}", f"sqlite:///{tmp_path / 'two' / 'ledger.db'}"])
    urls = [request.getfixturevalue("postgres_url") if kind == "postgres" else next(files) for kind in kinds]
    yield urls[0], urls[1]


def full(url: str) -> list[str]:
    """A ledger with a clip in every state, and one left over; nobody works with it any more. Returns the clips' keys."""
    ledger = open_ledger(url)
    keys = plan(ledger, len(STATES) + 1)
    for state, key in zip(STATES, keys, strict=False):
        bring_to(ledger, state, key)
    ledger.close()
    return keys


def content(url: str) -> dict[str, list[Any]]:
    """Everything in it, as values that both databases show alike."""
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        found = {t.name: sorted(map(repr, connection.execute(sa.select(t)).mappings())) for t in TABLES}
    engine.dispose()
    return found


def test_everything_arrives_and_the_copy_goes_on_where_the_source_stopped(move: tuple[str, str]) -> None:
    source, target = move
    keys = full(source)
    before = content(source)
    done = copy_ledger(source, target)
    assert content(target) == before
    assert done.tables["attempt"].rows == len(STATES)
    assert done.tables["attempt"].usd["usd_quoted"] == len(STATES) * USD
    moved = open_ledger(target)
    assert claim(moved, keys[-1]).state is State.SUBMITTING, "events are numbered on from where they were"
    for key in keys[:-1]:
        assert moved.attempts(key)
    assert_counters_are_sums(moved)
    moved.close()


def test_the_source_is_sealed_and_names_the_new_one_without_its_password(move: tuple[str, str]) -> None:
    source, target = move
    full(source)
    if target.startswith("postgresql"):
        target = target.replace("postgres@", "postgres:s3@cr3t@").replace("postgres:@", "postgres:s3@cr3t@")
    copy_ledger(source, target)
    with pytest.raises(Misconfigured, match=r"was copied to .* and is sealed\. Nothing was bought") as raised:
        open_engine(source)
    assert "cr3t" not in str(raised.value)
    assert ("with its password" in str(raised.value)) == target.startswith("postgresql")


def test_whoever_still_has_the_source_open_can_write_nothing_there(move: tuple[str, str]) -> None:
    source, target = move
    full(source)
    late = open_ledger(source)
    key = plan(late, len(STATES) + 1)[-1]
    doubtful = next(a for a in all_attempts(late) if a.state is State.IN_DOUBT)
    before = content(source)
    copy_ledger(source, target)
    writes: list[Callable[[], object]] = [
        lambda: claim(late, key),
        lambda: late.mark_submitted(doubtful.id, "gen-late"),
        lambda: late.mark_in_doubt(doubtful.id, "?"),
        lambda: plan(late, 1, "another"),
    ]
    for write in writes:
        with pytest.raises(SQLAlchemyError, match="is sealed"):
            write()
    assert content(source) == before
    late.engine.dispose()


def test_an_older_version_that_has_it_open_can_write_nothing_there_either(ledger_url: str, tmp_path: Path) -> None:
    """Its paid answer goes to its spool, as with any ledger that does not take it."""
    holder = first_version(code_of_the_first_version(), "hold", ledger_url)
    try:
        assert holder.stdin and holder.stdout
        holder.stdout.readline()
        with pytest.raises(Misconfigured, match="1 run is at work"):
            copy_ledger(ledger_url, f"sqlite:///{tmp_path / 'target' / 'ledger.db'}")
        engine = sa.create_engine(ledger_url)
        with engine.begin() as connection:  # its lease is over, and it sleeps
            connection.exec_driver_sql(
                "UPDATE attempt SET lease_until = '2026-01-01 00:00:00', owner = 'elsewhere|1|1|n'"
            )
        engine.dispose()
        copy_ledger(ledger_url, f"sqlite:///{tmp_path / 'target' / 'ledger.db'}")
        holder.communicate("go on\n", timeout=120)
        assert holder.returncode != 0
    finally:
        holder.kill()
        holder.wait()


def test_a_ledger_that_is_in_use_is_not_copied(move: tuple[str, str]) -> None:
    source, target = move
    at_work = open_ledger(source)
    claim(at_work, plan(at_work)[0])
    with pytest.raises(Misconfigured, match=r"1 run is at work .* Nothing was changed"):
        copy_ledger(source, target)
    assert not any(content(target).values())
    at_work.close()  # gives its lease up
    copy_ledger(source, target)


def test_a_target_that_holds_a_ledger_is_left_alone(move: tuple[str, str]) -> None:
    source, target = move
    full(source)
    there = open_ledger(target)
    plan(there, 1, "theirs")
    there.close()
    before = content(target)
    with pytest.raises(Misconfigured, match=r"is not empty \(.*batch.*\): two ledgers can't be made one"):
        copy_ledger(source, target)
    assert content(target) == before
    open_ledger(source).close()


@pytest.mark.parametrize("step", ["_compare", "mark_incoming", "seal", "_open_copy"])
def test_interrupted_anywhere_one_of_the_two_is_live_and_the_same_command_goes_on(
    move: tuple[str, str], step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = move
    full(source)
    before = content(source)

    def power_cut(*_args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(copying_module, step, power_cut)
    with pytest.raises(KeyboardInterrupt):
        copy_ledger(source, target)
    monkeypatch.undo()
    assert_one_is_live(source, target, sealed=step == "_open_copy")
    copy_ledger(source, target)
    assert content(target) == before
    open_ledger(target).close()
    with pytest.raises(Misconfigured, match="is sealed"):
        open_engine(source)


def assert_one_is_live(source: str, target: str, sealed: bool) -> None:
    if sealed:
        with pytest.raises(Misconfigured, match="is sealed"):
            open_engine(source)
    else:
        open_ledger(source).close()
    if any(content(target).values()):
        with pytest.raises(Misconfigured, match=r"a copy that was not finished.*dailies ledger copy"):
            open_engine(target)


KILLED = """
import os, signal, sys
from dailies.ledger import copying
setattr(copying, sys.argv[3], lambda *_: os.kill(os.getpid(), signal.SIGKILL))
copying.copy_ledger(sys.argv[1], sys.argv[2])
"""


@pytest.mark.parametrize("step", ["seal", "_open_copy"])
def test_a_kill_between_the_two_databases_leaves_one_live(move: tuple[str, str], step: str) -> None:
    source, target = move
    full(source)
    before = content(source)
    killed = subprocess.run([sys.executable, "-c", KILLED, source, target, step], env=dict(os.environ), check=False)
    assert killed.returncode == -signal.SIGKILL
    assert_one_is_live(source, target, sealed=step == "_open_copy")
    copy_ledger(source, target)
    assert content(target) == before


def test_the_copy_of_one_ledger_is_not_wiped_for_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other, target = (f"sqlite:///{tmp_path / name / 'ledger.db'}" for name in ("one", "other", "target"))
    full(one)
    full(other)
    monkeypatch.setattr(copying_module, "_open_copy", lambda *_: None)
    copy_ledger(one, target)
    monkeypatch.undo()
    held = content(target)
    with pytest.raises(Misconfigured, match="a copy that was not finished"):
        copy_ledger(other, target)
    assert content(target) == held


def test_what_went_on_in_the_source_after_an_interruption_is_copied_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = (f"sqlite:///{tmp_path / name / 'ledger.db'}" for name in ("source", "target"))
    keys = full(source)

    def power_cut(*_args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(copying_module, "seal", power_cut)
    with pytest.raises(KeyboardInterrupt):
        copy_ledger(source, target)
    monkeypatch.undo()
    ledger = open_ledger(source)
    bring_to(ledger, State.STORED, keys[-1])
    ledger.close()
    before = content(source)
    copy_ledger(source, target)
    assert content(target) == before


def test_a_copy_that_differs_is_given_up(move: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    source, target = move
    full(source)
    copied = copying_module._copy

    def loses_a_cent(reading: sa.Connection, writing: sa.Connection) -> None:
        copied(reading, writing)
        quoted = sa.select(sa.func.max(metadata.tables["attempt"].c.id)).scalar_subquery()
        attempt = metadata.tables["attempt"]
        writing.execute(sa.update(attempt).where(attempt.c.id == quoted).values(usd_quoted=USD - Decimal("0.01")))

    monkeypatch.setattr(copying_module, "_copy", loses_a_cent)
    with pytest.raises(Misconfigured, match="the copy of attempt differs"):
        copy_ledger(source, target)
    assert not any(content(target).values())
    open_ledger(source).close()


def test_nonsense_is_refused(tmp_path: Path) -> None:
    nowhere = f"sqlite:///{tmp_path / 'nowhere' / 'ledger.db'}"
    with pytest.raises(Misconfigured, match="there is no ledger at"):
        copy_ledger(nowhere, f"sqlite:///{tmp_path / 'target.db'}")
    assert not (tmp_path / "nowhere").exists()
    with pytest.raises(Misconfigured, match="to itself"):
        copy_ledger(nowhere, nowhere)


def test_another_way_to_the_same_ledger_is_the_same_ledger(tmp_path: Path, postgres_url: str) -> None:
    full(f"sqlite:///{tmp_path / 'home' / 'ledger.db'}")
    (tmp_path / "link").symlink_to(tmp_path / "home")
    ways = [(f"sqlite:///{tmp_path / 'home' / 'ledger.db'}", f"sqlite:///{tmp_path / 'link' / 'ledger.db'}")]
    full(postgres_url)
    ways.append((postgres_url, f"{postgres_url}&application_name=copier"))
    for one, other in ways:
        with pytest.raises(Misconfigured, match="is the same ledger as"):
            copy_ledger(one, other)
        open_ledger(one).close()


def test_a_sealed_ledger_is_not_copied_again(tmp_path: Path) -> None:
    source, one, two = (f"sqlite:///{tmp_path / name / 'ledger.db'}" for name in ("source", "one", "two"))
    full(source)
    copy_ledger(source, one)
    with pytest.raises(Misconfigured, match="is sealed"):
        copy_ledger(source, two)
