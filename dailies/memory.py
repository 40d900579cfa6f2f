"""Keeps the memory of a long run flat."""

from __future__ import annotations

import ctypes
from contextlib import suppress

M_ARENA_MAX = -8
"""glibc's `mallopt(3)`: how many heaps the threads of a process share."""
ARENAS = 2


def share_heaps() -> None:
    """Let all threads share two heaps, where the C library is glibc; elsewhere nothing happens.

    By default glibc gives each thread a heap of its own, up to eight for each core, and gives back little of what was
    freed in them: a run with fifty threads held a hundred megabytes that nobody used, and more on larger machines.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").mallopt(M_ARENA_MAX, ARENAS)
