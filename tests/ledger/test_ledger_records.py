"""What every database must keep: constraints that refuse by themselves, exact money, aware times. Runs on both."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from dailies.domain.money import ZERO
from dailies.domain.records import Brief
from dailies.domain.states import LIVE, State
from dailies.ledger import Ledger
from dailies.ledger import tables as t
from dailies.report.credits import credits_of
from tests.ledger.factories import (
    NOON,
    USD,
    FakeClock,
    MakeLedger,
    assert_counters_are_sums,
    bring_to,
    claim,
    claimed,
    plan,
    raw_attempt,
    store,
)

NANO = Decimal("0.000000001")


# The constraints refuse by themselves


def insert(ledger: Ledger, values: dict[str, Any]) -> None:
    with ledger.engine.connect() as connection, connection.begin():
        connection.execute(t.attempt.insert().values(**values))


@pytest.mark.parametrize("state", sorted(LIVE))
def test_the_database_refuses_a_second_live_attempt(ledger: Ledger, state: State) -> None:
    live = bring_to(ledger, state)
    with pytest.raises(IntegrityError):
        insert(ledger, raw_attempt(live, state=State.SUBMITTING))


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"state": State.SUBMITTED}, id="submitted without an id"),
        pytest.param({"state": State.ORPHANED}, id="orphaned without an id"),
        pytest.param(
            {"state": State.STORED, "generation_id": "g", "s3_uri": "s3://b/k", "size_bytes": 1}, id="no digest"
        ),
        pytest.param({"state": State.STORED, "generation_id": "g", "s3_uri": "s3://b/k", "sha256": "00"}, id="no size"),
        pytest.param({"state": State.STORED, "generation_id": "g", "sha256": "00", "size_bytes": 1}, id="no key"),
        pytest.param({"state": "paused"}, id="unknown state"),
        pytest.param({"no": 1}, id="number taken"),
        pytest.param({"clip_key": "unknown"}, id="unknown clip"),
        pytest.param({"batch": "unknown"}, id="unknown batch"),
        pytest.param({"usd_quoted": None}, id="no quote"),
    ],
)
def test_the_database_refuses_a_row_that_lies(ledger: Ledger, changes: dict[str, Any]) -> None:
    failed = bring_to(ledger, State.FAILED)
    insert(ledger, raw_attempt(failed, id="e" * 32, no=9))  # the same row without the lie is welcome
    with pytest.raises(IntegrityError):
        insert(ledger, raw_attempt(failed, **changes))


def test_a_time_without_a_zone_never_reaches_the_database(ledger: Ledger) -> None:
    failed = bring_to(ledger, State.FAILED)
    with pytest.raises(SQLAlchemyError):
        insert(ledger, raw_attempt(failed, created_at=datetime(2026, 1, 1)))  # noqa: DTZ001, RUF100


# Reading back


@pytest.mark.parametrize("usd", [ZERO, NANO, Decimal("1.26"), Decimal("0.1"), Decimal("999999999.999999999")])
def test_money_comes_back_exact_to_the_billionth(make_ledger: MakeLedger, usd: Decimal) -> None:
    ledger = make_ledger()
    keys = plan(ledger, 3, usd=usd)
    for key in keys:
        claim(ledger, key, usd)
    ledger = make_ledger()
    assert [row.usd_quoted for row in ledger.rows("smiles")] == [usd] * 3
    assert [row.attempts[0].usd_quoted for row in ledger.rows("smiles")] == [usd] * 3
    assert ledger.counted("smiles") == ledger.counted() == 3 * usd


def test_times_come_back_aware_in_utc_to_the_microsecond(make_ledger: MakeLedger) -> None:
    moment = datetime(2026, 11, 21, 23, 30, 0, 123_456, tzinfo=timezone(timedelta(hours=-5)))
    attempt = claimed(make_ledger(clock=lambda: moment))
    found = make_ledger().attempt(attempt.id)
    assert found is not None
    assert found.created_at == moment
    assert found.created_at.tzinfo is UTC or found.created_at.utcoffset() == timedelta(0)
    assert make_ledger().counted(day="2026-11-22") == USD


def test_an_attempt_is_found_by_a_prefix_that_only_it_has(ledger: Ledger) -> None:
    first, second = (claim(ledger, key) for key in plan(ledger, 2))
    length = next(n for n in range(1, 33) if first.id[:n] != second.id[:n])
    assert ledger.attempt(first.id[:length]) == first
    assert ledger.attempt("") is None
    assert ledger.attempt("%") is None
    assert ledger.attempt("nobody") is None


def test_counts_and_unfinished_tell_where_a_batch_stands(ledger: Ledger) -> None:
    states = [*State, State.SUBMITTED]
    attempts = [bring_to(ledger, state, key) for state, key in zip(states, plan(ledger, len(states)), strict=True)]
    assert ledger.counts("smiles") == {state: states.count(state) for state in State}
    assert ledger.counts("another batch") == {}
    assert {a.id for a in ledger.unfinished()} == {a.id for a in attempts if a.state in t.UNFINISHED}
    assert ledger.attempts_of([a.clip_key for a in attempts]) == {a.clip_key: (a,) for a in attempts}
    assert [ledger.attempts(a.clip_key) for a in attempts] == [(a,) for a in attempts]


def test_what_is_in_flight_is_what_may_not_be_posted_yet(ledger: Ledger) -> None:
    """Under way, or ready for less than two minutes; of whatever kind, and of an earlier version's that has none."""
    states = [*State] * 3
    attempts = [bring_to(ledger, state, key) for state, key in zip(states, plan(ledger, len(states)), strict=True)]
    a, third = t.attempt.c, len(State)
    with ledger.engine.begin() as connection:
        for number, attempt in enumerate(attempts):
            values: dict[str, Any] = {"kind": ("one", None, "another")[number // third]}
            if number % 2 and attempt.completed_at:
                values["completed_at"] = attempt.completed_at - timedelta(minutes=3)
            connection.execute(t.attempt.update().where(a.id == attempt.id).values(values))
    now, mine = ledger.now(), [ledger.attempts(attempt.clip_key)[0] for attempt in attempts]
    under_way = {State.SUBMITTING, State.SUBMITTED, State.IN_DOUBT}
    lately = [one for one in mine if one.completed_at and one.completed_at > now - timedelta(minutes=2)]
    counted = {one.id for one in mine if one.state in under_way} | {one.id for one in lately}
    assert lately and len(counted) < len(mine)
    assert ledger.usd_in_flight("aiml") == USD * len(counted)
    assert ledger.usd_in_flight("another") == ZERO


def test_a_brief_says_of_an_attempt_what_decides_about_its_clip(ledger: Ledger) -> None:
    attempts = [bring_to(ledger, state, key) for state, key in zip(State, plan(ledger, len(State)), strict=True)]
    expected = {a.clip_key: (Brief(a.no, a.provider, a.state, a.failure, a.delivered),) for a in attempts}
    assert dict(ledger.briefs_of([*expected, "unknown"])) == expected
    assert {key: tuple(a.brief for a in some) for key, some in ledger.attempts_of([*expected]).items()} == expected
    lying = {a.clip_key: (a.id, a.s3_uri, a.size_bytes, a.state) for a in attempts}
    found = ledger.lying([*expected]).items()
    assert {key: (one.id, one.s3_uri, one.size_bytes, one.state) for key, (one,) in found} == lying


def test_the_latest_batch_comes_first(ledger: Ledger, clock: FakeClock) -> None:
    for name in ("first", "second", "third"):
        plan(ledger, batch=name)
        clock.advance(1)
    plan(ledger, batch="first")
    assert ledger.batches() == ["first", "third", "second"]
    assert ledger.batch_destination("nobody's") is None


def test_why_a_clip_is_late_is_kept_until_it_is_home(ledger: Ledger) -> None:
    ready = bring_to(ledger, State.COMPLETED)
    ledger.note_error(ready.id, "bucket away")
    (late,) = ledger.unfinished()
    assert (late.state, late.error) == (State.COMPLETED, "bucket away")
    assert store(ledger, ready).error is None


def test_a_cost_learned_later_is_taken_over(ledger: Ledger) -> None:
    stored = bring_to(ledger, State.STORED)
    assert ledger.record_charged(stored.id, Decimal("1.3"), 2_600_000).credits_used == 2_600_000
    assert ledger.counted("smiles") == Decimal("1.3")


def test_the_digest_and_size_of_the_object_are_kept(ledger: Ledger) -> None:
    stored = bring_to(ledger, State.STORED)
    assert stored.sha256 == hashlib.sha256(stored.id.encode()).hexdigest()
    assert (stored.size_bytes, stored.stored_at) == (1_234_567, NOON)


def test_nothing_but_the_budget_tables_counts_money(ledger: Ledger) -> None:
    for state, key in zip(State, plan(ledger, len(State)), strict=True):
        bring_to(ledger, state, key)
    assert_counters_are_sums(ledger)
    with ledger.engine.connect() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(t.spend)).scalar() == 2


def test_what_is_read_for_figures_alone_comes_to_the_same(ledger: Ledger) -> None:
    """Who works on an attempt, and how it was asked for, is left out; what it comes to is not."""
    for state, key in zip(State, plan(ledger, len(State)), strict=True):
        bring_to(ledger, state, key)
    for batch in ledger.batches():
        whole, thin = credits_of(batch, ledger.each_row(batch)), credits_of(batch, ledger.each_row_for_figures(batch))
        assert [*thin.lines] == [*whole.lines] and [*thin.topics] == [*whole.topics]
        assert (thin.totals, thin.by_day) == (whole.totals, whole.by_day) and thin.totals.rows
