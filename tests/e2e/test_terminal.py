"""A run on a real pseudo-terminal, read as an emulated screen shows it: 80 and 120 columns, ASCII, dumb."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

import pyte
import pytest

from tests.e2e.harness import World, named, until

FRAMES = re.compile(rb"(?<=\n)|(?=\r\x1b\[2K)")
"""Where a line ends, and where a drawing is wiped out: whoever reads late still sees each screen that there was."""


class Terminal:
    """A command on a terminal of so many columns; `screens` is every distinct screen that it showed."""

    def __init__(self, world: World, columns: int, *command: str, **environ: str) -> None:
        self.columns, self.screen = columns, pyte.Screen(columns, 40)
        self.stream, self.raw = pyte.ByteStream(self.screen), b""
        self.screens: list[str] = []
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        words = {**world.environ, "TERM": "xterm-256color", **environ}
        self.process = world.services.forks.start(command, words, world.folder, terminal=os.ttyname(slave))
        self.ended = False
        os.close(slave)

    def read(self, until: str = "", timeout_s: float = 180) -> str:
        """Read until a text stands on the screen, or to the end. Returns the screen."""
        ended = self.read_until(lambda: until and until in self.shown, timeout_s)
        assert not (until and ended), f"{until!r} did not come before the end:\n{self.shown}"
        return self.shown

    def read_until(self, done: Callable[[], object], timeout_s: float = 180) -> bool:
        """Read on until something is so. Returns whether the command ended before."""
        deadline = time.monotonic() + timeout_s
        while not done():
            if time.monotonic() > deadline:
                raise TimeoutError(f"it did not come:\n{self.shown}")
            if not select.select([self.master], [], [], 0.1)[0]:
                continue
            try:
                got = os.read(self.master, 65536)
            except OSError:
                got = b""
            self.raw += got
            for piece in FRAMES.split(got):
                self.stream.feed(piece)
                if not self.screens or self.screens[-1] != self.shown:
                    self.screens.append(self.shown)
            if not got:
                return not done()
        return False

    @property
    def shown(self) -> str:
        """The screen as it stands."""
        return "\n".join(line.rstrip() for line in self.screen.display)

    def type(self, text: str) -> None:
        """What a person types."""
        os.write(self.master, text.encode())

    def wait(self) -> int:
        """The exit code."""
        code = self.process.wait(60)
        self.ended = True
        return code


@contextmanager
def terminal(world: World, columns: int, *command: str, **environ: str) -> Iterator[Terminal]:
    """A command on a terminal, ended with the block."""
    shown = Terminal(world, columns, *command, **environ)
    try:
        yield shown
    finally:
        if not shown.ended:
            with suppress(ProcessLookupError):
                shown.process.signal(signal.SIGKILL)
            shown.wait()
        with suppress(OSError):
            os.close(shown.master)


def lines_of(screens: Sequence[str]) -> list[str]:
    return [line for screen in screens for line in screen.splitlines()]


@pytest.mark.parametrize("columns", [pytest.param(80, marks=pytest.mark.engine), 120])
def test_a_run_asks_shows_a_bar_and_ends_with_a_table(world: World, columns: int) -> None:
    world.csv([{"id": "good", "prompt": "<good>", "takes": "2"}, {"id": "bad", "prompt": "<bad>", "takes": "1"}])
    world.sandbox.fault("create", "status", status=400, match="<bad>")
    with terminal(world, columns, "run", str(world.prompts)) as shown:
        question = shown.read("[y/N]")
        assert "Buy 3 clips for at most $3.78? [y/N]" in question
        shown.type("y\n")
        shown.read()
        assert shown.wait() == 1
    lines = lines_of(shown.screens)
    assert any(line.startswith(("━", "─")) for line in lines), "no bar"
    assert b"\x1b[32m" in shown.raw and b"\x1b[31m" in shown.raw
    events = {line for line in lines if " delivered after " in line}
    takes = {f"good · take {number}" for number in (1, 2)}
    assert {line.split(" delivered after ")[0] for line in events} == takes, "one take of a row is not the other"
    last = shown.screens[-1]
    table = [last.rindex(f"\n{name} ") for name in ("bad", *sorted(takes))]
    assert table == sorted(table), "what failed stands first in the table, then take after take"
    assert "2 of 3 delivered · 1 failed · $2.52 charged" in last
    assert "report.html" in "".join(last.splitlines()), "where the folder's name is long, the screen breaks the path"
    assert "━" not in last, "the bar stays behind"
    assert "dailies retry --batch batch" in last
    assert b"Finished in state" not in shown.raw, "the engine's words, glued to the bar"
    warned = re.compile(r"^bad\b|WARNING.*\bbad\b")  # a slow machine has warnings of its own
    told = [line for line in last.splitlines() if warned.search(line)]
    assert len(told) == 2, f"one event, and one row of the table: {told}"


@pytest.mark.parametrize("columns", [80, 120])
def test_a_check_says_once_what_is_alike_and_breaks_lines_between_words(world: World, columns: int) -> None:
    """Ids stay whole; the command that it ends with is one line for whoever copies it."""
    world.csv(named(*(f"sunrise-over-the-harbour-{n:02d}" for n in range(12))))
    with terminal(world, columns, "check", str(world.prompts)) as shown:
        shown.read()
        assert shown.wait() == 0
    last = shown.screens[-1]
    assert "sunrise-over-the-harbour-01  $1.26  ok" in last
    assert "All of them: openai/sora-2-pro-i2v, aiml, 720p, 16:9, 4 s." in last
    assert "in S3 already. To buy: 12 for $15.12" in " ".join(last.split())
    assert "by typical times." in " ".join(last.split()), "a word is broken"


def test_what_differs_from_the_last_run_is_shown_before_the_question(world: World) -> None:
    world.csv(named("a", "b"))
    assert world.run().code == 0
    world.csv([{"id": "a", "prompt": "another"}, {"id": "b", "prompt": "<b>"}, {"id": "c", "prompt": "new"}])
    with terminal(world, 80, "run", str(world.prompts)) as shown:
        question = shown.read("[y/N]")
        shown.type("n\n")
        shown.read()
        assert shown.wait() == 2
    said = " ".join(question.split())
    assert "3 clips, 1 in S3 already. To buy: 2 for $2.52" in said
    assert "1 row was changed since delivery and would be bought again, for $1.26: row 2 (a): prompt" in said
    assert "The batch comes to 3 clips for $5.04, beyond the 2 clips for $2.52 that were approved." in said
    assert said.endswith("Buy 2 clips for at most $2.52? [y/N]")


def test_status_shows_each_next_step_as_a_line_of_its_own(world: World) -> None:
    world.csv(named("sunrise-over-the-harbour-01"))
    world.sandbox.fault("create", "lost")
    world.sandbox.fault("logs", "status", times=None, status=503)
    assert world.run().code == 1
    with terminal(world, 80, "status") as shown:
        shown.read()
    attempt = world.attempts()[0].id[:8]
    assert f"sunrise-over-the-harbour-01: dailies collect, then dailies resolve {attempt}" in shown.screens[-1]


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


CTRL_C = "\x03"


def test_ctrl_c_is_answered_within_a_second_and_its_answers_are_waited_for(world: World) -> None:
    """With what is in flight, for how long it is waited for, and what a second one means; exit 130, the charge on record."""
    world.csv(named("a", "b"))
    world.sandbox.fault("create", "late", delay_s=6, times=2)
    with terminal(world, 80, "run", str(world.prompts), "--yes") as shown:
        shown.read_until(lambda: len(world.charges()) == 2)
        at = time.monotonic()
        shown.type(CTRL_C)
        shown.read("stopping:")
        assert time.monotonic() - at < 1
        shown.read()
        assert shown.wait() == 130
    said = " ".join("\n".join(lines_of(shown.screens)).split())
    assert "2 creates are in flight, waited for up to" in said
    assert "A second Ctrl-C ends this program at once" in said and "dailies collect" in said
    assert b"Traceback" not in shown.raw and all(attempt.generation_id for attempt in world.attempts())
    assert world.run().json["delivered"] == 2 and len(world.charges()) == 2


def test_a_second_ctrl_c_ends_the_run_at_once(world: World) -> None:
    """Its sender is no job of this terminal: it records the answers of what is paid."""
    world.csv(named("a"))
    world.sandbox.fault("create", "late", delay_s=8)
    with terminal(world, 80, "run", str(world.prompts), "--yes") as shown:
        shown.read_until(lambda: len(world.charges()) == 1)
        shown.type(CTRL_C)
        shown.read("stopping:")
        at = time.monotonic()
        shown.type(CTRL_C)
        assert shown.wait() == 130 and time.monotonic() - at < 3
    until(lambda: all(attempt.generation_id for attempt in world.attempts()), 60)
    assert world.run().code == 0 and len(world.charges()) == 1


def test_a_batch_that_is_under_way_elsewhere_is_watched_to_its_end(world: World) -> None:
    """Its clips come home before the eyes of who watches; Ctrl-C ends the watching, not the run."""
    world.csv(named("a", "b", "c"))
    world.sandbox.fault("poll", "never", times=None)
    child = world.start()
    until(lambda: sum(bool(attempt.generation_id) for attempt in world.attempts()) == 3, 120)
    with terminal(world, 80, "status", "--watch", "--batch", "batch") as left:
        left.read("3 generating")
        left.type(CTRL_C)
        left.read()
        assert left.wait() == 0
    with terminal(world, 80, "status", "--watch") as shown:
        assert " left" in shown.read("3 generating")
        world.sandbox.clear_faults()
        shown.read()
        assert shown.wait() == 0
    assert child.wait(120) == 0, child.text("stderr")
    lines = lines_of(shown.screens)
    assert all(any(line.startswith(f"{name} delivered after ") for line in lines) for name in "abc")
    assert "batch · " in shown.screens[-1] and "3 delivered" in shown.screens[-1]
    assert len(world.charges()) == 3


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
