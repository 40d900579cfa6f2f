"""So many at once, and of those who wait the most urgent first."""

from __future__ import annotations

import heapq
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from itertools import count

import anyio


class PriorityLimiter:
    """A limit on how many are at work together; whoever's end comes first is let in first, equals in their order."""

    def __init__(self, most: int) -> None:
        self._free = most
        self._waiting: list[tuple[datetime, int, anyio.Event]] = []
        self._numbers = count()

    @asynccontextmanager
    async def slot(self, ends: datetime) -> AsyncIterator[None]:
        """One place, waited for; `ends` is when what is worked on would be lost."""
        await self._acquire(ends)
        try:
            yield
        finally:
            self._release()

    async def _acquire(self, ends: datetime) -> None:
        if self._free:
            self._free -= 1
            return
        mine = (ends, next(self._numbers), anyio.Event())
        heapq.heappush(self._waiting, mine)
        try:
            await mine[2].wait()
        except BaseException:
            if mine[2].is_set():  # the place was handed over in the moment of the interruption
                self._release()
            else:
                self._waiting.remove(mine)
                heapq.heapify(self._waiting)
            raise

    def _release(self) -> None:
        if self._waiting:
            heapq.heappop(self._waiting)[2].set()
        else:
            self._free += 1
