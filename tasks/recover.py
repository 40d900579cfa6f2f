"""Put right what earlier runs left."""

from __future__ import annotations

from prefect import task
from prefect.cache_policies import NO_CACHE

from dailies.runtime import current_runtime
from dailies.steps import recover as steps


@task(name="recover", task_run_name="recover", cache_policy=NO_CACHE, persist_result=False)
async def recover() -> list[str]:
    """Drain the spool and reap dead owners. Returns the clip_keys of paid clips that nobody watches."""
    found = await steps.recover(current_runtime())
    return [attempt.clip_key for attempt in found.left]
