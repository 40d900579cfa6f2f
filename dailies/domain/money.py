"""Dollars and credits. Money is `Decimal` everywhere; a float never touches a sum."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

CREDITS_PER_USD = 2_000_000  # AI/ML API: $1 = 2,000,000 credits (its billing documents)
NANO = Decimal("0.000000001")  # the ledger keeps whole billionths of a dollar, so that sums are exact in SQLite too
ZERO = Decimal(0)


def to_usd(value: object) -> Decimal:
    """A provider's or a person's number as exact dollars, rounded to a billionth.

    Floats go through their shortest decimal text, so that 1.26 stays 1.26. Raises ValueError for what is no amount.
    """
    try:
        amount = Decimal(str(value)) if not isinstance(value, Decimal) else value
    except ArithmeticError as error:
        raise ValueError(f"{value!r} is not an amount of money") from error
    if not amount.is_finite() or amount < 0 or amount > 10**9:
        raise ValueError(f"{value!r} is not an amount of money")
    return amount.quantize(NANO, rounding=ROUND_HALF_UP).normalize() + ZERO


def credits_to_usd(credits_used: int) -> Decimal:
    """What so many AI/ML API credits cost."""
    return to_usd(Decimal(credits_used) / CREDITS_PER_USD)


def usd_to_credits(usd: Decimal) -> int:
    """The nearest whole number of AI/ML API credits."""
    return int((usd * CREDITS_PER_USD).to_integral_value(rounding=ROUND_HALF_UP))


def show_usd(usd: Decimal | None) -> str:
    """`$1.26` for people: two decimals, halves rounded up; `<$0.01` for less than half a cent; `–` when unknown."""
    if usd is None:
        return "–"
    cents = usd.quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)
    return "<$0.01" if usd and not cents else f"${cents:,}"


def sum_usd(amounts: object) -> Decimal:
    """The exact sum of an iterable of amounts; unknown ones (None) are left out."""
    return sum((a for a in amounts if a is not None), ZERO)  # type: ignore[attr-defined]
