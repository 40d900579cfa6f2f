"""What a clip was paid for: all of its attempts, summed up. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import NamedTuple, TypeVar

from dailies.domain.money import ZERO
from dailies.domain.records import Attempt


class Paid(NamedTuple):
    """What all attempts of a clip come to: what was charged, as far as that is known, and what may have been."""

    usd_charged: Decimal | None
    credits_used: int | None
    usd_at_risk: Decimal
    unreported: int
    usd_unreported_quoted: Decimal
    polls: int


def paid_for(attempts: Iterable[Attempt]) -> Paid:
    """Attempts summed up. A charge counts for what the provider has accepted."""
    usd_charged: Decimal | None = None
    credits_used: int | None = None
    usd_at_risk = usd_unreported_quoted = ZERO
    unreported = polls = 0
    for one in attempts:
        polls += one.polls
        if one.generation_id and one.usd_charged is not None:
            usd_charged = both(usd_charged, one.usd_charged)
        if one.credits_used is not None:
            credits_used = both(credits_used, one.credits_used)
        if one.unsettled:
            usd_at_risk += one.usd_quoted
        if one.unreported:
            unreported += 1
            usd_unreported_quoted += one.usd_quoted
    return Paid(usd_charged, credits_used, usd_at_risk, unreported, usd_unreported_quoted, polls)


N = TypeVar("N", int, Decimal)


def both(one: N | None, other: N | None) -> N | None:
    """The sum of what is known; None where neither is."""
    return other if one is None else one if other is None else one + other
