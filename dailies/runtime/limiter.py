"""How many generations and creates may be under way at one provider: a ceiling that is learned from its refusals, a ramp
for creates, and the brake's word when to ask again."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

import anyio

from dailies.domain.brake import Hold, Phase, ramp
from dailies.domain.ceiling import Ceiling, Sending


class AdaptiveLimiter:
    """Who may send a create to one provider now. Clips are named by their keys."""

    def __init__(self, most: int, clock: Callable[[], float] = anyio.current_time) -> None:
        self.most = most
        self.ceiling = Ceiling(most)
        self._clock = clock
        self._inside: dict[str, bool] = {}  # the clips with a place here, and whether the provider holds theirs
        self._refused_waiting = 0
        self._not_before = 0.0
        self._changed = anyio.Event()
        self.held: Hold | None = None
        self._held_until = 0.0
        self._ramp_from: float | None = None
        self._accepted: int | None = None
        self._turn = anyio.Lock()

    @asynccontextmanager
    async def slot(self, clip_key: str) -> AsyncIterator[None]:
        """One clip's place, waited for: no more than may be sent, and the one that is sent next."""
        while len(self._inside) >= (min(self.most, self.ceiling.proven + 1) if self.ceiling.found else self.most):
            await self._changed.wait()
        self._inside[clip_key] = False
        try:
            yield
        finally:
            if self._inside.pop(clip_key, False):
                self.ceiling.ended()
            self.changed()

    def generating(self, clip_key: str) -> None:
        """The provider holds a generation of this clip, until its place here is left."""
        if self._inside.get(clip_key) is False:
            self._inside[clip_key] = True
            self.ceiling.hold()
            self.changed()

    @contextmanager
    def create(self, clip_key: str) -> Iterator[CreateRequest]:
        """One clip's create, from waiting for its turn to its answer."""
        request = CreateRequest(self, clip_key)
        try:
            yield request
        finally:
            request.over()

    async def room(self, refused: bool) -> Sending:
        """Wait until one more create may be sent, and nobody has been asked to wait. Who was `refused` goes first."""
        self._refused_waiting += refused
        try:
            while (wait_s := self._room_in_s(refused)) is None or wait_s > 0:
                with anyio.move_on_after(wait_s):
                    await self._changed.wait()
        finally:
            self._refused_waiting -= refused
        return self.ceiling.send(self._clock())

    async def clear(self) -> None:
        """Wait until nobody at this provider has been asked to wait."""
        while (wait_s := self._not_before - self._clock()) > 0:
            await anyio.sleep(wait_s)

    def _room_in_s(self, refused: bool) -> float | None:
        now = self._clock()
        at = self.ceiling.room_at(now) if refused or not self._refused_waiting else None
        return None if at is None else max(at, self._not_before) - now

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
            self._hear_of_others(hold.accepted)
        if self.held:
            self._ramp_from = self._accepted = None
        self._turn.release()

    def _hear_of_others(self, accepted: int | None) -> None:
        """What another process had accepted meanwhile proves as much: else a run beside a larger one would never begin."""
        if accepted is not None:
            if self._accepted is not None and accepted > self._accepted:
                self.proven()
            self._accepted = accepted

    def creates_at_once(self) -> int:
        """How many creates may be unanswered now: few until one is accepted, then more each second while no answer is lost.

        Time alone proves nothing: where answers are lost after a minute, as a gateway's 504, all would have been sent by then.
        """
        return ramp(0.0 if self._ramp_from is None else self._clock() - self._ramp_from)

    def proven(self) -> None:
        """A create was accepted: the ramp is climbed from now on, where it is not already."""
        if self._ramp_from is None:
            self._ramp_from = self._clock()

    def doubted(self) -> None:
        """An answer was lost: the ramp begins again."""
        self._ramp_from = self._accepted = None

    def now(self) -> float:
        """The clock of the ceiling, in seconds."""
        return self._clock()

    def wait(self, wait_s: float) -> None:
        """Somebody was refused for being too many: everyone waits."""
        self._not_before = max(self._not_before, self._clock() + wait_s)

    def changed(self) -> None:
        """Let those who wait look again."""
        self._changed.set()
        self._changed = anyio.Event()


class CreateRequest:
    """One create, as the limiter sees it: it counts from when there is room for it until its answer is there."""

    def __init__(self, limiter: AdaptiveLimiter, clip_key: str) -> None:
        self._limiter = limiter
        self._clip_key = clip_key
        self._sending: Sending | None = None
        self._was_refused = False

    async def room(self) -> None:
        """Wait until it may be sent; once there is room for it, only until nobody is asked to wait."""
        if self._sending is None:
            self._sending = await self._limiter.room(self._was_refused)
        await self._limiter.clear()

    def accepted(self) -> None:
        """The provider makes it."""
        self._limiter.proven()
        if sending := self._taken():
            self._limiter.ceiling.accepted(sending, self._limiter.now())
        self._limiter.generating(self._clip_key)

    def refused(self, wait_s: float) -> None:
        """It was one too many: everyone waits so long, and it goes first when there is room again."""
        self._was_refused = True
        if sending := self._taken():
            self._limiter.ceiling.refused(sending, self._limiter.now(), wait_s)
        self._limiter.wait(wait_s)

    def over(self) -> None:
        """It ended in another way, or will be sent once more. Harmless where its answer was told."""
        if sending := self._taken():
            self._limiter.ceiling.dropped(sending)
            self._limiter.changed()

    def _taken(self) -> Sending | None:
        sending, self._sending = self._sending, None
        return sending
