"""The retrying steps: a poll raises while the clip is generating, and Prefect's retries are the polling."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from prefect import Task, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun

from dailies.domain.polling import JITTER
from dailies.errors import DailiesError
from dailies.ledger import LostOwnership
from dailies.runtime import current_runtime
from dailies.steps.poll import Overdue, StillGenerating, poll_once
from dailies.steps.recover import Elsewhere, follow_clip
from dailies.steps.schedule import schedule, until
from tasks.events import emit_attempt_error, emit_surcharge
from tasks.states import failed

FOLLOW_DELAYS_S = [1.0, 2.0, 4.0, 8.0, 15.0]


def look_again(task: Task[Any, Any], run: TaskRun, state: State[Any]) -> bool:
    """Retry only what asks for it. A plain function, because Prefect 3.8 takes nothing else."""
    return isinstance(state.data, StillGenerating | Elsewhere)


@task(
    name="poll",
    task_run_name="poll · {label}",
    retries=50,
    retry_delay_seconds=[5.0, 10.0, 15.0],
    retry_jitter_factor=JITTER,
    retry_condition_fn=look_again,
    cache_policy=NO_CACHE,
    persist_result=False,
)
async def poll(label: str, attempt_id: str, first_look: datetime | None = None) -> str | State[Any]:
    """Look once, not before the first look. Returns the attempt's id when its clip is ready; raises StillGenerating to
    be called again.
    """
    runtime = current_runtime()
    if first_look:
        await until(runtime, first_look)  # in here, so that the clip shows as running while nobody asks for it
    try:
        attempt = await poll_once(runtime, attempt_id)
        emit_surcharge(label, attempt)
        return attempt.id
    except LostOwnership:
        return failed(Overdue("another run has taken this clip over and delivers it"))
    except DailiesError as error:
        await emit_attempt_error(error, label, attempt_id)
        return failed(error)


async def poll_until_ready(label: str, attempt_id: str) -> str | None:
    """Poll by the schedule of clips of its kind. The attempt's id when it is ready, None when it is not to be delivered."""
    looks = await schedule(current_runtime(), attempt_id)
    timed = poll.with_options(retries=looks.retries, retry_delay_seconds=looks.delays_s)
    result = await timed(label, attempt_id, looks.first_look)
    return result if isinstance(result, str) else None


@task(
    name="follow",
    task_run_name="follow · {label}",
    retries=10_000,
    retry_delay_seconds=FOLLOW_DELAYS_S,
    retry_jitter_factor=JITTER,
    retry_condition_fn=look_again,
    cache_policy=NO_CACHE,
    persist_result=False,
)
async def follow(label: str, clip_key: str) -> str:
    """Wait for another run's work on this clip. Returns the step that is needed then."""
    return str(await follow_clip(current_runtime(), clip_key))
