"""A round of retakes: what people sent back is made once more, by a schedule or an automation, under a budget of its own."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Completed, Failed
from pydantic import Field

import tasks
from dailies.errors import describe_error
from dailies.ledger.calling import ledger_call
from dailies.planning.request import BatchName, BatchRequest
from dailies.runtime import Runtime
from dailies.steps.retakes import batches_sent_back, retakes_asked
from flows import parameters as p
from flows.approve import approve
from flows.generate import make_clips
from flows.shared import AT_RISK, REPORTED, over
from tasks.engine.run import runtime_for_run
from tasks.engine.states import show_our_logs

NOTHING = "nothing is sent back that has no further take yet: nothing was bought"


def name_of_run() -> str:
    """`retakes · monday`, or of all batches."""
    return f"retakes · {(flow_run.parameters or {}).get('batch') or 'all batches'}"


@flow(name="retakes", flow_run_name=name_of_run, persist_result=False, validate_parameters=True)
async def retakes(
    batch: Annotated[BatchName, Field(description="One batch only. Empty: every batch that has clips sent back.")] = "",
    budget_usd: Annotated[
        p.Dollars, Field(description="Hard cap for this round in US dollars, beside the budgets that hold anyway.")
    ] = None,
    stop_when_kept: Annotated[bool, Field(description="Make no further takes of rows that have a keeper.")] = False,
    approve_above_usd: p.ApproveAbove = None,
) -> State[Any]:
    """Make the next take of everything that was sent back in the screening room, each once.

    Args:
        batch: One batch only. Empty: every batch that has clips sent back.
        budget_usd: Hard cap for this round in US dollars, beside the budgets that hold anyway.
        stop_when_kept: Make no further takes of rows that have a keeper.
        approve_above_usd: Above this quote of a batch the run pauses and asks here, in the UI.
    """
    show_our_logs()
    left = None if budget_usd is None else Decimal(str(budget_usd))
    try:
        async with runtime_for_run() as runtime:
            ended: dict[str, State[Any]] = {}
            for name in await ledger_call(batches_sent_back, runtime.ledger, batch or None):
                before = await ledger_call(runtime.ledger.counted, name)
                state = await _one_batch(runtime, name, stop_when_kept, left, approve_above_usd, first=not ended)
                if state is not None:
                    ended[name] = state
                if left is not None:
                    left -= await ledger_call(runtime.ledger.counted, name) - before
                if runtime.shutdown.is_set():
                    break
            return over(runtime, round_state(ended))
    except REPORTED as error:
        return Failed(message=describe_error(error))


async def _one_batch(
    runtime: Runtime, name: str, stop_when_kept: bool, left: Decimal | None, approve_above: float | None, first: bool
) -> State[Any] | None:
    """The retakes of one batch; what refuses them does not stop those of another. None where there is nothing to make.

    Only the `first` to be made may suspend the round, for begun anew it would have its whole budget once more.
    """
    said = {"only": "retake", "stop_when_kept": stop_when_kept}
    try:
        asked = await ledger_call(retakes_asked, runtime.ledger, name, said)
        planned = await tasks.plan_retakes(BatchRequest(**asked), left)
        if planned is None:
            return None
        approved = await approve(runtime, planned, approve_above, may_leave=first)
        return await make_clips(runtime, runtime.batches.add(approved))
    except REPORTED as error:
        return Failed(message=describe_error(error))


def round_state(ended: dict[str, State[Any]]) -> State[Any]:
    """The worst of the batches' ends, with what became of each."""
    if not ended:
        return Completed(message=NOTHING)
    message = " · ".join(f"{name}: {state.message}" for name, state in ended.items())
    worst = min(
        ended.values(), key=lambda state: (state.name != AT_RISK, not state.is_failed(), state.name == "Completed")
    )
    return (
        Failed(name=worst.name, message=message) if worst.is_failed() else Completed(name=worst.name, message=message)
    )
