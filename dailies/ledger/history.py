"""How long generations took, as the looks at them have shown: what the poll schedule learns from."""

from __future__ import annotations

import math
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from dailies.domain.schedule import Bracket
from dailies.domain.states import State
from dailies.ledger import tables as t

MOST = 300
"""Of the latest: enough for a distribution, few enough to follow a provider that becomes faster or slower."""


def kind_of(model: str, resolution: str | None, duration_s: int | None) -> str:
    """What clips have in common that take about as long; with the provider it is the key of the history."""
    return f"{model} {resolution or '-'} {duration_s or '-'}"


def brackets(connection: Connection, provider: str, kind: str) -> list[Bracket]:
    """When the latest generations of a kind became ready, and how long those that were accepted since have not.

    Attempts that changed hands are left out: nobody looked at them while their owner was dead.
    """
    ended = connection.execute(ended_query(provider, kind)).all()
    if not ended:
        return []
    oldest = min(row.submitted_at for row in ended)
    under_way = connection.execute(under_way_query(provider, kind, oldest)).all()
    times: list[tuple[datetime, datetime | None, datetime | None]] = [row._tuple() for row in ended]  # noqa: SLF001 - SQLAlchemy's own typed form of a row
    times += [(submitted_at, generating_at, None) for submitted_at, generating_at in under_way]
    return [_bracket(*row) for row in times]


def ended_query(provider: str, kind: str) -> sa.Select[tuple[datetime, datetime, datetime]]:
    """The latest that were found ready by a look, from the index alone and no more of it than needed."""
    a = t.attempt.c
    polled = (a.epoch == 1) & (a.polls > 0) & a.submitted_at.is_not(None)
    return (
        sa.select(a.submitted_at, a.generating_at, a.completed_at)
        .where((a.provider == provider) & (a.kind == kind) & a.completed_at.is_not(None) & polled)
        .order_by(a.completed_at.desc())
        .limit(MOST)
    )


def under_way_query(provider: str, kind: str, since: datetime) -> sa.Select[tuple[datetime, datetime]]:
    """Those accepted since and not ready yet: without them, only the fast ones of a batch would have been seen."""
    a = t.attempt.c
    waiting = (a.state == str(State.SUBMITTED)) & t.IS_UNFINISHED & a.generating_at.is_not(None) & (a.epoch == 1)
    return (
        sa.select(a.submitted_at, a.generating_at)
        .where(waiting & (a.provider == provider) & (a.kind == kind) & (a.submitted_at >= since))
        .limit(MOST)
    )


def _bracket(submitted_at: datetime, generating_at: datetime | None, completed_at: datetime | None) -> Bracket:
    after_s = (generating_at - submitted_at).total_seconds() if generating_at else 0.0
    return Bracket(after_s, (completed_at - submitted_at).total_seconds() if completed_at else math.inf)
