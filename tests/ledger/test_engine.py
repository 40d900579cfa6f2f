"""Opening the ledger: safe settings, one schema whoever is first, and words that say what to do."""

from __future__ import annotations

import sqlite3
import stat
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from dailies.domain.states import State
from dailies.errors import Misconfigured
from dailies.ledger import Ledger, open_engine
from dailies.ledger import engine as engine_module
from dailies.ledger import tables as t
from dailies.ledger.engine import NETWORK_FILE_SYSTEMS, refuse_network_file_system
from dailies.ledger.migrations import HEAD, revision, version_table
from dailies.ledger.upgrade import read_meta
from tests.ledger.factories import MakeLedger, an_owner, bring_to, claimed, in_processes, open_ledger, plan


def pragma(ledger: Ledger, name: str) -> Any:
    with ledger.engine.connect() as connection:
        return connection.exec_driver_sql(f"PRAGMA {name}").scalar()


def test_sqlite_is_opened_durable(sqlite_url: str) -> None:
    ledger = open_ledger(sqlite_url)
    settings = {name: pragma(ledger, name) for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")}
    ledger.engine.dispose()
    assert settings == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 60_000}


def test_the_file_and_its_folder_are_readable_by_their_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "home" / "ledger.db"
    ledger = open_ledger(f"sqlite:///{path}")
    claimed(ledger)
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    ledger.engine.dispose()
    assert modes == {"ledger.db": 0o600, "ledger.db-wal": 0o600, "ledger.db-shm": 0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_plain_postgres_url_is_enough(postgres_url: str) -> None:
    engine = open_engine(postgres_url.replace("postgresql+psycopg", "postgresql"))
    assert engine.dialect.driver == "psycopg"
    engine.dispose()


def test_opening_again_keeps_everything(make_ledger: MakeLedger) -> None:
    attempt = claimed(make_ledger())
    assert make_ledger().attempt(attempt.id) == attempt


def open_and_close(url: str, together: Any) -> str:
    together.wait(60)
    engine = open_engine(url)
    engine.dispose()
    return "opened"


@pytest.mark.timeout(300)
def test_eight_first_starts_at_once_make_one_schema(ledger_url: str) -> None:
    barrier = threading.Barrier(8)
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda _: open_and_close(ledger_url, barrier), range(8))) == ["opened"] * 8
    engine = open_engine(ledger_url)
    with engine.connect() as connection:
        assert read_meta(connection)["schema"] == str(HEAD)
        assert connection.execute(sa.select(version_table)).scalars().all() == [revision(HEAD)]
    engine.dispose()


@pytest.mark.timeout(300)
def test_first_starts_of_several_processes_do_not_meet(sqlite_url: str) -> None:
    assert in_processes([(sqlite_url,)] * 4, open_and_close) == ["opened"] * 4


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("rubbish", "not a database URL"),
        ("mysql://host/db", "SQLite or Postgres, not mysql"),
        ("sqlite:////proc/nowhere/ledger.db", "can't be written"),
        ("postgresql://dailies:s3cr3t@/nobody?host=/nowhere", "can't be opened"),
    ],
)
def test_a_ledger_that_can_not_be_opened_says_why(url: str, words: str) -> None:
    with pytest.raises(Misconfigured, match=words) as raised:
        open_engine(url)
    assert "s3cr3t" not in str(raised.value)


def test_a_file_that_is_no_database_says_so(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    path.write_bytes(b"prompt,image\n" * 100)
    with pytest.raises(Misconfigured, match="not a database"):
        open_engine(f"sqlite:///{path}")
    assert path.read_bytes().startswith(b"prompt,image")


@pytest.mark.parametrize("kind", NETWORK_FILE_SYSTEMS)
def test_sqlite_on_a_network_file_system_is_refused(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "_file_system", lambda _path: kind)
    with pytest.raises(Misconfigured, match="network file system"):
        refuse_network_file_system(tmp_path / "ledger.db")


def test_the_file_system_of_a_path_is_that_of_its_longest_mount(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounts = f"/dev/vda / ext4 rw 0 0\nserver:/share {tmp_path}/share nfs4 rw 0 0\n"
    monkeypatch.setattr(Path, "read_text", lambda _self: mounts)
    refuse_network_file_system(tmp_path / "ledger.db")
    refuse_network_file_system(tmp_path / "shared.db")
    with pytest.raises(Misconfigured, match="nfs4"):
        refuse_network_file_system(tmp_path / "share" / "home" / "ledger.db")


def test_a_write_waits_for_another_processs_lock(sqlite_url: str) -> None:
    ledger = open_ledger(sqlite_url)
    attempt = claimed(ledger)
    other = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(ledger.mark_submitted, attempt.id, "gen-1")
        assert ledger.attempt(attempt.id) == attempt  # readers are not held up
        other.execute("COMMIT")
        assert waiting.result(30).state is State.SUBMITTED
    other.close()
    ledger.engine.dispose()


def test_a_ledger_in_memory_serves_one_thread() -> None:
    ledger = Ledger(open_engine("sqlite://"), an_owner())
    assert bring_to(ledger, State.STORED).delivered
    ledger.engine.dispose()


@pytest.mark.parametrize("reading", [lambda ledger: ledger.rows("smiles"), lambda ledger: ledger.unfinished()])
def test_readers_see_the_last_commit_while_a_write_is_open(
    make_ledger: MakeLedger, reading: Callable[[Ledger], Any]
) -> None:
    writer, reader = make_ledger(), make_ledger(an_owner())
    plan(writer)
    before = reading(reader)
    with writer._write() as connection:
        connection.execute(sa.update(t.batch_row).values(row_id="changed"))
        assert reading(reader) == before
