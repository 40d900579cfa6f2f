"""How long a batch will take: an honest guess before it begins. Pure."""

from __future__ import annotations

import heapq
from collections.abc import Sequence


def makespan_s(times_s: Sequence[float], in_flight: int) -> float:
    """Seconds until the last of these generations is ready when so many are made at once, started in this order.

    Times are those that each is expected to take; the queue at the provider and delivery are not in it.
    """
    if not times_s:
        return 0.0
    places = [0.0] * min(max(1, in_flight), len(times_s))
    for seconds in times_s:
        heapq.heapreplace(places, places[0] + seconds)
    return max(places)


def show_time(seconds: float) -> str:
    """`40 s`, `6 min`, `2 h 10 min` for people."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
