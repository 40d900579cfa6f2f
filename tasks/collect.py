"""Steps for clips that were paid for earlier."""

from __future__ import annotations

from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State

from dailies.errors import DailiesError
from dailies.steps.recover import settle_clip, take_clip
from dailies.studio import current_studio
from tasks.states import failed


@task(name="take", task_run_name="take over · {label}", cache_policy=NO_CACHE, persist_result=False)
async def take(label: str, clip_key: str) -> str | None:
    """Become the owner of a paid clip that nobody watches. Returns the attempt's id, or None when somebody was faster."""
    attempt = await take_clip(current_studio(), clip_key)
    return attempt.id if attempt else None


@task(name="settle", task_run_name="settle · {label}", cache_policy=NO_CACHE, persist_result=False)
async def settle(label: str, clip_key: str) -> str | State[Any]:
    """Look for a create in doubt in the provider's log. Returns the attempt's id when it was found."""
    try:
        return (await settle_clip(current_studio(), clip_key)).id
    except DailiesError as error:
        return failed(error)
