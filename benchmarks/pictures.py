"""Memory with fifty creates in the air at once, each with a picture of its own of 7 MB, beside small ones."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image, PngImagePlugin

from benchmarks import probed
from benchmarks.report import Bar, Chart, Report
from benchmarks.stage import Stage

ANSWERED_AFTER_S = 20.0
SIZE = (1280, 720)
PADDING = b"\1" * 4_300_000
"""In a chunk that viewers skip: a picture of this size cannot have 7 MB otherwise."""
MOST_MB = 150


def run(stage: Stage, full: bool) -> Report:
    """The program's and its sender's peaks together; every create is answered late, so that all of them are in the air."""
    count = 50 if full else 25
    found: dict[str, float] = {}
    for words, large in (("small pictures", False), ("7 MB each", True)):
        stage.sandbox(0.0)
        stage.slow_creates(ANSWERED_AFTER_S)
        name = "large" if large else "small"
        _pictures(stage.folder / "data", count, large)
        found[words] = probed.ours(stage, f"pictures-{name}", 0.0, images=count)(count).peak_mb
    rows = [[words, count, peak] for words, peak in found.items()]
    bars = [
        Bar(
            f"MiB of peak memory that {count} pictures of 7 MB in flight add",
            found["7 MB each"] - found["small pictures"],
            MOST_MB,
        )
    ]
    note = (
        f"{count} creates at once, each with another picture, answered after {ANSWERED_AFTER_S:.0f} s. The peak of the program and that of "
        f"its sender, added. As data URIs the large ones are {count * 7 * 4 / 3:.0f} MB."
    )
    chart = Chart(
        "Peak memory of program and sender, MiB", "MiB", {f"dailies, {words}": peak for words, peak in found.items()}
    )
    return Report("pictures", "Pictures in flight", ["", "in flight", "peak, MiB"], rows, bars, chart, [note])


def _pictures(folder: Path, count: int, large: bool) -> None:
    folder.mkdir(exist_ok=True)
    dice = np.random.default_rng(7)
    noise = dice.integers(0, 255, (SIZE[1], SIZE[0], 3), dtype=np.uint8)
    for number in range(count):
        out = io.BytesIO()
        shown = np.roll(noise, number, axis=1) if large else np.full_like(noise, number)
        more = PngImagePlugin.PngInfo()
        if large:
            more.add(b"paDd", PADDING)
        Image.fromarray(shown).save(out, "PNG", compress_level=1, pnginfo=more)
        (folder / f"{number}.png").write_bytes(out.getvalue())
