"""A stand-in for Prefect's engine: flows and tasks are called in this process, tried again as Prefect tries them again, and
nobody is told.

A run spends most of its time on the engine: a client for every task run, some forty requests, an event for each state. What
is bought, recorded, and brought home is the same without it, so tests of that run by this. Tests of what Prefect is for
(its UI, its states, events, limits, workers) are marked `engine`, and so run with the real one are all of `make production`:
every kind of fault among them. `test_standin.py` holds the two against each other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock
from uuid import uuid4

from prefect import Flow, Task
from prefect.client.schemas.objects import State
from prefect.states import Failed
from prefect.utilities.callables import get_call_parameters

from dailies.prefect_api.server import LocalServer

SAYS_SO = "STAND_IN_ENGINE"
"""In a child's environment: it runs by the stand-in."""
NOBODY = "http://127.0.0.1:9/api"
"""The address that commands find configured; nothing is sent there."""
UNSAID = (
    "tasks.engine.events.emit_event",
    "dailies.prefect_api.verdicts.emit_event",
    "dailies.prefect_api.verdicts.sum_up",
)
ARTIFACTS = (
    "acreate_markdown_artifact",
    "acreate_progress_artifact",
    "acreate_table_artifact",
    "aupdate_progress_artifact",
)
ASKED = ("dailies.cli.run.require_api", "dailies.cli.command_settings.require_api")


def environment(folder: Path) -> dict[str, str]:
    """What a real server has a run find in its environment, with nobody there."""
    return {**LocalServer(NOBODY, NOBODY, folder, 0).environment({}), SAYS_SO: "1"}


@contextmanager
def standing_in() -> Iterator[None]:
    """Have all flows and tasks of this process run by the stand-in while the block runs."""
    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(Task, "__call__", _call_task))
        stack.enter_context(mock.patch.object(Flow, "__call__", _call_flow))
        for name in (*UNSAID, *ASKED):
            stack.enter_context(mock.patch(name, _nothing))
        for name in ARTIFACTS:
            stack.enter_context(mock.patch(f"tasks.report.{name}", _an_id))
        stack.enter_context(mock.patch("flows.generate.shared_limits", _no_limits))
        stack.enter_context(mock.patch("dailies.prefect_api.blocks.read_blocks", _no_blocks))
        yield


async def _call_task(task: Task[Any, Any], /, *args: Any, **kwargs: Any) -> Any:
    """The task's result; or its error, once Prefect would not try it again either."""
    tries = 0
    while True:
        try:
            return await task.fn(*args, **kwargs)
        except Exception as error:
            if tries >= task.retries or not _again(task, error):
                raise
            await asyncio.sleep(_pause_s(task.retry_delay_seconds, tries))
            tries += 1


def _again(task: Task[Any, Any], error: Exception) -> bool:
    condition: Any = task.retry_condition_fn
    return condition is None or bool(condition(task, None, Failed(data=error)))


def _pause_s(delays_s: float | Sequence[float] | None, tries: int) -> float:
    if isinstance(delays_s, Sequence):
        return float(delays_s[min(tries, len(delays_s) - 1)]) if delays_s else 0.0
    return float(delays_s or 0.0)


async def _call_flow(flow: Flow[Any, Any], /, *args: Any, return_state: bool, **kwargs: Any) -> State[Any]:
    """The state that the flow ends in; a command asks for nothing else."""
    assert return_state
    given = get_call_parameters(flow.fn, args, kwargs)
    asked = flow.validate_parameters(given) if flow.should_validate_parameters else given
    try:
        result = await flow.fn(**asked)
    except Exception as error:  # noqa: BLE001 - as Prefect does, whatever it was
        return Failed(message=f"Flow run encountered an exception: {type(error).__name__}: {error}", data=error)
    assert isinstance(result, State)
    return result


def _nothing(*_: Any, **__: Any) -> None:
    return None


async def _an_id(*_: Any, **__: Any) -> Any:
    return uuid4()


async def _no_limits(_: Any) -> frozenset[str]:
    return frozenset()


async def _no_blocks() -> dict[str, str]:
    return {}
