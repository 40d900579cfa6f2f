"""When a person is asked again."""

from __future__ import annotations

from decimal import Decimal

import pytest

from dailies.domain.approval import Approval
from dailies.steps.approval import ToApprove

TEN = Decimal(10)


@pytest.mark.parametrize(
    ("clips", "usd", "whole", "earlier", "asks"),
    [
        (3, "9", Approval(3, Decimal(9)), None, False),
        (3, "11", Approval(3, Decimal(11)), None, True),
        (2, "8", Approval(12, Decimal(80)), Approval(12, Decimal(80)), False),  # resumed: all of it was approved
        (9, "72", Approval(12, Decimal(80)), Approval(12, Decimal(80)), False),
        (2, "8", Approval(14, Decimal(88)), Approval(12, Decimal(80)), True),  # the CSV has grown, however little
        (2, "8", Approval(12, Decimal("80.01")), Approval(12, Decimal(80)), True),  # it came dearer
        (1, "1", Approval(13, Decimal(60)), Approval(12, Decimal(80)), True),
        (0, "0", Approval(14, Decimal(99)), Approval(12, Decimal(80)), False),  # nothing is left to buy
    ],
)
def test_a_resumed_run_asks_only_for_what_goes_beyond(
    clips: int, usd: str, whole: Approval, earlier: Approval | None, asks: bool
) -> None:
    assert ToApprove(clips, Decimal(usd), 0, whole, earlier).needs_a_yes(TEN) is asks


def test_an_unknown_price_is_asked_about() -> None:
    assert ToApprove(1, Decimal(0), 1, Approval(1, Decimal(0)), None).needs_a_yes(TEN)


def test_a_yes_to_a_part_takes_back_nothing_of_what_was_approved_of_the_whole() -> None:
    """Retakes of one clip after a hundred were approved: the rest of these needs no second yes."""
    earlier = Approval(100, Decimal(126))
    one = ToApprove(1, Decimal("1.26"), 0, Approval(1, Decimal("127.26")), earlier, part=True)
    assert one.needs_a_yes(TEN) and one.yes == Approval(100, Decimal("127.26"))
    rows = ToApprove(3, Decimal("3.78"), 0, Approval(3, Decimal("3.78")), earlier, part=True)
    assert not rows.needs_a_yes(TEN) and rows.yes == earlier
    assert ToApprove(3, Decimal("3.78"), 0, Approval(3, Decimal("3.78")), None, part=True).yes == Approval(
        3, Decimal("3.78")
    )
    assert ToApprove(2, Decimal(2), 0, Approval(2, Decimal(2)), earlier).yes == Approval(2, Decimal(2)), (
        "the whole is said anew"
    )
