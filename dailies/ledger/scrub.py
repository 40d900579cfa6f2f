"""Takes texts out of a whole SQLite file, whatever its tables are, down to its free pages."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from dailies.errors import Misconfigured

MAGIC = b"SQLite format 3\0"
PATIENCE_S = 10.0
"""How long others may hold the file before we give up."""


def is_sqlite(path: Path) -> bool:
    """Whether a file is a SQLite database. Raises OSError."""
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def scrub(path: Path, without: Callable[[str], str]) -> int:
    """Rewrite every text in every table by `without`, then give all free pages back. Returns how many cells changed. Blocks.

    Triggers do not fire. Doing it again changes nothing. Raises Misconfigured where somebody else holds the file, or it can't
    be written.
    """
    try:
        with closing(sqlite3.connect(path, timeout=PATIENCE_S, isolation_level=None)) as connection:
            connection.create_function("dailies_without", 1, lambda value: _cell(value, without), deterministic=True)
            connection.execute("PRAGMA secure_delete=ON")
            changed = _rewrite(connection)
            vacuum(connection)
            return changed
    except sqlite3.Error as error:
        raise Misconfigured(
            f"{path} can't be cleaned: {error}. Stop what works with it, then say the same command again",
            trouble="ledger-busy",
        ) from error


def vacuum(connection: sqlite3.Connection) -> None:
    """Write the file anew without what was deleted, and empty the log beside it. Raises sqlite3.Error, also where others read."""
    connection.execute("VACUUM")
    busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if busy:
        raise sqlite3.OperationalError("it is in use")


def vacuum_ledger(path: Path) -> None:
    """Give the free pages of a SQLite ledger back. Raises Misconfigured where somebody works with it; nothing else is lost."""
    try:
        with closing(sqlite3.connect(path, timeout=PATIENCE_S, isolation_level=None)) as connection:
            vacuum(connection)
    except sqlite3.Error as error:
        raise Misconfigured(
            f"all is forgotten, but free pages of {path} may still hold some of it: {error}. Say the same command again when "
            "no run works with it",
            trouble="ledger-busy",
        ) from error


def _rewrite(connection: sqlite3.Connection) -> int:
    connection.execute("BEGIN IMMEDIATE")
    triggers = connection.execute(
        "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND sql IS NOT NULL"
    ).fetchall()
    for name, _ in triggers:
        connection.execute(f"DROP TRIGGER {_quoted(name)}")
    changed = sum(_column(connection, table, column) for table, column in [*_columns(connection)])
    for _, sql in triggers:
        connection.execute(sql)
    connection.execute("COMMIT")
    return changed


def _column(connection: sqlite3.Connection, table: str, column: str) -> int:
    cell, name = _quoted(column), _quoted(table)
    return connection.execute(
        f"UPDATE {name} SET {cell} = dailies_without({cell}) "  # noqa: S608 - names of the file itself, quoted
        f"WHERE typeof({cell}) IN ('text', 'blob') AND dailies_without({cell}) <> {cell}"
    ).rowcount


def _columns(connection: sqlite3.Connection) -> Iterator[tuple[str, str]]:
    tables = connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite!_%' ESCAPE '!' "
        "AND sql NOT LIKE 'CREATE VIRTUAL%'"
    ).fetchall()
    for (table,) in tables:
        for row in connection.execute(f"PRAGMA table_xinfo({_quoted(table)})").fetchall():
            if row[6] == 0:  # not generated from others
                yield table, row[1]


Cell = str | bytes | int | float | None


def _cell(value: Cell, without: Callable[[str], str]) -> Cell:
    if isinstance(value, bytes):
        try:
            return without(value.decode()).encode()
        except UnicodeDecodeError:
            return value
    return without(value) if isinstance(value, str) else value


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
