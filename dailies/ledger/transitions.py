"""The one place where an attempt changes: by the table of moves, with its event and its budget in the same transaction."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy import Connection, Engine

from dailies.domain.money import ZERO
from dailies.domain.records import Attempt
from dailies.domain.states import State, check_move
from dailies.ledger import rows as r
from dailies.ledger import tables as t
from dailies.ledger.engine import ledger_file
from dailies.ledger.owner import Owner
from dailies.ledger.plan import upsert
from dailies.ledger.reader import Reader, day_of
from dailies.ledger.types import MovedMeanwhile

GIVEN_UP = datetime(2000, 1, 1, tzinfo=UTC)
"""The lease of what nobody works on any more: whoever comes first may take it over."""


class Transitions(Reader):
    """How a writing transaction locks, moves and records an attempt, for one owner."""

    def __init__(
        self,
        engine: Engine,
        owner: Owner,
        lease_s: Callable[[str], float] = lambda _provider: 300.0,
        clock: Callable[[], datetime] | None = None,
        heir: str | None = None,
    ) -> None:
        """`heir` is the owner, as text, that goes on with what this one has bought; None: this one does."""
        super().__init__(engine, clock)
        self.owner = owner
        self.began_at = self.now()
        self.heir: str | None = heir or str(owner)
        """Who goes on with what is bought; None: whoever comes first."""
        self._lease_s = lease_s
        self._one_writer = threading.Lock() if engine.dialect.name == "sqlite" else None
        self.file = ledger_file(engine)
        self.opened_at = self.now()

    def is_dead(self, attempt: Attempt) -> bool:
        """Whether the owner of an attempt is gone, so that it may be taken over."""
        return Owner.parse(attempt.owner).is_dead(attempt.lease_until, self.now(), self.owner)

    @contextmanager
    def _write(self, durable: bool = True) -> Iterator[Connection]:
        """One writing transaction. Without `durable` a power cut may take back what it wrote: never for what money hangs on."""
        if self._one_writer:
            self._one_writer.acquire()  # SQLite has one writer; queueing here is fairer than its busy loop
        try:
            options = {"dailies_writes": True, "dailies_durable": durable}
            with self.engine.connect().execution_options(**options) as connection, connection.begin():
                if not durable and connection.dialect.name == "postgresql":
                    connection.exec_driver_sql("SET LOCAL synchronous_commit TO off")
                yield connection
        finally:
            if self._one_writer:
                self._one_writer.release()

    @contextmanager
    def _write_to_be_found(self) -> Iterator[Connection]:
        """As `_write`. Raises LedgerVanished when what is written will not be found at the ledger's path."""
        self.require_at_its_path()
        with self._write() as connection:
            yield connection
        self.require_at_its_path()

    def require_at_its_path(self) -> None:
        """Raise LedgerVanished when the open SQLite file is no longer the one that others find at its path."""
        if self.file:
            self.file.require()

    def _locked_as_seen(self, connection: Connection, attempt_id: str, seen: Attempt | None) -> Attempt:
        """The attempt, locked. Raises MovedMeanwhile where it is no longer what was `seen` when somebody decided about it."""
        found = self._locked(connection, attempt_id)
        if seen is not None and (found.state, found.epoch) != (seen.state, seen.epoch):
            raise MovedMeanwhile(found)
        return found

    def _too_late(self, connection: Connection, found: Attempt, after: State, note: str) -> Attempt:
        self._record(connection, found.id, found.state, found.state, f"too late to be {after}: {note}", self.now())
        return found

    def _locked(self, connection: Connection, attempt_id: str) -> Attempt:
        query = sa.select(t.attempt).where(t.attempt.c.id == attempt_id).with_for_update()
        row = connection.execute(query).mappings().one_or_none()
        if row is None:
            raise KeyError(f"no attempt {attempt_id}")
        return r.to_attempt(row)

    def _insert(self, connection: Connection, attempt: Attempt, kind: str | None, note: str) -> None:
        """Put a new attempt on record, with its first event. Its budgets are the caller's to count."""
        fields = {name: getattr(attempt, name) for name in Attempt._fields}
        values = r.attempt_values(**fields)
        connection.execute(t.attempt.insert().values(**values, day=day_of(attempt.created_at), kind=kind))
        self._record(connection, attempt.id, None, attempt.state, note, self.now())

    def _count(self, connection: Connection, attempt: Attempt) -> None:
        """Add what an attempt takes to the budgets of its batch and its day."""
        for scope, name in (("batch", attempt.batch), ("day", day_of(attempt.created_at))):
            self._add_spend(connection, scope, name, attempt.usd_counted)

    def _move(self, connection: Connection, before: Attempt, after: State, note: str, **values: Any) -> Attempt:
        check_move(before.state, after)
        moved = self._update(connection, before, state=after, **values)
        self._record(connection, before.id, before.state, after, note, self.now())
        if moved.settled and not before.settled:
            connection.execute(sa.delete(t.request).where(t.request.c.attempt_id == before.id))
        return moved

    def _update(self, connection: Connection, before: Attempt, **values: Any) -> Attempt:
        after = before._replace(updated_at=self.now(), **values)
        changed = r.attempt_values(updated_at=after.updated_at, **values)
        connection.execute(sa.update(t.attempt).where(t.attempt.c.id == before.id).values(**changed))
        difference = after.usd_counted - before.usd_counted
        if difference:
            for scope, name in (("batch", before.batch), ("day", day_of(before.created_at))):
                self._add_spend(connection, scope, name, difference)
        return after

    def _record(
        self, connection: Connection, attempt_id: str, before: State | None, after: State, note: str, at: datetime
    ) -> None:
        values = {"attempt_id": attempt_id, "at": at, "before": before and str(before), "after": str(after)}
        connection.execute(t.event.insert().values(**values, owner=str(self.owner), note=note))

    def _locked_spend(self, connection: Connection, *budgets: tuple[str, str]) -> list[Decimal]:
        """What counts against each budget, by scope and name; locked in their order by scope."""
        s = t.spend.c
        here = sa.or_(*((s.scope == scope) & (s.name == name) for scope, name in budgets))
        locked = sa.select(s.scope, s.name, s.usd_counted).where(here).order_by(s.scope, s.name).with_for_update()
        counted = {(row.scope, row.name): row.usd_counted for row in connection.execute(locked)}
        missing = [
            {"scope": scope, "name": name, "usd_counted": ZERO}
            for scope, name in budgets
            if (scope, name) not in counted
        ]
        if missing:
            upsert(connection, t.spend, missing)
            counted = {(row.scope, row.name): row.usd_counted for row in connection.execute(locked)}
        return [counted[budget] for budget in budgets]

    def _add_spend(self, connection: Connection, scope: str, name: str, usd: Decimal) -> None:
        here = (t.spend.c.scope == scope) & (t.spend.c.name == name)
        more = sa.update(t.spend).where(here).values(usd_counted=t.spend.c.usd_counted + usd)
        if connection.execute(more).rowcount == 0:
            upsert(connection, t.spend, [{"scope": scope, "name": name, "usd_counted": ZERO}])
            connection.execute(more)

    def _lease(self, provider: str, now: datetime) -> datetime:
        return now + timedelta(seconds=self._lease_s(provider))


def new_attempt_id(clip_key: str) -> str:
    """A fresh attempt's id, which is also the reference that the provider keeps.

    It ends in the clip's identity, so that a provider's log can tell which clip was bought even when the ledger is lost.
    """
    return f"{uuid4().hex[:16]}.{clip_key[:24]}"
