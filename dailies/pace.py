"""How many generations may be under way at one provider: a limit that a 429 halves and that every success widens."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import anyio

HALVE_AT_MOST_EVERY_S = 1.0  # a burst of refusals is one piece of news


class Pace:
    """Additive increase, multiplicative decrease, over the number of generations in flight."""

    def __init__(self, most: int, clock: Callable[[], float] = anyio.current_time) -> None:
        self.most = most
        self.limit = float(most)
        self.active = 0
        self._clock = clock
        self._not_before = 0.0
        self._halved_at = float("-inf")
        self._changed = anyio.Event()

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """One generation's place, waited for."""
        while self.active >= max(1, int(self.limit)):
            await self._changed.wait()
        self.active += 1
        try:
            yield
        finally:
            self.active -= 1
            self._wake()

    async def clear(self) -> None:
        """Wait until nobody at this provider has been asked to wait."""
        while (wait_s := self._not_before - self._clock()) > 0:
            await anyio.sleep(wait_s)

    def slow_down(self, wait_s: float) -> None:
        """Somebody was refused for being too many: everyone waits, and half as many go on."""
        now = self._clock()
        self._not_before = max(self._not_before, now + wait_s)
        if now - self._halved_at >= HALVE_AT_MOST_EVERY_S:
            self._halved_at = now
            self.limit = max(1.0, self.limit / 2)

    def speed_up(self) -> None:
        """A create was accepted: one more place for each full round of successes."""
        self.limit = min(float(self.most), self.limit + 1 / self.limit)
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()
