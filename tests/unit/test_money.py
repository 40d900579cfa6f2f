"""Dollars and credits are exact."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dailies.domain.money import NANO, credits_to_usd, show_usd, sum_usd, to_usd, usd_to_credits

amounts = st.decimals(0, 10**9, places=9)


@pytest.mark.parametrize(
    ("value", "usd"),
    [
        (1.26, "1.26"),
        (0.1 + 0.2, "0.3"),
        ("1.26", "1.26"),
        (" 2 ", "2"),
        (100, "100"),
        (0, "0"),
        ("-0", "0"),
        ("1e2", "100"),
        ("0.0000000005", "0.000000001"),
        ("0.0000000004", "0"),
        (Decimal("999999999.999999999"), "999999999.999999999"),
        (10**9, "1000000000"),
    ],
)
def test_a_number_is_dollars_to_the_billionth(value: object, usd: str) -> None:
    assert f"{to_usd(value):f}" == usd


@pytest.mark.parametrize("value", ["", "free", "$1", "NaN", "inf", "-1", -0.01, None, True, [], "1,26", 10**9 + 1])
def test_what_is_no_amount_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="is not an amount of money"):
        to_usd(value)


@given(amounts)
def test_reading_an_amount_twice_changes_nothing(usd: Decimal) -> None:
    assert to_usd(usd) == to_usd(str(to_usd(usd))) == usd
    assert usd % NANO == 0


def test_two_million_credits_are_a_dollar() -> None:
    assert credits_to_usd(2_000_000) == 1
    assert usd_to_credits(Decimal("1.26")) == 2_520_000
    assert credits_to_usd(1) == Decimal("0.0000005")
    assert usd_to_credits(Decimal("0.00000025")) == 1, "halves are rounded up"


@given(st.integers(0, 10**15))
def test_credits_come_back_as_they_were(credits_used: int) -> None:
    assert usd_to_credits(credits_to_usd(credits_used)) == credits_used


@pytest.mark.parametrize(
    ("usd", "shown"),
    [
        (None, "–"),
        (Decimal(0), "$0.00"),
        (Decimal("1.2"), "$1.20"),
        (Decimal("1.260000000"), "$1.26"),
        (Decimal("0.0625"), "$0.06"),
        (Decimal("0.125"), "$0.13"),
        (Decimal("0.005"), "$0.01"),
        (Decimal("12345.6"), "$12,345.60"),
        (Decimal("0.000000001"), "<$0.01"),
        (Decimal("1E+2"), "$100.00"),
    ],
)
def test_money_is_shown_for_people(usd: Decimal | None, shown: str) -> None:
    assert show_usd(usd) == shown


@given(st.lists(st.none() | amounts, max_size=20))
def test_a_sum_is_exact_and_leaves_the_unknown_out(usd: list[Decimal | None]) -> None:
    assert sum_usd(usd) == Decimal(sum(int(one / NANO) for one in usd if one is not None)) * NANO
