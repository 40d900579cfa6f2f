"""Become the owner of what was paid for earlier."""

from __future__ import annotations

from dailies.runtime import current_runtime
from dailies.steps.recover import take_attempt
from tasks.engine.clip_task import clip_task


@clip_task(name="take", task_run_name="take over · {label}")
async def take_over(label: str, attempt_id: str) -> str | None:
    """Become the owner of a paid attempt that nobody watches. Returns its id, or None when somebody was faster."""
    attempt = await take_attempt(current_runtime(), attempt_id)
    return attempt.id if attempt else None
