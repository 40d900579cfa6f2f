"""Finish every paid clip that nobody is watching, settle what is in doubt, and say what remains."""

from __future__ import annotations

from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

import tasks
from dailies.errors import describe_error
from dailies.runtime.interrupt import interruptible
from dailies.steps.recover import reconsidered, remaining
from flows.shared import AT_RISK, REPORTED, finish, over, run_name
from tasks.engine.run import runtime_for_run
from tasks.engine.states import show_our_logs


@flow(name="collect-clips", flow_run_name=run_name, persist_result=False)
async def collect_clips() -> State[Any]:
    """Bring home every clip that was paid for and that no run is watching. Buys nothing."""
    show_our_logs()
    try:
        async with runtime_for_run() as runtime:
            await tasks.recover()
            async with interruptible(runtime) as clips:
                for attempt in (*(await remaining(runtime)).attempts, *(await reconsidered(runtime))):
                    clips.start_soon(finish, runtime, attempt)
            left = await remaining(runtime)
            if left.usd_at_risk:
                return over(runtime, Failed(name=AT_RISK, message=left.sentence))
            name = "Unfinished" if left.attempts else "Completed"
            return over(runtime, Completed(name=name, message=left.sentence))
    except REPORTED as error:
        return Failed(message=describe_error(error))


if __name__ == "__main__":
    from flows.shared import as_command

    as_command("collect")
