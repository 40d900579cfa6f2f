"""A clip's sound measured in windows as it is decoded: how loud, and how much of it at full scale."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler

from dailies.media.thresholds import Thresholds

Samples = npt.NDArray[np.float32]
PLAIN = "fltp"
"""FFmpeg's name for samples as numbers between -1 and 1, channel by channel, as decoders of AAC give them."""


class Sound:
    """Takes a track frame by frame, and keeps two numbers for each window of it."""

    def __init__(self, limits: Thresholds) -> None:
        self._limits = limits
        self._resampler = AudioResampler(format=PLAIN)
        self._rest: list[Samples] = []
        self._rate = 0
        self._loudness: list[float] = []
        self._shares: list[float] = []

    def take(self, frame: AudioFrame) -> None:
        """The next frame of the track, of whatever format."""
        self._rate = self._rate or frame.sample_rate
        for plain in [frame] if frame.format.name == PLAIN else self._resampler.resample(frame):
            self._append(plain.to_ndarray().astype(np.float32, copy=False))

    def heard(self) -> tuple[Samples, Samples]:
        """The loudness of each window as root mean square, and the share of its samples at full scale; the last one may be
        a short one."""
        if self._rest:
            self._measure(np.concatenate(self._rest, axis=1))
            self._rest = []
        return np.array(self._loudness, dtype=np.float32), np.array(self._shares, dtype=np.float32)

    def _append(self, samples: Samples) -> None:
        self._rest.append(samples)
        window = max(1, int(self._rate * self._limits.window_s))
        if sum(part.shape[1] for part in self._rest) < window:
            return
        whole = np.concatenate(self._rest, axis=1)
        full = whole.shape[1] // window * window
        for start in range(0, full, window):
            self._measure(whole[:, start : start + window])
        self._rest = [whole[:, full:]] if full < whole.shape[1] else []

    def _measure(self, window: Samples) -> None:
        self._loudness.append(float(np.sqrt(np.mean(window**2))))
        self._shares.append(float((np.abs(window) >= self._limits.full_scale).mean()))
