"""Clips and broken ones, made for tests."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

RATE = 24


def noise(index: int, width: int, height: int) -> np.ndarray:
    return np.random.default_rng(index).integers(0, 255, (height, width, 3), dtype="uint8")


def clip(  # noqa: PLR0913 - a factory of odd files
    path: Path,
    width: int = 128,
    height: int = 72,
    *,
    frames: int = 48,
    audio: bool = False,
    black: int = 0,
    rotation: int = 0,
    options: dict[str, str] | None = None,
    container: str = "mp4",
    codec: str = "mpeg4",
) -> Path:
    """Write a real clip of moving noise, an MP4 unless told otherwise, its first `black` frames black."""
    with av.open(str(path), "w", format=container, options=options or {}) as file:
        video = file.add_stream(codec, rate=RATE, width=width, height=height, pix_fmt="yuv420p")
        assert isinstance(video, av.VideoStream)
        if rotation:
            video.set_display_rotation(rotation)
        sound = file.add_stream("aac", rate=48000) if audio else None
        for index in range(frames):
            pixels = np.zeros((height, width, 3), dtype="uint8") if index < black else noise(index, width, height)
            file.mux(video.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        file.mux(video.encode(None))
        if sound is not None:
            samples = av.AudioFrame.from_ndarray(np.zeros((1, 1024), dtype="float32"), format="fltp", layout="mono")
            samples.sample_rate, samples.pts, samples.time_base = 48000, 0, Fraction(1, 48000)
            file.mux(sound.encode(samples))
            file.mux(sound.encode(None))
    return path


def box(kind: bytes, body: bytes = b"") -> bytes:
    return struct.pack(">I4s", 8 + len(body), kind) + body


FTYP = box(b"ftyp", b"isom\0\0\2\0isom")


def boxes(folder: Path, content: bytes) -> Path:
    path = folder / "boxes.mp4"
    path.write_bytes(content)
    return path
