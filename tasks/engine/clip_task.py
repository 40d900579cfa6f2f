"""A Prefect task around one step for one clip: an error of ours shows as a failed state in our words, not as a traceback."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Generic, ParamSpec, TypeVar

from prefect import Task, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun

from dailies.errors import DailiesError
from tasks.engine.states import failed

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class NotDone:
    """The step ended without what it was for. Its failed state, and the ledger, say why."""

    error: str


@dataclass(frozen=True, slots=True)
class ClipTask(Generic[P, T]):
    """A step as a Prefect task. Called, it returns what the step returns, or NotDone."""

    task: Task[P, Coroutine[Any, Any, T | State[Any]]]

    async def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T | NotDone:
        """Run it as a task run of the flow at work."""
        found = await self.task(*args, **kwargs)
        return NotDone(str(found.message or "")) if isinstance(found, State) else found

    def with_retries(self, retries: int, delays_s: list[float]) -> ClipTask[P, T]:
        """The same with so many retries, so far apart."""
        return ClipTask(self.task.with_options(retries=retries, retry_delay_seconds=delays_s))


def clip_task(
    retry_on: tuple[type[Exception], ...] = (), **options: Any
) -> Callable[[Callable[P, Awaitable[T]]], ClipTask[P, T]]:
    """Make a step a task. It is called again by Prefect for the exceptions of `retry_on` alone; a DailiesError ends it.

    Nothing is cached and no result kept: the ledger decides what has been done.
    """

    def again(task: Task[Any, Any], run: TaskRun, state: State[Any]) -> bool:
        return isinstance(state.data, retry_on)  # a plain function, because Prefect 3.8 takes nothing else

    def decorate(step: Callable[P, Awaitable[T]]) -> ClipTask[P, T]:
        @functools.wraps(step)
        async def run(*args: P.args, **kwargs: P.kwargs) -> T | State[Any]:
            try:
                return await step(*args, **kwargs)
            except retry_on:
                raise
            except DailiesError as error:
                return failed(error)

        retried = {"retry_condition_fn": again} if retry_on else {"retries": 0}
        return ClipTask(task(cache_policy=NO_CACHE, persist_result=False, **retried, **options)(run))

    return decorate
