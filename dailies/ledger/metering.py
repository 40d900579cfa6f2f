"""The ledger in figures for those who watch it: every clip counted once, every dollar by what it is."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby

import sqlalchemy as sa
from sqlalchemy import Connection, RowMapping

from dailies.domain.brake import CreateResult, Phase
from dailies.domain.money import ZERO
from dailies.domain.records import Brief
from dailies.domain.standing import WAITING_FAILURES
from dailies.domain.states import State, current
from dailies.domain.verdicts import Word
from dailies.ledger import rows as r
from dailies.ledger import tables as t
from dailies.ledger.brakes import Brakes

AT_A_TIME = 5000
PLANNED = "planned"
KINDS = ("quoted", "charged", "at_risk", "kept")


@dataclass(frozen=True, slots=True)
class Metering:
    """`clips` by state and provider (empty while planned); `usd` by kind: quoted, charged, at_risk, kept."""

    clips: Counter[tuple[str, str]]
    usd: dict[str, Decimal]
    creates: dict[tuple[str, CreateResult], int]
    brakes: dict[str, Phase]
    polls: int
    delivered_bytes: int = 0
    oldest_s: float = 0.0
    """Age of the oldest attempt that is paid for, or may be, and neither home nor at an end; 0 where there is none."""
    read_s: float = 0.0

    @classmethod
    def empty(cls) -> Metering:
        """That of a ledger where nothing was bought."""
        return cls(Counter(), dict.fromkeys(KINDS, ZERO), {}, {}, 0)


def metering_of(ledger: Brakes) -> Metering:
    """Read the whole ledger once, a few thousand attempts in memory at a time. Blocks. Raises SQLAlchemyError."""
    clips: Counter[tuple[str, str]] = Counter()
    usd = dict.fromkeys(KINDS, ZERO)
    polls, size, now, began = 0, 0, ledger.now(), time.monotonic()
    oldest = now
    with ledger.engine.connect() as connection, connection.begin():
        kept = _kept(connection)
        planned = _quotes(connection)
        for clip_key, attempts in _by_clip(connection):
            last = current([r.to_brief(a) for a in attempts])
            counted = last is not None and not _is_planned(last)
            clips[(str(last.state), last.provider) if last and counted else (PLANNED, "")] += 1
            speaking = next((a for a in attempts if last and counted and a["no"] == last.no), None)
            usd["quoted"] += speaking["usd_quoted"] if speaking else planned.get(clip_key, ZERO)
            charged = sum((a["usd_charged"] for a in attempts if a["generation_id"] and a["usd_charged"]), ZERO)
            usd["charged"] += charged
            usd["kept"] += charged if clip_key in kept else ZERO
            usd["at_risk"] += sum((a["usd_quoted"] for a in attempts if _at_risk(a)), ZERO)
            polls += sum(a["polls"] for a in attempts)
            size += sum(a["size_bytes"] or 0 for a in attempts)
            oldest = min(oldest, *(a["created_at"] for a in attempts if _not_home(a)), now)
    creates, brakes, read_s = ledger.creates(), ledger.brakes(), time.monotonic() - began
    return Metering(clips, usd, creates, brakes, polls, size, (now - oldest).total_seconds(), read_s)


def _not_home(row: RowMapping) -> bool:
    return row["state"] in t.UNFINISHED and row["s3_uri"] is None and row["failure"] is None


def _by_clip(connection: Connection) -> Iterator[tuple[str, Sequence[RowMapping]]]:
    """Every clip with its attempts, oldest first."""
    a = t.attempt.c
    query = (
        sa.select(t.clip.c.clip_key.label("of"), a.no, a.state, a.failure, a.provider, a.usd_quoted, a.usd_charged,
                  a.generation_id, a.polls, a.s3_uri, a.size_bytes, a.created_at)
        .join_from(t.clip, t.attempt, a.clip_key == t.clip.c.clip_key, isouter=True)
        .order_by(t.clip.c.clip_key, a.no)
    )  # fmt: skip
    rows = connection.execute(query, execution_options={"yield_per": AT_A_TIME}).mappings()
    for key, found in groupby(rows, lambda row: str(row["of"])):
        yield key, [row for row in found if row["no"] is not None]


def _is_planned(attempt: Brief) -> bool:
    waits = attempt.state is State.FAILED and attempt.failure in WAITING_FAILURES
    return attempt.state is State.SUPERSEDED or waits


def _at_risk(row: RowMapping) -> bool:
    state = State(row["state"])
    return state is State.IN_DOUBT or (state is State.SUPERSEDED and row["generation_id"] is None)


def _quotes(connection: Connection) -> dict[str, Decimal]:
    """What the clips of rows that still stand are quoted at."""
    c = t.batch_row.c
    query = sa.select(c.clip_key, sa.func.max(c.usd_quoted)).where(c.retired.is_(False)).group_by(c.clip_key)
    return {key: usd for key, usd in connection.execute(query) if usd is not None}


def _kept(connection: Connection) -> frozenset[str]:
    judged = connection.execute(sa.select(t.verdict.c.clip_key).distinct()).scalars().all()
    return frozenset(
        key for key, verdict in r.verdicts_of(connection, [*judged]).items() if verdict.said.word is Word.KEEP
    )
