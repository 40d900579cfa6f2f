"""Budgets held in T1: a claim reserves its quote against each of them, or is refused and reserves nothing.

What a batch and a UTC day have spent are counters, moved with the attempts. A month is the sum of its days, and what counts
for a value of a team's column is summed over the attempts of its rows; so that worker versions that know neither still count
for both, the row of `spend` with such a name is only what claims queue at, and stays 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy import Connection

from dailies.domain.caps import Caps
from dailies.ledger import tables as t
from dailies.ledger.reader import column_counted, day_of, month_counted
from dailies.ledger.transitions import Transitions
from dailies.ledger.types import Unclaimed

MONTH, COLUMN = "month", "column"


class Budgets(Transitions):
    """How a claim takes its place in every budget that holds for it."""

    def _reserve(
        self, connection: Connection, batch: str, clip_key: str, now: datetime, usd: Decimal, caps: Caps
    ) -> Unclaimed | None:
        scopes = (
            ("batch", batch, caps.batch_usd, Unclaimed.BATCH_BUDGET),
            ("day", day_of(now), caps.day_usd, Unclaimed.DAY_BUDGET),
        )
        counted = self._locked_spend(connection, *((scope, name) for scope, name, _, _ in scopes))
        for before, (_, _, cap, refusal) in zip(counted, scopes, strict=True):
            if cap is not None and before + usd > cap:
                return refusal
        refused = self._refused_by_sums(connection, batch, clip_key, now, usd, caps)
        if refused:
            return refused
        for scope, name, _, _ in scopes:
            self._add_spend(connection, scope, name, usd)
        return None

    def _refused_by_sums(
        self, connection: Connection, batch: str, clip_key: str, now: datetime, usd: Decimal, caps: Caps
    ) -> Unclaimed | None:
        month = day_of(now)[:7]
        if caps.month_usd is not None:
            self._locked_spend(connection, (MONTH, month))
            if month_counted(connection, month) + usd > caps.month_usd:
                return Unclaimed.MONTH_BUDGET
        if not caps.columns:
            return None
        labels = _labels(connection, batch, clip_key)
        for cap in sorted(
            caps.for_row(labels), key=lambda cap: cap.name
        ):  # one order, so that no two claims wait in a ring
            self._locked_spend(connection, (COLUMN, cap.name))
            if column_counted(connection, cap.column, cap.value) + usd > cap.usd:
                return Unclaimed.COLUMN_BUDGET
        return None


def _labels(connection: Connection, batch: str, clip_key: str) -> Mapping[str, str]:
    row = t.batch_row.c
    query = sa.select(row.labels).where((row.batch == batch) & (row.clip_key == clip_key))
    return connection.execute(query).scalar() or {}
