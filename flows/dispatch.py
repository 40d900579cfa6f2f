"""A batch that is too large for one run: split into shards, each a run on any worker, followed and reported as one batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import anyio
from prefect import flow, get_client
from prefect.client.schemas.objects import State
from prefect.states import Failed

import tasks
from dailies.errors import describe_error
from dailies.planning.request import FOLDERS, WHICH_ROWS, BatchRequest
from dailies.planning.shards import Shard, part_of, share
from dailies.runtime import Runtime, open_runtime
from dailies.steps.shards import open_shards
from flows import parameters as p
from flows.approve import approved
from flows.interrupt import interruptible
from flows.limits import shared_limits, shared_slot
from flows.run import REPORTED, ending, isolate_failures, name_run, run_name, settings_for_run, tags_of
from tasks.dispatch import require_deployment, run_shard, show_progress
from tasks.states import show_our_logs

SHARDS = "shards"  # the limit's name is made of it: dailies-shards


@dataclass(frozen=True, slots=True)
class Spread:
    """How a batch is spread: rows in a shard, shards at once, the deployment that makes a shard.

    Prefect's global concurrency limit `dailies-shards`, where it exists, holds over the shards of all dispatches.
    """

    rows: int
    at_once: int
    deployment: str


@flow(name="generate-large", flow_run_name=run_name, persist_result=False, validate_parameters=True)
@p.takes_request(*WHICH_ROWS, *FOLDERS)
async def generate_large(
    request: BatchRequest,
    approve_above_usd: p.ApproveAbove = None,
    shard_rows: p.ShardRows = 500,
    shards_at_once: p.ShardsAtOnce = 4,
    deployment: p.ShardDeployment = "generate-clips/generate-shard",
) -> State[Any]:
    """Turn a large CSV into clips with as many workers as there are: one batch, one budget, one report."""
    show_our_logs()
    try:
        async with open_runtime(await settings_for_run()) as runtime:
            await require_deployment(deployment)
            count = await tasks.plan(request)
            await name_run(f"{request.title} · {count} clips", tags_of(runtime.the_job.plan))
            await approved(runtime, approve_above_usd)
            return await make_shards(runtime, Spread(shard_rows, shards_at_once, deployment))
    except REPORTED as error:
        return Failed(message=describe_error(error))


async def make_shards(runtime: Runtime, spread: Spread) -> State[Any]:
    """Every shard that has something left to do, a few at once; then the report of the whole batch."""
    room, limits = anyio.Semaphore(spread.at_once), await shared_limits([SHARDS])
    batch, shards = runtime.the_job.plan.batch, await open_shards(runtime, spread.rows)

    @isolate_failures
    async def make_shard(shard: Shard) -> None:
        async with room, shared_slot(SHARDS, limits):
            await run_shard(client, spread.deployment, batch, shard, parameters_of(runtime, shard, spread))

    async with get_client() as client, anyio.create_task_group() as background:
        background.start_soon(show_progress, runtime)
        async with interruptible(runtime) as group:
            for shard in shards:
                group.start_soon(make_shard, shard)
        background.cancel_scope.cancel()
    return ending(runtime, await tasks.report(batch))


def parameters_of(runtime: Runtime, shard: Shard, spread: Spread) -> dict[str, Any]:
    """The parameters of a shard's run: the whole batch's, with its rows and its part of what may be in flight."""
    job = runtime.the_job
    part = part_of(
        job.order,
        shard,
        to=f"s3://{job.bucket}/{job.prefix}".rstrip("/"),
        batch=job.plan.batch,
        budget_usd=job.caps.batch_usd,
        in_flight=share(job.order.in_flight or runtime.settings.dailies_in_flight, spread.at_once),
    )
    return part.parameters()
