"""Plan what was sent back in one batch, and put it on record."""

from __future__ import annotations

from decimal import Decimal

from prefect import task
from prefect.cache_policies import NO_CACHE

from dailies.planning.batch import Batch
from dailies.planning.request import BatchRequest
from dailies.runtime import current_runtime
from dailies.steps.retakes import start_retakes
from tasks.engine.events import emit_budgets


@task(
    name="plan-retakes",
    task_run_name="plan · {request.batch_name} · retakes",
    cache_policy=NO_CACHE,
    persist_result=False,
)
async def plan_retakes(request: BatchRequest, left_usd: Decimal | None) -> Batch | None:
    """The batch of a round's retakes, within what the round may still spend; None where nothing is to be made."""
    runtime = current_runtime()
    batch = await start_retakes(runtime, request, left_usd)
    if batch is not None:
        await emit_budgets(runtime, batch)
    return batch
