"""Settle a create in doubt of a batch that is being made."""

from __future__ import annotations

from dailies.runtime import current_runtime
from dailies.steps.settle import settle_clip
from tasks.engine.clip_task import clip_task


@clip_task(name="settle", task_run_name="settle · {label}")
async def settle(label: str, batch: str, clip_key: str) -> str:
    """Ask the provider, or send the same request again with its own key. Returns the attempt's id once it was accepted."""
    runtime = current_runtime()
    made = runtime.batches[batch]
    return (await settle_clip(runtime, made, made.rows[clip_key])).id
