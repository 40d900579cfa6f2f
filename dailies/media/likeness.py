"""How alike two pictures are in structure, whatever their colour and brightness, and with a little more or less around them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view
from PIL import Image

Grey = npt.NDArray[np.float32]
"""Brightness by row and column, 0 to 255."""

SIDE: Final = 64
"""The long side on which pictures are compared: what a model redraws is finer, what it keeps is not."""
KEPT: Final = 0.76
"""The middle of a frame that is searched in the image: the rest may lie outside of it."""
SCALES: Final = (1.0, 1.06, 1.12, 1.2, 1.28, 0.94, 0.88)
"""How much larger than the frame the image may be drawn: small crops, or a border beside it."""
WINDOW: Final = 8
"""Structural similarity is a mean over windows of this many pixels (Wang et al. 2004 use 8 and 11)."""
C2: Final = (0.03 * 255) ** 2
"""Their constant: it keeps flat windows from being all noise."""


def likeness(frame: Grey, image: Grey, enough: float = 1.0) -> float:
    """Structural similarity of a frame and the image it was made of, -1 to 1, at the place and scale where they are most alike;
    where one reaches `enough` the others are not tried.

    The image is taken to fill the frame, what is too much cut off in equal parts, as models do.
    """
    height, width = _size(frame.shape[0], frame.shape[1])
    small = _resized(frame, width, height)
    high, wide = round(height * KEPT), round(width * KEPT)
    top, left = (height - high) // 2, (width - wide) // 2
    middle = small[top : top + high, left : left + wide]
    best = -1.0
    for larger in _drawn(image, width, height):
        best = max(best, _best(middle, larger))
        if best >= enough:
            break
    return best


def spread(picture: Grey) -> float:
    """The standard deviation of its brightness."""
    return float(picture.std())


def _size(height: int, width: int) -> tuple[int, int]:
    scale = SIDE / max(height, width)
    return max(WINDOW * 2, round(height * scale)), max(WINDOW * 2, round(width * scale))


def _drawn(image: Grey, width: int, height: int) -> Iterator[Grey]:
    """The image filling a frame of this size, at every scale; where it is smaller only its middle is searched."""
    fill = max(width / image.shape[1], height / image.shape[0])
    for scale in SCALES:
        wide, high = (round(side * fill * scale) for side in (image.shape[1], image.shape[0]))
        drawn = _resized(image, max(wide, 1), max(high, 1))
        most_w, most_h = round(width * 1.15), round(height * 1.15)
        x, y = max(0, (wide - most_w) // 2), max(0, (high - most_h) // 2)
        yield drawn[y : y + most_h, x : x + most_w]


def _best(middle: Grey, larger: Grey) -> float:
    """Find the middle in the larger picture by correlation, and say how alike it is to what lies there."""
    high, wide = middle.shape
    if larger.shape[0] < high or larger.shape[1] < wide:
        return -1.0
    places = sliding_window_view(larger, (high, wide))
    sums = np.einsum("yxhw,hw->yx", places, middle - middle.mean())  # no BLAS, whose threads cost more than the sum
    exact = larger.astype(np.float64)
    means = _means(exact, high, wide)
    norms = np.sqrt(np.maximum(_means(exact**2, high, wide) - means**2, 1e-6))
    y, x = np.unravel_index(int(np.argmax(sums / norms)), sums.shape)
    return structure(middle, np.asarray(places[y, x]))


def _means(picture: npt.NDArray[np.float64], high: int, wide: int) -> npt.NDArray[np.float64]:
    """The mean of a picture below a window of this size, wherever that may lie: by sums from the corner."""
    sums = np.pad(picture, ((1, 0), (1, 0))).cumsum(0).cumsum(1)
    inside = sums[high:, wide:] - sums[:-high, wide:] - sums[high:, :-wide] + sums[:-high, :-wide]
    return np.asarray(inside / (high * wide))


def structure(one: Grey, other: Grey) -> float:
    """The mean structural similarity of two pictures of one size, after their brightness and contrast are made the same."""
    here, there = (_in_windows(_levelled(picture)) for picture in (one, other))
    here, there = (windows - windows.mean(axis=(2, 3), keepdims=True) for windows in (here, there))
    shared = (here * there).mean(axis=(2, 3))
    own = (here**2).mean(axis=(2, 3)) + (there**2).mean(axis=(2, 3))
    return float(((2 * shared + C2) / (own + C2)).mean())


def _levelled(picture: Grey) -> Grey:
    levelled: Grey = (picture - picture.mean()) * np.float32(50 / max(float(picture.std()), 1.0))
    return levelled


def _in_windows(picture: Grey) -> Grey:
    step = WINDOW // 2
    return sliding_window_view(picture, (WINDOW, WINDOW))[::step, ::step]


def _resized(picture: Grey, width: int, height: int) -> Grey:
    drawn = Image.fromarray(picture.astype(np.float32)).resize((width, height), Image.Resampling.BOX)
    return np.asarray(drawn, dtype=np.float32)
