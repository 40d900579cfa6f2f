"""What the ledger can be asked: every reading transaction, and the ledger's time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Engine

from dailies.domain.aging import Told
from dailies.domain.approval import Approval
from dailies.domain.clips import Clip, report_folders
from dailies.domain.money import ZERO, sum_usd
from dailies.domain.records import Attempt, BatchRow, Brief, Event, Lying
from dailies.domain.schedule import Bracket
from dailies.domain.states import State
from dailies.ledger import history
from dailies.ledger import rows as r
from dailies.ledger import tables as t
from dailies.ledger.identity import clips_of, delivered_as, keys_like


class Reader:
    """Reading: nothing here changes a record. Methods block and are safe to call from several threads."""

    def __init__(self, engine: Engine, clock: Callable[[], datetime] | None = None) -> None:
        self.engine = engine
        self._clock = clock
        self._theirs_ahead = timedelta(0)
        self._look_at_the_clock()

    def now(self) -> datetime:
        """The ledger's time: the database server's for Postgres, so that machines whose clocks differ agree on leases."""
        return self._clock() if self._clock else datetime.now(UTC) + self._theirs_ahead

    @property
    def has_a_clock(self) -> bool:
        """Whether the ledger's time is another machine's: a database server's."""
        return self._clock is None and self.engine.dialect.name == "postgresql"

    @property
    def skew(self) -> timedelta:
        """How far this machine's clock was ahead of the ledger's when that was last asked; nothing where it is the same clock."""
        return -self._theirs_ahead

    def _look_at_the_clock(self) -> None:
        if not self.has_a_clock:
            return
        with self._read() as connection:
            before = datetime.now(UTC)
            theirs = connection.execute(sa.select(sa.func.clock_timestamp())).scalar_one()
            self._theirs_ahead = theirs - (before + (datetime.now(UTC) - before) / 2)

    @contextmanager
    def _read(self) -> Iterator[Connection]:
        with self.engine.connect() as connection, connection.begin():
            yield connection

    def keys_like(self, identities: Sequence[str]) -> Mapping[str, str]:
        """The keys of clips on record, by what they are: the key that each was first given."""
        with self._read() as connection:
            return keys_like(connection, identities)

    def clips_of(self, clip_keys: Sequence[str]) -> dict[str, Clip]:
        """Clips as they are on record, by their keys: as they were bought, where they were."""
        with self._read() as connection:
            return clips_of(connection, clip_keys)

    def delivered_as(self, batch: str, row_ids: Sequence[str]) -> dict[str, list[Clip]]:
        """The clips that were delivered in a batch under these rows' ids, oldest first."""
        with self._read() as connection:
            return delivered_as(connection, batch, row_ids)

    def bought(self, clip_keys: Sequence[str]) -> frozenset[str]:
        """Those of these clips that were bought, or may have been."""
        return frozenset(
            key for key, attempts in self.briefs_of(clip_keys) if any(one.state is not State.FAILED for one in attempts)
        )

    def attempts(self, clip_key: str) -> tuple[Attempt, ...]:
        """All attempts of one clip, oldest first."""
        with self._read() as connection:
            return dict(r.attempts_of(connection, [clip_key])).get(clip_key, ())

    def attempts_of(self, clip_keys: Sequence[str]) -> dict[str, tuple[Attempt, ...]]:
        """All attempts of many clips at once."""
        with self._read() as connection:
            return dict(r.attempts_of(connection, clip_keys))

    def briefs_of(self, clip_keys: Sequence[str]) -> Iterator[tuple[str, tuple[Brief, ...]]]:
        """How all attempts of many clips stand, clip by clip: a third of the time, and only a few are in memory."""
        with self._read() as connection:
            yield from r.briefs_of(connection, clip_keys)

    def lying(self, clip_keys: Sequence[str]) -> dict[str, tuple[Lying, ...]]:
        """How all attempts of many clips stand, and where their clips lie."""
        with self._read() as connection:
            return dict(r.lying(connection, clip_keys))

    def attempt(self, attempt_id: str) -> Attempt | None:
        """One attempt by its id, or by a prefix of it that only one attempt has."""
        exactly, prefixed = t.attempt.c.id == attempt_id, t.attempt.c.id.startswith(attempt_id, autoescape=True)
        with self._read() as connection:
            for chosen in (exactly, prefixed):  # a prefix costs a scan, and only people type one
                found = connection.execute(sa.select(t.attempt).where(chosen).limit(2)).mappings().all()
                if len(found) == 1:
                    return r.to_attempt(found[0])
        return None

    def usd_in_flight(self, provider: str, posted_after: timedelta = timedelta(minutes=2)) -> Decimal:
        """Quoted dollars of what is in flight at a provider, or came home so lately that its charge may not be posted yet."""
        with self._read() as connection:
            return history.usd_in_flight(connection, provider, self.now() - posted_after)

    def attempt_of_generation(self, provider: str, generation_id: str) -> Attempt | None:
        """The attempt under which a provider's generation is on record."""
        mine = (t.attempt.c.provider == provider) & (t.attempt.c.generation_id == generation_id)
        with self._read() as connection:
            found = connection.execute(sa.select(t.attempt).where(mine)).mappings().one_or_none()
        return r.to_attempt(found) if found else None

    def rows(self, batch: str) -> list[BatchRow]:
        """The rows of one batch with their attempts, in the order of the CSV; retired rows last."""
        return list(self.each_row(batch))

    def each_row(self, batch: str) -> Iterator[BatchRow]:
        """The same one after another: of ten thousand rows only a few are in memory."""
        with self._read() as connection:
            yield from r.batch_rows(connection, t.batch_row.c.batch == batch)

    def each_row_for_figures(self, batch: str) -> Iterator[BatchRow]:
        """The same for a report: of the attempts only what figures are made of is read, the rest is None (`BESIDE_FIGURES`)."""
        with self._read() as connection:
            yield from r.batch_rows(connection, t.batch_row.c.batch == batch, unread=r.BESIDE_FIGURES)

    def rows_of_clips(self, clip_keys: Iterable[str]) -> list[BatchRow]:
        """Every row, in whichever batch, that asks for one of these clips."""
        keys = sorted(set(clip_keys))
        with self._read() as connection:
            chunks = [keys[i : i + r.CHUNK] for i in range(0, len(keys), r.CHUNK)]
            return [row for chunk in chunks for row in r.batch_rows(connection, t.batch_row.c.clip_key.in_(chunk))]

    def batches(self) -> list[str]:
        """The names of all batches, the latest first."""
        with self._read() as connection:
            return list(connection.execute(sa.select(t.batch.c.name).order_by(t.batch.c.planned_at.desc())).scalars())

    def report_folders(self) -> Mapping[str, str]:
        """The folder of each batch's report."""
        with self._read() as connection:
            oldest_first = sa.select(t.batch.c.name).order_by(t.batch.c.created_at, t.batch.c.name)
            return report_folders(connection.execute(oldest_first).scalars())

    def unfinished(self) -> list[Attempt]:
        """All attempts that are not at an end: in flight, completed and not stored, in doubt, orphans on their way."""
        with self._read() as connection:
            found = r.attempts_in(connection, t.UNFINISHED)
        return [a for a in found if not a.ended]

    def unsettled(self) -> list[Attempt]:
        """Every attempt that holds money at risk: in doubt, or given up by `--resubmit` and not settled since."""
        return [a for a in self._in(State.IN_DOUBT, State.SUPERSEDED) if a.unsettled]

    def lost(self, since: datetime) -> list[Attempt]:
        """Attempts whose clip was ready after `since` and could not be fetched: the provider may show it again."""
        found = self._in(State.RESULT_LOST, State.ORPHANED)
        return [a for a in found if a.lost and a.completed_at and a.completed_at >= since]

    def _in(self, *states: State) -> list[Attempt]:
        with self._read() as connection:
            found = r.attempts_in(connection, [state for state in states if state in t.UNFINISHED])
            found += r.attempts_in(connection, [state for state in states if state in t.REOPENABLE], t.IS_REOPENABLE)
        return sorted(found, key=lambda a: a.created_at)

    def like(self, prefix: str) -> list[Attempt]:
        """The latest ten attempts whose id begins so: for people, who type the first digits."""
        begins = t.attempt.c.id.startswith(prefix, autoescape=True)
        query = sa.select(t.attempt).where(begins).order_by(t.attempt.c.created_at.desc()).limit(10)
        with self._read() as connection:
            return [r.to_attempt(row) for row in connection.execute(query).mappings()]

    def generation_times(
        self, provider: str, model: str, resolution: str | None, duration_s: int | None
    ) -> list[Bracket]:
        """How long the latest few hundred generations of this kind took, in seconds after they were accepted."""
        with self._read() as connection:
            return history.brackets(connection, provider, history.kind_of(model, resolution, duration_s))

    def approval(self, batch: str) -> Approval | None:
        """What a person has approved of a batch."""
        query = sa.select(t.batch.c.approved_clips, t.batch.c.approved_usd).where(t.batch.c.name == batch)
        with self._read() as connection:
            found = connection.execute(query).one_or_none()
        return Approval(*found) if found and found.approved_clips is not None else None

    def batch_source(self, batch: str) -> str | None:
        """The file that a batch was last planned from."""
        with self._read() as connection:
            return connection.execute(sa.select(t.batch.c.source).where(t.batch.c.name == batch)).scalar()

    def batch_destination(self, batch: str) -> str | None:
        """Where the clips of a batch go, as it was last planned."""
        with self._read() as connection:
            return connection.execute(sa.select(t.batch.c.destination).where(t.batch.c.name == batch)).scalar()

    def store_found(self, place: str) -> tuple[datetime, dict[str, bool | str]] | None:
        """When a store was last tried, and what it was found to take."""
        with self._read() as connection:
            query = sa.select(t.store_probe.c.tried_at, t.store_probe.c.abilities).where(t.store_probe.c.place == place)
            found = connection.execute(query).one_or_none()
        return None if found is None else (found.tried_at, found.abilities)

    def batch_asked(self, batch: str) -> dict[str, Any]:
        """How the latest run of a batch was asked for (the fields of an order); empty for one of an earlier version."""
        with self._read() as connection:
            return connection.execute(sa.select(t.batch.c.asked).where(t.batch.c.name == batch)).scalar() or {}

    def copies_of(self, clip_keys: Sequence[str]) -> dict[str, list[str]]:
        """Where copies of these clips lie, whichever batch they were made for."""
        found: dict[str, list[str]] = {}
        c = t.copy.c
        with self._read() as connection:
            if connection.execute(sa.select(c.clip_key).limit(1)).first() is None:
                return found  # as in most ledgers; ten thousand are asked for at once
            for start in range(0, len(clip_keys), r.CHUNK):
                mine = c.clip_key.in_(clip_keys[start : start + r.CHUNK])
                for clip_key, uri in connection.execute(sa.select(c.clip_key, c.s3_uri).where(mine)):
                    found.setdefault(clip_key, []).append(uri)
        return found

    def knows(self, attempt_id: str) -> bool:
        """Whether an attempt of exactly this id is on record."""
        with self._read() as connection:
            return (
                connection.execute(sa.select(t.attempt.c.id).where(t.attempt.c.id == attempt_id)).scalar() is not None
            )

    def known_clips(self, batch: str) -> frozenset[str]:
        """The clip_keys of all rows that a batch has or ever had."""
        with self._read() as connection:
            query = sa.select(t.batch_row.c.clip_key).where(t.batch_row.c.batch == batch)
            return frozenset(connection.execute(query).scalars())

    def is_empty(self) -> bool:
        """Whether nothing was ever bought by this ledger."""
        with self._read() as connection:
            return connection.execute(sa.select(t.attempt.c.id).limit(1)).scalar() is None

    def counts(self, batch: str) -> dict[State, int]:
        """How many attempts of a batch are in each state: cheap enough to ask every second."""
        with self._read() as connection:
            query = (
                sa.select(t.attempt.c.state, sa.func.count())
                .where(t.attempt.c.batch == batch)
                .group_by(t.attempt.c.state)
            )
            return {State(state): count for state, count in connection.execute(query)}

    def history(self, attempt_id: str) -> list[Event]:
        """Every move of an attempt, in order."""
        with self._read() as connection:
            query = sa.select(t.event).where(t.event.c.attempt_id == attempt_id).order_by(t.event.c.id)
            return [r.to_event(row) for row in connection.execute(query).mappings()]

    def told(self, attempt_ids: Iterable[str]) -> dict[str, frozenset[str]]:
        """What people were told of these attempts, by the notes in their histories (`domain/aging.py:Told`)."""
        e, ids, found = t.event.c, sorted(set(attempt_ids)), dict[str, set[str]]()
        with self._read() as connection:
            for start in range(0, len(ids), r.CHUNK):
                mine = e.attempt_id.in_(ids[start : start + r.CHUNK]) & e.note.in_(list(Told))
                for attempt_id, note in connection.execute(sa.select(e.attempt_id, e.note).where(mine)):
                    found.setdefault(attempt_id, set()).add(note)
        return {attempt_id: frozenset(notes) for attempt_id, notes in found.items()}

    def counted(self, batch: str | None = None, day: str | None = None) -> Decimal:
        """What counts against the budget of a batch, or of a UTC day (`2026-11-21`; default today)."""
        scope, name = ("batch", batch) if batch else ("day", day or day_of(self.now()))
        with self._read() as connection:
            query = sa.select(t.spend.c.usd_counted).where((t.spend.c.scope == scope) & (t.spend.c.name == name))
            return connection.execute(query).scalar() or ZERO

    def counted_in_month(self, month: str | None = None) -> Decimal:
        """What counts against the budget of a UTC month (`2026-11`; default this one)."""
        with self._read() as connection:
            return month_counted(connection, month or day_of(self.now())[:7])

    def counted_in_column(self, column: str, value: str) -> Decimal:
        """What counts against the budget of all rows that have a value in a column of the team's own."""
        with self._read() as connection:
            return column_counted(connection, column, value)


def day_of(moment: datetime) -> str:
    """The UTC day on whose budget a purchase counts."""
    return moment.astimezone(UTC).date().isoformat()


def month_counted(connection: Connection, month: str) -> Decimal:
    """What counts in a UTC month (`2026-11`): the sum of its days."""
    day = t.spend.c.name
    days = (t.spend.c.scope == "day") & (day >= f"{month}-01") & (day <= f"{month}-31")
    return sum_usd(connection.execute(sa.select(t.spend.c.usd_counted).where(days)).scalars())


def _has_label(connection: Connection) -> sa.TextClause:
    """Whether a row has `:value` in the column `:column`. By SQLite's json_each: its paths miss a name that is no ASCII."""
    if connection.dialect.name == "postgresql":
        return sa.text("batch_row.labels ->> :column = :value")
    return sa.text("EXISTS (SELECT 1 FROM json_each(batch_row.labels) WHERE key = :column AND value = :value)")


def column_counted(connection: Connection, column: str, value: str) -> Decimal:
    """What the attempts of all rows count that have a value in a column of the team's own."""
    a, row = t.attempt.c, t.batch_row.c
    charged_or_kept = sa.case(
        (a.state == State.FAILED, sa.func.coalesce(a.usd_charged, 0)),
        else_=sa.func.coalesce(a.usd_charged, a.usd_reserved, a.usd_quoted),
    )  # as Attempt.usd_counted
    query = (
        sa.select(sa.type_coerce(sa.func.sum(charged_or_kept), t.Usd))
        .join_from(t.batch_row, t.attempt, (a.clip_key == row.clip_key) & (a.batch == row.batch))
        .where(_has_label(connection).bindparams(column=column, value=value))
    )
    return connection.execute(query).scalar() or ZERO
