"""Bring a paid clip home."""

from __future__ import annotations

from typing import Any

from prefect import Task, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun

from dailies.domain.polling import JITTER
from dailies.errors import DailiesError
from dailies.runtime import current_runtime
from dailies.steps.deliver import deliver_clip
from dailies.steps.fetch import NotYet
from tasks.events import emit_attempt, emit_attempt_error
from tasks.states import failed

VISITS_S = [2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 60.0, 120.0]
"""Between visits to a result that can't be had yet. The step itself ends them (`steps/fetch.py`): there are always enough."""


def visit_again(task: Task[Any, Any], run: TaskRun, state: State[Any]) -> bool:
    """Retry only what asks for it. A plain function, because Prefect 3.8 takes nothing else."""
    return isinstance(state.data, NotYet)


@task(
    name="deliver",
    task_run_name="deliver · {label}",
    retries=100,
    retry_delay_seconds=VISITS_S,
    retry_jitter_factor=JITTER,
    retry_condition_fn=visit_again,
    cache_policy=NO_CACHE,
    persist_result=False,
)
async def deliver(label: str, attempt_id: str) -> str | State[Any]:
    """Download, check, put in S3, record. Returns the clip's S3 URI; raises NotYet to be called again."""
    try:
        attempt = await deliver_clip(current_runtime(), attempt_id)
    except NotYet:
        raise
    except DailiesError as error:
        await emit_attempt_error(error, label, attempt_id)
        return failed(error)
    emit_attempt("delivered", label, attempt)
    return attempt.s3_uri or ""
