"""Opens the ledger's database: safe settings, the schema of this version, and clear words when it can't be used."""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import URL, Engine
from sqlalchemy.exc import DBAPIError

from dailies.errors import Misconfigured
from dailies.ledger.address import parse_address, shown
from dailies.ledger.file import LedgerFile
from dailies.ledger.upgrade import bring_up

BUSY_TIMEOUT_MS = (
    60_000  # another process may hold SQLite's lock for half a minute (a backup); that must not lose an id
)
POOLED = 4
"""Connections to Postgres that a run keeps, and as many again when it is busy. Its transactions take milliseconds, and the
shards of a large batch have to fit, with Prefect's server, into the hundred that Postgres allows by default."""
REACHED: dict[str, str | int] = {
    "connect_timeout": 10, "application_name": "dailies",
    "keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3, "tcp_user_timeout": 60_000,
}  # fmt: skip
"""How Postgres is reached, unless the address says otherwise: a host that falls silent is away after a minute, not after a
quarter of an hour."""
NO_PRIMARY = ("25006", "57P01", "57P02", "57P03")
"""What a server says that only reads now (a standby after a failover), or that is being shut down or started."""
NETWORK_FILE_SYSTEMS = ("nfs", "cifs", "smb", "fuse.sshfs", "fuse.glusterfs", "ceph", "lustre", "beegfs", "afs", "gfs2")


def open_engine(url: str) -> Engine:
    """An engine on a ledger of this version's schema: a new one is made, an older one is brought up.

    Raises Misconfigured with what is wrong and what to do.
    """
    engine = connect(url)
    try:
        bring_up(engine)
    except (Misconfigured, DBAPIError) as error:
        engine.dispose()
        if isinstance(error, Misconfigured):
            raise
        reason = next(iter(str(error.orig or error).strip().splitlines()), type(error).__name__)
        raise Misconfigured(
            f"the ledger at {shown(engine.url)} can't be opened: {reason}. Nothing was bought.", trouble="ledger"
        ) from error
    return engine


def connect(url: str) -> Engine:
    """An engine with safe settings on a database, whatever is in it. Raises Misconfigured."""
    address = parse_address(url)
    if address.get_backend_name() == "sqlite":
        return _sqlite(address)
    return _postgres(address)


def ledger_file(engine: Engine) -> LedgerFile | None:
    """The file of a SQLite ledger as it was when the engine was made. None for Postgres, and for a ledger in memory."""
    found: LedgerFile | None = engine.get_execution_options().get("dailies_file")
    return found


def _postgres(address: URL) -> Engine:
    said = {name: value for name, value in REACHED.items() if name not in address.query}
    engine = sa.create_engine(
        address,
        pool_size=POOLED,
        max_overflow=POOLED,
        pool_pre_ping=True,
        # a pooler such as PgBouncer hands each transaction to another connection, where no prepared statement is known
        connect_args={"prepare_threshold": None, **said},
    )

    @sa.event.listens_for(engine, "handle_error")
    def _gone_elsewhere(context: sa.engine.ExceptionContext) -> None:
        """A connection to what is no primary any more is as good as lost: the next one asks the address anew."""
        if getattr(context.original_exception, "sqlstate", None) in NO_PRIMARY:
            context.is_disconnect = True

    return engine


def _sqlite(address: URL) -> Engine:
    in_memory = address.database in (None, "", ":memory:")
    file = None if in_memory else _file_there(Path(str(address.database)))
    engine = sa.create_engine(
        address,
        connect_args={"timeout": BUSY_TIMEOUT_MS / 1000, "check_same_thread": False},
        execution_options={"dailies_file": file},
    )

    @sa.event.listens_for(engine, "do_connect")
    def _connecting(*_args: object) -> None:
        if file:
            file.require()  # else SQLite would make an empty one, or mix two ledgers

    @sa.event.listens_for(engine, "connect")
    def _connected(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves, see below
        cursor = connection.cursor()
        for pragma in (f"busy_timeout={BUSY_TIMEOUT_MS}", "synchronous=FULL", "foreign_keys=ON"):
            cursor.execute(f"PRAGMA {pragma}")
        _use_wal(cursor)
        cursor.close()

    @sa.event.listens_for(engine, "begin")
    def _begun(connection: sa.Connection) -> None:
        writes = connection.get_execution_options().get("dailies_writes", False)
        if writes:
            _sync(connection, connection.get_execution_options().get("dailies_durable", True))
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _sync(connection: sa.Connection, durable: bool) -> None:
    """Whether a commit waits for the disk. One that does not is seen by all at once, and on disk with the next one that does."""
    if connection.info.get("dailies_durable", True) != durable:
        connection.exec_driver_sql(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
        connection.info["dailies_durable"] = durable


def _file_there(path: Path) -> LedgerFile:
    refuse_network_file_system(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with suppress(FileExistsError):  # a file that is there is not opened: closing it would drop SQLite's locks
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        return LedgerFile.at(path)
    except OSError as error:
        raise Misconfigured(
            f"the ledger {path} can't be written: {error.strerror}. Nothing was bought.", trouble="ledger"
        ) from error


def _use_wal(cursor: Any) -> None:
    """SQLite does not wait its busy timeout for this one switch: when several first starts meet, it is tried again."""
    give_up = time.monotonic() + BUSY_TIMEOUT_MS / 1000
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > give_up:
                raise
            time.sleep(0.02)


def refuse_network_file_system(path: Path) -> None:
    """SQLite's locks do not hold on network file systems; two machines could buy the same clip."""
    kind = _file_system(path)
    if kind and kind.startswith(NETWORK_FILE_SYSTEMS):
        raise Misconfigured(
            f"{path.parent} is on a network file system ({kind}), where SQLite's locks do not hold. "
            "Put DAILIES_HOME on a local disk, or use Postgres: DAILIES_LEDGER_URL=postgresql+psycopg://…",
            trouble="ledger",
        )


def _file_system(path: Path) -> str | None:
    try:
        mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    except OSError:
        return None
    absolute = str(path.absolute())
    under = [(m[1], m[2]) for m in mounts if absolute == m[1] or absolute.startswith(m[1].rstrip("/") + "/")]
    return max(under, key=lambda m: len(m[0]))[1] if under else None
