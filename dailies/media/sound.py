"""A clip's sound measured in windows as it is decoded: how loud, and how much of it at full scale."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler

from dailies.media.thresholds import Thresholds

Samples = npt.NDArray[np.float32]


class Sound:
    """Takes a track frame by frame, and keeps two numbers for each window of it."""

    def __init__(self, limits: Thresholds) -> None:
        self._limits = limits
        self._resampler = AudioResampler(format="fltp")
        self._rest: Samples = np.zeros((0, 0), dtype=np.float32)
        self._rate = 0
        self._loudness: list[float] = []
        self._shares: list[float] = []

    def take(self, frame: AudioFrame) -> None:
        """The next frame of the track, of whatever format."""
        self._rate = self._rate or frame.sample_rate
        for plain in self._resampler.resample(frame):
            self._append(plain.to_ndarray().astype(np.float32))

    def heard(self) -> tuple[Samples, Samples]:
        """The loudness of each window as root mean square, and the share of its samples at full scale; the last one may be
        a short one."""
        if self._rest.size:
            self._measure(self._rest)
            self._rest = self._rest[:, :0]
        return np.array(self._loudness, dtype=np.float32), np.array(self._shares, dtype=np.float32)

    def _append(self, samples: Samples) -> None:
        self._rest = np.concatenate((self._rest, samples), axis=1) if self._rest.size else samples
        window = max(1, int(self._rate * self._limits.window_s))
        while self._rest.shape[1] >= window:
            self._measure(self._rest[:, :window])
            self._rest = self._rest[:, window:]

    def _measure(self, window: Samples) -> None:
        self._loudness.append(float(np.sqrt(np.mean(window**2))))
        self._shares.append(float((np.abs(window) >= self._limits.full_scale).mean()))
