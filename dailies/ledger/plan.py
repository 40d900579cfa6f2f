"""T0: what is wanted is written down before anything is bought."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.dialects import postgresql, sqlite

from dailies.domain.clips import Row
from dailies.domain.creates import KnownAttempt
from dailies.domain.sources import is_another_file
from dailies.domain.takes import Link
from dailies.ledger import tables as t
from dailies.ledger.identity import write_identities
from dailies.ledger.rows import clip_values
from dailies.ledger.takes import write_links
from dailies.ledger.types import AnotherFile

CHUNK = 1000
DESCRIBED = (
    "(clip.prompt <> '' AND EXISTS"
    " (SELECT 1 FROM attempt WHERE attempt.clip_key = clip.clip_key AND attempt.state <> 'failed'))"
    " OR EXISTS (SELECT 1 FROM erased WHERE erased.clip_key = clip.clip_key)"
)
MAY_BE_DESCRIBED = sa.text(f"NOT ({DESCRIBED})")
"""A clip that was bought stays described as it was bought; one that was only adopted is described when its row is planned.
What a person asked to forget is not described again."""


def upsert(
    connection: Connection,
    table: sa.Table,
    rows: Sequence[dict[str, Any]],
    update: Sequence[str] = (),
    where: sa.TextClause | None = None,
) -> None:
    """Insert rows; where one is already there, leave it, or take over the columns in `update` (if `where` is so)."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(table)
    keys = [column.name for column in table.primary_key]
    if update:
        statement = statement.on_conflict_do_update(
            index_elements=keys, set_={name: statement.excluded[name] for name in update}, where=where
        )
    else:
        statement = statement.on_conflict_do_nothing(index_elements=keys)
    for start in range(0, len(rows), CHUNK):
        connection.execute(statement, rows[start : start + CHUNK])


def write_plan(  # noqa: PLR0913 - what T0 writes, in one call
    connection: Connection,
    batch: str,
    source: str,
    destination: str,
    rows: Sequence[Row],
    quotes: Mapping[str, Decimal | None],
    now: datetime,
    part: bool = False,
    asked: Mapping[str, object] | None = None,
    takes: Sequence[Link] = (),
    replaced: Sequence[str] = (),
    staying: Sequence[str] = (),
) -> None:
    """Insert the batch, its clips and its rows. Rows that left the CSV stay, marked retired: their money stays on record.
    Those of clips that are `staying` have not left it, though nothing is planned for them.

    A part of a batch says nothing about the rows it leaves out, but of those that it has `replaced`: they left too.
    Raises AnotherFile or TakenNumber.
    """
    _refuse_another_file(
        connection, batch, source, [*(row.clip.key for row in rows), *(one.base_key for one in takes), *replaced]
    )
    upsert(
        connection,
        t.batch,
        [
            {
                "name": batch,
                "source": source,
                "destination": destination,
                "created_at": now,
                "planned_at": now,
                "asked": dict(asked or {}),
            }
        ],
        update=("source", "destination", "planned_at", "asked"),
    )
    rows = sorted(rows, key=lambda row: row.clip.key)  # two plans that share clips lock them in the same order
    described = tuple(name for name in clip_values(rows[0].clip) if name != "clip_key") if rows else ()
    settled = _described(connection, [row.clip.key for row in rows])
    clips = [{**clip_values(row.clip), "created_at": now} for row in rows if row.clip.key not in settled]
    upsert(connection, t.clip, clips, update=described, where=MAY_BE_DESCRIBED)
    write_identities(connection)
    _name_by_identity(connection, rows)
    write_links(connection, takes, now)
    keys = {*(row.clip.key for row in rows), *staying}
    left = [key for key in (replaced if part else _standing(connection, batch)) if key not in keys]
    _mark_retired(connection, batch, left, True)
    _mark_retired(connection, batch, staying, False)  # an earlier version took them for rows that had left
    for start in range(0, len(rows), CHUNK):
        _write_rows(connection, batch, rows[start : start + CHUNK], quotes)


def _write_rows(connection: Connection, batch: str, rows: Sequence[Row], quotes: Mapping[str, Decimal | None]) -> None:
    """Put rows on record. What stands there just so is not written again: a second run of a large batch writes nothing."""
    planned = {row.clip.key: _row_values(batch, row.clip.key, row, quotes[row.clip.key]) for row in rows}
    mine = (t.batch_row.c.batch == batch) & t.batch_row.c.clip_key.in_(planned)
    there = {one["clip_key"]: dict(one) for one in connection.execute(sa.select(t.batch_row).where(mine)).mappings()}
    upsert(
        connection, t.batch_row, [one for key, one in planned.items() if there.get(key) != one],
        update=("number", "row_id", "providers", "usd_quoted", "labels", "retired"),
    )  # fmt: skip


def _described(connection: Connection, clip_keys: Sequence[str]) -> frozenset[str]:
    """Those of the clips that stay described as they are: of a batch that was delivered, all, and none is written again."""
    found = set[str]()
    for start in range(0, len(clip_keys), CHUNK):
        named = t.clip.c.clip_key.in_(clip_keys[start : start + CHUNK])
        found.update(connection.execute(sa.select(t.clip.c.clip_key).where(named, sa.text(f"({DESCRIBED})"))).scalars())
    return frozenset(found)


def _standing(connection: Connection, batch: str) -> Sequence[str]:
    """The clip_keys of the rows that a batch has."""
    mine = (t.batch_row.c.batch == batch) & t.batch_row.c.retired.is_(False)
    return connection.execute(sa.select(t.batch_row.c.clip_key).where(mine)).scalars().all()


def _mark_retired(connection: Connection, batch: str, clip_keys: Sequence[str], retired: bool) -> None:
    for start in range(0, len(clip_keys), CHUNK):
        those = t.batch_row.c.clip_key.in_(clip_keys[start : start + CHUNK])
        connection.execute(sa.update(t.batch_row).where(t.batch_row.c.batch == batch, those).values(retired=retired))


def _refuse_another_file(connection: Connection, batch: str, source: str, asked: Sequence[str]) -> None:
    """Two files of one name may be planned at the same moment: the one that comes second finds the first one here."""
    if connection.dialect.name == "postgresql":  # SQLite has one writer anyway
        connection.execute(
            sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(f"dailies batch {batch}", 0)))
        )
    recorded = connection.execute(sa.select(t.batch.c.source).where(t.batch.c.name == batch)).scalar()
    known = sa.select(t.batch_row.c.clip_key).where(t.batch_row.c.batch == batch)
    if recorded and is_another_file(recorded, source, connection.execute(known).scalars().all(), asked):
        raise AnotherFile(recorded)


def _name_by_identity(connection: Connection, rows: Sequence[Row]) -> None:
    """A clip under an earlier version's key is found at once from now on, though its record alone does not tell."""
    named = [{"of": row.clip.key, "is_now": row.clip.identity} for row in rows if row.clip.known_as]
    if named:
        put = sa.update(t.clip).where(t.clip.c.clip_key == sa.bindparam("of")).values(identity=sa.bindparam("is_now"))
        connection.execute(put, named)


def write_known(connection: Connection, known: KnownAttempt, now: datetime) -> None:
    """Put batch, clip and row of an attempt on record where they are missing; what is there stays as it is."""
    attempt, row = known.attempt, known.row
    if row is None:
        write_forgotten(connection, attempt.clip_key, attempt.batch, attempt.clip_key[:12], "", now)
        return
    batch = {"name": attempt.batch, "source": known.source, "destination": known.destination}
    upsert(connection, t.batch, [{**batch, "created_at": now, "planned_at": now}])
    upsert(connection, t.clip, [{**clip_values(row.clip), "clip_key": attempt.clip_key, "created_at": now}])
    upsert(connection, t.batch_row, [_row_values(attempt.batch, attempt.clip_key, row, attempt.usd_quoted)])


def _row_values(batch: str, clip_key: str, row: Row, usd_quoted: Decimal | None) -> dict[str, Any]:
    return {
        "batch": batch, "clip_key": clip_key, "number": row.number, "row_id": row.id, "providers": ",".join(row.providers),
        "usd_quoted": usd_quoted, "labels": dict(row.labels), "retired": False,
    }  # fmt: skip


def write_forgotten(connection: Connection, clip_key: str, batch: str, row_id: str, model: str, now: datetime) -> None:
    """Put a clip on record of which only its purchase is known. Planning its row later fills in what it was."""
    destination = {"name": batch, "source": "", "destination": "", "created_at": now, "planned_at": now}
    upsert(connection, t.batch, [destination])
    clip = {
        "clip_key": clip_key, "model": model, "prompt": "", "image": "", "image_width": 0, "image_height": 0,
        "image_format": "", "take": "", "options": {}, "created_at": now,
    }  # fmt: skip
    upsert(connection, t.clip, [clip])
    row = {
        "batch": batch, "clip_key": clip_key, "number": 0, "row_id": row_id, "providers": "", "usd_quoted": None,
        "labels": {}, "retired": True,
    }  # fmt: skip
    upsert(connection, t.batch_row, [row])
