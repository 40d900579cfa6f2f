"""What a clip is reserved at, once its provider was seen to charge more than it was quoted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from dailies.domain.surcharge import Surcharge, expected_usd, model_of

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
FOUR, EIGHT, OTHER = "sora 720p 4", "sora 720p 8", "veo 720p 4"


def seen(kind: str, quoted: str, charged: str, minutes: int = 1) -> Surcharge:
    return Surcharge(kind, Decimal(quoted), Decimal(charged), NOON + timedelta(minutes=minutes))


@pytest.mark.parametrize(
    ("kind", "quoted", "known", "expected"),
    [
        (FOUR, "1", [], "1"),
        (FOUR, "1", [seen(FOUR, "1", "4")], "4"),
        (FOUR, "1", [seen(FOUR, "1", "0.5")], "1"),  # a charge below its quote promises nothing
        (FOUR, "4", [seen(FOUR, "1", "4")], "4"),  # the list has risen to what was charged: not fourfold of fourfold
        (EIGHT, "2", [seen(FOUR, "1", "4")], "8"),  # another kind of the model: by the ratio
        (EIGHT, "2", [seen(FOUR, "1", "4"), seen(EIGHT, "2", "3")], "3"),  # its own charge is known
        (EIGHT, "8", [seen(FOUR, "1", "4", minutes=-1)], "8"),  # quoted since, by other prices
        (EIGHT, "2", [seen(FOUR, "1", "4", minutes=0)], "8"),  # at the very moment: by these
        (FOUR, "0", [seen(FOUR, "0", "4")], "4"),
        (EIGHT, "2", [seen(FOUR, "0", "4")], "2"),  # no ratio to nothing
        (EIGHT, "2", [seen(FOUR, "0.000001", "4")], "200"),
    ],
)
def test_what_is_reserved(kind: str, quoted: str, known: list[Surcharge], expected: str) -> None:
    assert expected_usd(kind, Decimal(quoted), known, NOON) == Decimal(expected)


def test_another_model_says_nothing_of_this_one() -> None:
    assert expected_usd(OTHER, Decimal(1), [seen(FOUR, "1", "4")], NOON) == 1


@pytest.mark.parametrize("kind", ["my own model 720p 4", "my own model  "])
def test_the_model_of_a_kind_is_what_stands_before_resolution_and_seconds(kind: str) -> None:
    """Where it has none of them as well."""
    assert model_of(kind) == seen(kind, "1", "1").model == "my own model"
