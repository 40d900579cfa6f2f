"""One clip is not `1 clips`, wherever check, run and fetch count."""

from __future__ import annotations

from decimal import Decimal

import pytest

from dailies.domain.approval import Approval
from dailies.domain.counting import how_many
from dailies.steps.places import Seen
from dailies.steps.purchase import Purchase


def test_a_count_agrees_with_its_noun() -> None:
    assert [how_many(count, "clip") for count in (0, 1, 2)] == ["0 clips", "1 clip", "2 clips"]


def test_what_was_approved_and_what_would_be_bought_agree() -> None:
    nothing = Purchase((), frozenset({"a"}), Decimal(0), 0.0, True, 0)

    assert Approval(1, Decimal("1.26")).detail == "1 clip for $1.26"
    assert nothing.overview(1).startswith("1 clip, 1 in S3 already")
    assert nothing.overview(2).startswith("2 clips, 1 in S3 already")


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (0, ()),
        (
            1,
            (
                "1 clip that was bought earlier is copied inside S3; nothing is charged",
                "1 delivered clip is no longer in S3: it is fetched again",
            ),
        ),
        (
            2,
            (
                "2 clips that were bought earlier are copied inside S3; nothing is charged",
                "2 delivered clips are no longer in S3: they are fetched again",
            ),
        ),
    ],
)
def test_what_a_run_does_about_places_agrees(count: int, said: tuple[str, ...]) -> None:
    keys = [str(number) for number in range(count)]

    assert Seen(dict.fromkeys(keys, ("bucket", "key")), tuple(keys), {}).sentences() == said
