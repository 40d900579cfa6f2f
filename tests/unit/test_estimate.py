"""How long a batch will take."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dailies.domain.estimate import makespan_s, show_time


@pytest.mark.parametrize(("times", "in_flight", "expected"), [
    ([], 20, 0), ([90], 20, 90), ([90] * 20, 20, 90), ([90] * 21, 20, 180), ([10, 10, 30], 2, 40), ([5], 0, 5),
])  # fmt: skip
def test_the_last_clip_is_ready_when_the_places_allow(times: list[float], in_flight: int, expected: float) -> None:
    assert makespan_s(times, in_flight) == expected


@given(st.lists(st.floats(1, 1000), min_size=1, max_size=50), st.integers(1, 60))
def test_it_is_never_less_than_its_longest_clip_nor_than_the_work_divided(times: list[float], in_flight: int) -> None:
    found = makespan_s(times, in_flight)
    assert max(times) <= found + 1e-6 and sum(times) / in_flight <= found + 1e-6 and found <= sum(times) + 1e-6


@pytest.mark.parametrize(("seconds", "text"), [
    (0, "0 s"), (40, "40 s"), (89.4, "89 s"), (90, "2 min"), (360, "6 min"), (89 * 60, "89 min"), (90 * 60, "1 h 30 min"),
    (7200, "2 h 0 min"), (7800, "2 h 10 min"),
])  # fmt: skip
def test_time_is_shown_for_people(seconds: float, text: str) -> None:
    assert show_time(seconds) == text
