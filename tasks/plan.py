"""Read the CSV, check and quote every row, and put the batch on record."""

from __future__ import annotations

from prefect import task
from prefect.cache_policies import NO_CACHE

from dailies.order import Order
from dailies.steps.start import planned, start_job
from dailies.studio import current_studio
from tasks.events import tell_budgets


@task(name="plan", task_run_name="plan · {order.batch_name}", cache_policy=NO_CACHE, persist_result=False)
async def plan(order: Order) -> int:
    """Plan an order in the current studio. Returns the number of rows; raises what the CSV or the settings lack."""
    studio = current_studio()
    job = await start_job(studio, order, await planned(studio, order))
    await tell_budgets()
    return len(job.plan.rows)
