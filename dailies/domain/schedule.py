"""The times at which to look at a generation, learned from how long its like took.

Each look costs a little, each second that a finished clip waits unnoticed costs a little: the best times to look follow
from the distribution of generation times. Barlow, Hunter and Proschan, "Optimum checking procedures", J. SIAM 11 (1963).
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from statistics import median
from typing import NamedTuple

from dailies.domain.polling import MAX_DELAYS

LOOK_PRICE = 0.003
"""A look is worth as much as waiting this share of the typical time: 0.3 s for a clip of 90 s, where it buys a mean lag
of 3 s for nine or ten looks. A share, so that seconds and minutes are treated alike."""
PRIOR_SIGMA = 0.45
"""Spread of the log-normal prior: generations vary by a third (`providers.md` samples), catalog times are rougher."""
PRIOR_WEIGHT = 6.0
"""The prior counts like so many observed clips, and keeps some looks where history has seen none."""
PRIOR_CENTRE = 3
"""The catalog's typical time counts like so many observed clips where the centre of the grid is concerned."""
CELLS, SPAN = 300, 8.0  # a geometric grid from an eighth of the centre to its eightfold: cells of 1.4 %
EM_ROUNDS = 25
POSSIBLE_S = (0.05, 1e7)  # what took less than a blink or more than a hundred days was no generation
FEW_LEFT = 0.03  # from here on the distribution knows too little: the waits simply grow
TAIL_GROWTH = 1.25  # in the tail a clip waits unnoticed for at most a fifth of its age
TAIL_DELAYS = 14


class Bracket(NamedTuple):
    """When one generation became ready, as far as looks can tell, in seconds after it was accepted.

    It was still generating at `after_s` (0: nobody had looked) and ready at `by_s` (infinity: it still generates).
    """

    after_s: float
    by_s: float


@dataclass(frozen=True, slots=True)
class Times:
    """A distribution of generation times: cell i ends at `edges_s[i + 1]` and holds `shares[i]` of all clips."""

    edges_s: tuple[float, ...]
    shares: tuple[float, ...]


def learned_delays(typical_s: float, history: Sequence[Bracket], look_price: float = LOOK_PRICE) -> list[float]:
    """Seconds between looks, the first one counted from the acceptance: at most 50, the last one may be repeated.

    `typical_s` is the catalog's guess, which history outweighs; `look_price` a share of the typical time.
    """
    times = fit(typical_s, history)
    price_s = look_price * quantile(times, 0.5)
    while len(looks := _while_many_are_left(times, best_looks(times, price_s))) > MAX_DELAYS - TAIL_DELAYS:
        price_s *= 1.3  # so many looks would leave no room for the tail
    delays = [after - before for before, after in pairwise([0.0, *looks])]
    wait_s = delays[-1] if len(delays) > 1 else delays[-1] / 8
    for _ in range(TAIL_DELAYS):
        wait_s *= TAIL_GROWTH
        delays.append(wait_s)
    return delays


def fit(typical_s: float, history: Sequence[Bracket]) -> Times:
    """The distribution behind what looks have shown: a smoothed Turnbull estimate that starts from a log-normal prior.

    A look only brackets the moment that a clip became ready; taking it for that moment would make every schedule
    confirm itself. Nonsense (negative, not a number, reversed) is left out; what lies far off counts at the grid's end.
    """
    seen = [b for b in history if _possible(b)]
    ended = [b.by_s for b in seen if math.isfinite(b.by_s)]
    centre_s = median([typical_s] * PRIOR_CENTRE + ended)
    step = 2 * math.log(SPAN) / CELLS
    edges_s = tuple(centre_s * math.exp(step * (i - CELLS / 2)) for i in range(CELLS + 1))
    prior = _normalised(math.exp(-0.5 * (step * (i + 0.5 - CELLS / 2) / PRIOR_SIGMA) ** 2) for i in range(CELLS))
    shares = _turnbull(prior, [_cells_of(edges_s, b) for b in seen])
    if ended:
        width = 0.5 * _spread(shares) * len(ended) ** -0.2  # half of Silverman's: two humps must stay two
        shares = _smoothed(shares, width)
    return Times(edges_s, tuple(shares))


def _possible(bracket: Bracket) -> bool:
    shortest_s, longest_s = POSSIBLE_S
    ends = shortest_s <= bracket.by_s <= longest_s or bracket.by_s == math.inf
    return ends and 0 <= bracket.after_s < min(bracket.by_s, longest_s)


def _cells_of(edges_s: Sequence[float], bracket: Bracket) -> tuple[int, int]:
    """The first cell that a bracket touches, and the one after its last."""
    first = min(max(bisect_right(edges_s, bracket.after_s) - 1, 0), CELLS - 1)
    return first, min(max(bisect_left(edges_s, bracket.by_s), first + 1), CELLS)


def _turnbull(prior: Sequence[float], brackets: Sequence[tuple[int, int]]) -> list[float]:
    """Share every bracket out over its cells as the distribution says, and make the distribution of that, repeatedly."""
    shares = list(prior)
    total = PRIOR_WEIGHT + len(brackets)
    for _ in range(EM_ROUNDS if brackets else 0):
        below = [0.0, *accumulate(shares)]
        steps = [0.0] * (CELLS + 1)
        for first, end in brackets:
            weight = 1 / max(below[end] - below[first], 1e-12)
            steps[first] += weight
            steps[end] -= weight
        claims = accumulate(steps[:-1])
        shares = _normalised(
            (PRIOR_WEIGHT * known + max(claim, 0.0) * share) / total
            for known, claim, share in zip(prior, claims, shares, strict=True)
        )
    return shares


def _spread(shares: Sequence[float]) -> float:
    """Standard deviation in cells."""
    mean = sum(i * share for i, share in enumerate(shares))
    return math.sqrt(sum((i - mean) ** 2 * share for i, share in enumerate(shares)))


def _smoothed(shares: Sequence[float], width: float) -> list[float]:
    reach = min(math.ceil(3 * width), CELLS)
    if reach < 1:
        return list(shares)
    kernel = _normalised(math.exp(-0.5 * (i / width) ** 2) for i in range(-reach, reach + 1))
    padded = [*[0.0] * reach, *shares, *[0.0] * reach]
    return _normalised(sum(map(_times, kernel, padded[i : i + 2 * reach + 1])) for i in range(CELLS))


def _times(a: float, b: float) -> float:
    return a * b


def _normalised(weights: Iterable[float]) -> list[float]:
    values = list(weights)
    total = sum(values)
    return [value / total for value in values]


def quantile(times: Times, share: float) -> float:
    """The seconds within which this share of all clips is ready."""
    return times.edges_s[1 + min(bisect_left(list(accumulate(times.shares)), share), CELLS - 1)]


def _while_many_are_left(times: Times, looks: Sequence[float]) -> list[float]:
    """The looks up to the first one that finds but few clips generating."""
    enough_s = quantile(times, 1 - FEW_LEFT)
    return list(looks[: bisect_left(looks, enough_s) + 1])


def best_looks(times: Times, price_s: float) -> list[float]:
    """The times to look, in seconds, at which expected lag plus `price_s` per look is smallest.

    Backwards over the grid: cost[i] is that of all that follows a look at edge i that found it still generating, times
    the share of clips of which that is true.
    """
    edges = (0.0, *times.edges_s[1:])
    below = [0.0, *accumulate(times.shares)]
    middles = [(a + b) / 2 for a, b in pairwise(times.edges_s)]
    moments = [0.0, *accumulate(map(_times, middles, times.shares))]
    cost = [0.0] * (CELLS + 1)
    following = [CELLS] * (CELLS + 1)
    ahead: list[float] = []  # of each later edge, nearest last: the part of its cost that does not depend on i
    slopes: list[float] = []
    for i in range(CELLS - 1, -1, -1):
        ahead.append(edges[i + 1] * below[i + 1] - moments[i + 1] + cost[i + 1])
        slopes.append(edges[i + 1])
        here = below[i]
        costs = [fixed - slope * here for fixed, slope in zip(ahead, slopes, strict=True)]
        least = min(costs)
        following[i] = CELLS - costs.index(least)
        cost[i] = price_s * (1 - here) + least + moments[i]
    looks, at = [], 0
    while at < CELLS:
        at = following[at]
        looks.append(edges[at])
    return looks


def from_age(delays: Sequence[float], age_s: float) -> list[float]:
    """The delays that are left for a generation of this age; one that missed a look is looked at now (0 s)."""
    at_s = 0.0
    for i, delay_s in enumerate(delays):
        at_s += delay_s
        if at_s > age_s:
            left = [at_s - age_s, *delays[i + 1 :]]
            return left if i == 0 else [0.0, *left][:MAX_DELAYS]
    return [0.0, delays[-1]]
