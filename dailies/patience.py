"""Trying again what a moment may heal: the one loop for it. Never for a paid request, which is sent once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import anyio

T = TypeVar("T")


async def tried_again(
    call: Callable[[], Awaitable[T]],
    pauses_s: Sequence[float],
    *transient: type[Exception],
    enough: Callable[[T], bool] = lambda _: True,
) -> T:
    """What `call` gives, called once and then once after each pause, as long as it raises a transient error or gives what is
    not enough yet. What the last call gives or raises is handed on; any other error is raised at once."""
    for pause_s in pauses_s:
        try:
            found = await call()
            if enough(found):
                return found
        except transient:
            pass
        await anyio.sleep(pause_s)
    return await call()
