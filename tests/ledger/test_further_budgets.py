"""Caps by UTC month and by the value of a team's column: held in T1, over all batches, days and workers."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import Connection

from dailies.domain.caps import Caps, ColumnCap
from dailies.domain.clips import Row
from dailies.domain.money import ZERO, sum_usd
from dailies.domain.records import Attempt
from dailies.domain.states import Failure, IllegalMove, State
from dailies.ledger import Ledger, Unclaimed
from dailies.ledger.invariants import flaws_of
from tests.ledger.factories import (
    USD,
    FakeClock,
    MakeLedger,
    a_row,
    all_attempts,
    an_owner,
    assert_counters_are_sums,
    bring_to,
    claim,
    plan,
)

CENT = Decimal("0.01")
ACME = Caps(columns=(ColumnCap("client", "acme", 2 * USD), ColumnCap("client", "zeta", USD)))


def plan_for(ledger: Ledger, clients: list[str], batch: str = "smiles") -> list[str]:
    """One row for each client, in a column of the team's own."""
    rows: list[Row] = [
        replace(a_row(number), labels={"client": client} if client else {}) for number, client in enumerate(clients, 1)
    ]
    ledger.plan(batch, f"{batch}.csv", f"s3://clips/{batch}", rows, {row.clip.key: USD for row in rows})
    return [row.clip.key for row in rows]


def test_of_several_columns_each_holds_and_claims_queue_in_one_order(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By name, so that no two claims wait for each other in a ring, whatever order their caps were given in."""
    row = replace(a_row(1), labels={"client": "acme", "brand": "zoom"})
    ledger.plan("smiles", "smiles.csv", "s3://clips/smiles", [row], {row.clip.key: USD})
    order: list[str] = []
    real = Ledger._locked_spend

    def locked(self: Ledger, connection: Connection, *scopes: tuple[str, str]) -> list[Decimal]:
        order.extend(name for scope, name in scopes if scope == "column")
        return real(self, connection, *scopes)

    monkeypatch.setattr(Ledger, "_locked_spend", locked)
    client, brand = ColumnCap("client", "acme", USD), ColumnCap("brand", "zoom", USD - CENT)
    for caps in ((client, brand), (brand, client)):
        order.clear()
        assert ask(ledger, row.clip.key, Caps(columns=caps)) is Unclaimed.COLUMN_BUDGET and order == ["brand=zoom"]
    order.clear()
    enough = replace(brand, usd=USD)
    assert isinstance(ask(ledger, row.clip.key, Caps(columns=(client, enough))), Attempt)
    assert order == ["brand=zoom", "client=acme"]


def ask(
    ledger: Ledger, key: str, caps: Caps, usd: Decimal = USD, batch: str = "smiles", provider: str = "aiml"
) -> object:
    """A claim that may be refused."""
    return ledger.claim(key, batch, provider, usd, caps, "digest")


def test_a_month_is_the_sum_of_its_days_and_the_next_one_begins_at_zero(ledger: Ledger, clock: FakeClock) -> None:
    keys = plan(ledger, 4)
    caps = Caps(month_usd=2 * USD)
    clock.now = datetime(2026, 11, 1, tzinfo=UTC)
    assert isinstance(ask(ledger, keys[0], caps), Attempt)
    clock.now = datetime(2026, 11, 30, 23, 59, 59, tzinfo=UTC)
    assert ask(ledger, keys[1], caps, USD + CENT) is Unclaimed.MONTH_BUDGET
    assert ledger.counted("smiles") == ledger.counted_in_month("2026-11") == USD, "a refused claim reserves nothing"
    assert isinstance(ask(ledger, keys[1], caps), Attempt)
    assert ask(ledger, keys[2], caps, CENT) is Unclaimed.MONTH_BUDGET
    clock.advance(1)
    assert isinstance(ask(ledger, keys[2], caps), Attempt)
    assert (ledger.counted_in_month("2026-11"), ledger.counted_in_month()) == (2 * USD, USD)
    assert flaws_of(ledger) == []
    assert_counters_are_sums(ledger)


def test_what_a_worker_without_the_cap_buys_counts_for_the_month_too(ledger: Ledger) -> None:
    first, second = plan(ledger, 2)
    claim(ledger, first)
    assert ask(ledger, second, Caps(month_usd=2 * USD - CENT)) is Unclaimed.MONTH_BUDGET


def test_a_client_has_a_cap_over_all_batches_and_others_go_on(ledger: Ledger) -> None:
    acme_1, zeta, nobody, acme_2 = plan_for(ledger, ["acme", "zeta", "", "acme"])
    frown = plan_for(ledger, ["", "", "", "", "acme"], "frowns")[-1]
    assert isinstance(ask(ledger, acme_1, ACME), Attempt)
    assert isinstance(ask(ledger, frown, ACME, batch="frowns"), Attempt)
    assert ask(ledger, acme_2, ACME, CENT) is Unclaimed.COLUMN_BUDGET
    assert ledger.attempts(acme_2) == ()
    assert isinstance(ask(ledger, zeta, ACME), Attempt) and isinstance(ask(ledger, nobody, ACME, 9 * USD), Attempt)
    assert (ledger.counted_in_column("client", "acme"), ledger.counted_in_column("client", "zeta")) == (2 * USD, USD)
    assert flaws_of(ledger) == []
    assert_counters_are_sums(ledger)


def test_what_was_never_charged_is_room_again_and_what_is_in_doubt_is_not(ledger: Ledger) -> None:
    first, second = plan_for(ledger, ["zeta", "zeta"])
    bought = claim(ledger, first)
    ledger.mark_in_doubt(bought.id, "answer lost")
    assert ask(ledger, second, ACME) is Unclaimed.COLUMN_BUDGET
    ledger.resolve_free(bought.id, "support says so")
    assert isinstance(ask(ledger, second, ACME), Attempt)


@pytest.mark.parametrize("name", ["a.b", "it's", "ä b", '"q"', "b\\n", "$x", "[0]", "client name", "%"])
def test_whatever_a_column_is_called_its_sum_is_found(ledger: Ledger, name: str) -> None:
    row = replace(a_row(), labels={name: f"{name} & co", "b": "no"})
    ledger.plan("smiles", "smiles.csv", "s3://clips/smiles", [row], {row.clip.key: USD})
    claim(ledger, row.clip.key)
    assert ledger.counted_in_column(name, f"{name} & co") == USD
    assert ledger.counted_in_column(name, "other") == ZERO


def test_the_sum_by_column_counts_each_attempt_as_budgets_do(ledger: Ledger, clock: FakeClock) -> None:
    """Each state, with and without a charge: what SQL sums is what the record's own rule says."""
    states = [State.SUBMITTED, State.COMPLETED, State.STORED, State.FAILED, State.IN_DOUBT, State.ORPHANED]
    keys = plan_for(ledger, ["acme"] * len(states) * 2)
    for number, key in enumerate(keys):
        attempt = bring_to(ledger, states[number % len(states)], key)
        if number >= len(states):
            with suppress(IllegalMove):
                ledger.record_charged(attempt.id, Decimal(number) / 10, None)
    assert ledger.counted_in_column("client", "acme") == sum_usd(a.usd_counted for a in all_attempts(ledger))


def test_charges_above_the_quote_leave_less_of_these_caps_too(ledger: Ledger) -> None:
    keys = plan_for(ledger, ["acme"] * 4)
    attempts = [claim(ledger, key) for key in keys[:2]]
    ledger.record_completed(ledger.mark_submitted(attempts[0].id, "gen-1"), "https://c/1", 4 * USD)
    enough, less = 12 * USD, 12 * USD - CENT  # 4 charged, 4 to come for what is under way, 4 for this one
    assert ask(ledger, keys[2], Caps(month_usd=less)) is Unclaimed.MONTH_BUDGET
    assert ask(ledger, keys[2], Caps(columns=(ColumnCap("client", "acme", less),))) is Unclaimed.COLUMN_BUDGET
    both = Caps(month_usd=enough, columns=(ColumnCap("client", "acme", enough),))
    assert isinstance(ask(ledger, keys[2], both), Attempt)


@pytest.mark.parametrize("scope", ["month", "column"])
def test_eight_threads_with_nothing_else_in_common_never_pass_a_further_cap(
    make_ledger: MakeLedger, clock: FakeClock, scope: str
) -> None:
    """Each has a batch, a day and a provider of its own, so that no other row of the ledger makes them queue."""
    clients = ["acme"] * 16
    batches = [f"batch {number}" for number in range(8)]
    keys, *_ = [plan_for(make_ledger(), clients, batch) for batch in batches]
    cap = 7 * USD + CENT
    caps = Caps(month_usd=cap) if scope == "month" else Caps(columns=(ColumnCap("client", "acme", cap),))
    workers = [
        make_ledger(an_owner(nonce=str(number)), clock=FakeClock(clock.now - timedelta(days=number)))
        for number in range(8)
    ]
    barrier = threading.Barrier(8)

    def buy(number: int) -> int:
        barrier.wait(30)
        mine, where = keys[number * 2 :] + keys[: number * 2], (batches[number], f"provider {number}")
        return sum(isinstance(ask(workers[number], key, caps, USD, *where), Attempt) for key in mine)

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(buy, range(8))) == 7
    assert workers[0].counted_in_month() == workers[0].counted_in_column("client", "acme") == 7 * USD
    assert_counters_are_sums(workers[0])


def test_a_failed_attempt_is_not_counted(ledger: Ledger) -> None:
    (key,) = plan_for(ledger, ["acme"])
    ledger.mark_not_charged(claim(ledger, key).id, Failure.NOT_SENT, "refused")
    assert ledger.counted_in_column("client", "acme") == ledger.counted_in_month() == ZERO
