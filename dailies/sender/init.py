"""The first process of a container or a systemd unit: runs a command, and stays until every paid request is recorded.

    python -m dailies.sender.init -- prefect worker start --pool dailies

When a container's first process ends, everything in it is killed; systemd does the same once a unit's main process has
ended. A sender that still waits for a provider's answer would be among them. So this program hands signals on to its
command, buries whatever dies below it, and ends only when the command and the last sender have ended. It imports nothing
but the standard library.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
HANDED_ON = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)
SENDER = b"dailies.sender"
READS = 10


def main(arguments: Sequence[str]) -> int:
    """Run the command after `--`. Returns its exit code (128 and the signal that ended it) once no sender is left."""
    command = list(arguments[1:] if arguments[:1] == ["--"] else arguments)
    if not command:
        print("usage: python -m dailies.sender.init -- COMMAND …", file=sys.stderr)  # noqa: T201 - its only word
        return 2
    adopt_orphans()
    try:
        child = subprocess.Popen(command, process_group=0)  # noqa: S603 - a group of its own: Ctrl-C reaches it once
    except OSError as error:
        print(f"{command[0]}: {error.strerror}", file=sys.stderr)  # noqa: T201
        return 127
    give_the_terminal_to(child.pid)
    for number in HANDED_ON:
        signal.signal(number, lambda received, _frame: tell(child.pid, received))
    code = bury_until(child.pid)
    for number in HANDED_ON:
        signal.signal(number, signal.SIG_IGN)
    await_senders()
    return code


def await_senders() -> None:
    """Return when no sender is left below us. Flows that their worker has left behind are told to end meanwhile."""
    below = list(descendants())
    senders = sum(map(is_sender, below))
    if senders:
        print(f"waiting for {senders} processes that send paid requests", file=sys.stderr)  # noqa: T201
    for pid in below:
        if not is_sender(pid):
            tell(pid, signal.SIGTERM)
    while any(map(is_sender, descendants())) and bury():
        pass


def give_the_terminal_to(group: int) -> None:
    """Let the command read from the terminal, if there is one, and Ctrl-C reach it alone."""
    with suppress(OSError):
        if os.isatty(0):
            os.tcsetpgrp(0, group)


def adopt_orphans() -> None:
    """Become the parent of every process below us whose own parent ends; PID 1 is that already."""
    if os.getpid() != 1:
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def bury_until(pid: int) -> int:
    """Wait for one child, burying others on the way. Returns its exit code."""
    while (dead := bury()) is not None:
        if dead[0] == pid:
            code = os.waitstatus_to_exitcode(dead[1])
            return code if code >= 0 else 128 - code
    return 1


def bury() -> tuple[int, int] | None:
    """Wait for any child. Returns its PID and status; None when there is none."""
    try:
        return os.waitpid(-1, 0)
    except ChildProcessError:
        return None


def tell(pid: int, number: int) -> None:
    """Send a signal to a process that may have ended."""
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def is_sender(pid: int) -> bool:
    """Whether a process is a sender of ours."""
    try:
        return SENDER in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False


def descendants() -> Iterator[int]:
    """Every process below this one.

    A process of many threads that is being killed shows as a zombie while it is still the parent of its children, so
    zombies count: a sender stands below one for a moment.
    """
    parents = _parents()
    for pid in parents:
        above, seen = pid, 0
        while above in parents and parents[above] != os.getpid() and seen < len(parents):
            above, seen = parents[above], seen + 1
        if parents.get(above) == os.getpid():
            yield pid


def _parents() -> dict[int, int]:
    """Each process and its parent. Read again, a few times, where a parent ended while they were read: its children were
    somebody else's by then."""
    found: dict[int, int] = {}
    for _ in range(READS):
        found = dict(_stats())
        if all(parent == 0 or parent in found for parent in found.values()):
            break
    return found


def _stats() -> Iterator[tuple[int, int]]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError, IndexError):
                yield int(entry.name), int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
