"""What must always be so in a ledger: checked against the record itself, for people who want to be sure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy import Connection

from dailies.domain.money import ZERO
from dailies.domain.records import Attempt
from dailies.domain.states import LIVE, WITH_ID, State
from dailies.ledger import rows as r
from dailies.ledger import tables as t
from dailies.ledger.reader import Reader


@dataclass(frozen=True, slots=True)
class Flaw:
    """One thing that is not as it must be. `id` is the row's id where it is about a clip; `usd` are the dollars it is about."""

    id: str | None
    what: str
    usd: dict[str, Decimal] = field(default_factory=dict)


def flaws_of(ledger: Reader) -> list[Flaw]:
    """Read the whole ledger, and tell everything that is off. Changes nothing. Blocks."""
    with ledger.engine.connect() as connection, connection.begin():
        names = _names(connection)
        flaws: list[Flaw] = []
        sums: dict[tuple[str, str], Decimal] = defaultdict(lambda: ZERO)
        for attempts in _by_clip(connection):
            name = names.get(attempts[0].clip_key, attempts[0].clip_key[:12])
            flaws += _flaws_of_clip(name, attempts)
            for attempt in attempts:
                sums["batch", attempt.batch] += attempt.usd_counted
        for day, usd in _days(connection).items():
            sums["day", day] = usd
        return [*flaws, *_counters(connection, sums), *_histories(connection, names), *_described(connection, names)]


def _by_clip(connection: Connection) -> Iterator[list[Attempt]]:
    query = sa.select(t.attempt).order_by(t.attempt.c.clip_key, t.attempt.c.no)
    one: list[Attempt] = []
    for row in connection.execute(query, execution_options={"yield_per": r.CHUNK}).mappings():
        attempt = r.to_attempt(row)
        if one and one[0].clip_key != attempt.clip_key:
            yield one
            one = []
        one.append(attempt)
    if one:
        yield one


def _flaws_of_clip(name: str, attempts: list[Attempt]) -> Iterator[Flaw]:
    live = [a for a in attempts if a.state in LIVE]
    if len(live) > 1:
        yield Flaw(
            name, f"{len(live)} attempts are live at once", {"usd_quoted": sum((a.usd_quoted for a in live), ZERO)}
        )
    for attempt in attempts:
        if attempt.state in WITH_ID and not attempt.generation_id:
            yield Flaw(
                name, f"attempt {attempt.id[:8]} is {attempt.state} without an id", {"usd_quoted": attempt.usd_quoted}
            )
        if attempt.state is State.STORED and not (attempt.s3_uri and attempt.sha256 and attempt.size_bytes):
            yield Flaw(name, f"attempt {attempt.id[:8]} is stored without place, digest or size", _money(attempt))
        if attempt.delivered and attempt.result_url:
            yield Flaw(name, f"attempt {attempt.id[:8]} is at home and still holds its signed address", _money(attempt))
        if (attempt.usd_charged or ZERO) < 0 or attempt.usd_quoted < 0:
            yield Flaw(name, f"attempt {attempt.id[:8]} has a negative price", _money(attempt))


def _money(attempt: Attempt) -> dict[str, Decimal]:
    charged = {} if attempt.usd_charged is None else {"usd_charged": attempt.usd_charged}
    return {"usd_quoted": attempt.usd_quoted, **charged}


def _names(connection: Connection) -> dict[str, str]:
    query = sa.select(t.batch_row.c.clip_key, t.batch_row.c.row_id).order_by(t.batch_row.c.retired.desc())
    return {row.clip_key: row.row_id for row in connection.execute(query)}


def _days(connection: Connection) -> dict[str, Decimal]:
    found: dict[str, Decimal] = defaultdict(lambda: ZERO)
    query = sa.select(t.attempt).order_by(t.attempt.c.id)
    for row in connection.execute(query, execution_options={"yield_per": r.CHUNK}).mappings():
        found[row["day"]] += r.to_attempt(row).usd_counted
    return found


def _counters(connection: Connection, sums: dict[tuple[str, str], Decimal]) -> Iterator[Flaw]:
    """What budgets are held against must be the sum of the attempts."""
    kept = {(row.scope, row.name): row.usd_counted for row in connection.execute(sa.select(t.spend))}
    for scope, name in sorted(kept.keys() | sums.keys()):
        counted, summed = kept.get((scope, name), ZERO), sums.get((scope, name), ZERO)
        if counted != summed:
            yield Flaw(None, f"what counts against the budget of {scope} {name} is not the sum of its attempts",
                       {"usd_counted": counted, "usd_sum": summed})  # fmt: skip


def _histories(connection: Connection, names: dict[str, str]) -> Iterator[Flaw]:
    """The last move on record leads to the state that an attempt has."""
    last = sa.select(sa.func.max(t.event.c.id)).group_by(t.event.c.attempt_id)
    moves = sa.select(t.event.c.attempt_id, t.event.c.after).where(t.event.c.id.in_(last)).subquery()
    a = t.attempt.c
    query = (
        sa.select(a.id, a.clip_key, a.state, a.usd_quoted, moves.c.after)
        .join_from(t.attempt, moves, moves.c.attempt_id == a.id, isouter=True)
        .where(moves.c.after.is_(None) | (moves.c.after != a.state))
    )
    for row in connection.execute(query):
        told = f"its history ends with {row.after}" if row.after else "it has no history"
        yield Flaw(
            names.get(row.clip_key), f"attempt {row.id[:8]} is {row.state}, and {told}", {"usd_quoted": row.usd_quoted}
        )


def _described(connection: Connection, names: dict[str, str]) -> Iterator[Flaw]:
    """What a person asked to forget has no words any more."""
    query = (
        sa.select(t.clip.c.clip_key)
        .join_from(t.clip, t.erased, t.erased.c.clip_key == t.clip.c.clip_key)
        .where((t.clip.c.prompt != "") | (t.clip.c.image != ""))
    )
    for (key,) in connection.execute(query):
        yield Flaw(names.get(key), "it was to be forgotten, and its prompt or image is still on record: forget it once more",
                   {"usd_quoted": ZERO})  # fmt: skip
