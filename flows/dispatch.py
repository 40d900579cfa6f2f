"""A batch that is too large for one run: split into shards, each a run on any worker, followed and reported as one batch."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import anyio
from prefect import flow, get_client
from prefect.client.schemas.objects import State
from prefect.states import Failed

import tasks
from dailies.errors import describe_error
from dailies.order import BatchRequest
from dailies.planning.shards import Shard, share
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
async def generate_large(
    prompts: p.Prompts,
    to: p.Destination = "",
    batch: p.BatchName = "",
    provider: p.Provider = "",
    model: p.Model = "",
    resolution: p.Resolution = "",
    aspect_ratio: p.AspectRatio = "",
    duration: p.Seconds = None,
    take: p.Take = "",
    budget_usd: p.Dollars = None,
    in_flight: p.InFlight = None,
    fit: p.Fit = "strict",
    allow_unpriced: bool = False,
    require_live: bool = False,
    approve_above_usd: p.Dollars = None,
    shard_rows: p.ShardRows = 500,
    shards_at_once: p.ShardsAtOnce = 4,
    deployment: p.DeploymentName = "generate-clips/generate-shard",
) -> State[Any]:
    """Turn a large CSV into clips with as many workers as there are: one batch, one budget, one report.

    Args:
        prompts: The CSV: an s3:// address, or a path that every worker has. Example: s3://studio/prompts/november.csv
        to: Where the clips go. Example: s3://studio/clips. Empty: the setting DAILIES_TO.
        batch: The batch's name, used in S3 keys and reports. Empty: the file's name without its ending.
        provider: aiml or onerouter, or several in their order, for rows that name none. Empty: aiml.
        model: The model for rows that name none. Empty: openai/sora-2-pro-i2v.
        resolution: For rows that name none, such as 720p. Empty: what the image fits, or the model's default.
        aspect_ratio: For rows that name none, such as 16:9. Empty: what the image fits, or the model's default.
        duration: Seconds, for rows that name none. Empty: the model's default.
        take: A label that makes another clip of the same row, bought on purpose.
        budget_usd: Hard cap for this batch in US dollars, over all workers together.
        in_flight: Generations at once over all shards, per provider. Empty: the setting DAILIES_IN_FLIGHT (20).
        fit: What to do with an image of the wrong size: refuse it, crop it, or pad it.
        allow_unpriced: Buy clips whose price is not known.
        require_live: Refuse when a provider can't be asked whether it serves the models and what they cost now.
        approve_above_usd: Above this quote the run pauses and asks here, in the UI; without a yes nothing is bought.
        shard_rows: Rows in one shard. 200 to 1,000 read well in the UI.
        shards_at_once: Shards of this batch that are made at the same time; each gets its part of in_flight.
        deployment: The deployment of generate-clips that makes a shard, as flow/deployment. Its work pool decides where.
    """
    order = BatchRequest(
        prompts, to, batch, provider, model, resolution, aspect_ratio, duration, take,
        None if budget_usd is None else Decimal(str(budget_usd)), in_flight, fit, allow_unpriced, require_live=require_live,
    )  # fmt: skip
    show_our_logs()
    try:
        async with open_runtime(await settings_for_run()) as runtime:
            await require_deployment(deployment)
            count = await tasks.plan(order)
            await name_run(f"{order.title} · {count} clips", tags_of(runtime.the_job.plan))
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
    order, budget = job.order, job.caps.batch_usd
    in_flight = order.in_flight or runtime.settings.dailies_in_flight
    values = {
        "prompts": order.prompts, "to": f"s3://{job.bucket}/{job.prefix}".rstrip("/"), "batch": job.plan.batch,
        "provider": order.provider, "model": order.model, "resolution": order.resolution,
        "aspect_ratio": order.aspect_ratio, "duration": order.duration, "take": order.take,
        "budget_usd": None if budget is None else float(budget), "in_flight": share(in_flight, spread.at_once),
        "fit": order.fit, "allow_unpriced": order.allow_unpriced, "require_live": order.require_live,
        "rows": shard.rows, "fingerprint": shard.fingerprint,
    }  # fmt: skip
    return {name: value for name, value in values.items() if value is not None}
