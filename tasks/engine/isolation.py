"""Clips that share a flow and nothing else: none takes another along when it fails, and the engine keeps nothing of them.

The one place that reaches into Prefect's flow run context.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, ParamSpec

from prefect.context import FlowRunContext

from dailies.errors import describe_error

logger = logging.getLogger("dailies.flows")
P = ParamSpec("P")


def isolate_failures(work: Callable[P, Awaitable[None]]) -> Callable[P, Coroutine[Any, Any, None]]:
    """Let nothing that goes wrong with one clip (or shard) end the others, and nothing of it stay when it is over. This is
    the edge: whatever it was, the clip's record is in the ledger, and the next run goes on from there."""

    @functools.wraps(work)
    async def guarded(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            with _links_of_its_own():
                await work(*args, **kwargs)
        except Exception as error:
            logger.error("left where it is, the others go on: %s", describe_error(error))
            logger.debug("where it happened", exc_info=error)

    return guarded


@contextmanager
def _links_of_its_own() -> Iterator[None]:
    """Let the tasks in the block know each other's results and assets, by which the UI draws which follows which, and no
    others'.

    Prefect links results to their end states by address, for as long as the flow lasts: six kilobytes a clip, and once an
    address is used again, an arrow from a stranger's clip. It keeps the assets of each task run as long, if only as an
    empty set: one kilobyte a clip.
    """
    context = FlowRunContext.get()
    if context is None:
        yield
        return
    with context.model_copy(update={"run_results": {}, "task_run_assets": {}}):
        yield
