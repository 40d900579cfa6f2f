"""How far a batch takes its budgets: what counts, what is still to be bought, and the refusal before the first cent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from dailies.domain.caps import Caps, ColumnCap
from dailies.domain.money import ZERO
from dailies.domain.states import State
from dailies.errors import BadInput
from dailies.planning.batch import Batch
from dailies.settings import Settings
from dailies.steps.budgets import (
    Budget,
    budgets_of,
    budgets_on_record,
    caps_over_all,
    check_budgets,
    with_needs,
)
from tests.ledger.factories import USD, FakeClock, a_row, claim
from tests.unit.steps_bench import Bench, bench_on

SPRING, AUTUMN = ColumnCap("campaign", "spring", Decimal(40)), ColumnCap("campaign", "autumn", Decimal(50))
ALL = Caps(Decimal(10), Decimal(20), Decimal(30), (SPRING, AUTUMN))
DAY_S = 86_400


@pytest.fixture
def bench(sqlite_url: str, tmp_path: Path, clock: FakeClock) -> Iterator[Bench]:
    yield from bench_on(sqlite_url, tmp_path, clock)


def spent(bench: Bench) -> Batch:
    """A batch of five rows with every cap: its first clip bought two days ago, its second today, its third today by another."""
    batch = bench.batch(5, caps=ALL)
    bench.attempt(State.STORED, batch, 0)
    bench.clock.advance(2 * DAY_S)
    bench.attempt(State.SUBMITTED, batch, 1)
    bench.ledger.plan("frowns", "frowns.csv", "s3://clips/frowns", [batch.plan.rows[2]], batch.plan.quotes)
    claim(bench.ledger, batch.plan.rows[2].clip.key, Decimal(1), "frowns")
    return batch


def test_each_cap_has_what_counts_against_it_and_what_is_needed(bench: Bench) -> None:
    """In the order batch, day, month, columns. A column's where no row has its value is no cap of the batch."""
    batch = spent(bench)
    counted = {
        "batch": (Decimal(10), 2 * USD), "day": (Decimal(20), USD + 1), "month": (Decimal(30), 2 * USD + 1),
        "campaign=spring": (Decimal(40), 2 * USD + 1), "campaign=autumn": (Decimal(50), ZERO),
    }  # fmt: skip
    found = budgets_on_record(bench.ledger, batch.caps, batch.name)
    assert {one.name: (one.cap_usd, one.counted_usd) for one in found} == counted and list(counted) == [
        one.name for one in found
    ]
    assert [one.title for one in found] == [
        "batch budget", "daily budget", "monthly budget", "budget of campaign=spring", "budget of campaign=autumn",
    ]  # fmt: skip
    assert {one.needed_usd for one in found} == {ZERO}
    assert [one.name for one in budgets_on_record(bench.ledger, batch.caps)] == list(counted)[1:], "without a batch"
    assert budgets_on_record(bench.ledger, Caps(), "smiles") == []
    needing = bench.run(budgets_of, batch)
    assert [(one.name, one.counted_usd) for one in needing] == [(n, c) for n, (_, c) in counted.items()][:4]
    assert {(one.needed_usd, one.expected_usd - one.counted_usd) for one in needing} == {(2 * USD, 2 * USD)}


def test_without_a_cap_nothing_is_looked_up(bench: Bench) -> None:
    assert bench.run(budgets_of, bench.batch()) == []


def test_a_caps_words_for_people_and_for_programs() -> None:
    budget = Budget("day", "daily budget", Decimal(20), Decimal("1.26"))
    assert budget.line == "daily budget: $1.26 of $20.00"
    assert budget.entry() == {"name": "day", "usd_cap": Decimal(20), "usd_counted": Decimal("1.26")}


@pytest.mark.parametrize(("needed", "nearly"), [("6.99", False), ("7", True), ("9", True)])
def test_four_fifths_of_a_cap_are_most_of_it(needed: str, nearly: bool) -> None:
    budget = Budget("day", "daily budget", Decimal(10), Decimal(1), needed_usd=Decimal(needed))
    assert budget.nearly_spent is nearly and budget.expected_usd == Decimal(needed) + 1


def test_only_rows_with_a_columns_value_need_its_budget(bench: Bench) -> None:
    rows = (a_row(1), a_row(2, labels={"campaign": "autumn"}), a_row(3, labels={"campaign": "autumn"}))
    batch = bench.batch(rows=rows)
    caps = [
        Budget("day", "daily budget", USD, ZERO),
        *(Budget(c.name, c.name, c.usd, USD, c) for c in (SPRING, AUTUMN)),
    ]
    found = with_needs(caps, rows, batch.plan)
    assert [(one.name, one.needed_usd) for one in found] == [
        ("day", 3 * USD), ("campaign=spring", USD), ("campaign=autumn", 2 * USD),
    ]  # fmt: skip
    assert [(one.title, one.cap_usd, one.counted_usd, one.column) for one in found] == [
        (one.title, one.cap_usd, one.counted_usd, one.column) for one in caps
    ]
    assert [one.name for one in with_needs(caps, rows[:1], batch.plan)] == ["day", "campaign=spring"]
    assert [(one.name, one.needed_usd) for one in with_needs(caps, [], batch.plan)] == [("day", ZERO)]


def test_the_caps_over_all_batches_are_the_settings() -> None:
    settings = Settings(
        dailies_daily_budget_usd=Decimal(20), dailies_monthly_budget_usd=Decimal(30), dailies_column_budgets=(SPRING,)
    )
    assert caps_over_all(settings) == Caps(None, Decimal(20), Decimal(30), (SPRING,))
    assert caps_over_all(Settings()) == Caps()


@pytest.mark.parametrize(
    ("caps", "title", "counted", "missing"),
    [
        (Caps(batch_usd=Decimal(4)), "batch budget of $4.00", "$2.52", "$1.04"),
        (Caps(day_usd=Decimal(4)), "daily budget of $4.00", "$2.26", "$0.78"),
        (Caps(month_usd=Decimal(6)), "monthly budget of $6.00", "$3.52", "$0.04"),
        (
            Caps(columns=(ColumnCap("campaign", "spring", Decimal(6)),)),
            "budget of campaign=spring of $6.00",
            "$3.52",
            "$0.04",
        ),
    ],
)
def test_what_does_not_fit_is_refused_before_the_first_cent(
    bench: Bench, caps: Caps, title: str, counted: str, missing: str
) -> None:
    """With what is missing, and which rows would fit; what is bought already is not bought again."""
    with pytest.raises(BadInput) as error:
        bench.run(check_budgets, replace(spent(bench), caps=caps))
    assert str(error.value) == (
        f"the {title} does not cover this batch: $2.52 to buy, {counted} counted already, {missing} missing. "
        "Nothing was bought. These rows would fit: row-4"
    )
    assert error.value.trouble == "budget"


def test_a_batch_may_use_its_budget_to_the_cent(bench: Bench) -> None:
    bench.run(check_budgets, bench.batch(2, caps=Caps(batch_usd=2 * USD)))
    with pytest.raises(BadInput, match=r"\$0\.01 missing"):
        bench.run(check_budgets, bench.batch(2, caps=Caps(batch_usd=2 * USD - Decimal("0.01"))))


def test_rows_that_would_fit_are_found_in_order_ten_are_named(bench: Bench) -> None:
    """Dear ones are passed by; none may fit, and an unpriced one always does."""
    batch = bench.batch(14, caps=Caps(batch_usd=11 * USD))
    keys = [row.clip.key for row in batch.plan.rows]
    dear = replace(batch.plan, quotes=dict.fromkeys(keys, USD) | {keys[1]: 20 * USD})
    with pytest.raises(BadInput) as error:
        bench.run(check_budgets, replace(batch, plan=dear))
    named = ", ".join(f"row-{number}" for number in (1, *range(3, 12)))
    assert str(error.value).endswith(f"These rows would fit: {named}…")
    ten = bench.batch(11, caps=Caps(batch_usd=10 * USD))
    with pytest.raises(BadInput, match=r"would fit: row-1, .*row-10$"):
        bench.run(check_budgets, ten)
    with pytest.raises(BadInput, match=r"would fit: none$"):
        bench.run(check_budgets, bench.batch(1, caps=Caps(batch_usd=Decimal(1))))
    unpriced = bench.batch(2, caps=Caps(batch_usd=Decimal(1)), quotes={keys[0]: None, keys[1]: USD})
    with pytest.raises(BadInput, match=r"would fit: row-1$"):
        bench.run(check_budgets, unpriced)


def test_a_row_counts_for_the_column_that_is_short_alone(bench: Bench) -> None:
    rows = (a_row(1), a_row(2, labels={"campaign": "autumn"}), a_row(3))
    caps = Caps(columns=(ColumnCap("campaign", "spring", USD), AUTUMN))
    with pytest.raises(BadInput, match=r"budget of campaign=spring of \$1\.26 .*: \$2\.52 to buy.* fit: row-1$"):
        bench.run(check_budgets, bench.batch(rows=rows, caps=caps))


def test_without_a_cap_nobody_asks_what_is_to_be_bought(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred thousand clips are a long question."""
    monkeypatch.setattr(bench.ledger, "briefs_of", None)
    bench.run(check_budgets, bench.batch(2))
    assert bench.run(budgets_of, bench.batch(2)) == []


@pytest.mark.parametrize("known", ["delivered before", "bought since"])
def test_nothing_left_to_buy_needs_no_budget(bench: Bench, known: str) -> None:
    batch = bench.batch(1, caps=Caps(batch_usd=Decimal(1)))
    if known == "delivered before":
        batch = replace(batch, delivered_before=frozenset(batch.rows))
    else:
        bench.attempt(State.SUBMITTED, batch)
    bench.run(check_budgets, batch)


def test_a_delivered_clip_does_not_pay_for_its_neighbour(bench: Bench) -> None:
    batch = bench.batch(2, caps=Caps(batch_usd=Decimal(1)))
    with pytest.raises(BadInput, match="does not cover this batch"):
        bench.run(check_budgets, replace(batch, delivered_before=frozenset([batch.plan.rows[0].clip.key])))


def test_a_value_that_is_nearly_a_caps_is_refused_although_nothing_is_left_to_buy(bench: Bench) -> None:
    batch = bench.batch(rows=(a_row(1, labels={"Campaign ": "SPRING"}),), caps=ALL)
    with pytest.raises(BadInput) as error:
        bench.run(check_budgets, replace(batch, delivered_before=frozenset(batch.rows)))
    assert str(error.value) == (
        "row row-1 says Campaign =SPRING, and DAILIES_COLUMN_BUDGETS says campaign=spring: write both alike. "
        "Nothing was bought."
    )
