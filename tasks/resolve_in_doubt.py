"""Look for a create in doubt in the provider's log."""

from __future__ import annotations

from dailies.runtime import current_runtime
from dailies.steps.recover import resolve_attempt
from tasks.engine.clip_task import clip_task


@clip_task(name="settle", task_run_name="settle · {label}")
async def resolve_in_doubt(label: str, attempt_id: str) -> str:
    """Look for it by our reference. Returns the attempt's id when it was found."""
    return (await resolve_attempt(current_runtime(), attempt_id)).id
