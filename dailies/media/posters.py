"""A small still of a clip, for the report."""

from __future__ import annotations

from contextlib import suppress
from io import BytesIO
from pathlib import Path

from av.video.frame import VideoFrame
from PIL import Image, ImageStat

from dailies.media.video import BadVideo, inspect

MOST_PX = 480
"""On the long side."""
LOOK_FOR_S = 2.0
"""Fades from black are over by then."""
DARK, FLAT = 16.0, 6.0
"""Mean and standard deviation of brightness (0-255) below which a picture shows nothing."""
WEBP_QUALITY, WEBP_METHOD = 75, 0
"""The usual quality, and the quickest method: half the time of method 2, a third of the usual 4; its structural similarity to the
picture is the same to 0.004 (0.973 for 0.975, 0.984 for 0.985), for one or two kB more."""


class Still:
    """The first picture that shows something, of those that it takes; else the first."""

    def __init__(self) -> None:
        self._image: Image.Image | None = None

    def take(self, frame: VideoFrame) -> bool:
        """A clip's next picture. Whether no more are needed."""
        if self._image is not None and (frame.time or 0.0) > LOOK_FOR_S:
            return True
        image = _small(frame)
        shows = shows_something(image)
        if shows or self._image is None:
            self._image = image
        return shows

    def webp(self) -> bytes:
        """The picture as a WebP of at most MOST_PX on its long side. Raises BadVideo where none came."""
        if self._image is None:
            raise BadVideo("no picture for a poster")
        out = BytesIO()
        self._image.save(out, "WEBP", quality=WEBP_QUALITY, method=WEBP_METHOD)
        return out.getvalue()


def poster(path: Path) -> bytes:
    """Cut a clip's poster. Raises BadVideo when nothing can be decoded."""
    still = Still()
    with suppress(BadVideo):
        inspect(path, still.take)
    return still.webp()


def shows_something(image: Image.Image) -> bool:
    """Say whether a picture is neither almost black nor almost one colour."""
    stats = ImageStat.Stat(image.convert("L"))
    return stats.mean[0] >= DARK and stats.stddev[0] >= FLAT


def _small(frame: VideoFrame) -> Image.Image:
    # Shrunk before it becomes an image: sixty pictures of a dark 4k clip would take seconds otherwise.
    scale = min(1.0, MOST_PX / max(frame.width, frame.height))
    width, height = (max(1, round(side * scale)) for side in (frame.width, frame.height))
    pixels = frame.to_ndarray(format="rgb24", width=width, height=height)
    return Image.fromarray(pixels).rotate(frame.rotation, expand=True)
