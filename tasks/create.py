"""The paid step. No retries, no timeout, no cache: only the ledger knows whether a create may be sent."""

from __future__ import annotations

from dailies.errors import DailiesError, MaybeCharged, Stopped
from dailies.logs import about
from dailies.runtime import current_runtime
from dailies.steps.settle import buy_clip
from dailies.telemetry import span
from tasks.engine.clip_task import clip_task
from tasks.engine.events import Subject, emit_attempt, emit_brake, emit_doubt, emit_error


@clip_task(name="create", task_run_name="create · {label}")
async def create(label: str, batch: str, clip_key: str, provider: str) -> str:
    """Claim and buy one clip of a batch at one provider. Returns the attempt's id."""
    runtime = current_runtime()
    made = runtime.batches[batch]
    try:
        with span("create", batch=batch, clip=clip_key, provider=provider) as step:
            attempt = await buy_clip(runtime, made, made.rows[clip_key], provider)
            step.add(**about(attempt))
    except DailiesError as error:
        clip = Subject(label, batch, clip_key, provider)
        if isinstance(error, MaybeCharged):
            await emit_doubt(runtime, error, clip)
        else:
            emit_error(runtime, error, clip)
        if isinstance(error, MaybeCharged | Stopped):
            await emit_brake(runtime, batch, provider)
        raise
    if provider in runtime.brake_events:
        await emit_brake(runtime, batch, provider)
    emit_attempt(runtime, "bought", label, batch, attempt)
    return attempt.id
