"""How long somebody waits for the local Prefect server to start: as long as its process lives and gets on.

On a crowded machine a first start takes minutes, and a limit that fits an idle one would end a run that had nothing wrong.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

ADDRESS_FILE, LOG_FILE, DATABASE = "server.json", "server.log", "prefect.db"

STILL_S = 90.0
"""So long a start may stand still: no second on a processor, no byte in its files."""
LONGEST_S = 1200.0
"""The longest that a start is waited for, whatever it does."""
EVERY_S, AT_LEAST_EVERY_S = 5.0, 15.0
"""How often somebody who waits is told what is going on: at first, and later."""


class Waiting:
    """One wait for a start, looked at again and again.

    `seen` is what changes while the start gets on, compared by equality; `doing` says in words what it is at.
    """

    def __init__(
        self,
        seen: Callable[[], object],
        doing: Callable[[], str],
        say: Callable[[str], None],
        longest_s: float = LONGEST_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._seen, self._doing, self._say, self._longest_s, self._clock = seen, doing, say, longest_s, clock
        self._begun = self._moved_at = self._said_at = clock()
        self._last: object = None

    def over(self) -> str | None:
        """Why it is waited no longer, if so. Tells every few seconds what the start is at."""
        now, seen = self._clock(), self._seen()
        if seen != self._last:
            self._last, self._moved_at = seen, now
        if now - self._begun > self._longest_s:
            return "it did not answer in time"
        if now - self._moved_at > STILL_S:
            return f"it has done nothing for {STILL_S:.0f} s"
        waited_s = now - self._begun
        if now - self._said_at >= min(max(EVERY_S, waited_s / 4), AT_LEAST_EVERY_S):
            self._said_at = now
            self._say(f"still starting the local Prefect server: {self._doing()} ({waited_s:.0f} s)")
        return None


def written_note(folder: Path) -> dict[str, Any]:
    """What the server's process wrote of itself: `pid`, `doing` while it starts, `port` and `token` once it answers."""
    with suppress(OSError, ValueError):
        note = json.loads((folder / ADDRESS_FILE).read_text(encoding="utf-8"))
        return note if isinstance(note, dict) else {}
    return {}


def doing(folder: Path) -> str:
    """What a server that starts is at, in words."""
    return str(written_note(folder).get("doing", "loading Python"))


def seen(folder: Path) -> tuple[object, ...]:
    """What changes while a server starts: its step, the seconds that it was on a processor, its files."""
    import psutil

    note, busy_s = written_note(folder), 0.0
    with suppress(psutil.Error, KeyError, TypeError, ValueError, OSError):
        times = psutil.Process(int(note["pid"])).cpu_times()
        busy_s = times.user + times.system
    return note.get("doing"), busy_s, *(_size(folder / name) for name in (LOG_FILE, DATABASE, f"{DATABASE}-wal"))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
