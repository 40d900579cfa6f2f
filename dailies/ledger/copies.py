"""Copies of a SQLite ledger, made beside it before it is changed."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Engine

from dailies.errors import Misconfigured


def copy_beside(engine: Engine, schema: int) -> Path | None:
    """Copy a SQLite ledger whole, as last committed, to a file beside it: 0600, fsynced, named by schema and time (UTC).

    None where there is no file: Postgres, or a ledger in memory. Raises Misconfigured when the copy can't be made.
    """
    database = engine.url.database
    if engine.dialect.name != "sqlite" or not database or database == ":memory:":
        return None
    ledger = Path(database)
    path = ledger.with_name(f"{ledger.stem}.schema-{schema}.{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}{ledger.suffix}")
    part = path.with_name(f"{path.name}.part")
    try:
        _copy(ledger, part)
        part.rename(path)
        _sync(path.parent)
    except (OSError, sqlite3.Error) as error:
        part.unlink(missing_ok=True)
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise Misconfigured(
            f"the ledger {ledger} is to be upgraded, and the copy that is made first can't be written: {reason}. "
            f"Make room for it in {ledger.parent}. Nothing was changed, nothing was bought",
            trouble="disk",
        ) from error
    return path


def copies_of(ledger: Path) -> list[Path]:
    """All copies that upgrades have left beside a SQLite ledger."""
    return sorted(ledger.parent.glob(f"{ledger.stem}.schema-*{ledger.suffix}"))


def _copy(ledger: Path, target: Path) -> None:
    os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    with closing(sqlite3.connect(ledger)) as source, closing(sqlite3.connect(target)) as copy:
        source.backup(copy)
        copy.execute("PRAGMA journal_mode=DELETE")  # one file, nothing beside it
    _sync(target)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
