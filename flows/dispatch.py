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
from dailies.planning.batch import Batch
from dailies.planning.request import FOLDERS, WHICH_ROWS, BatchRequest
from dailies.planning.shards import Shard, part_of, share
from dailies.runtime import Runtime
from dailies.runtime.interrupt import interruptible
from dailies.steps.report import final_credits
from dailies.steps.shards import open_shards
from flows import parameters as p
from flows.approve import approve
from flows.shared import REPORTED, ending, run_name, tags_of, title_of
from tasks.dispatch import require_deployment, run_shard, show_progress
from tasks.engine.isolation import isolate_failures
from tasks.engine.limits import shared_limits, shared_slot
from tasks.engine.run import name_run, runtime_for_run
from tasks.engine.states import show_our_logs

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
        async with runtime_for_run() as runtime:
            await require_deployment(deployment)
            batch = await tasks.plan(request)
            await name_run(title_of(batch), tags_of(batch))
            batch = runtime.batches.add(await approve(runtime, batch, approve_above_usd))
            return await make_shards(runtime, batch, Spread(shard_rows, shards_at_once, deployment))
    except REPORTED as error:
        return Failed(message=describe_error(error))


async def make_shards(runtime: Runtime, batch: Batch, spread: Spread) -> State[Any]:
    """Every shard that has something left to do, a few at once; then the report of the whole batch."""
    slots, limits = anyio.Semaphore(spread.at_once), await shared_limits([SHARDS])
    shards = await open_shards(runtime, batch, spread.rows)

    @isolate_failures
    async def make_shard(shard: Shard) -> None:
        async with slots, shared_slot(SHARDS, limits):
            await run_shard(client, spread.deployment, batch.name, shard, parameters_of(runtime, batch, shard, spread))

    async with get_client() as client, anyio.create_task_group() as background:
        background.start_soon(show_progress, runtime, batch)
        async with interruptible(runtime) as group:
            for shard in shards:
                group.start_soon(make_shard, shard)
        background.cancel_scope.cancel()
    sentence = await tasks.report(batch.name, batch.name)
    await tasks.materialise(batch, final_credits(runtime, batch).totals)
    return ending(runtime, batch, sentence)


def parameters_of(runtime: Runtime, batch: Batch, shard: Shard, spread: Spread) -> dict[str, Any]:
    """The parameters of a shard's run: the whole batch's, with its rows and its part of what may be in flight."""
    part = part_of(
        batch.request,
        shard,
        to=batch.destination,
        batch=batch.name,
        budget_usd=batch.caps.batch_usd,
        in_flight=share(batch.request.in_flight or runtime.settings.dailies_in_flight, spread.at_once),
    )
    return part.parameters()
