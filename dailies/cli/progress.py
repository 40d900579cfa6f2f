"""What a person sees while a batch is made: a bar and one line per event on a terminal, plain lines elsewhere.

Everything is read from the ledger, so a run that goes on elsewhere is shown as one in this process is.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import anyio.to_thread
from rich.console import Group
from rich.live import Live
from rich.text import Text

from dailies.cli.screen import console, say
from dailies.domain.estimate import show_time
from dailies.domain.money import show_usd
from dailies.domain.progress import ENDED, EndGuess, Stage, seconds_left, stage_of, tally
from dailies.domain.records import Attempt
from dailies.domain.states import current
from dailies.domain.takes import told_apart
from dailies.ledger import Ledger
from dailies.ledger.calling import LEDGER_AWAY
from dailies.planning.batch import Batch
from dailies.runtime import Runtime
from dailies.steps.purchase import usual_seconds

PLAIN_EVERY_S, LIVE_EVERY_S = 10.0, 0.5
SHARE_OF_TIME = 40
"""Looking at the ledger takes at most a fortieth of the time, however large the batch."""
MOST_LINES = 200
"""Of a larger batch only what needs a person is a line of its own."""
COLOURS = {
    Stage.DELIVERED: "green", Stage.DELIVERING: "cyan", Stage.GENERATING: "blue", Stage.CREATING: "magenta",
    Stage.WAITING: "bright_black", Stage.IN_DOUBT: "yellow", Stage.FAILED: "red",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Watched:
    """A batch to watch: its clips with the names and usual seconds of each, and how many are made at once.

    `home` are the clips that the run found in S3 and does nothing about: they are not asked for again and again.
    """

    batch: str
    names: Mapping[str, str]
    usual_s: Mapping[str, float]
    in_flight: int
    home: frozenset[str] = frozenset()


@dataclass
class Watch:
    """Looks at a batch again and again, and tells what has changed since."""

    ledger: Ledger
    watched: Watched
    stages: dict[str, Stage] = field(default_factory=dict)
    since_s: dict[str, float] = field(default_factory=dict)
    started_s: float = field(default_factory=time.monotonic)
    end: EndGuess = field(default_factory=EndGuess)
    line: str = ""
    cost_s: float = 0.0
    notes: Callable[[], Sequence[str]] = tuple
    """What else there is to say: which provider's claims are held back, and until when."""

    @property
    def over(self) -> bool:
        """Whether every clip has come to an end."""
        return bool(self.stages) and all(stage in ENDED for stage in self.stages.values())

    def look(self) -> list[str]:
        """Read how the clips stand now. Returns a line for each that has come to an end since the last look. Blocks."""
        names, now_s = self.watched.names, time.monotonic()
        home = self.watched.home
        known = dict(self.ledger.briefs_of([key for key in names if key not in home]))
        stages = {key: Stage.DELIVERED if key in home else stage_of(known.get(key, ())) for key in names}
        changed = [key for key, stage in stages.items() if self.stages and self.stages[key] is not stage]
        for key in changed:
            self.since_s[key] = now_s
        self.stages, self.cost_s = stages, time.monotonic() - now_s
        self.line = self._line(now_s, show_usd(self.ledger.counted(self.watched.batch)))
        return self._events([key for key in changed if stages[key] in ENDED])

    def _events(self, keys: Sequence[str]) -> list[str]:
        quiet = len(self.watched.names) > MOST_LINES
        shown = [key for key in keys if not quiet or self.stages[key] is not Stage.DELIVERED]
        attempts = self.ledger.attempts_of(shown) if shown else {}
        return [event_line(self.watched.names[key], self.stages[key], attempts.get(key, ())) for key in shown]

    def _line(self, now_s: float, usd: str) -> str:
        """`0:42 · 5 delivered, 12 generating, 3 waiting · $6.30 counted · about 1 min left`."""
        elapsed_s = int(now_s - self.started_s)
        counts = ", ".join(f"{count} {stage}" for stage, count in tally(self.stages.values()).items() if count)
        parts = [f"{elapsed_s // 60}:{elapsed_s % 60:02d}", counts, f"{usd} counted"]
        if not self.over:
            ages = {key: now_s - since for key, since in self.since_s.items()}
            guess_s = seconds_left(self.stages, self.watched.usual_s, ages, self.watched.in_flight)
            left_s = self.end.left_s(now_s, guess_s)
            parts.append(f"about {show_time(left_s)} left" if left_s >= 1 else "any moment now")
        return " · ".join([*parts, *self.notes()])


def event_line(name: str, stage: Stage, attempts: Sequence[Attempt]) -> str:
    """`sunrise-03 delivered after 91 s, $1.26`, or what went wrong."""
    attempt = current(attempts)
    if attempt is None:
        return f"{name} {stage}"
    if stage is Stage.DELIVERED:
        after = "" if attempt.seconds is None else f" after {show_time(attempt.seconds)}"
        return f"{name} {stage}{after}, " + (
            f"about {show_usd(attempt.usd_quoted)} (not reported)"
            if attempt.unreported
            else show_usd(attempt.usd_charged)
        )
    return f"{name} {stage}: {attempt.error or 'no more is known'}"


def bar(stages: Mapping[str, Stage], width: int, ascii_only: bool) -> Text:
    """A line as wide as asked for, a piece of it for each stage in its colour, with the share that is delivered."""
    total, counts = max(1, len(stages)), tally(stages.values())
    percent = f" {100 * counts[Stage.DELIVERED] // total:3d} %"
    room, text, used = max(10, width - len(percent)), Text(), 0
    so_far = 0
    for stage, count in counts.items():
        so_far += count
        cells = round(room * so_far / total) - used
        used += cells
        full, empty = ("#", ".") if ascii_only else ("━", "─")
        text.append((empty if stage is Stage.WAITING else full) * cells, COLOURS[stage])
    return text.append(percent)


@asynccontextmanager
async def progress(runtime: Runtime, batch: Batch) -> AsyncIterator[None]:
    """Show how a batch is doing for as long as the block runs."""
    usual_s = await usual_seconds(runtime, batch.plan)
    in_flight = runtime.settings.dailies_in_flight
    names = told_apart([(key, row.id, row.clip.take, True) for key, row in batch.rows.items()])

    def held() -> list[str]:
        return [limiter.held.describe(name) for name, limiter in runtime.limiters.items() if limiter.held]

    watch = Watch(runtime.ledger, Watched(batch.name, names, usual_s, in_flight, batch.delivered_before), notes=held)
    await _looked(watch)  # what is delivered already is no news
    showing = asyncio.create_task(show(watch))
    try:
        yield
    finally:
        showing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await showing
        for line in await _looked(watch):
            say(line)


async def show(watch: Watch, until_over: bool = False) -> None:
    """Show a batch on stderr until cancelled, or until all of it has come to an end."""
    if sys.stderr.isatty() and not console().is_dumb_terminal:
        await _live(watch, until_over)
    else:
        await _plain(watch, until_over)


async def _live(watch: Watch, until_over: bool) -> None:
    screen = console()
    ascii_only = not (screen.encoding or "").lower().startswith("utf")
    with Live(console=screen, refresh_per_second=4, transient=True) as live:
        while not (until_over and watch.over):
            events = await _looked(watch)
            if watch.stages:
                live.update(Group(bar(watch.stages, screen.width, ascii_only), Text(watch.line)))
            for line in events:
                say(line)
            await asyncio.sleep(max(LIVE_EVERY_S, SHARE_OF_TIME * watch.cost_s))


async def _plain(watch: Watch, until_over: bool) -> None:
    shown, said_s = "", time.monotonic()
    while not (until_over and watch.over):
        for line in await _looked(watch):
            say(line)
        counts = watch.line.partition(" · ")[2].partition(" · about")[0]
        if time.monotonic() - said_s >= PLAIN_EVERY_S and counts != shown:
            shown, said_s = counts, time.monotonic()
            say(f"{watch.watched.batch} · {watch.line}")
        await asyncio.sleep(max(1.0, SHARE_OF_TIME * watch.cost_s))


async def _looked(watch: Watch) -> list[str]:
    """A look off the event loop; a ledger that is away is said in the line, and asked again."""
    try:
        return await anyio.to_thread.run_sync(watch.look)
    except LEDGER_AWAY:
        watch.line = "the ledger can't be reached just now"
        return []
