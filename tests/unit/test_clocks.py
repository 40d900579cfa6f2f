"""A machine's clock beside another: told in whole seconds, and trouble where logs or signatures would suffer."""

from __future__ import annotations

from datetime import timedelta

import pytest

from dailies.domain.clocks import SEEMS_DEAD, SKEW_IS_WRONG, SKEW_WARNS, describe_skew, grade_skew, warn_of_skew

MORE = timedelta(milliseconds=1)


@pytest.mark.parametrize(("seconds", "words"), [
    (0, "agrees with ours"), (1.4, "agrees with ours"), (-1.4, "agrees with ours"),
    (1.6, "ours is 2 s ahead"), (-1.6, "ours is 2 s behind"), (42, "ours is 42 s ahead"), (-900, "ours is 900 s behind"),
])  # fmt: skip
def test_a_difference_in_words(seconds: float, words: str) -> None:
    assert describe_skew(timedelta(seconds=seconds)) == words


def test_half_a_minute_is_fine_and_five_are_wrong_ahead_or_behind() -> None:
    for sign in (1, -1):
        assert grade_skew(sign * SKEW_WARNS) == "ok" and grade_skew(sign * (SKEW_WARNS + MORE)) == "warning"
        assert grade_skew(sign * SKEW_IS_WRONG) == "warning" and grade_skew(sign * (SKEW_IS_WRONG + MORE)) == "wrong"
        assert grade_skew(sign * (SEEMS_DEAD + MORE), SEEMS_DEAD) == "wrong"


def test_who_starts_a_run_is_told_of_trouble_alone() -> None:
    assert warn_of_skew(SKEW_WARNS) is None
    assert warn_of_skew(timedelta(seconds=-95)) == (
        "The clock of this machine is not that of the ledger's database: ours is 95 s behind. Set both by NTP. The ledger goes by "
        "its own; a Prefect server takes the runs of a machine that is minutes behind for dead."
    )
