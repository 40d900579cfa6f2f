"""How long generations took, as the looks at them have shown: what the poll schedule learns from."""

from __future__ import annotations

import math
from datetime import datetime
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy import Connection

from dailies.domain.money import sum_usd
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


IN_FLIGHT = (State.SUBMITTING, State.SUBMITTED, State.IN_DOUBT)


def usd_in_flight(connection: Connection, provider: str, since: datetime) -> Decimal:
    """Quoted dollars of what a provider has under way, and of what became ready after `since`.

    Each half is answered from an index of its own: what is under way by the one of what is unfinished, whoever makes it; the
    other by the kinds that the provider ever made, for the moment of completion stands behind them in the index.
    """
    a = t.attempt.c
    under_way = a.state.in_([str(state) for state in IN_FLIGHT])
    ready = (a.provider == provider) & (a.completed_at > since) & ~under_way
    of_kinds = [a.kind.is_(None), *(a.kind == kind for kind in kinds_of(connection, provider))]
    both = sa.union_all(
        sa.select(a.provider, a.usd_quoted).where(under_way & t.IS_UNFINISHED),
        *(sa.select(a.provider, a.usd_quoted).where(ready & of_kind) for of_kind in of_kinds),
    )  # in one statement: a clip that becomes ready meanwhile is counted once
    return sum_usd(usd for maker, usd in connection.execute(both) if maker == provider)


def kinds_of(connection: Connection, provider: str) -> list[str]:
    """The kinds of clips that a provider was asked for: from one to the next in the index, however many attempts there are."""
    a, found = t.attempt.c, list[str]()
    next_one = sa.select(sa.func.min(a.kind)).where(a.provider == provider, a.kind > sa.bindparam("last"))
    last: str | None = ""
    while (last := connection.execute(next_one, {"last": last}).scalar()) is not None:
        found.append(last)
    return found
