"""Steps for clips that were paid for earlier."""

from __future__ import annotations

from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State

from dailies.domain.next_step import Step
from dailies.errors import DailiesError
from dailies.runtime import current_runtime
from dailies.steps.recover import reopen_attempt, resolve_attempt, resolve_clip, take_attempt, take_clip
from tasks.states import failed


@task(name="take", task_run_name="take over · {label}", cache_policy=NO_CACHE, persist_result=False)
async def take(label: str, clip_key: str) -> str | None:
    """Become the owner of a paid clip that nobody watches. Returns the attempt's id, or None when somebody was faster."""
    attempt = await take_clip(current_runtime(), clip_key)
    return attempt.id if attempt else None


@task(name="settle", task_run_name="settle · {label}", cache_policy=NO_CACHE, persist_result=False)
async def settle(label: str, clip_key: str) -> str | State[Any]:
    """Look for a create in doubt in the provider's log. Returns the attempt's id when it was found."""
    try:
        return (await resolve_clip(current_runtime(), clip_key)).id
    except DailiesError as error:
        return failed(error)


@task(name="go on", task_run_name="{step} · {label}", cache_policy=NO_CACHE, persist_result=False)
async def go_on(label: str, attempt_id: str, step: str) -> str | State[Any] | None:
    """Take over, look up in the provider's log, or ask for again: one attempt, whichever speaks for its clip.

    Returns the attempt's id when it is ours and accepted, None when somebody was faster.
    """
    runtime = current_runtime()
    try:
        match Step(step):
            case Step.COLLECT:
                attempt = await take_attempt(runtime, attempt_id)
            case Step.SETTLE:
                attempt = await resolve_attempt(runtime, attempt_id)
            case Step.REOPEN:
                attempt = await reopen_attempt(runtime, attempt_id)
            case _:
                return None
    except DailiesError as error:
        return failed(error)
    return attempt.id if attempt else None
