"""What every flow of ours needs around its story: its name, its settings, its interruption, its ending."""

from __future__ import annotations

import functools
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ParamSpec
from uuid import UUID

import httpx
from prefect import Flow, get_client
from prefect.client.schemas.objects import State
from prefect.context import FlowRunContext
from prefect.runtime import deployment, flow_run
from prefect.states import Completed, Failed
from sqlalchemy.exc import SQLAlchemyError

from dailies.cli.prefect_blocks import read_blocks
from dailies.domain.commands import COLLECT
from dailies.environment import variables
from dailies.errors import DailiesError, Misconfigured, describe_error
from dailies.ledger.container import refuse_vanishing_ledger
from dailies.planning.plan import Plan
from dailies.planning.request import WHICH_ROWS, BatchRequest
from dailies.runtime import Runtime, current_settings
from dailies.settings import Settings, load_settings
from dailies.steps.report import final_credits
from tasks.states import best_effort_ui

REPORTED = (DailiesError, SQLAlchemyError)
"""What ends a flow in a failed state with a message for a person; anything else is a defect and shows as one."""
AT_RISK = "MoneyAtRisk"
"""The name of a run's end that leaves dollars in doubt: never a green one."""
logger = logging.getLogger("dailies.flows")
MOST_MODEL_TAGS = 10


def run_name() -> str:
    """A flow run's first name: its batch. The number of clips follows when it is known."""
    parameters = flow_run.parameters or {}
    if not parameters.get("prompts"):
        return str(flow_run.flow_name)
    named: dict[str, Any] = {name: parameters.get(name) for name in ("prompts", "batch", *WHICH_ROWS)}
    return BatchRequest.model_construct(**named).title


async def name_run(name: str, tags: Iterable[str] = ()) -> None:
    """Rename the run that is under way, and add tags to those it has."""
    run_id = flow_run.id
    if run_id:
        with best_effort_ui("the run's name"):
            async with get_client() as client:
                await client.update_flow_run(run_id, name=name, tags={*flow_run.tags, *tags})


def tags_of(plan: Plan) -> list[str]:
    """A tag for each provider and model of a batch, so that the UI finds runs by them; never one per row."""
    models = sorted({row.clip.model for row in plan.rows})
    return [f"provider:{name}" for name in plan.providers] + [f"model:{name}" for name in models[:MOST_MODEL_TAGS]]


async def settings_for_run() -> Settings:
    """The settings: those a command has read already, else environment, `.env` and the blocks on the Prefect server."""
    already = current_settings()
    if already:
        return already
    try:
        settings = load_settings(blocks=await read_blocks())
    except httpx.HTTPError as error:  # a cap may stand there: without it nothing is bought
        raise Misconfigured(
            f"the Prefect API did not tell the settings that it keeps ({type(error).__name__}). Nothing was bought."
        ) from error
    if deployment.id and await _has_a_container_of_its_own():
        refuse_vanishing_ledger(settings.ledger_url)
    return settings


P = ParamSpec("P")


def isolate_failures(work: Callable[P, Awaitable[None]]) -> Callable[P, Coroutine[Any, Any, None]]:
    """Let nothing that goes wrong with one clip (or shard) end the others, and nothing of it stay when it is over. This is
    the edge: whatever it was, the clip's record is in the ledger, and the next run goes on from there."""

    @functools.wraps(work)
    async def guarded(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            with _links_of_its_own():
                await work(*args, **kwargs)
        except Exception as error:
            logger.error("left where it is, the others go on: %s", describe_error(error))
            logger.debug("where it happened", exc_info=error)

    return guarded


@contextmanager
def _links_of_its_own() -> Iterator[None]:
    """Let the tasks in the block know each other's results and assets, by which the UI draws which follows which, and no
    others'.

    Prefect links results to their end states by address, for as long as the flow lasts: six kilobytes a clip, and once an
    address is used again, an arrow from a stranger's clip. It keeps the assets of each task run as long, if only as an
    empty set: one kilobyte a clip.
    """
    context = FlowRunContext.get()
    if context is None:
        yield
        return
    with context.model_copy(update={"run_results": {}, "task_run_assets": {}}):
        yield


async def _has_a_container_of_its_own() -> bool:
    """Whether a worker started this run in a container or pod that ends with it. One of a process work pool shares its
    worker's machine, whatever that is, and lives as long as the worker keeps it."""
    if variables().get("KUBERNETES_SERVICE_HOST"):
        return True
    async with get_client() as client:
        run = await client.read_flow_run(UUID(str(flow_run.id)))
        pool = await client.read_work_pool(run.work_pool_name) if run.work_pool_name else None
    return pool is not None and pool.type != "process"


def over(runtime: Runtime, state: State[Any]) -> State[Any]:
    """The flow's last act: whoever started it need not wait longer for an engine that can't record its end."""
    runtime.last_words = str(state.message or "")
    runtime.over.set()
    return state


def ending(runtime: Runtime, sentence: str) -> State[Any]:
    """The flow's last act, with its final state: honest for people who watch states."""
    return over(runtime, final_state(runtime, sentence))


def final_state(runtime: Runtime, sentence: str) -> State[Any]:
    """Completed, PartialSuccess, MoneyAtRisk (red, for somebody has to settle it), or Failed."""
    totals = final_credits(runtime).totals
    if runtime.shutdown.is_set():
        return Failed(name="Interrupted", message=f"interrupted: {sentence}. Go on: run it again, or {COLLECT}")
    if totals.complete and not totals.usd_at_risk:
        return Completed(message=sentence)
    if runtime.halted_providers and totals.not_started:
        sentence += f". {stopped_words(runtime, totals.not_started)}"
    if totals.usd_at_risk:
        return Failed(name=AT_RISK, message=sentence)
    if totals.delivered or totals.already_delivered:
        return Completed(name="PartialSuccess", message=sentence)
    return Failed(message=sentence)


def stopped_words(runtime: Runtime, not_started: int) -> str:
    """`12 not started: aiml: its last 8 answers were lost; try again: dailies run prompts.csv`."""
    why = "; ".join(f"{provider}: {words}" for provider, words in sorted(runtime.halted_providers.items()))
    job = runtime.the_job
    again = job.order.but(to=f"s3://{job.bucket}/{job.prefix}".rstrip("/"), batch=job.plan.batch).as_command()
    return f"{not_started} not started: {why}; try again: {again}"


def main(flow: Flow[..., Any], arguments: Sequence[str]) -> int:
    """`python -m flows.…`: the command line of dailies, which starts the flow in the same way."""
    from dailies.cli import main as cli

    command = {"generate-clips": "run", "collect-clips": "collect"}[flow.name]
    return cli([command, *arguments])
