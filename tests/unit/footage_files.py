"""Footage made for tests: pictures in motion that are fine, and such that are not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from io import BytesIO
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

RATE, WIDTH, HEIGHT = 24, 480, 270
HZ = 48_000
Picture = npt.NDArray[np.uint8]
Samples = npt.NDArray[np.float32]


def scene(seed: int, width: int = 2 * WIDTH, height: int = 2 * HEIGHT) -> Picture:
    """A picture with large and small things in it, another one for each seed."""
    random = np.random.default_rng(seed)
    layers = [
        np.asarray(
            Image.fromarray(random.integers(0, 255, (rows, rows * 16 // 9, 3), dtype=np.uint8)).resize(
                (width, height), Image.Resampling.BICUBIC
            ),
            dtype=np.float32,
        )
        for rows in (4, 9, 30)
    ]
    mixed = Image.fromarray((0.5 * layers[0] + 0.35 * layers[1] + 0.15 * layers[2]).astype(np.uint8))
    return np.asarray(mixed.filter(ImageFilter.SHARPEN))


def window(picture: Picture, x: float, y: float, zoom: float = 1.0) -> Picture:
    """A frame of a larger picture, its corner at a fraction of a pixel."""
    drawn = Image.fromarray(picture).transform(
        (WIDTH, HEIGHT), Image.Transform.AFFINE, (zoom, 0, x, 0, zoom, y), Image.Resampling.BILINEAR
    )
    return np.asarray(drawn)


def pan(picture: Picture, frames: int = 96, px: float = 1.0) -> Iterator[Picture]:
    """A slow pan: so many pixels from frame to frame."""
    for n in range(frames):
        yield window(picture, 20 + n * px, 20 + n * px / 3)


def grainy(pictures: Iterable[Picture], sigma: float, seed: int = 0) -> Iterator[Picture]:
    """The same with new grain in each frame."""
    random = np.random.default_rng(seed)
    for picture in pictures:
        noise = random.normal(0, sigma, picture.shape[:2])[..., None]
        yield np.clip(picture + noise, 0, 255).astype(np.uint8)


def lit(pictures: Iterable[Picture], light: Callable[[int], float]) -> Iterator[Picture]:
    """The same with each frame as bright as `light` says of its number."""
    for n, picture in enumerate(pictures):
        yield np.clip(picture * light(n), 0, 255).astype(np.uint8)


def tone(seconds: float, level: float = 0.3, hz: float = 330.0) -> Samples:
    """A tone; above a level of 1 it is cut off there."""
    at = np.arange(int(seconds * HZ), dtype=np.float32)
    return np.clip(level * np.sin(2 * np.pi * hz * at / HZ), -1, 1).astype(np.float32)


def movie(path: Path, pictures: Iterable[Picture], sound: Samples | None = None, crf: int = 23, gop: int = 48) -> Path:
    """An H.264/AAC MP4 as providers make them."""
    with av.open(str(path), "w") as file:
        video = file.add_stream("libx264", rate=RATE, options={"preset": "ultrafast", "crf": str(crf), "g": str(gop)})
        video.pix_fmt, video.thread_count = "yuv420p", 1
        track = file.add_stream("aac", rate=HZ, layout="mono") if sound is not None else None
        for n, picture in enumerate(pictures):
            if n == 0:
                video.height, video.width = picture.shape[:2]
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            frame.pts, frame.time_base = n, Fraction(1, RATE)
            file.mux(video.encode(frame))
        file.mux(video.encode(None))
        if track is not None and sound is not None:
            for start in range(0, len(sound), 1024):
                samples = av.AudioFrame.from_ndarray(sound[None, start : start + 1024], format="fltp", layout="mono")
                samples.sample_rate, samples.pts, samples.time_base = HZ, start, Fraction(1, HZ)
                file.mux(track.encode(samples))
            file.mux(track.encode(None))
    return path


def png(picture: Picture) -> bytes:
    """A picture as the image of a row."""
    out = BytesIO()
    Image.fromarray(picture).save(out, "PNG")
    return out.getvalue()
