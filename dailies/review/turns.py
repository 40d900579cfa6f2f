"""The order in which a page's words were pressed, which is not always the order in which they arrive."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import anyio


class Turns:
    """Takes what pages say one after another, and each turn of a page once.

    A page that is left says at once all that has no answer yet, what is under way among it: whichever of both comes first is
    taken, in the order of its turns, and the other one changes nothing.
    """

    def __init__(self) -> None:
        self._one_at_a_time = anyio.Lock()
        self._taken: dict[str, int] = {}

    async def take(self, page: str, turn: int, do: Callable[[], Awaitable[None]]) -> None:
        """Do what was said, unless this turn or a later one of the page was taken. What gives no page is always done."""
        async with self._one_at_a_time:
            if page and turn <= self._taken.get(page, 0):
                return
            await do()
            if page:
                self._taken[page] = turn
