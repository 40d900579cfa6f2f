"""`dailies doctor --ready`: one object, 0 or 1, nothing written, SQLAlchemy not loaded."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from dailies.cli.app import main
from dailies.cli.ready import newest_schema, readiness
from dailies.ledger import open_engine
from dailies.ledger.migrations import HEAD
from dailies.ledger.seal import seal
from dailies.ledger.tables import meta


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A home of its own, which does not exist yet, and no Prefect API."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith(("PREFECT_", "DAILIES_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("DAILIES_HOME", str(tmp_path / "home"))


def _files(folder: Path) -> dict[str, str]:
    return {
        str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.rglob("*") if p.is_file()
    }


def _answer(capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    found: dict[str, object] = json.loads(capsys.readouterr().out)
    return found


def test_a_first_start_is_ready_and_makes_nothing(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["doctor", "--ready", "--json"]) == 0
    assert _answer(capsys)["ready"] is True
    assert list(tmp_path.iterdir()) == []


def test_a_closed_ledger_is_read_without_a_file_changed_or_added(tmp_path: Path) -> None:
    open_engine(f"sqlite:///{tmp_path}/home/ledger.db").dispose()
    before = _files(tmp_path)
    assert readiness().ready
    assert _files(tmp_path) == before


def test_an_open_ledger_is_read_while_another_writes(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path}/home/ledger.db")
    with engine.connect().execution_options(dailies_writes=True) as writing, writing.begin():
        writing.execute(meta.insert().values(name="in_hand", value="1"))
        assert readiness().ready
    engine.dispose()


@pytest.mark.parametrize("content", [b"not a database at all, but long enough to be read as one", b"\0" * 5000])
def test_what_is_no_database_is_not_ready(content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "ledger.db").write_bytes(content)
    assert main(["doctor", "--ready", "--json"]) == 1
    assert _answer(capsys)["ready"] is False


def test_where_no_home_could_be_made_it_is_not_ready(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "a-file").write_text("")
    monkeypatch.setenv("DAILIES_HOME", str(tmp_path / "a-file" / "home"))
    assert not readiness().ready


def test_a_ledger_of_a_later_version_is_not_ready(tmp_path: Path) -> None:
    open_engine(f"sqlite:///{tmp_path}/home/ledger.db").dispose()
    with closing(sqlite3.connect(tmp_path / "home" / "ledger.db")) as connection, connection:
        connection.execute("UPDATE meta SET value = '9999' WHERE name IN ('schema', 'oldest_that_may_open')")
    found = readiness()
    assert not found.ready and "9999" in found.detail


def test_a_setting_that_is_wrong_is_not_ready(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DAILIES_IN_FLIGHT", "many")
    assert main(["doctor", "--ready"]) == 1
    assert "not ready: DAILIES_IN_FLIGHT" in capsys.readouterr().out


def test_postgres_answers_and_a_sealed_one_is_not_ready(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAILIES_LEDGER_URL", postgres_url)
    empty = readiness()
    assert empty.ready and "no ledger yet" in empty.detail
    engine = open_engine(postgres_url)
    assert readiness().ready
    with engine.begin() as connection:
        seal(connection, "postgresql://elsewhere/db")
    engine.dispose()
    assert "sealed" in readiness().detail and not readiness().ready


def test_a_postgres_that_is_away_is_named_without_its_password(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DAILIES_LEDGER_URL", "postgresql+psycopg://us:se@cret@127.0.0.1:1/db")
    assert main(["doctor", "--ready", "--json"]) == 1
    out = capsys.readouterr().out
    assert "cret" not in out and "127.0.0.1" in out


def test_a_postgres_that_accepts_and_is_silent_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("DAILIES_LEDGER_URL", f"postgresql://user@127.0.0.1:{silent.getsockname()[1]}/db")
        found = readiness()
    assert not found.ready and "does not answer" in found.detail


def test_a_prefect_api_that_is_away_may_know_the_ledger(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:1/api")
    found = readiness()
    assert not found.ready and "127.0.0.1:1" in found.detail


def test_the_schema_is_the_migrations_own() -> None:
    assert newest_schema() == HEAD


def test_nothing_heavy_is_loaded() -> None:
    heavy = "import sys; from dailies.cli.app import main; main(['doctor', '--ready']); "
    heavy += "sys.exit(any(name in sys.modules for name in ('sqlalchemy', 'prefect', 'boto3', 'httpx')))"
    assert subprocess.run([sys.executable, "-c", heavy], capture_output=True, timeout=60).returncode == 0


def test_ready_and_adopt_do_not_go_together(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--ready", "--adopt"]) == 2
    assert "leave one out" in capsys.readouterr().err
