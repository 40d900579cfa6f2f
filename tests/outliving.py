"""What a test run has started ends with it, whatever ends the run."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

WATCHER = """
import os, shutil, signal, sys
sys.stdin.read()
try:
    os.kill(int(sys.argv[1]), signal.SIGINT)
except ProcessLookupError:
    pass
shutil.rmtree(sys.argv[2], ignore_errors=True)
"""


@contextmanager
def ended_with_us(pid: int, folder: str) -> Iterator[None]:
    """Have a process ended (by SIGINT) and its folder removed once this process is gone, be it by SIGKILL: a watcher reads
    from a pipe that only we hold, and the kernel closes that for us."""
    watcher = subprocess.Popen(
        [sys.executable, "-S", "-c", WATCHER, str(pid), folder], stdin=subprocess.PIPE, start_new_session=True
    )
    try:
        yield
    finally:
        watcher.kill()
        watcher.wait()
