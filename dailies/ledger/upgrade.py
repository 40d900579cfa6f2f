"""Brings a ledger to the schema of this version, once, whoever is first; refuses what this version does not understand."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import OperationalError

from dailies import __version__
from dailies.domain.commands import STATUS
from dailies.errors import Misconfigured
from dailies.ledger.address import shown
from dailies.ledger.copies import copy_beside
from dailies.ledger.leases import living_owners
from dailies.ledger.migrations import (
    ALONE,
    BASELINE,
    FOLDER,
    HEAD,
    OLDEST_THAT_MAY_OPEN,
    revision,
    version_table,
)
from dailies.ledger.seal import refuse_closed
from dailies.ledger.tables import meta, metadata

LOCK_NOT_AVAILABLE = "55P03"
LOCK_TIMEOUT_MS = 3_000
"""How long a migration on Postgres waits for a table. Whoever wants that table meanwhile waits behind it: the record of an
older worker's answer, too."""
_one_at_a_time = threading.Lock()
"""Alembic keeps the migration that runs in a global of its process."""


@dataclass(frozen=True, slots=True)
class Upgrade:
    """What opening a ledger did to its schema. `before` is None for a new ledger; `copy` is the SQLite file's copy."""

    before: int | None
    after: int
    copy: Path | None = None


def bring_up(engine: Engine, incoming_from: str | None = None) -> Upgrade:
    """Make the schema of a new ledger, or run the migrations that an older one lacks, in one transaction.

    Raises Misconfigured, with nothing changed, for a newer ledger, one that was copied away, a copy that is not finished (but
    one of the ledger `incoming_from`), one that can't be copied first, one that is in use where a migration can't run
    beside older programs, and one in Postgres of which somebody holds a table for longer than an upgrade may wait.
    """
    with engine.connect() as connection, connection.begin():
        found = read_meta(connection)
    if found and _opens(engine, found, incoming_from):
        return Upgrade(int(found["schema"]), int(found["schema"]))
    with engine.connect().execution_options(dailies_writes=True) as connection, connection.begin():
        if engine.dialect.name == "postgresql":
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7236421)")  # two first starts at once
        found = read_meta(connection)
        if not found:
            _create(connection)
            return Upgrade(None, HEAD)
        before = int(found["schema"])
        if _opens(engine, found, incoming_from):  # somebody was faster
            return Upgrade(before, before)
        due = range(before + 1, HEAD + 1)
        if ALONE.intersection(due):
            _refuse_in_use(connection)
        copy = copy_beside(engine, before)
        with _not_for_long(connection):
            _migrate(connection)
        return Upgrade(before, HEAD, copy)


@contextmanager
def _not_for_long(connection: Connection) -> Iterator[None]:
    """Raise Misconfigured, with nothing changed, where a table can't be had soon."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS}")
        connection.exec_driver_sql(
            "SET LOCAL statement_timeout = 0"
        )  # a migration takes as long as its tables are large
    try:
        yield
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", "") != LOCK_NOT_AVAILABLE:
            raise
        raise Misconfigured(
            f"the ledger {shown(connection.engine.url)} is to be upgraded, and somebody has had one of its tables for longer "
            f"than {LOCK_TIMEOUT_MS / 1000:g} s (a backup, or a transaction that was left open): start again when that is over. "
            "Nothing was changed, nothing was bought",
            trouble="ledger-busy",
        ) from error


def read_meta(connection: Connection) -> dict[str, str]:
    """What a ledger says of itself; empty for a database that holds no ledger yet."""
    if not sa.inspect(connection).has_table(meta.name):
        return {}
    return {row.name: row.value for row in connection.execute(sa.select(meta))}


def _opens(engine: Engine, found: dict[str, str], incoming_from: str | None) -> bool:
    """Whether this version can work with a ledger as it stands. Raises Misconfigured for one that it must leave alone."""
    refuse_closed(shown(engine.url), found, incoming_from)
    schema = int(found["schema"])
    if schema > HEAD and int(found.get("oldest_that_may_open", schema)) > HEAD:
        raise Misconfigured(
            f"the ledger {shown(engine.url)} has schema {schema}, written by dailies "
            f"{found.get('written_by', 'of a later version')}; this is dailies {__version__}, which knows schema {HEAD}. "
            "Nothing was bought. Use that version or a later one here",
            trouble="ledger-newer",
        )
    return schema >= HEAD


def _create(connection: Connection) -> None:
    metadata.create_all(connection)
    version_table.create(connection)
    connection.execute(version_table.insert().values(version_num=revision(HEAD)))
    connection.execute(meta.insert(), [{"name": "id", "value": uuid4().hex}, {"name": "schema", "value": str(HEAD)}])
    _sign(connection)


def _migrate(connection: Connection) -> None:
    if not sa.inspect(connection).has_table(version_table.name):
        version_table.create(connection)
        connection.execute(version_table.insert().values(version_num=revision(BASELINE)))
    run_migrations(connection)
    connection.execute(sa.update(meta).where(meta.c.name == "schema").values(value=str(HEAD)))
    _sign(connection)


def run_migrations(connection: Connection, to: int = HEAD) -> None:
    """Run every migration up to a schema's number that the database has not seen, in the open transaction."""
    from alembic import command  # most of a second, which only an upgrade pays
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.attributes["connection"] = connection
    with _one_at_a_time:
        command.upgrade(config, revision(to))


def _sign(connection: Connection) -> None:
    """Leave word for the versions that will meet this ledger: who wrote it, and which of them may open it."""
    signed = {"oldest_that_may_open": str(OLDEST_THAT_MAY_OPEN), "written_by": __version__}
    connection.execute(sa.delete(meta).where(meta.c.name.in_(signed)))
    connection.execute(meta.insert(), [{"name": name, "value": value} for name, value in signed.items()])


def _refuse_in_use(connection: Connection) -> None:
    alive = living_owners(connection)
    if alive:
        runs = "1 run is" if len(alive) == 1 else f"{len(alive)} runs are"
        raise Misconfigured(
            f"the ledger is to be upgraded, and {runs} still at work with it: wait until {STATUS} answers, which it does once "
            "they have ended, or stop them; then start again. Nothing was changed, nothing was bought",
            trouble="ledger-busy",
        )
