"""Looks at footage that are under way in this process: one at a time, behind everything that was paid for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context

import anyio.to_thread

from dailies.system import lower_priority

MOST_WAITING_BYTES = 4_000_000_000
"""What may lie on the disk for looks to come; beyond it a clip is not looked at, rather than a disk filled."""
LAST_LOOKS_S = 120.0
"""How long a run waits at its end for its last looks."""
STOPS_WITHIN_S = 10.0
"""How long it then waits for the one that was told to stop."""

Stopped = Callable[[], bool]


class Looks:
    """A queue of looks with a thread of its own, whose priority is lowered where the system can do that for one thread.

    A look is called with what says that it shall stop. Each has an end, which is called whatever became of it.
    """

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, "look", lower_priority)
        self._waiting: dict[Future[None], int] = {}
        self._changed = threading.Condition()
        self._given_up = threading.Event()

    def add(self, look: Callable[[Stopped], None], end: Callable[[], None], size_bytes: int) -> bool:
        """Put a look into the queue; False where too much is waiting already. Doesn't block."""
        with self._changed:
            if sum(self._waiting.values()) + size_bytes > MOST_WAITING_BYTES:
                return False
            # In the caller's context: its log lines belong to the run.
            future = self._pool.submit(copy_context().run, look, self._given_up.is_set)
            self._waiting[future] = size_bytes
        future.add_done_callback(lambda done: self._ended(done, end))
        return True

    @property
    def idle(self) -> bool:
        """Whether nothing waits."""
        return not self._waiting

    async def done(self, within_s: float = LAST_LOOKS_S) -> None:
        """Wait for all looks so far, at most so long; what is not done by then is given up."""
        with self._changed:
            waiting = [*self._waiting]
        if waiting:
            await anyio.to_thread.run_sync(self._finish, waiting, within_s)

    def close(self) -> None:
        """Give up what is left, and let the thread go."""
        self.give_up()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def give_up(self) -> None:
        """Stop the look under way with its next picture, and begin none of those that wait; later ones are welcome."""
        with self._changed:
            waiting, given_up = [*self._waiting], self._given_up
            self._given_up = threading.Event()
        for future in waiting:
            future.cancel()
        given_up.set()

    def _finish(self, waiting: list[Future[None]], within_s: float) -> None:
        if not self._ended_within(waiting, within_s):
            self.give_up()
            self._ended_within(waiting, STOPS_WITHIN_S)

    def _ended_within(self, waiting: list[Future[None]], within_s: float) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: self._waiting.keys().isdisjoint(waiting), within_s)

    def _ended(self, future: Future[None], end: Callable[[], None]) -> None:
        try:
            end()
        finally:
            with self._changed:
                self._waiting.pop(future, None)
                self._changed.notify_all()
