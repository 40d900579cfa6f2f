"""The steps of a batch that is too large for one run: which shards there are, and one run for each of them."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeVar

import anyio
import anyio.to_thread
import httpx
from prefect import get_client
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterIdempotencyKey
from prefect.client.schemas.objects import FlowRun, State
from prefect.deployments import arun_deployment
from prefect.exceptions import ObjectNotFound
from sqlalchemy.exc import SQLAlchemyError

from dailies.errors import Misconfigured, describe_error
from dailies.planning.batch import Batch
from dailies.planning.shards import STARTS, Shard, died
from dailies.runtime import Runtime
from dailies.steps.shards import stored_of
from tasks.report import Progress

logger = logging.getLogger("dailies.dispatch")
T = TypeVar("T")
KEYS = 200  # so many runs of one shard in the history are looked at
FOLLOW_EVERY_S = 5.0
SHOW_EVERY_S = 5.0
REFUSALS = frozenset(range(400, 500)) - {408, 429}


async def require_deployment(name: str) -> None:
    """Raise Misconfigured unless the deployment that makes the shards exists."""
    async with get_client() as client:
        try:
            await client.read_deployment_by_name(name)
        except ObjectNotFound as error:
            raise Misconfigured(
                f"there is no deployment {name}: run make deploy. Nothing was bought.", trouble="prefect"
            ) from error


async def run_shard(
    client: PrefectClient, deployment: str, batch: str, shard: Shard, parameters: dict[str, Any]
) -> State[Any] | None:
    """Have one shard made by a run of a deployment, wherever a worker takes it. Returns the state in which that ended.

    A run that is under way already is followed, not doubled; one that died is started again, a few times.
    """
    state: State[Any] | None = None
    for _ in range(STARTS):
        run = await patiently(partial(under_way, client, deployment, batch, shard, parameters))
        state = await follow_run(client, run)
        if state and not died(state.type.value, state.name):
            return state
        logger.warning("%s · rows %s: its run ended as %s", batch, shard.rows, state.name if state else "deleted")
    return state


async def under_way(
    client: PrefectClient, deployment: str, batch: str, shard: Shard, parameters: dict[str, Any]
) -> FlowRun:
    """The shard's run that is not at its end; started if there is none."""
    start, run = await next_start(client, batch, shard)
    return run or await arun_deployment(
        deployment,
        client=client,
        parameters=parameters,
        idempotency_key=shard.key(batch, start),
        flow_run_name=f"{batch} · rows {shard.rows}",
        timeout=0,
    )


async def patiently(ask: Callable[[], Awaitable[T]]) -> T:
    """Ask the Prefect API until it answers: the shards' runs go on without us. Raises what it answers against us (4xx).

    What is asked must be harmless to repeat, as a start with an idempotency key is.
    """
    while True:
        try:
            return await ask()
        except (httpx.TransportError, httpx.HTTPStatusError) as error:
            if isinstance(error, httpx.HTTPStatusError) and error.response.status_code in REFUSALS:
                raise
            logger.warning("the Prefect API does not answer (%s); asking again", type(error).__name__)
        await anyio.sleep(FOLLOW_EVERY_S)


async def next_start(client: PrefectClient, batch: str, shard: Shard) -> tuple[int, FlowRun | None]:
    """The number of the run to follow or to start, the first that is not at its end; and that run, if there is one."""
    keys = [shard.key(batch, start) for start in range(KEYS)]
    wanted = FlowRunFilter(idempotency_key=FlowRunFilterIdempotencyKey(any_=keys))
    runs = {run.idempotency_key: run for run in await client.read_flow_runs(flow_run_filter=wanted, limit=KEYS)}
    for start, key in enumerate(keys):
        run = runs.get(key)
        if run is None or run.state is None or not run.state.is_final():
            return start, run
    raise Misconfigured(
        f"rows {shard.rows} of {batch} were started {KEYS} times: see what is wrong with them", trouble="dispatch"
    )


async def follow_run(client: PrefectClient, run: FlowRun) -> State[Any] | None:
    """The final state of a run, waited for; None when somebody deleted the run."""
    while True:
        try:
            state = (await patiently(partial(client.read_flow_run, run.id))).state
        except ObjectNotFound:
            return None
        if state and state.is_final():
            return state
        await anyio.sleep(FOLLOW_EVERY_S)


async def show_progress(runtime: Runtime, batch: Batch) -> None:
    """Move a batch's progress artifact as its clips arrive in S3, whoever brings them, until cancelled."""
    earlier = None
    bar = Progress(batch.name, len(batch.plan.rows), "that are in S3")
    await bar.start()
    while True:
        try:
            stored = await anyio.to_thread.run_sync(stored_of, runtime, batch.name)
            if earlier is None:  # what the batch has stored of rows that are not in its plan any more
                earlier = stored - len(batch.delivered_before)
            await bar.at(stored - earlier)
        except SQLAlchemyError as error:
            logger.warning("the progress stays where it is: %s", describe_error(error))
        await anyio.sleep(SHOW_EVERY_S)
