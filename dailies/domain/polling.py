"""When to look at a generation again: a list of delays, as Prefect's retries want them."""

from __future__ import annotations

import math

MAX_DELAYS = 50  # Prefect refuses more than 50 retry delays; past the end the last one repeats
JITTER = 0.3  # Prefect's factor: each wait is 0.75 to 1.3 of its delay, so that a batch does not poll in step
FACTOR = 1.5  # each delay is so many times the one before


def backoff(first_s: float, cap_s: float) -> list[float]:
    """Exponential delays from `first_s` up to `cap_s`, the cap last. Always at least one, at most 50."""
    first_s = max(first_s, 0.01)
    cap_s = max(cap_s, first_s)
    steps = min(MAX_DELAYS - 1, max(0, math.ceil(math.log(cap_s / first_s, FACTOR))))
    return [*(min(cap_s, first_s * FACTOR**i) for i in range(steps)), cap_s]


def first_look_s(typical_s: float, cap_s: float) -> float:
    """The first delay when the settings name none: an eighth of the model's typical time, at least a second, at most the cap."""
    return min(cap_s, max(1.0, typical_s / 8))


def looks_until(delays: list[float], deadline_s: float) -> int:
    """How many retries surely reach past the deadline, even when jitter shortens every wait to 0.75 of its delay."""
    total, count = 0.0, 0
    while total <= deadline_s * 1.05 + delays[-1]:
        total += 0.75 * delays[min(count, len(delays) - 1)]
        count += 1
    return count
