"""Named places in the money protocol where a test may kill, stop or break the process.

Inert unless `DAILIES_FAILPOINTS` arms them: `name=action[@n]`, several separated by commas; the action happens at the
n-th passing (default the first). Actions: `kill` (SIGKILL), `kill-parent` (of the process that started this one: a
sender's flow), `kill-both`, `stop` (SIGSTOP), `raise`.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections import Counter
from traceback import walk_stack

from dailies.environment import variables

NAMES = (
    "before-claim", "after-claim", "before-post", "after-post", "before-answer", "after-answer", "before-poll", "after-poll",
    "before-completed", "after-completed", "before-download", "after-download", "before-put", "after-put", "before-head",
    "after-head", "before-stored", "after-stored", "before-cleanup", "after-cleanup", "before-report", "after-report",
    "before-plan", "after-plan", "before-spool", "after-spool", "before-drain", "after-drain",
)  # fmt: skip
"""Every failpoint there is; `tests/crash/test_kill.py` kills at each of them."""

VARIABLE = "DAILIES_FAILPOINTS"
LEDGER = os.path.join(os.path.dirname(__file__), "ledger", "")
_passed: Counter[str] = Counter()


class Broken(Exception):
    """Raised by a failpoint armed with `raise`."""


def hit(name: str) -> None:
    """Pass a failpoint. Does nothing unless the environment arms it."""
    armed = variables().get(VARIABLE)
    if armed:
        _act(name, armed)


def _act(name: str, armed: str) -> None:
    if name not in NAMES:
        raise ValueError(f"{name} is not a failpoint")
    _passed[name] += 1
    for order in armed.split(","):
        where, _, rest = order.strip().partition("=")
        action, _, turn = rest.partition("@")
        if where != name or _passed[name] != int(turn or 1):
            continue
        if action in ("kill-parent", "kill-both"):
            os.kill(os.getppid(), signal.SIGKILL)
        if action in ("kill", "kill-both"):
            os.kill(os.getpid(), signal.SIGKILL)
        if action == "stop":
            while _others_are_in_the_ledger():
                time.sleep(0.01)
            os.kill(os.getpid(), signal.SIGSTOP)
        if action == "raise":
            raise Broken(f"failpoint {name}")


def _others_are_in_the_ledger() -> bool:
    """Whether another thread runs the ledger's code. Before it stops itself the process lets these end: one that is stopped
    inside a transaction on SQLite keeps everybody else out, which is right and not what these tests are about."""
    frames = sys._current_frames()  # noqa: SLF001 - the standard library's only way to see what other threads do
    del frames[threading.get_ident()]
    return any(
        frame.f_code.co_filename.startswith(LEDGER) for start in frames.values() for frame, _ in walk_stack(start)
    )
