"""Clips as a model sends them: 720p, four seconds at 30 frames a second, with sound; one of a usual size, one of 16 MB."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from tests.unit.footage_files import Picture, scene

WIDE, HIGH, RATE, SECONDS, HZ = 1280, 720, 30, 4, 44_100
SMALL, LARGE = (
    {"preset": "veryfast", "crf": "23"},
    {"preset": "ultrafast", "b": "31M", "maxrate": "31M", "bufsize": "8M"},
)


def small(path: Path) -> Path:
    """Clean footage at the encoder's usual quality: under two megabytes."""
    return _write(path, SMALL, grain=2)


def large(path: Path) -> Path:
    """Grainy footage at 32 Mbit/s: every one of its 16 MB is a picture that has to be decoded."""
    return _write(path, LARGE, grain=12)


def _write(path: Path, options: dict[str, str], grain: int) -> Path:
    with av.open(path, "w", options={"movflags": "faststart"}) as container:
        video: Any = container.add_stream("libx264", rate=RATE, options=options)
        video.width, video.height, video.pix_fmt = WIDE, HIGH, "yuv420p"
        sound: Any = container.add_stream("aac", rate=HZ, layout="mono")
        for number, picture in enumerate(_pictures(grain)):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        for start in range(0, SECONDS * HZ, 1024):
            at = np.arange(start, min(start + 1024, SECONDS * HZ), dtype=np.float32)
            tone = (0.1 * np.sin(2 * np.pi * 220 * at / HZ)).astype(np.float32)
            heard = av.AudioFrame.from_ndarray(tone[np.newaxis], format="fltp", layout="mono")
            heard.sample_rate, heard.pts, heard.time_base = HZ, start, Fraction(1, HZ)
            container.mux(sound.encode(heard))
        container.mux(sound.encode(None))
    return path


def _pictures(grain: int) -> Iterator[Picture]:
    """A pan over a scene, with grain that is new in each frame."""
    dice = np.random.default_rng(20)
    wide = scene(20, WIDE + 2 * RATE * SECONDS, HIGH + RATE * SECONDS)
    noises = [dice.normal(0, grain, (HIGH, WIDE, 1)).astype(np.int16) for _ in range(5)]
    for number in range(RATE * SECONDS):
        seen = wide[number : number + HIGH, 2 * number : 2 * number + WIDE]
        noise = np.roll(noises[number % 5], 7 * number, axis=1)
        yield np.ascontiguousarray(np.clip(seen + noise, 0, 255).astype(np.uint8))
