"""How many generations and creates may be under way at one provider: a limit that a 429 halves and every success widens,
a ramp for creates, and the brake's word when to ask again."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import anyio

from dailies.domain.brake import Hold, Phase, ramp

HALVE_AT_MOST_EVERY_S = 1.0  # a burst of refusals is one piece of news


class AdaptiveLimiter:
    """Additive increase, multiplicative decrease, over the number of generations in flight."""

    def __init__(self, most: int, clock: Callable[[], float] = anyio.current_time) -> None:
        self.most = most
        self.limit = float(most)
        self.active = 0
        self._clock = clock
        self._not_before = 0.0
        self._halved_at = float("-inf")
        self._changed = anyio.Event()
        self.held: Hold | None = None
        self._held_until = 0.0
        self._ramp_from: float | None = None
        self._turn = anyio.Lock()

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

    async def take_turn(self) -> None:
        """Wait until this clip may ask the ledger for a claim: one at a time, and none while the provider is held."""
        await self._turn.acquire()
        try:
            while (wait_s := self._held_until - self._clock()) > 0:
                await anyio.sleep(wait_s)
        except BaseException:
            self._turn.release()
            raise

    def pass_turn(self, hold: Hold | None = None) -> None:
        """Let the next clip ask; with a hold not before its time, and with the ramp at its foot if answers were lost."""
        self.held = hold if hold and hold.phase is not Phase.OPEN else None
        if hold:
            self._held_until = self._clock() + hold.wait_s
        if self.held:
            self._ramp_from = None
        self._turn.release()

    def creates_at_once(self) -> int:
        """How many creates may be unanswered now: few at first, more each second while no answer is lost."""
        now = self._clock()
        if self._ramp_from is None:
            self._ramp_from = now
        return ramp(now - self._ramp_from)

    def doubted(self) -> None:
        """An answer was lost: the ramp begins again."""
        self._ramp_from = None

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
