"""A stranger's first hour, typed at a terminal of its own: a fresh HOME, the built wheel, an empty folder.

    pytest -m soak -s --override-ini addopts= tests/cli/test_strangers_walk.py

prints what was typed, how many keystrokes and seconds each step took, and what the screen showed. The provider and the store are the
sandbox's; packages come from the index. DAILIES_WALK_COLUMNS is the terminal's width, DAILIES_WALK_FOLDER keeps the screens as files.
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import shutil
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pyte
import pytest

from dailies.cli.demo import embedded_s3, store_environment
from dailies.sandbox import Sandbox, SandboxConfig
from dailies.storage.s3 import S3

pytestmark = [pytest.mark.soak, pytest.mark.timeout(5400)]
ROOT = Path(__file__).resolve().parents[2]
COLUMNS, LINES = int(os.environ.get("DAILIES_WALK_COLUMNS", "80")), 40
PROMPT, STEP_S = "❯ ", 1800
KEY = "sk-typed-by-hand-1234"
WHEEL = "dailies-video"
"""What a stranger types where the wheel's path stands here."""
OWN = """id,prompt,image
dawn,"Mist lifts off the river, slowly",images/sunrise-720.png
boats,"Boats rock, a gull lands on a mast",images/harbour-720.png
stars,"The camera tilts up to the stars",images/night-720.png"""


@dataclass
class Step:
    """What was typed for one purpose, and how long it took until the shell was back, or until `seen`."""

    name: str
    keystrokes: int = 0
    seconds: float = 0.0


@dataclass
class Walk:
    """A shell on a pseudo-terminal, and what a person does there."""

    terminal: int
    spoken: dict[str, str]
    raw: bytes = b""
    steps: list[Step] = field(default_factory=list)

    def step(self, name: str) -> Step:
        self.steps.append(Step(name))
        return self.steps[-1]

    def type(self, text: str) -> None:
        """Type a line; what stands for another text is counted as that."""
        counted = text
        for ours, theirs in self.spoken.items():
            counted = counted.replace(ours, theirs)
        self.steps[-1].keystrokes += len(counted) + 1
        os.write(self.terminal, f"{text}\r".encode())

    def until(self, done: Callable[[str], bool]) -> str:
        """What is shown from here on, once `done` says so of it."""
        begun, start = time.monotonic(), len(self.raw)
        while not done(shown := self.shown(start)):
            assert time.monotonic() - begun < STEP_S, shown
            if select.select([self.terminal], [], [], 0.2)[0]:
                self.raw += os.read(self.terminal, 65536)
        self.steps[-1].seconds += time.monotonic() - begun
        return shown

    def command(self, line: str, *answers: tuple[str, str]) -> str:
        """Type a command, answer each question that ends so, and wait for the shell. Returns all that was shown."""
        start = len(self.raw)
        self.type(line)
        for question, answer in answers:
            self.until(lambda shown, wanted=question: shown.rstrip(" ").endswith(wanted))  # type: ignore[misc]
            self.type(answer)
        self.until(lambda shown: shown.endswith(PROMPT))
        return self.shown(start)

    def shown(self, start: int = 0) -> str:
        text = self.raw[start:].decode("utf-8", "replace")
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text).replace("\r\n", "\n")

    def screen(self) -> str:
        """Everything as the terminal shows it, scrolled back to the beginning."""
        screen = pyte.HistoryScreen(COLUMNS, LINES, history=100_000)
        pyte.ByteStream(screen).feed(self.raw)
        past = ["".join(line[n].data for n in range(COLUMNS)) for line in screen.history.top]
        return "\n".join(line.rstrip() for line in [*past, *screen.display]).rstrip() + "\n"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this clone's sources, built of a copy."""
    folder = tmp_path_factory.mktemp("wheel")
    copied = shutil.ignore_patterns(".*", "build", "dist", "site", "*.egg-info", "demo-output", "__pycache__")
    shutil.copytree(ROOT, folder / "src", ignore=copied)
    build = f"from setuptools import build_meta; build_meta.build_wheel({str(folder)!r})"
    subprocess.run([sys.executable, "-c", build], cwd=folder / "src", check=True, stdout=subprocess.DEVNULL)
    return next(folder.glob("*.whl"))


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """A provider and a store to stand in for those that a stranger has: what the shell's environment says of them."""
    with embedded_s3() as store, Sandbox(SandboxConfig(time_scale=0.03, api_keys=frozenset({KEY}))) as sandbox:
        environ = store_environment(store)
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        S3().client.create_bucket(Bucket="films")
        yield environ | {"AIML_BASE_URL": sandbox.url, "DAILIES_TRUSTED_HOSTS": "127.0.0.1"}


@pytest.fixture
def walk(tmp_path: Path, world: dict[str, str], wheel: Path) -> Iterator[Walk]:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    left_out = ("PYTHON", "VIRTUAL_ENV", "DAILIES_", "PREFECT_", "COLUMNS", "XDG_")
    environ = {name: value for name, value in os.environ.items() if not name.startswith(left_out)} | world
    environ |= {"HOME": str(tmp_path), "TERM": "xterm-256color", "PS1": PROMPT, "DO_NOT_TRACK": "1"}
    shell = subprocess.Popen(
        ["bash", "--norc", "--noprofile", "--noediting"],
        stdin=theirs, stdout=theirs, stderr=theirs, cwd=tmp_path, env=environ, start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )  # fmt: skip
    os.close(theirs)
    try:
        yield Walk(ours, {f"{wheel}": WHEEL})
    finally:
        os.write(ours, b"\x03exit\r")
        os.close(ours)
        shell.kill()
        shell.wait()


def test_from_nothing_to_a_clip_and_to_ones_own_batch_priced(walk: Walk, wheel: Path, tmp_path: Path) -> None:
    walk.step("install")
    walk.until(lambda shown: shown.endswith(PROMPT))
    if shutil.which("uv"):
        walk.command(f"uv tool install --quiet '{wheel}[demo]'")
        walk.command('PATH="$HOME/.local/bin:$PATH"')
    else:
        walk.command(f"{sys.executable} -m venv v && . v/bin/activate")
        walk.command(f"pip install --quiet --disable-pip-version-check '{wheel}[demo]'")

    clips = tmp_path / "demo-output" / "clips"
    walk.step("first clip: dailies demo")
    walk.type("dailies demo")
    walk.until(lambda _: any(clips.glob("*.mp4")))
    walk.step("its other clips, report")
    assert "It would have cost" in walk.until(lambda shown: "Ctrl-C ends it" in shown)
    os.write(walk.terminal, b"\x03")
    walk.steps[-1].keystrokes += 1
    walk.until(lambda shown: shown.endswith(PROMPT))

    walk.step("dailies init")
    walk.command("mkdir film && cd film")
    answers = (("[aiml]:", ""), ("later):", KEY), ("later):", "s3://films/first"))
    assert "The key works" in walk.command("dailies init", *answers)
    walk.step("own rows written")
    walk.command(f"cat > mine.csv <<.\n{OWN}\n.".replace("\n", "\r"))
    walk.step("own batch priced: dailies check")
    assert "To buy: 3 for $" in walk.command("dailies check mine.csv")
    walk.step("first own clip: dailies run --limit 1")
    assert "1 of 1 delivered" in walk.command("dailies run mine.csv --limit 1", ("[y/N]", "y"))
    walk.step("into a folder: dailies fetch")
    walk.command("dailies fetch --to clips")
    assert len(list((tmp_path / "film" / "clips").rglob("*.mp4"))) == 1

    screen, table = walk.screen(), told(walk.steps)
    assert KEY not in screen
    if folder := os.environ.get("DAILIES_WALK_FOLDER"):
        Path(folder, f"walk-{COLUMNS}.txt").write_text(f"{screen}\n{table}", encoding="utf-8")
    print(f"\n{screen}\n{table}")


def told(steps: list[Step]) -> str:
    """The steps as a table, each with what it took and what all took so far."""
    lines, keys, seconds = [f"{'':40} {'keys':>5} {'s':>7} {'all keys':>9} {'all s':>7}"], 0, 0.0
    for step in steps:
        keys, seconds = keys + step.keystrokes, seconds + step.seconds
        lines.append(f"{step.name:40} {step.keystrokes:5} {step.seconds:7.0f} {keys:9} {seconds:7.0f}")
    return "\n".join(lines)
