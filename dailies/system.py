"""What one system has and another lacks: signals, locks, flags of files. Nothing here fails to import anywhere."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

AS_IT_STANDS = getattr(os, "O_BINARY", 0)
"""For `os.open`: bytes go through untouched. Only Windows would change line ends."""
AT_ONCE = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | AS_IT_STANDS
"""For `os.open`: opening a named pipe waits for nobody."""

LOWEST = 19
"""The priority of what may always wait."""


def signals(*names: str) -> list[signal.Signals]:
    """Those of these signals that this system has: Windows knows no SIGHUP."""
    return [getattr(signal, name) for name in names if hasattr(signal, name)]


def ignore(numbers: Iterable[signal.Signals]) -> None:
    """Have these signals change nothing in this process."""
    for number in numbers:
        signal.signal(number, signal.SIG_IGN)


def lower_priority() -> None:
    """Have the thread that calls this give way to all others. Only Linux has priorities of single threads; elsewhere nothing
    happens (`os.nice` is the whole process's everywhere)."""
    if sys.platform == "linux":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), LOWEST)


def try_lock(file: int | BinaryIO, alone: bool = True) -> bool:
    """Take the lock of an open file, alone or shared, if nobody else is in the way. On failure a share that was held is gone.

    The kernel releases it at any death. Raises OSError where no lock can be taken at all.
    """
    import portalocker  # what it needs differs from system to system, and most commands take no lock

    kind = portalocker.LockFlags.EXCLUSIVE if alone else portalocker.LockFlags.SHARED
    try:
        portalocker.lock(file, kind | portalocker.LockFlags.NON_BLOCKING)
    except portalocker.AlreadyLocked:
        return False
    except portalocker.LockException as error:
        raise OSError(f"no lock can be taken here: {error}") from error
    return True


def unlock(file: int | BinaryIO) -> None:
    """Release the lock."""
    import portalocker

    portalocker.unlock(file)


def sync_folder(folder: Path) -> None:
    """See that a new name in a folder outlives a power cut. Windows opens no folder; what it does there is not known."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
