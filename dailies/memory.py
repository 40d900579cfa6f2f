"""Keeps the memory of a long run flat."""

from __future__ import annotations

import ctypes
import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache

M_MMAP_THRESHOLD, M_ARENA_MAX = -3, -8
"""glibc's `mallopt(3)`: from which size a block gets pages of its own; how many heaps the threads of a process share."""
OWN_PAGES_FROM_BYTES = 128 * 1024
HEAPS = 2
SELDOM = 50_000
"""So many more objects before the collector looks at them."""
_counting = threading.Lock()
_usual = gc.get_threshold()
_blocks = 0


def keep_flat() -> None:
    """Let the C library give back what was freed, where it is glibc; elsewhere nothing happens.

    Two of its habits make a run over thousands of clips grow, though all that it needs stays the same:

    - Each thread gets a heap of its own, up to eight for each core, and little of what was freed in them is given back: a
      run with fifty threads held a hundred megabytes that nobody used, and more on larger machines. All share two here.
    - A block of 128 KiB has pages of its own, which go back when it is freed; but each such block that is freed raises
      that size to its own, up to 32 MiB. From the first decoded picture on, pictures lie between small things that stay,
      and leave holes: 13 kB for each clip. A size that was set is not raised.
    """
    with suppress(OSError, AttributeError):
        c_library = ctypes.CDLL("libc.so.6")
        c_library.mallopt(M_ARENA_MAX, HEAPS)
        c_library.mallopt(M_MMAP_THRESHOLD, OWN_PAGES_FROM_BYTES)


@cache
def keep_what_is_loaded() -> None:
    """Let nobody look for garbage in what this process has loaded so far: the first flow runs, and all of it stays. Once a process,
    for what later flows leave is garbage."""
    gc.freeze()


@contextmanager
def loading() -> Iterator[None]:
    """While a program is loaded nobody looks for garbage, nor ever after in what was loaded: it stays.

    A command with Prefect is some 600,000 objects. To look through them took a tenth of its start, and each time later on it held
    the event loop for 300 ms.
    """
    collected = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if collected:
            gc.enable()


@contextmanager
def seldom_collected() -> Iterator[None]:
    """Look for garbage in cycles less often, while much is made that stays, such as a plan of ten thousand rows.

    The collector walks what is new after each 700 objects more, and finds nothing: a sixth of the time of a `check`. Blocks
    may overlap, as in two flows of one process; the last that ends brings the usual back.
    """
    global _usual, _blocks
    with _counting:
        if not _blocks:
            _usual = gc.get_threshold()
            gc.set_threshold(SELDOM, *_usual[1:])
        _blocks += 1
    try:
        yield
    finally:
        with _counting:
            _blocks -= 1
            if not _blocks:
                gc.set_threshold(*_usual)


def leave_to_the_system() -> None:
    """Say that this process ends now: what it holds goes back as a whole, and nobody looks for garbage in it once more.

    Python's end walks all that is left, twice: as long as a fifth of a `run` over ten thousand delivered rows.
    """
    gc.freeze()
