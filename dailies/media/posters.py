"""A small still of a clip, for the report."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import av
from av.video.frame import VideoFrame
from PIL import Image, ImageStat

from dailies.media.video import BadVideo, demuxer

LOOK_FOR_S = 2.0
"""Fades from black are over by then."""
DARK, FLAT = 16.0, 6.0
"""Mean and standard deviation of brightness (0-255) below which a picture shows nothing."""
WEBP_QUALITY, WEBP_METHOD = 75, 2
"""The usual quality; the method takes a third of the usual one's time for the same size."""


def poster(path: Path, max_px: int = 480) -> bytes:
    """Cut a WebP of at most `max_px` on its long side: the first picture that shows something, else the first.

    Raises BadVideo when nothing can be decoded.
    """
    image = _first_good(path, max_px)
    out = BytesIO()
    image.save(out, "WEBP", quality=WEBP_QUALITY, method=WEBP_METHOD)
    return out.getvalue()


def shows_something(image: Image.Image) -> bool:
    """Say whether a picture is neither almost black nor almost one colour."""
    stats = ImageStat.Stat(image.convert("L"))
    return stats.mean[0] >= DARK and stats.stddev[0] >= FLAT


def _first_good(path: Path, max_px: int) -> Image.Image:
    first: Image.Image | None = None
    try:
        with av.open(f"file:{path}", format=demuxer(path)) as container:
            for frame in container.decode(video=0):
                if first is not None and (frame.time or 0.0) > LOOK_FOR_S:
                    break
                image = _small(frame, max_px)
                if shows_something(image):
                    return image
                first = first or image
    except (av.FFmpegError, ValueError, IndexError) as error:
        if first is None:
            raise BadVideo(f"no picture for a poster ({error})") from error
    if first is None:
        raise BadVideo("no picture for a poster")
    return first


def _small(frame: VideoFrame, max_px: int) -> Image.Image:
    # Shrunk before it becomes an image: sixty pictures of a dark 4k clip would take seconds otherwise.
    scale = min(1.0, max_px / max(frame.width, frame.height))
    width, height = (max(1, round(side * scale)) for side in (frame.width, frame.height))
    pixels = frame.to_ndarray(format="rgb24", width=width, height=height)
    return Image.fromarray(pixels).rotate(frame.rotation, expand=True)
