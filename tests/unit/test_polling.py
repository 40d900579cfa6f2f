"""The delays between looks at a generation, as Prefect's retries want them."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dailies.domain.polling import JITTER, MAX_DELAYS, backoff, first_look_s, looks_until

seconds = st.floats(0.001, 3600)


@given(seconds, st.floats(0.001, 1e12))
def test_delays_grow_to_the_cap_and_are_never_more_than_prefect_takes(first: float, cap: float) -> None:
    delays = backoff(first, cap)
    assert 1 <= len(delays) <= MAX_DELAYS
    assert delays[-1] == max(delays) == max(cap, first, 0.01)
    assert all(0 < a <= b for a, b in pairwise([delays[0], *delays]))


def test_the_usual_delays() -> None:
    assert backoff(2, 15) == [2, 3, 4.5, 6.75, 10.125, 15]
    assert backoff(15, 15) == [15]
    assert backoff(20, 15) == [20]


@given(seconds, seconds, st.floats(0, 36_000))
def test_the_looks_reach_past_any_deadline_even_when_every_wait_is_cut_short(
    first: float, cap: float, deadline: float
) -> None:
    delays = backoff(max(first, 1), max(cap, 1))
    looks = looks_until(delays, deadline)
    waits = [0.75 * delays[min(number, len(delays) - 1)] for number in range(looks)]
    assert sum(waits) > deadline
    assert sum(waits[:-2]) <= deadline * 1.05 + delays[-1]  # and not for ever


@pytest.mark.parametrize(("typical", "first"), [(0, 1), (4, 1), (80, 10), (90, 11.25), (503, 15)])
def test_the_first_look_comes_after_an_eighth_of_the_usual_time(typical: float, first: float) -> None:
    assert first_look_s(typical, 15) == first


def test_jitter_is_what_the_number_of_looks_allows_for() -> None:
    assert 1 / (1 + JITTER) >= 0.75


def test_as_many_delays_as_prefect_takes_and_no_look_too_few() -> None:
    assert len(backoff(0.01, 1e12)) == MAX_DELAYS
    assert (looks_until([10.0], 98.1), looks_until([10.0], 97.6), looks_until([10.0], 97.5)) == (16, 15, 15)
    assert looks_until([12.0], 40.0) == 7, "one that may fall on the very end is one too few"
