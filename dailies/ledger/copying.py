"""A ledger moves to another database, whole, and the old one is sealed. At every moment exactly one of them is live.

The copy is committed as *incoming*, which nobody can open; then the source is sealed; then the copy is opened. Interrupted
anywhere, the same command goes on: before the seal it copies anew, after it only the last step is left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import Connection, Engine

from dailies.domain.commands import STATUS
from dailies.domain.money import ZERO
from dailies.errors import Misconfigured
from dailies.ledger.address import parse_address, shown
from dailies.ledger.engine import connect
from dailies.ledger.leases import living_owners
from dailies.ledger.seal import INCOMING, SEALED, mark_incoming, seal, unmark_incoming
from dailies.ledger.tables import Usd, meta, metadata
from dailies.ledger.upgrade import bring_up, read_meta

TABLES = [table for table in metadata.sorted_tables if table is not meta]
CHUNK = 1000


@dataclass(frozen=True, slots=True)
class Sums:
    """What a table holds: rows, and the sum of each of its columns of dollars."""

    rows: int
    usd: Mapping[str, Decimal]


@dataclass(frozen=True, slots=True)
class Copied:
    """A finished copy: both addresses without passwords, and what each table holds, counted on both sides."""

    source: str
    target: str
    tables: Mapping[str, Sums]


def copy_ledger(source_url: str, target_url: str, may_go: Callable[[Engine], None] = lambda _: None) -> Copied:
    """Copy everything, compare counts and sums, and seal the source. Raises Misconfigured, with nothing changed, where the
    source is in use or sealed, or the target holds a ledger of its own; `may_go` may refuse by raising it too."""
    _refuse_nonsense(source_url, target_url)
    with _engine(source_url) as source, _engine(target_url) as target:
        said = _says(source)
        if said.get(SEALED) == shown(target.url) and _says(target).get(INCOMING) == said["id"]:
            return _open_copy(source, target)  # interrupted before the very last step
        bring_up(source)
        may_go(source)
        own_id = _says(source)["id"]
        bring_up(target, incoming_from=own_id)
        if _says(target)["id"] == own_id:
            raise Misconfigured(
                f"{shown(target.url)} is the same ledger as {shown(source.url)}. Nothing was changed", trouble="ledger"
            )
        with _alone(source) as reading:
            _refuse_in_use(reading, source)
            with _alone(target) as writing:
                _refuse_full(writing, target)
                _copy(reading, writing)
                _compare(reading, writing)
                mark_incoming(writing, own_id)
            seal(reading, shown(target.url))
        return _open_copy(source, target)


def _open_copy(source: Engine, target: Engine) -> Copied:
    with _alone(target) as connection:
        unmark_incoming(connection)
        return Copied(shown(source.url), shown(target.url), {t.name: sums_of(connection, t) for t in TABLES})


def sums_of(connection: Connection, table: sa.Table) -> Sums:
    """How many rows a table has, and the sums of its dollars."""
    dollars = [column for column in table.c if isinstance(column.type, Usd)]
    row = connection.execute(sa.select(sa.func.count(), *(sa.func.sum(c) for c in dollars)).select_from(table)).one()
    return Sums(row[0], {column.name: usd or ZERO for column, usd in zip(dollars, row[1:], strict=True)})


def _refuse_nonsense(source_url: str, target_url: str) -> None:
    source, target = parse_address(source_url), parse_address(target_url)
    if source == target or shown(source) == shown(target):
        raise Misconfigured(f"{shown(source)} can't be copied to itself. Nothing was changed", trouble="ledger")
    if source.get_backend_name() == "sqlite" and not Path(source.database or "").is_file():
        raise Misconfigured(f"there is no ledger at {source.database}. Nothing was changed", trouble="ledger")


@contextmanager
def _engine(url: str) -> Iterator[Engine]:
    engine = connect(url)
    try:
        yield engine
    finally:
        engine.dispose()


def _says(engine: Engine) -> dict[str, str]:
    with engine.connect() as connection, connection.begin():
        return read_meta(connection)


@contextmanager
def _alone(engine: Engine) -> Iterator[Connection]:
    """A transaction beside which nobody writes; readers are not held up."""
    with engine.connect().execution_options(dailies_writes=True) as connection, connection.begin():
        if engine.dialect.name == "postgresql":
            names = ", ".join(table.name for table in metadata.sorted_tables)
            connection.exec_driver_sql(f"LOCK TABLE {names} IN EXCLUSIVE MODE")
        yield connection


def _refuse_in_use(connection: Connection, source: Engine) -> None:
    alive = living_owners(connection)
    if alive:
        runs = "1 run is" if len(alive) == 1 else f"{len(alive)} runs are"
        raise Misconfigured(
            f"{runs} at work with the ledger {shown(source.url)}: wait until {STATUS} shows none, then copy it. "
            "Nothing was changed",
            trouble="ledger-busy",
        )


def _refuse_full(connection: Connection, target: Engine) -> None:
    """A target may hold nothing but a copy of this source that was interrupted."""
    if INCOMING in read_meta(connection):
        for table in reversed(TABLES):
            connection.execute(sa.delete(table))
    full = [table.name for table in TABLES if connection.execute(sa.select(table).limit(1)).first()]
    if full:
        raise Misconfigured(
            f"the ledger {shown(target.url)} is not empty ({', '.join(full)}): two ledgers can't be made one. "
            "Nothing was changed. Copy into an empty database",
            trouble="ledger",
        )


def _copy(reading: Connection, writing: Connection) -> None:
    for table in TABLES:
        found = reading.execute(sa.select(table), execution_options={"yield_per": CHUNK}).mappings()
        for rows in found.partitions():
            writing.execute(table.insert(), [dict(row) for row in rows])
        if writing.dialect.name == "postgresql":
            _set_sequence(writing, table)


def _set_sequence(writing: Connection, table: sa.Table) -> None:
    """Rows came with their numbers; the next one that Postgres gives must follow them."""
    column = table.autoincrement_column
    if column is None or not isinstance(column.type, sa.Integer):
        return
    highest = writing.execute(sa.select(sa.func.max(column))).scalar()
    if highest is not None:
        sequence = sa.func.pg_get_serial_sequence(table.name, column.name)
        writing.execute(sa.select(sa.func.setval(sequence, highest)))


def _compare(reading: Connection, writing: Connection) -> None:
    for table in TABLES:
        before, after = sums_of(reading, table), sums_of(writing, table)
        if before != after:
            raise Misconfigured(
                f"the copy of {table.name} differs ({before} there, {after} here). Nothing was changed",
                trouble="ledger",
            )
