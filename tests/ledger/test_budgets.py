"""Budgets: a hard cap is never passed, whoever claims, and the counters are always the sum over the attempts."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dailies.domain.brake import GivenUp, Hold
from dailies.domain.money import ZERO
from dailies.domain.records import Attempt
from dailies.domain.states import Failure, IllegalMove, State
from dailies.ledger import Caps, Ledger, Unclaimed
from dailies.ledger import tables as t
from tests.ledger.factories import (
    USD,
    FakeClock,
    MakeLedger,
    all_attempts,
    an_owner,
    assert_counters_are_sums,
    bring_to,
    claim,
    claim_all,
    in_processes,
    plan,
    store,
)

CENT = Decimal("0.01")


def ask(ledger: Ledger, key: str, caps: Caps, usd: Decimal = USD) -> Attempt | Unclaimed | Hold | GivenUp:
    """A claim that may be refused."""
    return ledger.claim(key, "smiles", "aiml", usd, caps, "digest")


@pytest.mark.parametrize(
    ("cap", "refusal"),
    [(Caps(batch_usd=2 * USD), Unclaimed.BATCH_BUDGET), (Caps(day_usd=2 * USD), Unclaimed.DAY_BUDGET)],
)
def test_a_budget_can_be_used_up_to_the_last_cent_and_no_further(ledger: Ledger, cap: Caps, refusal: Unclaimed) -> None:
    keys = plan(ledger, 3)
    granted = [ask(ledger, key, cap) for key in keys]
    assert isinstance(granted[0], Attempt)
    assert isinstance(granted[1], Attempt)
    assert granted[2] is refusal
    assert ledger.attempts(keys[2]) == ()
    assert ledger.counted("smiles") == ledger.counted() == 2 * USD


def test_a_refused_claim_reserves_nothing_in_the_other_budget(ledger: Ledger) -> None:
    (key,) = plan(ledger)
    assert ask(ledger, key, Caps(batch_usd=2 * USD, day_usd=CENT)) is Unclaimed.DAY_BUDGET
    assert ledger.counted("smiles") == ledger.counted() == ZERO
    assert isinstance(ask(ledger, key, Caps(batch_usd=USD)), Attempt)


def test_a_free_clip_fits_into_an_empty_budget(ledger: Ledger) -> None:
    (key,) = plan(ledger)
    assert isinstance(ask(ledger, key, Caps(ZERO, ZERO), ZERO), Attempt)


def test_the_daily_budget_is_that_of_the_utc_day_of_the_claim(ledger: Ledger, clock: FakeClock) -> None:
    first, second = plan(ledger, 2)
    caps = Caps(day_usd=USD)
    yesterday = claim(ledger, first, caps=caps)
    assert ask(ledger, second, caps) is Unclaimed.DAY_BUDGET
    clock.advance(timedelta(days=1).total_seconds())
    assert isinstance(ask(ledger, second, caps), Attempt)
    ledger.mark_not_charged(yesterday.id, Failure.NOT_SENT, "refused")
    assert ledger.counted(day="2026-11-21") == ZERO
    assert ledger.counted(day="2026-11-22") == ledger.counted() == USD


def test_the_daily_budget_is_one_for_all_batches_and_the_batch_budget_is_its_own(ledger: Ledger) -> None:
    first, second, third = plan(ledger, 3)
    plan(ledger, 3, "frowns")
    claim(ledger, first, batch="frowns")
    assert ask(ledger, second, Caps(day_usd=USD)) is Unclaimed.DAY_BUDGET
    assert isinstance(ask(ledger, third, Caps(batch_usd=USD)), Attempt)


def test_money_in_doubt_keeps_its_place_in_the_budget(ledger: Ledger) -> None:
    first, second = plan(ledger, 2)
    ledger.mark_in_doubt(claim(ledger, first).id, "answer lost")
    assert ask(ledger, second, Caps(batch_usd=USD)) is Unclaimed.BATCH_BUDGET


def test_what_was_never_charged_is_room_again(ledger: Ledger) -> None:
    first, second = plan(ledger, 2)
    ledger.mark_not_charged(claim(ledger, first).id, Failure.NOT_SENT, "refused")
    assert isinstance(ask(ledger, second, Caps(batch_usd=USD)), Attempt)


def test_a_charge_above_the_quote_takes_room_from_what_follows(ledger: Ledger) -> None:
    first, second = plan(ledger, 2)
    ledger.record_completed(ledger.mark_submitted(claim(ledger, first).id, "gen-1"), "https://c/1", 2 * USD)
    assert ask(ledger, second, Caps(batch_usd=4 * USD - CENT)) is Unclaimed.BATCH_BUDGET
    assert isinstance(ask(ledger, second, Caps(batch_usd=4 * USD)), Attempt)


# Never passed


@pytest.mark.parametrize("room", [10, 40])
@pytest.mark.parametrize("scope", ["batch", "day"])
def test_eight_threads_never_pass_a_cap(make_ledger: MakeLedger, room: int, scope: str) -> None:
    keys = plan(make_ledger(), 24)
    cap = room * USD + CENT
    caps = Caps(batch_usd=cap) if scope == "batch" else Caps(day_usd=cap)
    workers = [make_ledger(an_owner(nonce=str(number))) for number in range(8)]
    barrier = threading.Barrier(8)

    def buy(number: int) -> int:
        barrier.wait(30)
        mine = keys[number * 3 :] + keys[: number * 3]
        return sum(isinstance(ask(workers[number], key, caps), Attempt) for key in mine)

    with ThreadPoolExecutor(8) as pool:
        granted = sum(pool.map(buy, range(8)))
    assert granted == min(room, 24)
    assert workers[0].counted("smiles") == granted * USD <= cap
    assert_counters_are_sums(workers[0])


@pytest.mark.timeout(300)
@pytest.mark.parametrize("room", [400, 133])
def test_eight_processes_claim_400_rows_once_each_and_never_beyond_the_cap(
    ledger_url: str, make_ledger: MakeLedger, room: int
) -> None:
    ledger = make_ledger(real_time=True)
    keys = plan(ledger, 400)
    caps = Caps(batch_usd=room * USD, day_usd=None)
    shares = [(keys + keys)[number * 50 : number * 50 + 60] for number in range(8)]  # neighbours want the same rows
    granted = [key for some in in_processes([(ledger_url, share, caps) for share in shares], claim_all) for key in some]
    assert len(granted) == len(set(granted)) == len(all_attempts(ledger)) == room
    assert ledger.counted("smiles") == room * USD
    assert_counters_are_sums(ledger)


# Always the sum


Move = Callable[[Ledger, Attempt, Decimal], object]
MOVES: dict[str, Move] = {
    "answer": lambda ledger, a, usd: ledger.mark_submitted(a.id, f"gen-{a.id}"),
    "free": lambda ledger, a, usd: ledger.mark_not_charged(a.id, Failure.NOT_SENT, "refused"),
    "doubt": lambda ledger, a, usd: ledger.mark_in_doubt(a.id, "lost"),
    "ready": lambda ledger, a, usd: ledger.record_completed(a, "https://c/1", usd),
    "ready, no price": lambda ledger, a, usd: ledger.record_completed(a, "https://c/1"),
    "generation failed": lambda ledger, a, usd: ledger.generation_failed(a, "error", usd),
    "generation failed, no price": lambda ledger, a, usd: ledger.generation_failed(a, "error", None),
    "stored": lambda ledger, a, usd: store(ledger, a),
    "lost": lambda ledger, a, usd: ledger.result_lost(a, "HTTP 403"),
    "charged": lambda ledger, a, usd: ledger.record_charged(a.id, usd, 1),
    "settled free": lambda ledger, a, usd: ledger.resolve_free(a.id, "support"),
    "buy again": lambda ledger, a, usd: ledger.resubmit(a.id, "again"),
    "claim again": lambda ledger, a, usd: ledger.claim(a.clip_key, "smiles", "aiml", usd, Caps(), "digest"),
}
dollars = st.decimals(0, 1000, places=9)
steps = st.lists(
    st.tuples(st.integers(0, 2), st.sampled_from(sorted(MOVES)), dollars, st.integers(0, 40_000)), max_size=25
)


@pytest.fixture
def reusable(make_ledger: MakeLedger, clock: FakeClock) -> tuple[Ledger, FakeClock]:
    """One ledger for many examples."""
    return make_ledger(), clock


def forget_everything(ledger: Ledger) -> None:
    """Empty all tables but the schema's version."""
    with ledger.engine.connect().execution_options(dailies_writes=True) as connection, connection.begin():
        for table in reversed(t.metadata.sorted_tables):
            if table is not t.meta:
                connection.execute(sa.delete(table))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=steps, quote=dollars)
def test_counters_equal_the_sum_over_attempts_whatever_happens(
    reusable: tuple[Ledger, FakeClock], steps: list[tuple[int, str, Decimal, int]], quote: Decimal
) -> None:
    ledger, clock = reusable
    forget_everything(ledger)
    keys = plan(ledger, 3)
    for key in keys:
        claim(ledger, key, quote)
    for number, move, usd, seconds in steps:
        clock.advance(seconds)
        attempt = ledger.attempts(keys[number])[-1]
        with suppress(IllegalMove):
            MOVES[move](ledger, attempt, usd)
        assert_counters_are_sums(ledger)


def test_a_move_that_fails_half_way_leaves_the_counters_alone(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    attempt = bring_to(ledger, State.SUBMITTING)
    before = ledger.counted("smiles")

    def broken(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(ledger, "_record", broken)
    with pytest.raises(OSError, match="disk full"):
        ledger.mark_not_charged(attempt.id, Failure.NOT_SENT, "refused")
    monkeypatch.undo()
    assert ledger.counted("smiles") == before
    assert ledger.attempt(attempt.id) == attempt
    assert_counters_are_sums(ledger)
