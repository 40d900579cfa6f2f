"""Marks from what was measured picture by picture and window by window: pure functions of short series."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from dailies.domain.marks import Kind, Mark
from dailies.media.thresholds import Thresholds

Flags = Sequence[bool] | npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Pictures:
    """A clip's pictures as they were measured. Of each: when it is shown, whether it is black, whether it is blank (of nearly
    one brightness), how much it changed to the one before, how much its single pixels did, and the number of the still span
    that it belongs to. `end_s` is the clip's end."""

    at_s: Sequence[float]
    black: Sequence[bool]
    blank: Sequence[bool]
    change: Sequence[float]
    grain: Sequence[float]
    still: Sequence[int]
    end_s: float


def black_marks(seen: Pictures, limits: Thresholds) -> Iterator[Mark]:
    """Spans without a picture; what a fade at either end may take is none. The value is the span's length in seconds."""
    for first, after in _runs(seen.black):
        start, end = seen.at_s[first], _end(seen, after)
        at_an_end = first == 0 or after == len(seen.black)
        if end - start > (limits.fade_s if at_an_end else limits.black_s) + 1e-6:
            yield _mark(Kind.BLACK, start, end, end - start)


def frozen_marks(seen: Pictures, limits: Thresholds) -> Iterator[Mark]:
    """Spans in which one picture is shown again and again, blank ones apart. The value is the length in seconds."""
    edges = [0, *(n for n in range(1, len(seen.still)) if seen.still[n] != seen.still[n - 1]), len(seen.still)]
    for first, after in pairwise(edges):
        start, end = seen.at_s[first], _end(seen, after)
        long = end - start >= limits.frozen_s - 1e-6
        if long and not all(seen.blank[first:after]) and np.median(seen.grain[first + 1 : after]) <= limits.grain:
            yield _mark(Kind.FROZEN, start, end, end - start)


def cut_marks(seen: Pictures, limits: Thresholds) -> Iterator[Mark]:
    """Places where one picture is followed by quite another; a flash is one mark from its beginning to its end.

    The value is the change of the mean pixel there, of 255. Into black and out of it is no cut.
    """
    cuts = [n for n in range(1, len(seen.at_s)) if _is_cut(seen, n, limits)]
    while cuts:
        first = last = cuts.pop(0)
        while cuts and seen.at_s[cuts[0]] - seen.at_s[last] <= limits.flash_s:
            last = cuts.pop(0)
        yield _mark(Kind.CUT, seen.at_s[first], seen.at_s[last], max(seen.change[first : last + 1]))


def _is_cut(seen: Pictures, n: int, limits: Thresholds) -> bool:
    if seen.change[n] < limits.cut_change or (_long_black(seen, n, limits)):
        return False
    around = [
        seen.change[m]
        for m in range(1, len(seen.at_s))
        if m != n and abs(seen.at_s[m] - seen.at_s[n]) <= limits.usual_s
    ]
    usual = float(np.median(around)) if around else 0.0
    return seen.change[n] >= limits.cut_times_usual * usual


def _long_black(seen: Pictures, n: int, limits: Thresholds) -> bool:
    """Whether a change leads into or out of black that is a fade or has a mark of its own: both are said already."""
    for first, after in _runs(seen.black):
        if n in (first, after):
            long = _end(seen, after) - seen.at_s[first] > limits.black_s
            return long or first == 0 or after == len(seen.black)
    return False


def silent_marks(loudness: npt.NDArray[np.float32], seconds: float, limits: Thresholds) -> Iterator[Mark]:
    """Silence in a track that was bought, from the root mean square of each window. The value is the loudest window in it."""
    least_s = min(limits.silent_s, 0.9 * seconds)
    for first, after in _runs(loudness < limits.silence):
        start, end = first * limits.window_s, min(after * limits.window_s, seconds)
        if end - start >= least_s - 1e-6:
            yield _mark(Kind.SILENT, start, end, float(loudness[first:after].max()))


def clipped_marks(shares: npt.NDArray[np.float32], limits: Thresholds) -> Iterator[Mark]:
    """Sound that is cut off at full scale, from the share of each window's samples there: one mark from the first window to
    the last. The value is the largest share."""
    loud = np.flatnonzero(shares > limits.clipped_share)
    if len(loud) * limits.window_s >= limits.clipped_s - 1e-6:
        start, end = float(loud[0]) * limits.window_s, float(loud[-1] + 1) * limits.window_s
        yield _mark(Kind.CLIPPED, start, end, float(shares.max()))


def _runs(flags: Flags) -> Iterator[tuple[int, int]]:
    """Where a flag is up: first, and one after the last."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], np.asarray(flags, dtype=np.int8), [0]))))
    yield from ((int(first), int(after)) for first, after in edges.reshape(-1, 2))


def _end(seen: Pictures, after: int) -> float:
    return seen.at_s[after] if after < len(seen.at_s) else seen.end_s


def _mark(kind: Kind, from_s: float, to_s: float, value: float) -> Mark:
    return Mark(kind, round(from_s, 3), round(to_s, 3), round(value, 4))
