"""Charges above their quotes on record: learned with the charge, and obeyed by every claim that follows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from dailies.domain.caps import Caps
from dailies.domain.money import ZERO
from dailies.domain.records import Attempt
from dailies.domain.surcharge import Surcharge, expected_usd, model_of
from dailies.ledger import tables as t
from dailies.ledger.budgets import Budgets
from dailies.ledger.plan import upsert
from dailies.ledger.reader import day_of

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


class Surcharges(Budgets):
    """What providers charge beyond their quotes, and what is to be reserved because of it."""

    def _update(self, connection: Connection, before: Attempt, **values: Any) -> Attempt:
        after = super()._update(connection, before, **values)
        if values.get("usd_charged") and after.usd_charged != before.usd_charged:
            self._learn_charge(connection, after)
        return after

    def _learn_charge(self, connection: Connection, attempt: Attempt) -> None:
        kind = connection.execute(sa.select(t.attempt.c.kind).where(t.attempt.c.id == attempt.id)).scalar()
        charged = attempt.usd_charged
        if kind is None or charged is None:
            return
        here = (t.surcharge.c.provider == attempt.provider) & (t.surcharge.c.kind == kind)
        seen = {"usd_quoted": attempt.usd_quoted, "usd_charged": charged, "learned_at": self.now()}
        known = connection.execute(sa.update(t.surcharge).where(here).values(**seen)).rowcount
        if not known and charged > attempt.usd_quoted:
            upsert(connection, t.surcharge, [{"provider": attempt.provider, "kind": kind, **seen}])

    def _surcharges(self, connection: Connection, provider: str, kind: str | None) -> list[Surcharge]:
        """What is known of this provider's charges for the model of a kind."""
        if kind is None:
            return []
        c = t.surcharge.c
        rows = connection.execute(
            sa.select(c.kind, c.usd_quoted, c.usd_charged, c.learned_at).where(c.provider == provider)
        )
        found = [Surcharge(*row) for row in rows]
        return [surcharge for surcharge in found if surcharge.model == model_of(kind)]

    def _expected(
        self, connection: Connection, batch: str, kind: str | None, usd_quoted: Decimal, known: Sequence[Surcharge]
    ) -> Decimal:
        """What a claim has to reserve."""
        if kind is None or not known:
            return usd_quoted
        planned = connection.execute(sa.select(t.batch.c.planned_at).where(t.batch.c.name == batch)).scalar()
        return expected_usd(kind, usd_quoted, known, planned or LONG_AGO)

    def _left_of(
        self, connection: Connection, caps: Caps, provider: str, batch: str, now: datetime, known: Sequence[Surcharge]
    ) -> Caps:
        """The caps without what clips that are under way will be charged beyond what was reserved for them."""
        if not known:
            return caps
        a, day = t.attempt.c, day_of(now)
        its_row = (t.batch_row.c.batch == a.batch) & (t.batch_row.c.clip_key == a.clip_key)
        query = (
            sa.select(a.kind, a.usd_quoted, a.usd_reserved, a.batch, a.day, t.batch_row.c.labels)
            .join_from(t.attempt, t.batch_row, its_row, isouter=True)
            .where(t.IS_UNFINISHED & (a.provider == provider) & a.usd_charged.is_(None) & a.kind.is_not(None))
        )
        for row in connection.execute(query):
            reserved = row.usd_reserved or row.usd_quoted
            beyond = max(expected_usd(row.kind, row.usd_quoted, known, LONG_AGO) - reserved, ZERO)
            caps = replace(
                caps,
                batch_usd=_less(caps.batch_usd, beyond) if row.batch == batch else caps.batch_usd,
                day_usd=_less(caps.day_usd, beyond) if row.day == day else caps.day_usd,
                month_usd=_less(caps.month_usd, beyond) if row.day[:7] == day[:7] else caps.month_usd,
                columns=tuple(
                    replace(cap, usd=cap.usd - beyond) if cap.holds_for(row.labels or {}) else cap
                    for cap in caps.columns
                ),
            )
        return caps


def _less(cap: Decimal | None, usd: Decimal) -> Decimal | None:
    return None if cap is None else cap - usd
