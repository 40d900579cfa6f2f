"""What the flows share: a run's first name, one attempt brought home, and the states in which a run ends."""

from __future__ import annotations

import runpy
import sys
from typing import Any, assert_never

from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Completed, Failed
from sqlalchemy.exc import SQLAlchemyError

import tasks
from dailies.domain.commands import COLLECT
from dailies.domain.counting import how_many
from dailies.domain.figures import Totals
from dailies.domain.next_step import Step
from dailies.errors import DailiesError
from dailies.planning.batch import Batch
from dailies.planning.request import WHICH_ROWS, BatchRequest
from dailies.runtime import Runtime
from dailies.steps.recover import LeftOver, attempt_step_for
from dailies.steps.report import final_credits
from tasks.engine.isolation import isolate_failures

REPORTED = (DailiesError, SQLAlchemyError)
"""What ends a flow in a failed state with a message for a person; anything else is a defect and shows as one."""
AT_RISK = "MoneyAtRisk"
"""The name of a run's end that leaves dollars in doubt: never a green one."""
MOST_MODEL_TAGS = 10


def run_name() -> str:
    """A flow run's first name: its batch. The number of clips follows when it is known."""
    parameters = flow_run.parameters or {}
    if not parameters.get("prompts"):
        return str(flow_run.flow_name)
    named: dict[str, Any] = {name: parameters.get(name) for name in ("prompts", "batch", *WHICH_ROWS)}
    return BatchRequest.model_construct(**named).title


def title_of(batch: Batch) -> str:
    """`monday · 12 clips`: a run's name once its batch is planned."""
    return f"{batch.request.title} · {how_many(len(batch.plan.rows), 'clip')}"


def tags_of(batch: Batch) -> list[str]:
    """A tag for each provider and model of a batch, so that the UI finds runs by them; never one per row."""
    models = sorted({row.clip.model for row in batch.plan.rows})
    return [f"provider:{name}" for name in batch.plan.providers] + [
        f"model:{name}" for name in models[:MOST_MODEL_TAGS]
    ]


@isolate_failures
async def finish(runtime: Runtime, left: LeftOver) -> None:
    """One attempt, by its own batch's record: found again if in doubt or lost, taken over, polled, delivered.

    What another run watches is left to it.
    """
    step = await attempt_step_for(runtime, left.attempt_id)
    match step:
        case Step.COLLECT:
            attempt = await tasks.take_over(left.label, left.attempt_id)
        case Step.SETTLE:
            attempt = await tasks.resolve_in_doubt(left.label, left.attempt_id)
        case Step.REOPEN:
            attempt = await tasks.reopen(left.label, left.attempt_id)
        case Step.BUY | Step.FOLLOW | Step.NOTHING:
            return
        case _:
            assert_never(step)
    ready = await tasks.poll_until_ready(left.label, left.batch, attempt) if isinstance(attempt, str) else None
    if isinstance(ready, str):
        await tasks.deliver(left.label, left.batch, ready)


def over(runtime: Runtime, state: State[Any]) -> State[Any]:
    """The flow's last act: whoever started it need not wait longer for an engine that can't record its end."""
    runtime.last_words = str(state.message or "")
    runtime.over.set()
    return state


def ending(runtime: Runtime, batch: Batch, sentence: str) -> State[Any]:
    """The flow's last act, with its final state: honest for people who watch states."""
    return over(runtime, final_state(runtime, batch, final_credits(runtime, batch).totals, sentence))


def final_state(runtime: Runtime, batch: Batch, totals: Totals, sentence: str) -> State[Any]:
    """Completed, PartialSuccess, MoneyAtRisk (red, for somebody has to settle it), or Failed."""
    if runtime.shutdown.is_set():
        return Failed(name="Interrupted", message=f"interrupted: {sentence}. Go on: run it again, or {COLLECT}")
    if totals.complete and not totals.usd_at_risk:
        return Completed(message=sentence)
    if runtime.halted_providers and totals.not_started:
        sentence += f". {why_not_started(runtime, batch, totals.not_started)}"
    if totals.usd_at_risk:
        return Failed(name=AT_RISK, message=sentence)
    if totals.delivered or totals.already_delivered:
        return Completed(name="PartialSuccess", message=sentence)
    return Failed(message=sentence)


def why_not_started(runtime: Runtime, batch: Batch, count: int) -> str:
    """`12 not started: aiml: its last 8 answers were lost; try again: dailies run prompts.csv`."""
    why = "; ".join(f"{provider}: {detail}" for provider, detail in sorted(runtime.halted_providers.items()))
    again = batch.request.but(to=batch.destination, batch=batch.name).as_command()
    return f"{count} not started: {why}; try again: {again}"


def as_command(verb: str) -> None:
    """`python -m flows.…` becomes the command line of dailies, which starts the flow in the same way. Never returns."""
    sys.argv[1:1] = [verb]
    runpy.run_module("dailies", run_name="__main__", alter_sys=True)
