"""The brake on doubt on record: asked in T1, told in T2, so that it holds over all processes that share the ledger."""

from __future__ import annotations

from dataclasses import asdict, fields, replace
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from dailies.domain.brake import Brake, CreateResult, GivenUp, Go, Hold, Phase, after, may_send
from dailies.domain.records import Attempt
from dailies.domain.states import Failure, State
from dailies.ledger import tables as t
from dailies.ledger.owner import Owner
from dailies.ledger.plan import upsert
from dailies.ledger.surcharges import Surcharges


def result_of(failure: Failure) -> CreateResult:
    """What a create that certainly cost nothing counts as."""
    match failure:
        case Failure.NOT_SENT:
            return CreateResult.NOT_SENT
        case Failure.BUSY:
            return CreateResult.BUSY
        case Failure.STOPPED:
            return CreateResult.STOPPED
        case _:
            return CreateResult.REFUSED


class Brakes(Surcharges):
    """The brake of each provider, and the counts of its creates. The `_` methods are parts of T1 and T2.

    In every transaction the brake's row is locked before those of the budgets, or two of them would wait for each other.
    """

    def brakes(self) -> dict[str, Phase]:
        """How the brake of each provider stands that was ever bought from."""
        with self._read() as connection:
            rows = connection.execute(sa.select(t.brake)).mappings().all()
        return {row["provider"]: _to_brake(row).phase for row in rows}

    def creates(self) -> dict[tuple[str, CreateResult], int]:
        """How many create requests were sent, by provider and outcome."""
        with self._read() as connection:
            rows = connection.execute(sa.select(t.creates)).mappings().all()
        return {(row["provider"], CreateResult(row["outcome"])): row["count"] for row in rows}

    def count_create(self, provider: str, result: CreateResult) -> None:
        """Count one create request whose attempt goes on: it is sent once more, and its end is counted by T2."""
        with self._write() as connection:
            self._count_request(connection, provider, result)

    def _may_send(self, connection: Connection, provider: str, at_once: int | None) -> Go | Hold | GivenUp:
        """Ask the brake, and lock it until the claim is made."""
        now, brake = self.now(), self._locked_brake(connection, provider)
        unanswered = self._unanswered(connection, provider) if at_once is not None or brake.probe else frozenset()
        answer = may_send(
            brake, now, began_at=self.began_at, unanswered=len(unanswered), at_once=at_once, probe_lives=brake.probe in unanswered
        )  # fmt: skip
        if isinstance(answer, Hold) and answer.phase is Phase.OPEN:
            return replace(answer, accepted=self._accepted(connection, provider))
        return answer

    def _accepted(self, connection: Connection, provider: str) -> int:
        here = (t.creates.c.provider == provider) & (t.creates.c.outcome == str(CreateResult.ACCEPTED))
        return connection.execute(sa.select(t.creates.c.count).where(here)).scalar() or 0

    def _claimed(self, connection: Connection, provider: str, granted: Go, attempt_id: str) -> None:
        """Put on record that this claim is the probe, where it is one."""
        if granted.probe:
            values = {**asdict(granted.brake), "probe": attempt_id}
            self._write_brake(connection, provider, Brake(**values))

    def _answered(self, connection: Connection, attempt: Attempt, result: CreateResult, wait_s: float = 0.0) -> None:
        """Tell the brake what became of a create, and count it. To be called before the attempt moves."""
        before = self._locked_brake(connection, attempt.provider)
        now_on = after(before, attempt.id, result, self.now(), wait_s)
        if now_on != before:
            self._write_brake(connection, attempt.provider, now_on)
        self._count_request(connection, attempt.provider, result)

    def _count_request(self, connection: Connection, provider: str, result: CreateResult) -> None:
        here = (t.creates.c.provider == provider) & (t.creates.c.outcome == str(result))
        more = sa.update(t.creates).where(here).values(count=t.creates.c.count + 1)
        if connection.execute(more).rowcount == 0:
            upsert(connection, t.creates, [{"provider": provider, "outcome": str(result), "count": 0}])
            connection.execute(more)

    def _locked_brake(self, connection: Connection, provider: str) -> Brake:
        locked = sa.select(t.brake).where(t.brake.c.provider == provider).with_for_update()
        row = connection.execute(locked).mappings().one_or_none()
        if row is None:
            upsert(connection, t.brake, [{"provider": provider, **asdict(Brake())}])
            row = connection.execute(locked).mappings().one()
        return _to_brake(row)

    def _write_brake(self, connection: Connection, provider: str, brake: Brake) -> None:
        connection.execute(sa.update(t.brake).where(t.brake.c.provider == provider).values(**asdict(brake)))

    def _unanswered(self, connection: Connection, provider: str) -> frozenset[str]:
        """The creates of a provider that are under way: a vanished owner waits for no answer any more."""
        a = t.attempt.c
        query = sa.select(a.id, a.owner, a.lease_until).where(
            (a.state == str(State.SUBMITTING)) & t.IS_UNFINISHED & (a.provider == provider)
        )
        now = self.now()
        return frozenset(row.id for row in connection.execute(query) if self._lives(row.owner, row.lease_until, now))

    def _lives(self, owner: str, lease_until: datetime, now: datetime) -> bool:
        return not Owner.parse(owner).is_dead(lease_until, now, self.owner)


def _to_brake(row: sa.RowMapping) -> Brake:
    return Brake(**{field.name: row[field.name] for field in fields(Brake)})
