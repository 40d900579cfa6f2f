"""Read the CSV, check and quote every row, and put the batch on record."""

from __future__ import annotations

from prefect import task
from prefect.cache_policies import NO_CACHE

from dailies.planning.batch import Batch
from dailies.planning.request import BatchRequest
from dailies.runtime import current_runtime
from dailies.steps.start import begin_batch
from dailies.telemetry import span
from tasks.engine.events import emit_budgets


@task(name="plan", task_run_name="plan · {request.batch_name}", cache_policy=NO_CACHE, persist_result=False)
async def plan(request: BatchRequest) -> Batch:
    """Plan a batch, unless the command that started the flow has done it. Raises what the CSV or the settings lack."""
    runtime = current_runtime()
    batch = runtime.batches.asked_for(request)
    if batch is None:
        with span("plan", batch=request.batch_name):
            batch = await begin_batch(runtime, request)
    await emit_budgets(runtime, batch)
    return batch
