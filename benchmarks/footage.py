"""`python -m benchmarks.footage`: false alarms and misses of a look at footage, on clips that are fine and on clips that are not.

What docs/footage.md says of them is what this prints. The clips are those of `tests/unit/test_footage.py`, and more pans and
qualities than a suite has time for.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np

from dailies.media.footage import image_grey, look
from tests.unit.footage_files import HEIGHT, WIDTH, Picture, Samples, movie, pan, png, scene, tone, window
from tests.unit.test_footage import BAD, BOUGHT, FINE, FRAMES, SECONDS, panned

MOVING = ("a pan, each picture on by", "a hand-held camera")
"""What begins with a picture of its own."""
PIXELS, QUALITIES = (0.1, 0.5, 1, 4, 12), (18, 23, 32, 40)
WIDE = scene(1, WIDTH + 200, HEIGHT + 120)
SOUND = tone(SECONDS)
SOUNDS: dict[str, tuple[Samples | None, str]] = {
    "no sound": ((0 * SOUND).astype(np.float32), "silent"),
    "none after 0.3 s": (np.concatenate((tone(0.3), 0 * tone(2.2))).astype(np.float32), "silent"),
    "no track": (None, "silent"),
    "four times too loud": (tone(SECONDS, 4), "clipped"),
}


def main() -> None:
    """Make every clip, look at it, and print what was marked that is fine, and what was not that isn't."""
    alarms: dict[str, str] = {}
    missed: dict[str, str] = {}
    fine, bad = list(_fine()), list(_bad())
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "clip.mp4"
        for name, pictures, crf in fine:
            shown = list(pictures())
            own = image_grey(png(shown[0])) if name.startswith(MOVING) else BOUGHT.first
            bought = replace(BOUGHT, first=None if name == "stars" else own)
            if found := look(movie(file, shown, SOUND, crf=crf), bought).found:
                alarms[f"{name}, CRF {crf}"] = "; ".join(map(str, found))
        for name, pictures, sound, kind in bad:
            found = look(movie(file, pictures(), sound), BOUGHT).found
            if [str(mark.kind) for mark in found] != [kind]:
                missed[name] = "; ".join(map(str, found)) or "no mark"
    print(f"fine, and no mark: {len(fine) - len(alarms)} of {len(fine)}")
    print(f"bad, and marked as such alone: {len(bad) - len(missed)} of {len(bad)}")
    for name, marks in (alarms | missed).items():
        print(f"  {name}: {marks}")


def _fine() -> Iterator[tuple[str, Callable[[], Iterable[Picture]], int]]:
    for px, crf in product(PIXELS, QUALITIES):
        yield f"{MOVING[0]} {px} pixels", partial(_panned, px), crf
    yield MOVING[1], _held, 23
    for name, pictures in FINE.items():
        yield name, pictures, 23


def _bad() -> Iterator[tuple[str, Callable[[], Iterable[Picture]], Samples | None, str]]:
    for name, (pictures, kind, _, _) in BAD.items():
        yield name, pictures, SOUND, str(kind)
    for name, (sound, word) in SOUNDS.items():
        yield name, panned, sound, word


def _panned(px: float) -> Iterator[Picture]:
    yield from pan(scene(1, WIDTH + 200 + int(px * FRAMES), HEIGHT + 120 + int(px * FRAMES / 3)), FRAMES, px)


def _held() -> Iterator[Picture]:
    for n in range(FRAMES):
        yield window(
            WIDE, 20 + 6 * math.sin(n / 5) + 2 * math.sin(n * 1.7), 20 + 4 * math.sin(n / 7) + 1.5 * math.sin(n * 2.3)
        )


if __name__ == "__main__":
    main()
