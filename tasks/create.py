"""The paid step. No retries, no timeout, no cache: only the ledger knows whether a create may be sent."""

from __future__ import annotations

from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State

from dailies.errors import DailiesError, MaybeCharged, Stopped
from dailies.runtime import current_runtime
from dailies.steps.create import create_clip
from tasks.events import emit_attempt, emit_brake, emit_error
from tasks.states import failed


@task(name="create", task_run_name="create · {label}", retries=0, cache_policy=NO_CACHE, persist_result=False)
async def create(label: str, clip_key: str, provider: str) -> str | State[Any]:
    """Claim and buy one clip at one provider. Returns the attempt's id."""
    try:
        attempt = await create_clip(current_runtime(), clip_key, provider)
    except DailiesError as error:
        emit_error(error, label, clip_key, provider)
        if isinstance(error, MaybeCharged | Stopped):
            await emit_brake(provider)
        return failed(error)
    if provider in current_runtime().brake_events:
        await emit_brake(provider)
    emit_attempt("bought", label, attempt)
    return attempt.id
