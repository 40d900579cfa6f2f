"""Who works with a ledger at this moment."""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from dailies.domain.states import LEASED
from dailies.ledger.owner import Owner
from dailies.ledger.tables import IS_UNFINISHED, attempt


def living_owners(connection: Connection) -> frozenset[str]:
    """The owners with a live lease: who may hold a paid request, or watches a paid clip."""
    c, here = attempt.c, Owner.this_process()
    query = sa.select(c.owner, sa.func.max(c.lease_until)).where(c.state.in_([str(s) for s in LEASED]) & IS_UNFINISHED)
    leases = connection.execute(query.group_by(c.owner)).all()
    now = _now(connection)
    return frozenset(owner for owner, until in leases if not Owner.parse(owner).is_dead(until, now, here))


def _now(connection: Connection) -> datetime:
    if connection.dialect.name == "postgresql":
        theirs: datetime = connection.execute(sa.select(sa.func.clock_timestamp())).scalar_one()
        return theirs
    return datetime.now(UTC)
