"""Bring a paid clip home."""

from __future__ import annotations

from dailies.domain.polling import JITTER
from dailies.errors import DailiesError
from dailies.logs import about
from dailies.runtime import current_runtime
from dailies.steps.deliver import deliver_clip
from dailies.steps.fetch import NotYet
from dailies.telemetry import span
from tasks.engine.clip_task import clip_task
from tasks.engine.events import emit_attempt, emit_attempt_error

VISITS_S = [2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 60.0, 120.0]
"""Between visits to a result that can't be had yet. The step itself ends them (`steps/fetch.py`): there are always enough."""


@clip_task(
    retry_on=(NotYet,),
    name="deliver",
    task_run_name="deliver · {label}",
    retries=100,
    retry_delay_seconds=VISITS_S,
    retry_jitter_factor=JITTER,
)
async def deliver(label: str, batch: str, attempt_id: str) -> str:
    """Download, check, put in S3, record, for a batch that wants the clip. Returns its S3 URI; raises NotYet to be called again."""
    runtime = current_runtime()
    try:
        with span("deliver", batch=batch, attempt=attempt_id) as step:
            attempt = await deliver_clip(runtime, attempt_id, batch)
            step.add(**about(attempt))
    except DailiesError as error:
        await emit_attempt_error(runtime, error, label, batch, attempt_id)
        raise
    emit_attempt(runtime, "delivered", label, batch, attempt)
    return attempt.s3_uri or ""
