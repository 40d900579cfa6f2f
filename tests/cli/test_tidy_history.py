"""`dailies tidy` and Prefect's own database of local runs: made by Prefect's models, with all that it keeps of a run."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from dailies.cli.app import main
from dailies.prefect_api import history
from dailies.prefect_api.server import SERVER_LOCK, USERS_LOCK, open_lock
from dailies.system import try_lock

NOW = datetime.now(UTC)
TABLES = ("flow_run", "flow_run_state", "task_run", "task_run_state", "log", "artifact", "events", "event_resources")
LARGE = "x" * 300_000


@pytest.fixture(scope="module")
def made_by_prefect(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database as Prefect's models make it."""
    from prefect.server.database.orm_models import Base
    from sqlalchemy import create_engine
    from sqlalchemy.schema import CreateTable

    file = tmp_path_factory.mktemp("prefect") / "prefect.db"
    engine = create_engine(f"sqlite:///{file}")
    with engine.begin() as connection:  # without its indexes, of which it names one twice
        for table in Base.metadata.tables.values():
            connection.execute(CreateTable(table))
    engine.dispose()
    return file


@pytest.fixture
def database(made_by_prefect: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A home's own copy of it, with write-ahead log as Prefect has it."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith(("PREFECT_", "DAILIES_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("DAILIES_HOME", str(tmp_path / "home"))
    file = tmp_path / "home" / "prefect" / "prefect.db"
    file.parent.mkdir(parents=True)
    file.write_bytes(made_by_prefect.read_bytes())
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        _put(connection, "flow", id="f", name="generate-clips")
    return file


def _put(connection: sqlite3.Connection, table: str, **values: object) -> str:
    """One line of a table; what its columns need and nobody says gets something that fits."""
    values = {"id": str(uuid4()), **values}
    for _, name, kind, needed, default, _ in connection.execute(f"PRAGMA table_info({table})"):
        if needed and default is None and name not in values:
            values[name] = "{}" if kind == "JSON" else 1 if "INT" in kind else "2026-01-01 00:00:00.000000"
    places = ", ".join("?" * len(values))
    connection.execute(f"INSERT INTO {table} ({', '.join(values)}) VALUES ({places})", [*values.values()])
    connection.commit()
    return str(values["id"])


def ran(database: Path, days_ago: float, state: str = "COMPLETED", key: str = "totals-a", size: str = "x") -> str:
    """A run that was over, or heard of for the last time, so long ago; one line of each kind is kept of it."""
    at = f"{NOW - timedelta(days=days_ago):%Y-%m-%d %H:%M:%S.%f}"
    over = at if state == "COMPLETED" else None
    with closing(sqlite3.connect(database)) as db:
        run = _put(
            db, "flow_run", flow_id="f", name=f"{days_ago:g}", state_type=state, end_time=over, state_timestamp=at
        )
        _put(db, "flow_run_state", flow_run_id=run, type=state, name=state)
        task = _put(db, "task_run", flow_run_id=run, name="create", task_key=run, dynamic_key="0")
        _put(db, "task_run_state", task_run_id=task, type=state, name=state)
        _put(db, "log", flow_run_id=run, message=size, level=20)
        artifact = _put(db, "artifact", flow_run_id=run, key=key, data='"1"', created=at)
        db.execute("DELETE FROM artifact_collection WHERE key = ?", [key])
        _put(db, "artifact_collection", key=key, latest_id=artifact, flow_run_id=run)
        event = _put(db, "events", event="dailies.clip.delivered", resource_id="dailies.clip.a", occurred=at)
        for resource in ("dailies.clip.a", f"prefect.flow-run.{run}"):
            _put(db, "event_resources", event_id=event, resource_id=resource, occurred=at)
    return run


def kept(database: Path) -> dict[str, int]:
    """How many lines each table has."""
    with closing(sqlite3.connect(database)) as db:
        return {table: db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in TABLES}


def runs(database: Path) -> set[str]:
    """The runs that are there."""
    with closing(sqlite3.connect(database)) as db:
        return {run for (run,) in db.execute("SELECT id FROM flow_run")}


def tidied(capsys: pytest.CaptureFixture[str], *words: str) -> set[str]:
    """The runs of which the command says that they are gone, or would be."""
    assert main(["tidy", "--json", *words]) == 0
    found = json.loads(capsys.readouterr().out)
    return {entry["path"].partition("#")[2].partition(":")[0] for entry in found if entry["kind"] == history.KIND}


def test_what_is_old_goes_with_all_that_is_kept_of_it_and_the_file_gets_smaller(
    database: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    young, waiting = ran(database, 2, key="totals-b"), ran(database, 60, "SCHEDULED", key="totals-c")
    of_these = kept(database)
    old = {ran(database, 40, size=LARGE), ran(database, 50), ran(database, 45, "RUNNING")}  # the last was killed
    before = database.stat().st_size
    assert tidied(capsys, "--dry-run") == old and runs(database) == {*old, young, waiting}
    assert tidied(capsys, "--yes") == old
    assert runs(database) == {young, waiting} and kept(database) == of_these
    assert before - database.stat().st_size > len(LARGE) / 2
    with closing(sqlite3.connect(database)) as db:
        assert {key for (key,) in db.execute("SELECT key FROM artifact_collection")} == {"totals-b", "totals-c"}
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []
    assert tidied(capsys, "--yes") == set()


def test_by_size_the_longest_ago_go_first(database: Path, capsys: pytest.CaptureFixture[str]) -> None:
    large = [ran(database, days, size=LARGE * 4) for days in (20, 10, 0)]
    assert tidied(capsys, "--yes") == set()
    assert tidied(capsys, "--yes", "--keep-mb", "2") == {large[0]}
    assert tidied(capsys, "--yes", "--keep-mb", "0") == {large[1]}, "what is of today stays"


def test_the_newest_artifact_of_a_key_that_stays_is_the_one_that_is_shown(
    database: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    staying = ran(database, 2)
    ran(database, 40)
    assert tidied(capsys, "--yes")
    with closing(sqlite3.connect(database)) as db:
        assert db.execute("SELECT flow_run_id FROM artifact_collection").fetchall() == [(staying,)]


@contextmanager
def _locked(file: Path, alone: bool) -> Iterator[None]:
    lock = open_lock(file)
    try:
        assert try_lock(lock, alone=alone)
        yield
    finally:
        os.close(lock)


@pytest.mark.parametrize(("lock", "alone"), [(USERS_LOCK, False), (SERVER_LOCK, True)], ids=["run", "server"])
def test_a_history_that_is_used_is_left_out_and_nothing_else_is(
    database: Path, capsys: pytest.CaptureFixture[str], lock: str, alone: bool
) -> None:
    run = ran(database, 40)
    image = database.parent.parent / "images" / "old"
    image.parent.mkdir()
    image.write_bytes(b"x")
    os.utime(image, (0, 0))
    with _locked(database.parent / lock, alone):
        assert main(["tidy", "--yes"]) == 0
        assert "history of local runs was left out" in capsys.readouterr().err
        with pytest.raises(history.HistoryInUse):
            history.remove_runs(database, [run])
    assert runs(database) == {run} and not image.exists()


def test_while_another_program_has_it_open_it_stays_and_that_is_said(
    database: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as a Prefect server that somebody started over the same file, which knows nothing of our locks."""
    run = ran(database, 40)
    monkeypatch.setattr(history, "PATIENCE_S", 0.0)
    with closing(sqlite3.connect(database)) as other:
        assert other.execute("SELECT count(*) FROM flow_run").fetchone() == (1,)
        assert main(["tidy", "--yes"]) == 1
    assert "something else has it open" in capsys.readouterr().err and runs(database) == {run}


def test_what_is_no_history_of_prefect_s_is_said_and_stops_nothing(
    database: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    database.write_bytes(b"no database " * 1000)
    assert main(["tidy", "--yes"]) == 0
    assert "history of local runs was left out" in capsys.readouterr().err
