"""A run on a real pseudo-terminal, read as an emulated screen shows it: 80 and 120 columns, ASCII, dumb."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

import pyte
import pytest

from tests.e2e.harness import World, named


class Terminal:
    """A command on a terminal of so many columns; `screens` is every distinct screen that it showed."""

    def __init__(self, world: World, columns: int, *command: str, **environ: str) -> None:
        self.columns, self.screen = columns, pyte.Screen(columns, 40)
        self.stream, self.raw = pyte.ByteStream(self.screen), b""
        self.screens: list[str] = []
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        self.process = subprocess.Popen(
            [sys.executable, "-m", "dailies", *command], cwd=world.folder, stdin=slave, stdout=slave, stderr=slave,
            env={**world.environ, "TERM": "xterm-256color", "PYTHONUTF8": "1", **environ}, start_new_session=True,
        )  # fmt: skip
        os.close(slave)

    def read(self, until: str = "", timeout_s: float = 180) -> str:
        """Read until a text stands on the screen, or to the end. Returns the screen."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            if not select.select([self.master], [], [], 1.0)[0]:
                continue
            try:
                got = os.read(self.master, 65536)
            except OSError:
                got = b""
            self.raw += got
            self.stream.feed(got)
            shown = "\n".join(line.rstrip() for line in self.screen.display)
            if not self.screens or self.screens[-1] != shown:
                self.screens.append(shown)
            if (until and until in shown) or not got:
                return shown
        raise TimeoutError(f"{until!r} did not come:\n{self.screens[-1:]}")

    def type(self, text: str) -> None:
        """What a person types."""
        os.write(self.master, text.encode())

    def wait(self) -> int:
        """The exit code."""
        return self.process.wait(60)


@contextmanager
def terminal(world: World, columns: int, *command: str, **environ: str) -> Iterator[Terminal]:
    """A command on a terminal, ended with the block."""
    shown = Terminal(world, columns, *command, **environ)
    try:
        yield shown
    finally:
        if shown.process.poll() is None:
            shown.process.kill()
            shown.process.wait(30)
        with suppress(OSError):
            os.close(shown.master)


def lines_of(screens: Sequence[str]) -> list[str]:
    return [line for screen in screens for line in screen.splitlines()]


@pytest.mark.parametrize("columns", [80, 120])
def test_a_run_asks_shows_a_bar_and_ends_with_a_table(world: World, columns: int) -> None:
    world.csv(named("good", "bad"))
    world.sandbox.fault("create", "status", status=400, match="<bad>")
    with terminal(world, columns, "run", str(world.prompts)) as shown:
        question = shown.read("[y/N]")
        assert "Buy 2 clips for at most $2.52? [y/N]" in question
        shown.type("y\n")
        shown.read()
        assert shown.wait() == 1
    lines = lines_of(shown.screens)
    assert any(line.startswith(("━", "─")) for line in lines), "no bar"
    assert b"\x1b[32m" in shown.raw and b"\x1b[31m" in shown.raw
    events = {line for line in lines if " delivered after " in line}
    assert {line.split(" after ")[0] for line in events} == {"good delivered"}, events
    last = shown.screens[-1]
    assert last.index("bad ") < last.index("good ") or "failed" in last.split("good ")[0]
    assert "1 of 2 delivered · 1 failed · $1.26 charged" in last and "report.html" in last
    assert "━" not in last, "the bar stays behind"


def test_a_no_buys_nothing(world: World) -> None:
    world.csv(1)
    with terminal(world, 80, "run", str(world.prompts)) as shown:
        shown.read("[y/N]")
        shown.type("n\n")
        assert "nothing was bought" in shown.read()
        assert shown.wait() == 2
    assert not world.posts()


def test_a_dumb_terminal_gets_plain_lines(world: World) -> None:
    world.csv(1)
    with terminal(world, 80, "run", str(world.prompts), "--yes", TERM="dumb") as shown:
        shown.read()
        assert shown.wait() == 0
    assert b"\x1b" not in shown.raw and b"clip-1 delivered" in shown.raw


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_terminal_that_is_not_utf8_never_turns_success_into_failure(world: World, encoding: str) -> None:
    world.csv([{"id": "träume–夢", "prompt": "a dream"}])
    with terminal(world, 80, "run", str(world.prompts), "--yes", PYTHONIOENCODING=encoding, PYTHONUTF8="0") as shown:
        shown.read()
        assert shown.wait() == 0, shown.raw.decode(encoding, "replace")
    assert any(f"1 of 1 delivered {dot} $1.26 charged".encode(encoding, "replace") in shown.raw for dot in "-·")


def test_a_batch_that_is_made_elsewhere_can_be_watched(world: World) -> None:
    world.csv(named("a", "b"))
    world.sandbox.fault("create", "status", status=400, match="<b>")
    assert world.run().code == 1
    with terminal(world, 80, "status", "--watch", "--batch", "batch") as shown:
        shown.read()
        assert shown.wait() == 0
    assert "1 delivered, 1 failed" in shown.screens[-1]
    refused = world.command("status", "--watch", "--batch", "no-such")
    assert refused.code == 2 and "no-such" in refused.stderr
