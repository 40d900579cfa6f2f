"""What a person sees while a batch is made: a live line on a terminal, plain lines elsewhere. All of it on stderr."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import anyio.to_thread
from rich.console import Console
from rich.live import Live
from rich.text import Text
from sqlalchemy.exc import SQLAlchemyError

from dailies.domain.figures import Outcome
from dailies.domain.money import show_usd
from dailies.domain.states import State
from dailies.studio import Studio

PLAIN_EVERY_S = 10.0
LIVE_EVERY_S = 0.5


def console() -> Console:
    """Standard error, where everything but the result goes."""
    return Console(stderr=True, highlight=False, soft_wrap=True)


def say(text: str) -> None:
    """One plain line on stderr."""
    print(text, file=sys.stderr, flush=True)


def counting(what: str) -> Callable[[int, int], None]:
    """A progress callback that rewrites one line on a terminal and keeps quiet elsewhere, but for large batches."""
    last = 0.0

    def show(done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last < (0.1 if sys.stderr.isatty() else PLAIN_EVERY_S) and done != total:
            return
        last = now
        if sys.stderr.isatty():
            print(f"\r{what}: {done} of {total}", end="\n" if done == total else "", file=sys.stderr, flush=True)
        elif total >= 500:
            say(f"{what}: {done} of {total}")

    return show


@asynccontextmanager
async def progress(studio: Studio) -> AsyncIterator[None]:
    """Show how the batch in hand is doing for as long as the block runs."""
    watch = asyncio.create_task(_live(studio) if sys.stderr.isatty() else _plain(studio))
    try:
        yield
    finally:
        watch.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watch


async def _live(studio: Studio) -> None:
    started = time.monotonic()
    with Live(console=console(), refresh_per_second=4, transient=True) as live:
        while True:
            line = await _line(studio, time.monotonic() - started)
            if line:
                live.update(Text(line))
            await asyncio.sleep(LIVE_EVERY_S)


async def _plain(studio: Studio) -> None:
    started, shown = time.monotonic(), ""
    while True:
        await asyncio.sleep(PLAIN_EVERY_S)
        line = await _line(studio, time.monotonic() - started)
        if line and line.split(" · ", 1)[-1] != shown:
            shown = line.split(" · ", 1)[-1]
            say(line)


async def _line(studio: Studio, elapsed_s: float) -> str:
    """`0:42 · 20 clips: 5 delivered, 12 generating, 3 waiting · $6.30 counted · about 1 min left`."""
    if studio.job is None:
        return ""
    plan = studio.job.plan
    try:
        counts = await anyio.to_thread.run_sync(studio.ledger.counts, plan.batch)
        usd = await anyio.to_thread.run_sync(studio.ledger.counted, plan.batch)
    except (SQLAlchemyError, OSError):
        return "the ledger can't be reached just now"
    earlier = len(studio.job.delivered_before)
    delivered = max(counts.get(State.STORED, 0), earlier)
    words = [
        (delivered, Outcome.DELIVERED.value),
        (counts.get(State.SUBMITTED, 0), "generating"),
        (counts.get(State.SUBMITTING, 0), "being created"),
        (counts.get(State.COMPLETED, 0), "being delivered"),
        (counts.get(State.FAILED, 0) + counts.get(State.RESULT_LOST, 0), "failed"),
        (counts.get(State.IN_DOUBT, 0), "in doubt"),
    ]
    total = len(plan.rows)
    waiting = max(0, total - sum(count for count, _ in words))
    said = ", ".join(f"{count} {word}" for count, word in [*words, (waiting, "waiting")] if count)
    done = sum(words[i][0] for i in (0, 4, 5)) - earlier
    rest = total - earlier - done
    held = "".join(f" · {pace.held.words(name)}" for name, pace in studio.paces.items() if pace.held)
    left = f" · about {_minutes(elapsed_s / done * rest)} left" if done > 0 and rest > 0 else ""
    return f"{int(elapsed_s) // 60}:{int(elapsed_s) % 60:02d} · {total} clips: {said} · {show_usd(usd)} counted{left}{held}"


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
