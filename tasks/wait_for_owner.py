"""Wait for another run's work on a clip: Prefect's retries are the waiting."""

from __future__ import annotations

from dailies.domain.next_step import Step
from dailies.domain.polling import JITTER
from dailies.runtime import current_runtime
from dailies.steps.recover import Elsewhere, step_once_free
from tasks.engine.clip_task import clip_task

DELAYS_S = [1.0, 2.0, 4.0, 8.0, 15.0]


@clip_task(
    retry_on=(Elsewhere,),
    name="follow",
    task_run_name="follow · {label}",
    retries=10_000,
    retry_delay_seconds=DELAYS_S,
    retry_jitter_factor=JITTER,
)
async def wait_for_owner(label: str, clip_key: str) -> Step:
    """Wait until nobody else is at work on this clip. Returns the step that is needed then."""
    return await step_once_free(current_runtime(), clip_key)
