"""Standard error, where everything but the result goes."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from textwrap import wrap
from typing import TextIO

from rich.console import Console

PLAIN_EVERY_S = 10.0


def console() -> Console:
    """Standard error, where everything but the result goes."""
    return Console(stderr=True, highlight=False)


def say(text: str) -> None:
    """One plain line on stderr; on a terminal it is broken between words."""
    print(_folded(text, sys.stderr), file=sys.stderr, flush=True)


def tell(text: str) -> None:
    """One plain line of the result, on stdout."""
    print(_folded(text, sys.stdout), flush=True)


def _folded(text: str, stream: TextIO) -> str:
    """Lines no wider than the terminal. A word that is wider, such as a path, stays whole and can be copied."""
    if not stream.isatty():
        return text
    width = Console(file=stream).width - 1
    lines = (wrap(line, width, break_long_words=False, break_on_hyphens=False) for line in text.splitlines())
    return "\n".join("\n".join(parts) for parts in lines)


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
