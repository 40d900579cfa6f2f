"""Standard error, where everything but the result goes."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from rich.console import Console

PLAIN_EVERY_S = 10.0


def console() -> Console:
    """Standard error, where everything but the result goes."""
    return Console(stderr=True, highlight=False)


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
