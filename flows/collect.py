"""Finish every paid clip that nobody is watching, settle what is in doubt, and say what remains."""

from __future__ import annotations

from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

import tasks
from dailies.domain.next_step import Step
from dailies.errors import explained
from dailies.steps.recover import attempt_step_for, reconsidered, remaining
from dailies.studio import Studio, open_studio
from flows.interrupt import interruptible
from flows.run import AT_RISK, EXPECTED, alone, over, run_name, settings_for_run
from tasks.states import show_our_logs


@flow(name="collect-clips", flow_run_name=run_name, persist_result=False)
async def collect_clips() -> State[Any]:
    """Bring home every clip that was paid for and that no run is watching. Buys nothing."""
    show_our_logs()
    try:
        async with open_studio(await settings_for_run()) as studio:
            await tasks.recover()
            async with interruptible(studio) as clips:
                for attempt_id, label in (*(await remaining(studio)).attempts, *(await reconsidered(studio))):
                    clips.start_soon(finish, studio, label, attempt_id)
            left = await remaining(studio)
            if left.usd_at_risk:
                return over(studio, Failed(name=AT_RISK, message=left.sentence))
            name = "Unfinished" if left.attempts else "Completed"
            return over(studio, Completed(name=name, message=left.sentence))
    except EXPECTED as error:
        return Failed(message=explained(error))


@alone
async def finish(studio: Studio, label: str, attempt_id: str) -> None:
    """One attempt: found again if in doubt or lost, taken over, polled, delivered. What another run watches is left to it."""
    step = await attempt_step_for(studio, attempt_id)
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
