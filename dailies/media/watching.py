"""A clip's pictures measured one after the other as they are decoded; only a few of them are kept."""

from __future__ import annotations

from collections import deque

import numpy as np

from dailies.media.likeness import Grey, spread
from dailies.media.spans import Pictures
from dailies.media.thresholds import Thresholds

PART_PX = 8
"""Parts of a small picture whose means are compared."""
BEFORE_FADE = 3
"""With no fade the first three pictures may be the image: some models begin one late."""
DIM = 0.7
"""A first picture with less than this share of the later brightness is on its way out of a fade."""


class Watching:
    """Takes small grey pictures in their order."""

    def __init__(self, limits: Thresholds) -> None:
        self._limits = limits
        self.at_s: list[float] = []
        self._black: list[bool] = []
        self._blank: list[bool] = []
        self._change: list[float] = []
        self._grain: list[float] = []
        self._still: list[int] = []
        self._end_s = 0.0
        self._before: tuple[Grey, Grey] | None = None
        self._anchor: Grey | None = None
        self._first: list[tuple[float, Grey]] = []
        self._last: deque[tuple[float, Grey]] = deque()

    def take(self, at_s: float, picture: Grey, sharp: Grey, lasts_s: float = 0.0) -> None:
        """The next picture, when it is shown and for how long. `sharp` has single pixels of it, with their grain."""
        contrast = spread(picture)
        self._black.append(is_black(picture, contrast, self._limits))
        self._blank.append(self._black[-1] or contrast < self._limits.flat)
        before = self._before or (picture, sharp)
        self._change.append(_change(before[0], picture))
        self._grain.append(_change(before[1], sharp))
        same = self._anchor is not None and is_still(self._anchor, picture, self._limits)
        self._still.append(self._still[-1] + (not same) if self._still else 0)
        if not same:
            self._anchor = picture
        self._before = picture, sharp
        self.at_s.append(at_s)
        self._end_s = max(self._end_s, at_s + lasts_s)
        self._keep(at_s, picture)

    def seen(self) -> Pictures:
        """All that was measured."""
        usual = (self.at_s[-1] - self.at_s[0]) / max(1, len(self.at_s) - 1)
        end_s = max(self._end_s, self.at_s[-1] + usual)
        return Pictures(self.at_s, self._black, self._blank, self._change, self._grain, self._still, end_s)

    @property
    def opening(self) -> list[tuple[float, Grey]]:
        """The pictures of which one should be the image that was sent: the first, and those after a fade."""
        return _near(self._first)

    def closing(self) -> list[tuple[float, Grey]]:
        """The same at the end, the last picture first."""
        return _near([*reversed(self._last)])

    def _keep(self, at_s: float, picture: Grey) -> None:
        reach_s = self._limits.fade_s + 0.1
        if not self._first or at_s - self._first[0][0] <= reach_s:
            self._first.append((at_s, picture))
        self._last.append((at_s, picture))
        while at_s - self._last[0][0] > reach_s:
            self._last.popleft()


def is_black(picture: Grey, contrast: float, limits: Thresholds) -> bool:
    """Whether there is nothing to be seen. `contrast` is the picture's spread."""
    return contrast <= limits.black_spread and float((picture < limits.black_peak).mean()) >= limits.black_share


def is_still(one: Grey, other: Grey, limits: Thresholds) -> bool:
    """Whether two pictures are the same one but for grain and for what an encoder makes of it, everywhere."""
    if one.shape != other.shape or _change(one, other) > limits.frozen_change:
        return False
    return bool(np.abs(_part_means(other - one)).max() <= limits.frozen_part)


def _change(one: Grey, other: Grey) -> float:
    """The mean pixel's; a clip whose pictures change their size has changed altogether."""
    if one.shape != other.shape:
        return 255.0
    apart = other - one
    return float(np.abs(apart, out=apart).mean())


def _part_means(picture: Grey) -> Grey:
    height, width = (max(1, side // PART_PX) for side in picture.shape)
    high, wide = (min(PART_PX, side) for side in picture.shape)
    whole = picture[: height * high, : width * wide]
    return np.asarray(whole.reshape(height, high, width, wide).mean(axis=(1, 3)), dtype=np.float32)


def _near(frames: list[tuple[float, Grey]]) -> list[tuple[float, Grey]]:
    """The first few; all of them where they come out of a fade."""
    if not frames:
        return []
    dim = frames[0][1].mean() < DIM * frames[-1][1].mean()
    if not dim:
        return frames[:BEFORE_FADE]
    return [frames[0], *frames[1::3], frames[-1]]
