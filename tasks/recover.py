"""Put right what earlier runs left."""

from __future__ import annotations

from prefect import task
from prefect.cache_policies import NO_CACHE

from dailies.runtime import current_runtime
from dailies.steps import recover as steps
from tasks.engine.events import emit_untold


@task(name="recover", task_run_name="recover", cache_policy=NO_CACHE, persist_result=False)
async def recover() -> list[str]:
    """Drain the spool, reap dead owners, tell what is new. Returns the clip_keys of paid clips that nobody watches."""
    runtime = current_runtime()
    found = await steps.recover(runtime)
    await emit_untold(runtime)
    return [attempt.clip_key for attempt in found.left]
