"""Bring a paid clip home."""

from __future__ import annotations

from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State

from dailies.errors import DailiesError
from dailies.steps.deliver import deliver_clip
from dailies.studio import current_studio
from tasks.events import tell_attempt, tell_trouble
from tasks.states import failed


@task(name="deliver", task_run_name="deliver · {label}", retries=0, cache_policy=NO_CACHE, persist_result=False)
async def deliver(label: str, attempt_id: str) -> str | State[Any]:
    """Download, check, put in S3, record. Returns the clip's S3 URI."""
    try:
        attempt = await deliver_clip(current_studio(), attempt_id)
    except DailiesError as error:
        await tell_trouble(error, label, attempt_id)
        return failed(error)
    tell_attempt("delivered", label, attempt)
    return attempt.s3_uri or ""
