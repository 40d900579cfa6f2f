"""`make pictures`: a whole round in six pictures, made of a real batch with the embedded provider and store.

Run, look, send back, keep, hand over: the commands as they are typed, and the screening room in a headless Chromium. Needs what
`docs/pictures.py` needs.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from dailies.cli.demo import BUCKET, Stage, embedded, sandbox_environment
from dailies.cli.place import data_folder
from dailies.sandbox import SandboxConfig
from dailies.storage.s3 import S3

HERE = Path(__file__).resolve().parent / "pictures"
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
WIDE, HIGH, SHOWN = 1120, 700, (840, 525)
COLOURS = 256
NEW_PROMPT = "Calm water at dusk, two gulls cross the frame, the camera stands still"
AGAIN = (("check --only retake --batch spring", ""), ("run --only retake --batch spring", " --yes"))
HANDED = ("export --batch spring --kept --as zip --to spring.zip", "report --batch spring")
TERMINAL = """<body style="margin:0;background:#16181d;color:#e4e6eb;height:100vh;">
<pre style="margin:0;padding:34px 40px;font:16.5px/1.5 'DejaVu Sans Mono',monospace;white-space:pre-wrap">{}</pre></body>"""
PROMPT = '<span style="color:#7fd1a0">$ {}</span>'


def main() -> None:
    """Make the batch, go through the round, and write the pictures."""
    with tempfile.TemporaryDirectory() as name, embedded(SandboxConfig(time_scale=0.03)) as stage:
        folder = Path(name)
        environ = _environment(stage, folder)
        S3().client.create_bucket(Bucket=BUCKET)
        prompts = str(data_folder() / "prompts.csv")
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            try:
                typed = f"run {prompts} --batch spring --yes"
                _terminal(browser, "run", [("run prompts.csv --batch spring", _typed(typed, folder, environ))])
                with _room(folder, environ) as address:
                    _decide(browser, address)
                made_again = [(words, _typed(f"{words}{yes}", folder, environ)) for words, yes in AGAIN]
                _terminal(browser, "again", made_again)
                with _room(folder, environ) as address:
                    _keep(browser, address)
                handed = [(words, _typed(words, folder, environ)) for words in HANDED]
                _terminal(browser, "export", handed)
            finally:
                browser.close()


def _environment(stage: Stage, folder: Path) -> dict[str, str]:
    """What the commands need to know of the embedded services, and nothing of this machine's own settings."""
    kept = (
        "PATH",
        "LANG",
        "TMPDIR",
        "AWS_ENDPOINT_URL_S3",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_DEFAULT_REGION",
    )
    own = {name: os.environ[name] for name in kept if name in os.environ}
    return own | sandbox_environment(stage.sandbox.url) | {
        "HOME": str(folder), "DAILIES_HOME": str(folder / "home"), "DAILIES_TO": f"s3://{BUCKET}/clips",
        "DAILIES_TRUSTED_HOSTS": "127.0.0.1", "DAILIES_POLL_FIRST_S": "0.5", "DAILIES_POLL_CAP_S": "2",
        "DAILIES_REVIEWER": "Ana", "COLUMNS": "104", "NO_COLOR": "1",
    }  # fmt: skip


def _typed(words: str, folder: Path, environ: dict[str, str]) -> str:
    """What a command prints on stdout; it must end well."""
    command = [sys.executable, "-m", "dailies", *words.split()]
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=False)  # noqa: S603 - our own
    if done.returncode:
        raise SystemExit(f"{words}: {done.stderr}")
    return "\n".join(
        line.replace(f"{folder}/", "").replace(f"{data_folder()}/", "")
        for line in done.stdout.splitlines()
        if not line.startswith("Report: ")
    )


def _terminal(browser: Browser, name: str, lines: list[tuple[str, str]]) -> None:
    """Commands and what they printed, as a terminal shows them."""
    text = "\n\n".join(f"{PROMPT.format(escape(f'dailies {typed}'))}\n{escape(printed)}" for typed, printed in lines)
    page = browser.new_page(viewport={"width": WIDE, "height": HIGH})
    page.set_content(TERMINAL.format(text))
    _picture(page, name)


@contextmanager
def _room(folder: Path, environ: dict[str, str]) -> Iterator[str]:
    """The screening room, as long as it is looked at: its address."""
    command = [sys.executable, "-m", "dailies", "review", "--batch", "spring", "--no-browser"]
    room = subprocess.Popen(command, cwd=folder, env=environ, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own
    try:
        assert room.stdout
        yield room.stdout.readline().strip()
    finally:
        room.send_signal(signal.SIGINT)
        room.wait(60)


def _entered(browser: Browser, address: str, scheme: str) -> Page:
    page = browser.new_page(viewport={"width": WIDE, "height": HIGH}, color_scheme=scheme)  # type: ignore[arg-type]
    page.goto(address)
    page.wait_for_selector("html[data-ready]", state="attached")
    page.wait_for_timeout(2500)
    return page


def _decide(browser: Browser, address: str) -> None:
    """The first look at what came back: some are kept, one is rejected, one is sent back with another prompt."""
    page = _entered(browser, address, "light")
    _press(page, "k", "ArrowRight")
    _picture(page, "look")
    _press(page, "r", "n")
    page.locator("#note-text").fill("too bright, and the drift makes it restless")
    page.locator("#note-prompt").fill(NEW_PROMPT)
    page.wait_for_timeout(500)
    _picture(page, "retake")
    _press(page, "Enter", "ArrowRight", "k", "ArrowRight", "x", "ArrowRight", "k", "ArrowRight", "k", "ArrowRight", "k")
    page.wait_for_timeout(1000)
    page.close()


def _keep(browser: Browser, address: str) -> None:
    """Both takes of the row that was sent back, in step; the second is kept."""
    page = _entered(browser, address, "dark")
    _press(page, "ArrowRight", "Enter")
    page.wait_for_timeout(2000)
    _press(page, "ArrowRight", "k")
    page.wait_for_timeout(1000)
    _picture(page, "keep")
    page.close()


def _press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def _picture(page: Page, name: str) -> None:
    whole = Image.open(BytesIO(page.screenshot())).convert("RGB").resize(SHOWN, Image.Resampling.LANCZOS)
    whole.quantize(COLOURS, dither=Image.Dither.NONE).save(HERE / f"round-{name}.png", optimize=True)


if __name__ == "__main__":
    main()
