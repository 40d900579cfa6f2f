"""Finish every paid clip that nobody is watching, settle what is in doubt, and say what remains."""

from __future__ import annotations

from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

import tasks
from dailies.domain.next_step import Step
from dailies.errors import describe_error
from dailies.runtime import Runtime, open_runtime
from dailies.steps.recover import attempt_step_for, reconsidered, remaining
from flows.interrupt import interruptible
from flows.run import AT_RISK, REPORTED, isolate_failures, over, run_name, settings_for_run
from tasks.states import show_our_logs


@flow(name="collect-clips", flow_run_name=run_name, persist_result=False)
async def collect_clips() -> State[Any]:
    """Bring home every clip that was paid for and that no run is watching. Buys nothing."""
    show_our_logs()
    try:
        async with open_runtime(await settings_for_run()) as runtime:
            await tasks.recover()
            async with interruptible(runtime) as clips:
                for attempt_id, label in (*(await remaining(runtime)).attempts, *(await reconsidered(runtime))):
                    clips.start_soon(finish, runtime, label, attempt_id)
            left = await remaining(runtime)
            if left.usd_at_risk:
                return over(runtime, Failed(name=AT_RISK, message=left.sentence))
            name = "Unfinished" if left.attempts else "Completed"
            return over(runtime, Completed(name=name, message=left.sentence))
    except REPORTED as error:
        return Failed(message=describe_error(error))


@isolate_failures
async def finish(runtime: Runtime, label: str, attempt_id: str) -> None:
    """One attempt: found again if in doubt or lost, taken over, polled, delivered. What another run watches is left to it."""
    step = await attempt_step_for(runtime, attempt_id)
    if step not in (Step.COLLECT, Step.SETTLE, Step.REOPEN):
        return
    attempt = await tasks.go_on(label, attempt_id, str(step))
    ready = await tasks.poll_until_ready(label, attempt) if isinstance(attempt, str) else None
    if ready:
        await tasks.deliver(label, ready)


if __name__ == "__main__":
    import sys

    from flows.run import main

    sys.exit(main(collect_clips, sys.argv[1:]))
