"""From where on footage is marked: every number of the look in one place, each with its source or its reason.

Brightness is 0 (black) to 255 (white) and full range. The figures on good and bad clips stand in `docs/footage.md`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Thresholds:
    """The limits of a look, with the reason for each beside it."""

    black_peak: float = 25.0
    """A picture is black when nearly all of it is below: FFmpeg's blackdetect, `pix_th` 0.10."""
    black_share: float = 0.995
    """How much of it: blackdetect's `pic_th` is 0.98, but 2 % of a night scene are its lights."""
    black_spread: float = 1.2
    """And it has no more contrast: a night scene of which one sees anything has 1.3, black with strong grain 1.1."""
    fade_s: float = 0.5
    """So long a clip may begin or end in black: a fade is a matter of taste."""
    black_s: float = 0.2
    """Black in mid-clip is marked from here on: shorter is a flash, and marked as a cut."""

    frozen_change: float = 0.7
    """Mean change to the span's first picture, grain smoothed away. Repeated pictures come out of x264 at usual qualities with
    at most 0.5; a pan of two pixels a second at 540p passes 0.7 within a second."""
    frozen_part: float = 1.5
    """And no part of the picture changes by more: an eye that blinks, a lamp that is lit."""
    grain: float = 0.15
    """And single pixels don't live from picture to picture, in the median: repeated ones have at most 0.06 (key frames apart),
    grain that x264 keeps 0.63 and more."""
    frozen_s: float = 1.0
    """FFmpeg's freezedetect waits for 2 s, in films; a whole clip has four."""

    cut_change: float = 15.0
    """Mean change from one picture to the next: the least that PySceneDetect's AdaptiveDetector takes for a cut."""
    cut_times_usual: float = 4.0
    """And so many times the usual change around it, so that fast movement is none: AdaptiveDetector asks for 3."""
    usual_s: float = 0.5
    """How far `around` reaches, to both sides."""
    flash_s: float = 0.5
    """Two cuts that lie no further apart are one mark."""

    silence: float = 0.001
    """The root mean square that counts as silence: -60 dB, FFmpeg's silencedetect."""
    silent_s: float = 2.0
    """silencedetect's `duration`; shorter pauses are speech's and music's. In a shorter clip nine tenths of it."""
    full_scale: float = 0.98
    """A sample that cannot be louder. AAC bends what was cut off: a tone at full scale has 0 to 0.2 % of its samples there."""
    clipped_share: float = 0.015
    """The share of a window's samples there. Twice too loud has 2.2 %, three times 4.7 %; a quarter too loud passes."""
    clipped_s: float = 0.2
    """How much of the clip is so: one drum is no mark."""
    window_s: float = 0.1
    """Sound is measured in windows of this length."""

    likeness: float = 0.55
    """Structural similarity below which a picture is another one than was sent. Crops to 80 %, other colours and brightness,
    blur, grain and re-encoding stay above 0.76; of 132 other pictures of the same kind the nearest has 0.50."""
    flat: float = 4.0
    """A picture whose brightness spreads less has nothing in it that could be compared, or stand still."""
    most_s: float = 60.0
    """Seconds of time that one look may take; a clip that needs more is not looked at."""


THRESHOLDS = Thresholds()
