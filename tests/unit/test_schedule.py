"""The poll schedule that learns: what it promises for any history, and the bars it has to pass by simulation."""

from __future__ import annotations

import math
import random
from functools import cache
from itertools import accumulate, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.simulate import DOUBLING_S, FIXED_S, TIMES, Polling, frontier, optimum, polling, watch
from dailies.domain.polling import MAX_DELAYS
from dailies.domain.schedule import FEW_LEFT, LOOK_PRICE, Bracket, best_looks, fit, from_age, learned_delays, quantile

TYPICAL_S = 90.0
anything = st.floats(allow_nan=True, allow_infinity=True)
absurd = st.lists(st.builds(Bracket, anything, anything), max_size=30)
plausible = st.lists(
    st.tuples(st.floats(1, 2000), st.floats(0.1, 60)).map(lambda t: Bracket(max(0.0, t[0] - t[1]), t[0])), max_size=60
)
typical = st.integers(1, 3600)


def seen(kind: str, count: int = 300, seed: int = 1, delays: list[float] = FIXED_S) -> list[Bracket]:
    """A history as fixed polling at 15 s leaves it: each time known only to within a look."""
    dice = random.Random(seed)
    return [watch(delays, TIMES[kind](dice), dice)[0] for _ in range(count)]


def drawn(kind: str, count: int = 3000, seed: int = 2) -> list[float]:
    """Generations that the schedule has not seen."""
    dice = random.Random(seed)
    return [TIMES[kind](dice) for _ in range(count)]


@cache
def possible(kind: str) -> list[Polling]:
    """What the learned schedule can do at one price of a look or another."""
    return frontier(TYPICAL_S, seen(kind), drawn(kind))


@pytest.mark.parametrize("kind", TIMES)
def test_at_the_lag_of_fixed_15_s_it_needs_at_most_60_percent_of_the_polls(kind: str) -> None:
    fixed = polling(FIXED_S, drawn(kind))
    as_fast = [found for found in possible(kind) if found.lag_s <= fixed.lag_s]
    assert min(found.polls for found in as_fast) <= 0.6 * fixed.polls


@pytest.mark.parametrize("kind", TIMES)
def test_at_the_polls_of_exponential_backoff_it_has_at_most_a_quarter_of_the_lag(kind: str) -> None:
    doubling = polling(DOUBLING_S, drawn(kind))
    as_few = [found for found in possible(kind) if found.polls <= doubling.polls]
    assert min(found.lag_s for found in as_few) <= 0.25 * doubling.lag_s


@pytest.mark.parametrize("kind", TIMES)
def test_as_it_is_used_it_notices_a_clip_within_five_percent_of_the_usual_time(kind: str) -> None:
    found = polling(learned_delays(TYPICAL_S, seen(kind)), drawn(kind), random.Random(3))
    assert found.lag_s <= 0.05 * TYPICAL_S
    assert found.polls <= 12


@pytest.mark.parametrize("kind", TIMES)
def test_prefect_s_jitter_costs_almost_nothing_because_the_first_look_has_none(kind: str) -> None:
    delays, times = learned_delays(TYPICAL_S, seen(kind)), drawn(kind)
    exact, jittered = polling(delays, times), polling(delays, times, random.Random(3))
    assert jittered.lag_s <= 1.15 * exact.lag_s + 0.1
    assert jittered.polls <= 1.1 * exact.polls


def test_without_history_the_typical_time_of_the_catalog_serves() -> None:
    found = polling(learned_delays(TYPICAL_S, []), drawn("log-normal, σ 0.35"))
    assert found.lag_s < 0.05 * TYPICAL_S and found.polls < 12


@pytest.mark.parametrize("truth_s", [9.0, 40.0, 250.0, 900.0])
def test_a_catalog_that_is_ten_times_wrong_is_outgrown_within_a_few_batches(truth_s: float) -> None:
    dice, history = random.Random(4), list[Bracket]()
    for _ in range(6):  # each batch is seen only through the schedule that was learned before it
        delays = learned_delays(TYPICAL_S, history[-300:])
        history += [watch(delays, truth_s * dice.lognormvariate(0, 0.35), dice)[0] for _ in range(60)]
    times = [truth_s * dice.lognormvariate(0, 0.35) for _ in range(2000)]
    found = polling(learned_delays(TYPICAL_S, history[-300:]), times)
    assert found.lag_s <= 0.06 * truth_s and found.polls <= 15


def test_what_its_own_looks_have_shown_does_not_confirm_it_for_ever() -> None:
    dice = random.Random(5)
    slow = learned_delays(TYPICAL_S, seen("log-normal, σ 0.35"))
    faster = [watch(slow, 45 * dice.lognormvariate(0, 0.2), dice)[0] for _ in range(300)]
    once = learned_delays(TYPICAL_S, faster)
    assert once[0] < slow[0]
    twice = [watch(once, 45 * dice.lognormvariate(0, 0.2), dice)[0] for _ in range(300)]
    assert learned_delays(TYPICAL_S, twice)[0] < 40


def test_clips_that_still_generate_tell_that_the_fast_ones_are_not_all() -> None:
    dice = random.Random(6)
    times = [90 * dice.lognormvariate(0, 0.35) for _ in range(200)]
    fast = [Bracket(t - 2, t) for t in times if t < 70]
    waiting = [Bracket(70, math.inf) for t in times if t >= 70]
    misled, right = learned_delays(TYPICAL_S, fast), learned_delays(TYPICAL_S, fast + waiting)
    rest = [t for t in times if t >= 70]
    assert polling(right, rest).lag_s < 0.75 * polling(misled, rest).lag_s


def test_between_two_humps_there_is_a_pause() -> None:
    looks = list(accumulate(learned_delays(TYPICAL_S, seen("two-humped", delays=[2.0]))))
    longest = max(pairwise(looks[:12]), key=lambda pair: pair[1] - pair[0])
    assert 70 < longest[0] < 100 and 120 < longest[1] < 170


def test_a_look_that_costs_more_is_taken_less_often() -> None:
    times = fit(TYPICAL_S, seen("log-normal, σ 0.35"))
    counts = [len(best_looks(times, price_s)) for price_s in (0.1, 0.5, 2.0, 10.0, 100.0)]
    assert counts == sorted(counts, reverse=True) and counts[0] > counts[-1] >= 1


def test_the_best_looks_cost_no_more_than_any_others() -> None:
    times, price_s = fit(TYPICAL_S, []), 1.0
    middles = [(a + b) / 2 for a, b in pairwise(times.edges_s)]

    def cost(looks: list[float]) -> float:
        looks = [*looks, times.edges_s[-1]]
        total = 0.0
        for middle, share in zip(middles, times.shares, strict=True):
            number = next(i for i, at_s in enumerate(looks) if at_s >= middle)
            total += share * (looks[number] - middle + price_s * (number + 1))
        return total

    best = best_looks(times, price_s)[:-1]
    dice = random.Random(7)
    for _ in range(200):
        moved = sorted(at_s * dice.uniform(0.97, 1.03) for at_s in best)
        assert cost(best) <= cost(moved) + 0.02  # the grid is coarse


@settings(max_examples=60, deadline=None)
@given(typical, absurd)
def test_whatever_the_history_there_are_at_most_50_positive_finite_delays(
    typical_s: int, history: list[Bracket]
) -> None:
    delays = learned_delays(float(typical_s), history)
    assert 1 <= len(delays) <= MAX_DELAYS
    assert all(math.isfinite(delay) and delay > 0 for delay in delays)
    assert delays == learned_delays(float(typical_s), history)


@settings(max_examples=40, deadline=None)
@given(typical, plausible, st.floats(1e-6, 10))
def test_whatever_a_look_costs_the_waits_of_the_tail_grow_steadily(
    typical_s: int, history: list[Bracket], look_price: float
) -> None:
    delays = learned_delays(float(typical_s), history, look_price)
    assert len(delays) <= MAX_DELAYS
    assert all(1.2 < after / before < 1.3 for before, after in pairwise(delays[-14:]))
    assert sum(delays) >= quantile(fit(float(typical_s), history), 1 - FEW_LEFT), "few are left when the looks end"


@settings(max_examples=40, deadline=None)
@given(st.integers(10, 600), plausible, st.sampled_from([0.25, 2.0, 16.0]))
def test_seconds_and_minutes_are_treated_alike(typical_s: int, history: list[Bracket], factor: float) -> None:
    delays = learned_delays(float(typical_s), history)
    scaled = learned_delays(typical_s * factor, [Bracket(a * factor, b * factor) for a, b in history])
    assert scaled == pytest.approx([delay * factor for delay in delays], rel=1e-6)


@settings(max_examples=60, deadline=None)
@given(typical, absurd)
def test_a_fitted_distribution_is_one(typical_s: int, history: list[Bracket]) -> None:
    times = fit(float(typical_s), history)
    assert sum(times.shares) == pytest.approx(1) and min(times.shares) >= 0
    assert all(before < after for before, after in pairwise(times.edges_s))


@given(st.lists(st.floats(0.1, 100), min_size=1, max_size=50), st.floats(0, 5000))
def test_a_generation_of_any_age_is_looked_at_when_it_would_have_been(delays: list[float], age_s: float) -> None:
    left = from_age(delays, age_s)
    assert 1 <= len(left) <= MAX_DELAYS and all(delay >= 0 for delay in left)
    planned, looks = list(accumulate(delays)), [age_s + at_s for at_s in accumulate(left)]
    ahead = [at_s for at_s in planned if at_s > age_s]
    for at_s in ahead[:-1]:
        assert any(math.isclose(at_s, look, abs_tol=1e-6) for look in looks)
    assert (left[0] == 0) == (age_s >= delays[0])  # one that has missed a look is looked at now


def test_the_price_of_a_look_is_a_share_of_the_usual_time() -> None:
    assert 0 < LOOK_PRICE < 0.02


@pytest.mark.parametrize(
    ("kind", "at_most"), [("log-normal, σ 0.35", 1.2), ("steadier, σ 0.1", 1.7), ("two-humped", 1.15)]
)
def test_beside_an_optimum_that_knows_the_very_times_a_learned_schedule_costs_little_more(
    kind: str, at_most: float
) -> None:
    """Lag and priced looks, against a dynamic programme on a fine grid that shares no code with the schedule's."""
    price_s = LOOK_PRICE * TYPICAL_S
    learned, best = (
        polling(delays, drawn(kind))
        for delays in (learned_delays(TYPICAL_S, seen(kind)), optimum(drawn(kind), price_s))
    )
    ratio = (learned.lag_s + price_s * learned.polls) / (best.lag_s + price_s * best.polls)
    assert 1.0 <= ratio <= at_most


def test_the_optimum_is_that_of_all_schedules_where_all_of_them_can_be_tried() -> None:
    """Three times, a grid of a second: every set of looks is tried."""
    times, price_s = [2.0, 3.0, 7.0], 0.6

    def cost(delays: list[float]) -> float:
        found = polling(delays, times)
        return found.lag_s + price_s * found.polls

    every = [
        [float(b - a) for a, b in pairwise((0, *(at for at in range(1, 7) if chosen >> at & 1), 7))]
        for chosen in range(0, 128, 2)
    ]
    assert cost(optimum(times, price_s, step_s=1.0)) == pytest.approx(min(map(cost, every)))
