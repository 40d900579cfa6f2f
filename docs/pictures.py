"""`make pictures`: the pictures of README and docs, made of a real run of the demo in a headless Chromium.

`docs/pictures/demo.gif` moves: the run in the Prefect UI, then the report. `docs/pictures/report.png` is the report alone.
Needs the extra `test` (playwright) and Debian's chromium, or the one that CHROMIUM names.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
from PIL import Image
from playwright.sync_api import Page, sync_playwright

HERE = Path(__file__).resolve().parent / "pictures"
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
SIZE, SHOWN = (1280, 800), (880, 550)
PATIENCE_S = 300
FRAMES_OF_THE_RUN, EVERY_S, MS_A_FRAME, MS_OF_THE_LAST = 8, 2.0, 900, 4000
UI = re.compile(r"Prefect UI (http://127\.0\.0\.1:\d+)")


def main() -> None:
    """Run the demo, look at it, and write the pictures."""
    HERE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": SIZE[0], "height": SIZE[1]})
        words = Path(folder) / "words.txt"
        with words.open("w") as file:
            command = [sys.executable, "-m", "dailies", "demo", "--stay", "--output", folder]
            demo = subprocess.Popen(command, stdout=file, stderr=file)  # noqa: S603 - our own
        try:
            frames = _run(page, _until(lambda: UI.search(words.read_text()))[1])
            report = Path(folder) / "report" / "report.html"
            _until(lambda: "It took" in words.read_text())
            page.goto(report.as_uri())
            page.wait_for_load_state("networkidle")
            picture = page.screenshot()
        finally:
            demo.send_signal(signal.SIGINT)
            demo.wait(60)
            browser.close()
    (HERE / "report.png").write_bytes(picture)
    _moving([*frames, picture], HERE / "demo.gif")


def _run(page: Page, ui: str) -> list[bytes]:
    """So many looks at the run as it goes on."""
    runs = _until(lambda: httpx.post(f"{ui}/api/flow_runs/filter", json={}).json())
    page.goto(f"{ui}/runs/flow-run/{runs[0]['id']}")
    page.get_by_text("Subflow Runs").first.wait_for(timeout=60_000)
    frames = []
    for _ in range(FRAMES_OF_THE_RUN):
        page.wait_for_timeout(EVERY_S * 1000)
        frames.append(page.screenshot())
    return frames


def _until(look: Callable[[], Any]) -> Any:
    """What `look` finds, asked until it finds something."""
    deadline = time.monotonic() + PATIENCE_S
    while not (found := look()):
        if time.monotonic() > deadline:
            raise SystemExit("the demo did not come so far")
        time.sleep(0.5)
    return found


def _moving(pictures: list[bytes], file: Path) -> None:
    frames = [Image.open(BytesIO(one)).convert("RGB").resize(SHOWN, Image.Resampling.LANCZOS) for one in pictures]
    small = [frame.quantize(64, dither=Image.Dither.NONE) for frame in frames]
    times = [MS_A_FRAME] * (len(small) - 1) + [MS_OF_THE_LAST]
    small[0].save(file, save_all=True, append_images=small[1:], duration=times, loop=0, optimize=True)


if __name__ == "__main__":
    main()
