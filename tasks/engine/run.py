"""The flow run at work: its name and tags in the UI, its settings, and the runtime that its tasks find."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from uuid import UUID

import anyio
import anyio.to_thread
from prefect import get_client
from prefect.context import FlowRunContext
from prefect.runtime import deployment, flow_run
from prefect.telemetry.run_telemetry import LABELS_TRACEPARENT_KEY

from dailies.environment import variables
from dailies.errors import Misconfigured
from dailies.ledger.container import refuse_vanishing_ledger
from dailies.prefect_api.access import api_trouble
from dailies.prefect_api.address import configured_api_url
from dailies.prefect_api.blocks import UNREADABLE, read_blocks
from dailies.runtime import Runtime, open_runtime, shared_runtime
from dailies.settings import Settings, load_settings
from dailies.telemetry import flush, span
from tasks.engine.asking import last_word
from tasks.engine.states import best_effort_ui


@asynccontextmanager
async def runtime_for_run(in_flight: int | None = None, need_keys: bool = True) -> AsyncIterator[Runtime]:
    """The runtime of the command that started this flow in its own process, else one of the flow's own.

    `in_flight` is said by whoever started the run, and is nearer than the settings; a command has read it already.
    """
    shared = shared_runtime()
    settings = shared.settings if shared else await settings_for_run(in_flight)
    with last_word():
        async with traced_run():
            if shared:
                yield shared
                return
            async with open_runtime(settings, need_keys) as runtime:
                yield runtime


@asynccontextmanager
async def traced_run() -> AsyncIterator[None]:
    """A span around the flow's work. Runs that it starts elsewhere, such as shards, go on below it: Prefect hands the W3C name
    in a flow run's label on to those, and makes it the current context there."""
    try:
        with span("run", flow_run=str(flow_run.id or "")) as run:
            context = FlowRunContext.get()
            if run.traceparent and context and context.flow_run:
                context.flow_run.labels[LABELS_TRACEPARENT_KEY] = run.traceparent
            yield
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(flush)


async def settings_for_run(in_flight: int | None = None) -> Settings:
    """Environment, `.env`, the blocks on the Prefect server, defaults: the nearest wins. Raises Misconfigured."""
    try:
        settings = load_settings({"dailies_in_flight": in_flight}, blocks=await read_blocks())
    except UNREADABLE as error:  # a cap may stand there: without it nothing is bought
        why = api_trouble(configured_api_url() or "PREFECT_API_URL", error)
        raise Misconfigured(
            f"the Prefect API did not tell the settings that it keeps: {why}. Nothing was bought.", trouble="prefect"
        ) from error
    if deployment.id and await _has_a_container_of_its_own():
        refuse_vanishing_ledger(settings.ledger_url)
    return settings


async def name_run(name: str, tags: Iterable[str] = ()) -> None:
    """Rename the run that is under way, and add tags to those it has."""
    run_id = flow_run.id
    if run_id:
        with best_effort_ui("the run's name"):
            async with get_client() as client:
                await client.update_flow_run(run_id, name=name, tags={*flow_run.tags, *tags})


async def _has_a_container_of_its_own() -> bool:
    """Whether a worker started this run in a container or pod that ends with it. One of a process work pool shares its
    worker's machine, whatever that is, and lives as long as the worker keeps it."""
    if variables().get("KUBERNETES_SERVICE_HOST"):
        return True
    async with get_client() as client:
        run = await client.read_flow_run(UUID(str(flow_run.id)))
        pool = await client.read_work_pool(run.work_pool_name) if run.work_pool_name else None
    return pool is not None and pool.type != "process"
