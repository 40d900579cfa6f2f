"""A charge above its quote raises what is reserved for the clips that follow, so that a budget holds when prices rise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from dailies.domain.money import to_usd

MOST_TIMES = Decimal(100)
"""A quote is never raised further for another kind of clip: a test price of a millionth of a dollar says nothing of others."""


@dataclass(frozen=True, slots=True)
class Surcharge:
    """What the latest clip of a kind (model, resolution and seconds) was charged at a provider, beside its quote."""

    kind: str
    usd_quoted: Decimal
    usd_charged: Decimal
    learned_at: datetime

    @property
    def model(self) -> str:
        """The kind's model."""
        return model_of(self.kind)

    @property
    def times(self) -> Decimal:
        """How many times its quote it was charged."""
        return min(self.usd_charged / self.usd_quoted, MOST_TIMES) if self.usd_quoted else Decimal(1)


def model_of(kind: str) -> str:
    """The model of a kind of clip."""
    return kind.rsplit(" ", 2)[0]


def expected_usd(kind: str, usd_quoted: Decimal, known: Sequence[Surcharge], since: datetime) -> Decimal:
    """What a clip is to be reserved at: its quote, or more where the provider was seen to charge more.

    What the latest clip of its own kind was charged stands for itself. Of other kinds of its model only the ratio is known,
    and that only of clips that were quoted by the same prices, which were looked up at `since`.
    """
    own = [found.usd_charged for found in known if found.kind == kind]
    model = model_of(kind)
    others = [f.times for f in known if f.kind != kind and f.model == model and f.learned_at >= since]
    seen = own or [to_usd(usd_quoted * times) for times in others]
    return max(usd_quoted, *seen) if seen else usd_quoted
