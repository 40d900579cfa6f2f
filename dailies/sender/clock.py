"""How long a claim is still ours, on a clock that also runs while the machine is suspended."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

Clock = Callable[[], float]


def unstoppable_clock() -> Clock:
    """Seconds on a clock that never stands still: CLOCK_BOOTTIME where there is one.

    Elsewhere the monotonic clock may stand still in suspend and the wall clock may be set back, so the one that has
    gone further counts.
    """
    if hasattr(time, "CLOCK_BOOTTIME"):
        return lambda: time.clock_gettime(time.CLOCK_BOOTTIME)
    monotonic, wall = time.monotonic(), time.time()
    return lambda: max(time.monotonic() - monotonic, time.time() - wall)


@dataclass(frozen=True, slots=True)
class SendWindow:
    """What the ledger said of a claim at the moment `asked_at`: so many seconds later others may take it for abandoned."""

    seconds: float
    asked_at: float
    clock: Clock

    def open(self) -> bool:
        """Whether a request may be sent on this claim now."""
        return self.clock() - self.asked_at < self.seconds
