"""Asking a person in the Prefect UI: the run waits for a form, and holds no worker's slot meanwhile where it can be helped."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from itertools import count
from typing import TypeVar
from uuid import uuid4

from prefect.context import FlowRunContext
from prefect.events import emit_event
from prefect.exceptions import Pause
from prefect.flow_runs import apause_flow_run, asuspend_flow_run
from prefect.input import RunInput

Form = TypeVar("Form", bound=RunInput)
LOOK_EVERY_S = 3
SUSPENDED = "dailies.run.suspended"


async def ask(form: type[Form], about: str, wait_s: float, may_leave: bool = True) -> Form:
    """What a person fills into the form, waited for.

    A run of a deployment is suspended where `may_leave`: its process ends, and once it is resumed the flow begins anew, comes
    here again and is given the answer. So what went before must be harmless to repeat. `about` is all that the answer
    depends on: an answer holds for this run as long as that is the same, and what has changed meanwhile is asked again. A
    form that was never filled in, or not in time, is asked again too, when somebody starts the run once more.

    Any other run (a command's, or one below another run, which Prefect does not suspend) pauses, and its process waits.
    Raises FlowPauseTimeout there without an answer in time; Prefect's server itself ends a suspended run.
    """
    if not (may_leave and can_be_suspended()):
        return await apause_flow_run(
            wait_for_input=form, timeout=int(wait_s), poll_interval=LOOK_EVERY_S, key=uuid4().hex
        )
    digest = sha256(about.encode()).hexdigest()[:16]
    for number in count():
        answer = await asuspend_flow_run(wait_for_input=form, timeout=int(wait_s), key=f"{digest}-{number}")
        if answer.model_fields_set:
            return answer
    raise AssertionError("unreachable")


def can_be_suspended() -> bool:
    """Whether a worker would begin this run anew: it belongs to a deployment, and to no other run."""
    context = FlowRunContext.get()
    run = context.flow_run if context else None
    return run is not None and run.deployment_id is not None and run.parent_task_run_id is None


@contextmanager
def last_word() -> Iterator[None]:
    """Around all that a flow does: a run that is suspended says so as the last thing that its process says.

    The server notes the suspension while the process still beats, and by a clock of its own: a heartbeat that comes after it, or
    looks so because this machine's clock is ahead, would be awaited again, and a run that waits for a person end as crashed. What
    is said here comes from the same clock and queue as the heartbeats, behind them. It is said twice, the second as what follows
    the first: the server takes in two events at a time, and a heartbeat that went just before could be the slower one.
    """
    try:
        yield
    except Pause:
        context = FlowRunContext.get()
        if context and (run := context.flow_run):
            resource = {"prefect.resource.id": f"prefect.flow-run.{run.id}", "prefect.resource.name": run.name}
            first = emit_event(event=SUSPENDED, resource=resource)
            emit_event(event=SUSPENDED, resource=resource, follows=first)
        raise
