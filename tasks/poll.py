"""The retrying steps: a poll raises while the clip is generating, and Prefect's retries are the polling."""

from __future__ import annotations

from datetime import datetime

from dailies.domain.polling import JITTER
from dailies.errors import DailiesError
from dailies.ledger import LostOwnership
from dailies.logs import about
from dailies.runtime import current_runtime
from dailies.steps.poll import Overdue, StillGenerating, poll_once
from dailies.steps.schedule import schedule, until
from dailies.telemetry import span
from tasks.engine.clip_task import NotDone, clip_task
from tasks.engine.events import emit_attempt_error, emit_surcharge


@clip_task(
    retry_on=(StillGenerating,),
    name="poll",
    task_run_name="poll · {label}",
    retries=50,
    retry_delay_seconds=[5.0, 10.0, 15.0],
    retry_jitter_factor=JITTER,
)
async def poll(label: str, batch: str, attempt_id: str, first_look: datetime | None = None) -> str:
    """Look once, not before the first look. Returns the attempt's id when its clip is ready; raises StillGenerating to
    be called again.
    """
    runtime = current_runtime()
    if first_look:
        await until(runtime, first_look)  # in here, so that the clip shows as running while nobody asks for it
    try:
        with span("poll", batch=batch, attempt=attempt_id) as step:
            attempt = await poll_once(runtime, attempt_id)
            step.add(**about(attempt))
    except LostOwnership:
        raise Overdue("another run has taken this clip over and delivers it") from None
    except DailiesError as error:
        await emit_attempt_error(runtime, error, label, batch, attempt_id)
        raise
    emit_surcharge(runtime, label, batch, attempt)
    return attempt.id


async def poll_until_ready(label: str, batch: str, attempt_id: str) -> str | NotDone:
    """Poll by the schedule of clips of its kind. The attempt's id when it is ready to be delivered."""
    looks = await schedule(current_runtime(), attempt_id)
    return await poll.with_retries(looks.retries, looks.delays_s)(label, batch, attempt_id, looks.first_look)
