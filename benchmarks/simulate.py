"""Polling without a network: what a list of delays costs on generations whose times are known."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain, repeat

import numpy as np

from dailies.domain.schedule import Bracket, learned_delays

Draw = Callable[[random.Random], float]
JITTERED = (0.75, 1.3)  # what Prefect's retry_jitter_factor=0.3 makes of a delay; the first look is exact

TIMES: dict[str, Draw] = {
    "log-normal, σ 0.35": lambda dice: 90 * dice.lognormvariate(0, 0.35),
    "steadier, σ 0.1": lambda dice: 90 * dice.lognormvariate(0, 0.1),
    "two-humped": lambda dice: (60 if dice.random() < 0.6 else 180) * dice.lognormvariate(0, 0.1),
}
"""Seconds that a generation takes, with medians of 90 s as Sora's samples have, and what else was seen at providers."""

FIXED_S = [15.0]
DOUBLING_S = [2.0**i for i in range(1, 20)]
"""What Prefect's `exponential_backoff(2)` makes, which has no cap."""


@dataclass(frozen=True, slots=True)
class Polling:
    """Means per clip: seconds from ready to noticed, and looks."""

    lag_s: float
    polls: float


def looks_at(delays: Sequence[float], dice: random.Random | None = None) -> Iterator[float]:
    """The seconds at which looks happen, for ever: the last delay repeats. With dice, jittered as Prefect does it."""
    endless = chain(delays, repeat(delays[-1]))
    if dice is None:
        return accumulate(endless)
    first = next(endless)
    return accumulate(chain([first], (delay * dice.uniform(*JITTERED) for delay in endless)))


def watch(delays: Sequence[float], seconds: float, dice: random.Random | None = None) -> tuple[Bracket, int]:
    """What polling learns of one generation, and how many looks it took."""
    before, polls = 0.0, 0
    for polls, at_s in enumerate(looks_at(delays, dice), start=1):
        if at_s >= seconds:
            return Bracket(before, at_s), polls
        before = at_s
    raise AssertionError("looks never end")


def polling(delays: Sequence[float], times_s: Iterable[float], dice: random.Random | None = None) -> Polling:
    """The mean lag and number of looks over generations that take these times."""
    lag_s, polls, count = 0.0, 0, 0
    for seconds in times_s:
        seen, looks = watch(delays, seconds, dice)
        lag_s, polls, count = lag_s + seen.by_s - seconds, polls + looks, count + 1
    return Polling(lag_s / count, polls / count)


def frontier(
    typical_s: float, history: Sequence[Bracket], times_s: Sequence[float], jitter: bool = False
) -> list[Polling]:
    """What learned schedules can do, from many looks and little lag to the opposite: one for each price of a look."""
    prices = [2e-3 * 1.08**i for i in range(66)]
    return [
        polling(learned_delays(typical_s, history, price), times_s, random.Random(2) if jitter else None)
        for price in prices
    ]


def optimum(times_s: Iterable[float], price_s: float, step_s: float = 0.25) -> list[float]:
    """The delays with the least of lag and priced looks for generations whose times are known: a dynamic programme over a fine
    grid, from the last second backwards. It shares nothing with ours, which guesses the times from looks and has few knots.
    """
    times = np.sort(np.fromiter(times_s, dtype=float))
    grid = np.arange(0.0, times[-1] + 2 * step_s, step_s)
    share = np.searchsorted(times, grid, side="right") / len(times)
    below = np.concatenate(([0.0], np.cumsum(times)))[np.searchsorted(times, grid, side="right")] / len(times)
    cost, following = np.zeros(len(grid)), np.zeros(len(grid), dtype=int)
    for at in range(len(grid) - 2, -1, -1):
        later = slice(at + 1, None)
        waits = grid[later] * (share[later] - share[at]) - (below[later] - below[at])
        total = price_s * (1 - share[at]) + waits + cost[later]
        best = int(np.argmin(total))
        cost[at], following[at] = total[best], at + 1 + best
    looks = [0]
    while looks[-1] < len(grid) - 1:
        looks.append(int(following[looks[-1]]))
    return [float(delay) for delay in np.diff(grid[looks])]
