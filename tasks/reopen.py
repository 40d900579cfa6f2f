"""Ask again for a clip that was paid for and lost."""

from __future__ import annotations

from dailies.runtime import current_runtime
from dailies.steps.recover import reopen_attempt
from tasks.engine.clip_task import clip_task


@clip_task(name="reopen", task_run_name="reopen · {label}")
async def reopen(label: str, attempt_id: str) -> str:
    """Ask the provider whether it shows the clip again. Returns the attempt's id when it does."""
    return (await reopen_attempt(current_runtime(), attempt_id)).id
