"""Histories that a file keeps from now on. What holds money, and what decides whether a clip may be bought, stays in the ledger."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from dailies.domain.needles import Needles
from dailies.domain.records import Attempt, Event
from dailies.domain.states import State
from dailies.ledger import rows as r
from dailies.ledger import tables as t
from dailies.ledger.erasing import MASK
from dailies.ledger.reader import day_of
from dailies.ledger.transitions import Transitions
from dailies.ledger.types import MovedMeanwhile

ARCHIVED = "archived to "
"""How the note of the one event begins that stands for all that an archive holds."""

ENDS = (State.STORED, State.FAILED, State.RESULT_LOST, State.SUPERSEDED, State.ORPHANED)


@dataclass(frozen=True, slots=True)
class Past:
    """An attempt at its end with all its moves, and what its clip is called. No prompt, no image and no address of a result."""

    attempt: Attempt
    day: str
    row_id: str
    model: str
    resolution: str | None
    duration_s: int | None
    take: str
    events: tuple[Event, ...]


def is_past(attempt: Attempt) -> bool:
    """Whether nothing of it is open: settled, at its end, and not declared free by a person, who may take that back. Pure."""
    under_way = attempt.state not in ENDS or (attempt.state is State.ORPHANED and not attempt.ended)
    return attempt.settled and not under_way


class Archiving(Transitions):
    """Old histories leave the ledger. Methods block and are safe to call from several threads."""

    def past(self, before: datetime) -> Iterator[list[Past]]:
        """What was last changed before then, is at its end and stands in no archive yet; some hundred at a time."""
        a, last = t.attempt.c, ""
        in_archive = sa.exists().where((t.event.c.attempt_id == a.id) & t.event.c.note.startswith(ARCHIVED))
        old = a.state.in_([str(state) for state in ENDS]) & (a.updated_at < before) & ~in_archive
        while True:
            with self._read() as connection:
                query = sa.select(t.attempt).where(old & (a.id > last)).order_by(a.id).limit(r.CHUNK)
                found = [r.to_attempt(row) for row in connection.execute(query).mappings()]
                some = _described(connection, [attempt for attempt in found if is_past(attempt)])
            if some:
                yield some
            if len(found) < r.CHUNK:
                return
            last = found[-1].id

    def leave_to(self, file: str, seen: Mapping[str, datetime | None]) -> None:
        """In one transaction: one event that names the file takes the place of each of these attempts' histories.

        `seen` is when each was last changed. Raises MovedMeanwhile, with nothing changed, for one that was changed since.
        """
        ids = sorted(seen)
        with self._write() as connection:
            for start in range(0, len(ids), r.CHUNK):
                some = ids[start : start + r.CHUNK]
                query = sa.select(t.attempt).where(t.attempt.c.id.in_(some)).order_by(t.attempt.c.id).with_for_update()
                found = [r.to_attempt(row) for row in connection.execute(query).mappings()]
                moved = next((attempt for attempt in found if attempt.updated_at != seen[attempt.id]), None)
                if moved:
                    raise MovedMeanwhile(moved)
                connection.execute(sa.delete(t.event).where(t.event.c.attempt_id.in_(some)))
                common = {"at": self.now(), "owner": str(self.owner), "note": f"{ARCHIVED}{file}"}
                moves = [{"attempt_id": a.id, "before": str(a.state), "after": str(a.state), **common} for a in found]
                connection.execute(t.event.insert(), moves)

    def is_archived_to(self, file: str) -> bool:
        """Whether histories were left to a file of this name."""
        with self._read() as connection:
            query = sa.select(t.event.c.id).where(t.event.c.note == f"{ARCHIVED}{file}").limit(1)
            return connection.execute(query).first() is not None

    def dollars_of(self, attempt_ids: Sequence[str]) -> dict[str, tuple[Decimal, Decimal | None]]:
        """What attempts were quoted and charged at."""
        a, found = t.attempt.c, dict[str, tuple[Decimal, Decimal | None]]()
        with self._read() as connection:
            for start in range(0, len(attempt_ids), r.CHUNK):
                some = sa.select(a.id, a.usd_quoted, a.usd_charged).where(
                    a.id.in_(attempt_ids[start : start + r.CHUNK])
                )
                found |= {key: (quoted, charged) for key, quoted, charged in connection.execute(some)}
        return found


def _described(connection: Connection, attempts: Sequence[Attempt]) -> list[Past]:
    c, b, e = t.clip.c, t.batch_row.c, t.event.c
    keys, ids = sorted({a.clip_key for a in attempts}), [a.id for a in attempts]
    clips = {row.clip_key: row for row in connection.execute(sa.select(t.clip).where(c.clip_key.in_(keys)))}
    rows = connection.execute(sa.select(b.batch, b.clip_key, b.row_id).where(b.clip_key.in_(keys)))
    names = {(row.batch, row.clip_key): row.row_id for row in rows}
    events: dict[str, list[Event]] = {key: [] for key in ids}
    for row in connection.execute(sa.select(t.event).where(e.attempt_id.in_(ids)).order_by(e.id)).mappings():
        events[row["attempt_id"]].append(r.to_event(row))
    return [
        _past(attempt, clips[attempt.clip_key], names.get((attempt.batch, attempt.clip_key), ""), events[attempt.id])
        for attempt in attempts
    ]


def _past(attempt: Attempt, clip: sa.Row[Any], row_id: str, events: Sequence[Event]) -> Past:
    needles = Needles()
    needles.add(text for text in (clip.prompt, clip.image, *(clip.options or {}).values()) if isinstance(text, str))
    error = attempt.error and needles.without(attempt.error, MASK)
    cleaned = attempt._replace(error=error, result_url=None, handle=None)
    moves = tuple(replace(event, note=needles.without(event.note, MASK)) for event in events)
    day = day_of(attempt.created_at)
    return Past(cleaned, day, row_id, clip.model, clip.resolution, clip.duration_s, clip.take, moves)
