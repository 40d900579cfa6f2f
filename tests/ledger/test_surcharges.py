"""A charge above its quote raises the reservations that follow; caps hold for all that was not sent."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from dailies.domain.records import Attempt
from dailies.ledger import Caps, Ledger, Unclaimed
from tests.ledger.factories import (
    FREE,
    USD,
    FakeClock,
    MakeLedger,
    a_row,
    an_owner,
    assert_counters_are_sums,
    claim,
    plan,
)


def ready(ledger: Ledger, attempt: Attempt, usd: Decimal) -> Attempt:
    """Its answer, and the clip with what it cost."""
    return ledger.record_completed(ledger.mark_submitted(attempt.id, f"gen-{attempt.id}"), "https://c/1", usd)


def ask(ledger: Ledger, key: str, cap: Decimal, day: bool = False, provider: str = "aiml") -> Attempt | object:
    """T1 under a cap."""
    caps = Caps(day_usd=cap) if day else Caps(batch_usd=cap)
    return ledger.claim(key, "smiles", provider, USD, caps, "digest")


def test_a_fourfold_charge_raises_what_follows_and_the_quote_stays_what_it_was(ledger: Ledger) -> None:
    keys = plan(ledger, 4)
    ready(ledger, claim(ledger, keys[0]), 4 * USD)
    second = claim(ledger, keys[1])
    assert (second.usd_quoted, second.usd_reserved, second.usd_counted) == (USD, 4 * USD, 4 * USD)
    assert ledger.attempt(second.id) == second and ledger.counted("smiles") == 8 * USD
    assert ask(ledger, keys[2], 12 * USD - Decimal("0.01")) is Unclaimed.BATCH_BUDGET
    assert isinstance(ask(ledger, keys[2], 12 * USD), Attempt)
    ready(ledger, second, 4 * USD)
    assert_counters_are_sums(ledger)


def test_what_is_under_way_will_be_charged_more_too_and_leaves_less_for_others(ledger: Ledger) -> None:
    """Three were claimed at their quotes before the first charge came: each takes four times its quote of the cap."""
    keys = plan(ledger, 5)
    attempts = [claim(ledger, key) for key in keys[:3]]
    ready(ledger, attempts[0], 4 * USD)
    assert ask(ledger, keys[3], 16 * USD - Decimal("0.01")) is Unclaimed.BATCH_BUDGET
    assert ask(ledger, keys[3], 16 * USD - Decimal("0.01"), day=True) is Unclaimed.DAY_BUDGET
    assert isinstance(ask(ledger, keys[3], 16 * USD), Attempt)
    assert_counters_are_sums(ledger)


def test_it_holds_for_every_process_and_only_for_that_provider(make_ledger: MakeLedger) -> None:
    mine, others = make_ledger(), make_ledger(an_owner(nonce="other"))
    keys = plan(mine, 3)
    ready(mine, claim(mine, keys[0]), 4 * USD)
    assert ask(others, keys[1], 7 * USD) is Unclaimed.BATCH_BUDGET
    assert isinstance(ask(others, keys[1], 7 * USD, provider="onerouter"), Attempt)


def test_a_price_that_came_down_again_is_believed(ledger: Ledger) -> None:
    keys = plan(ledger, 3)
    ready(ledger, claim(ledger, keys[0]), 4 * USD)
    ready(ledger, claim(ledger, keys[1]), USD)
    assert claim(ledger, keys[2]).usd_reserved is None


def test_another_length_of_the_model_is_raised_by_the_same_ratio_until_it_is_quoted_anew(
    ledger: Ledger, clock: FakeClock
) -> None:
    short, long = a_row(1), a_row(2)
    long = replace(long, clip=replace(long.clip, duration_s=8))
    rows, quotes = [short, long], {short.clip.key: USD, long.clip.key: 2 * USD}
    ledger.plan("smiles", "smiles.csv", "s3://clips/smiles", rows, quotes)
    ready(ledger, claim(ledger, short.clip.key), 3 * USD)
    attempt = claim(ledger, long.clip.key, 2 * USD)
    assert attempt.usd_reserved == 6 * USD
    ledger.mark_not_charged(attempt.id, *FREE)
    clock.advance(60)
    ledger.plan("smiles", "smiles.csv", "s3://clips/smiles", rows, quotes)
    assert claim(ledger, long.clip.key, 6 * USD).usd_reserved is None


def test_a_failed_generation_that_costs_nothing_teaches_nothing(ledger: Ledger) -> None:
    keys = plan(ledger, 2)
    ledger.generation_failed(ledger.mark_submitted(claim(ledger, keys[0]).id, "gen-1"), "error")
    assert claim(ledger, keys[1]).usd_reserved is None
