"""Real MP4s, made cheaply: the input image moves, a tone sounds."""

from __future__ import annotations

import functools
import io
import tempfile
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from dailies.sandbox.models import Size
from dailies.sandbox.pictures import test_image

_RATE_HZ = 44_100
_AAC_FRAME = 1024
FPS = 12
"""Frames per second where nothing was asked for."""
_TRAVEL = 0.12
"""How much larger than the clip the picture is: the distance it can move."""


@dataclass(frozen=True, slots=True)
class Spec:
    """What a clip shall be: pixels, seconds, frames per second, sound or none."""

    size: Size
    duration_s: int
    audio: bool = True
    fps: int = FPS


@functools.lru_cache(maxsize=32)
def render(spec: Spec, image: bytes | None) -> bytes:
    """An H.264/AAC MP4 with its index first, in which the image (or a test image) moves from corner to corner.

    The cache is the process's: rendering costs up to a second, and tests ask for the same clip again and again.
    """
    source = image or test_image(spec.size, "png")
    with tempfile.TemporaryDirectory(prefix="dailies-sandbox-") as folder:
        # A real file, because "faststart" rewrites it in a second pass.
        path = Path(folder) / "clip.mp4"
        with av.open(path, "w", options={"movflags": "faststart"}) as container:
            _write(container, spec, _enlarged(source, spec.size))
        return path.read_bytes()


def stamped(clip: bytes, text: str) -> bytes:
    """The same clip with a `free` box at its end that holds this text: plays alike, but no two files are alike."""
    payload = text.encode()
    return clip + (8 + len(payload)).to_bytes(4, "big") + b"free" + payload


def _enlarged(source: bytes, size: Size) -> npt.NDArray[np.uint8]:
    wide, high = (round(side * (1 + _TRAVEL)) for side in size)
    with Image.open(io.BytesIO(source)) as picture:
        return np.asarray(ImageOps.fit(picture.convert("RGB"), (wide, high), Image.Resampling.BILINEAR))


def _write(container: Any, spec: Spec, picture: npt.NDArray[np.uint8]) -> None:
    video = container.add_stream("libx264", rate=spec.fps, options={"preset": "ultrafast", "crf": "32"})
    video.width, video.height = spec.size
    video.pix_fmt = "yuv420p"
    video.thread_count = 1
    sound = container.add_stream("aac", rate=_RATE_HZ, layout="mono", options={"b": "48k"}) if spec.audio else None
    for number in range(spec.fps * spec.duration_s):
        frame = av.VideoFrame.from_ndarray(_view(picture, spec, number), format="rgb24")
        frame.pts, frame.time_base = number, Fraction(1, spec.fps)
        container.mux(video.encode(frame))
    container.mux(video.encode(None))
    if sound is not None:
        _write_tone(container, sound, spec.duration_s)


def _view(picture: npt.NDArray[np.uint8], spec: Spec, number: int) -> npt.NDArray[np.uint8]:
    wide, high = spec.size
    way = number / max(1, spec.fps * spec.duration_s - 1)
    x, y = (round((picture.shape[1] - wide) * way), round((picture.shape[0] - high) * way))
    return np.ascontiguousarray(picture[y : y + high, x : x + wide])


def _write_tone(container: Any, stream: Any, duration_s: int) -> None:
    total = duration_s * _RATE_HZ
    for start in range(0, total, _AAC_FRAME):
        at = np.arange(start, min(start + _AAC_FRAME, total), dtype=np.float32)
        tone = 0.1 * np.sin(2 * np.pi * 220 * at / _RATE_HZ)
        frame = av.AudioFrame.from_ndarray(tone[np.newaxis].astype(np.float32), format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = (_RATE_HZ, start, Fraction(1, _RATE_HZ))
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))
