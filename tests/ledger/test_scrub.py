"""Texts leave a whole SQLite file, free pages and the log beside it too."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from dailies.domain.needles import Needles
from dailies.errors import Misconfigured
from dailies.ledger import open_engine, scrub
from dailies.ledger.seal import seal

INSERT = "INSERT INTO batch (name, source, destination, created_at, planned_at) VALUES (?, '', '', '', '')"
PROMPT = "a fox that nobody shall remember jumps"


@pytest.fixture
def needles() -> Needles:
    found = Needles()
    found.add([PROMPT])
    return found


def _clean(path: Path, needles: Needles) -> int:
    return scrub.scrub(path, lambda text: needles.without(text, "[forgotten]"))


def _bytes_of(path: Path) -> bytes:
    return b"".join(file.read_bytes() for file in path.parent.glob(f"{path.name}*"))


def test_every_table_column_free_page_and_log_is_cleaned(tmp_path: Path, needles: Needles) -> None:
    path = tmp_path / "theirs.db"
    rows = [(n, f"{n}: {PROMPT}", PROMPT.encode(), 1.5) for n in range(500)]
    with closing(sqlite3.connect(path)) as theirs:
        theirs.execute("PRAGMA journal_mode=WAL")
        theirs.execute('CREATE TABLE "odd ""name" (id INTEGER PRIMARY KEY, "a b" TEXT, raw BLOB, number REAL)')
        theirs.executemany(
            'INSERT INTO "odd ""name" VALUES (?, ?, ?, ?)',
            rows,
        )
        theirs.execute('DELETE FROM "odd ""name" WHERE id > 250')
        theirs.execute('INSERT INTO "odd ""name" VALUES (1000, ?, ?, 2)', ("kept", b"\xff\x00 not text"))
        theirs.commit()
    assert PROMPT.encode() in _bytes_of(path)
    assert _clean(path, needles) > 0
    assert PROMPT[:20].encode() not in _bytes_of(path)
    with closing(sqlite3.connect(path)) as theirs:
        assert theirs.execute('SELECT "a b", raw FROM "odd ""name" WHERE id IN (7, 1000) ORDER BY id').fetchall() == [
            ("7: [forgotten]", b"[forgotten]"), ("kept", b"\xff\x00 not text"),
        ]  # fmt: skip
    assert _clean(path, needles) == 0


def test_a_sealed_ledger_is_cleaned_and_stays_sealed(tmp_path: Path, needles: Needles) -> None:
    path = tmp_path / "ledger.db"
    engine = open_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO batch (name, source, destination, created_at, planned_at) VALUES (?, '', '', '', '')",
            (PROMPT,),
        )
        seal(connection, "elsewhere")
    engine.dispose()
    assert _clean(path, needles) == 1
    assert PROMPT.encode() not in _bytes_of(path)
    with closing(sqlite3.connect(path)) as sealed, pytest.raises(sqlite3.IntegrityError, match="sealed"):
        sealed.execute("DELETE FROM batch")


@pytest.mark.parametrize("held", ["BEGIN IMMEDIATE", "BEGIN; SELECT * FROM t"])
def test_a_file_that_somebody_holds_is_said(
    held: str, tmp_path: Path, needles: Needles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scrub, "PATIENCE_S", 0.05)
    path = tmp_path / "held.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA journal_mode=WAL")
        other.execute("CREATE TABLE t (a TEXT)")
        other.execute("INSERT INTO t VALUES (?)", (PROMPT,))
        for statement in held.split("; "):
            other.execute(statement)
        with pytest.raises(Misconfigured, match=r"held\.db can't be cleaned"):
            _clean(path, needles)
