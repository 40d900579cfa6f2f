"""Read the CSV, check and quote every row, and put the batch on record."""

from __future__ import annotations

from prefect import task
from prefect.cache_policies import NO_CACHE

from dailies.planning.request import BatchRequest
from dailies.runtime import current_runtime
from dailies.steps.start import planned, start_job
from tasks.events import emit_budgets


@task(name="plan", task_run_name="plan · {order.batch_name}", cache_policy=NO_CACHE, persist_result=False)
async def plan(order: BatchRequest) -> int:
    """Plan an order in the current runtime. Returns the number of rows; raises what the CSV or the settings lack."""
    runtime = current_runtime()
    job = await start_job(runtime, order, await planned(runtime, order))
    await emit_budgets()
    return len(job.plan.rows)
