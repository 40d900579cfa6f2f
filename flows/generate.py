"""From a CSV to clips in S3: the main flow.

read and quote ─► for every clip, on its own way: create ─► poll ─► deliver ─► at the end the report
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import anyio
from anyio.abc import TaskGroup
from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Failed

import tasks
from dailies.domain.clips import Row
from dailies.domain.next_step import Step
from dailies.errors import describe_error
from dailies.planning.request import BatchRequest
from dailies.runtime import Runtime, open_runtime
from dailies.steps.recover import rows_in_doubt, step_for, unwatched
from flows import parameters as p
from flows.approve import approved
from flows.interrupt import interruptible
from flows.limits import shared_limits, shared_slot
from flows.run import REPORTED, ending, isolate_failures, name_run, run_name, settings_for_run, tags_of
from tasks.report import Progress
from tasks.states import show_our_logs


@dataclass(frozen=True, slots=True)
class Batch:
    """What all clips of a run share: the runtime, the limits that other machines share, the progress bar."""

    runtime: Runtime
    limits: frozenset[str]
    progress: Progress


@flow(name="generate-clips", flow_run_name=run_name, persist_result=False, validate_parameters=True)
@p.takes_request()
async def generate_clips(request: BatchRequest, approve_above_usd: p.ApproveAbove = None) -> State[Any]:
    """Turn a CSV of prompts and images into video clips in S3, and say what each one cost."""
    show_our_logs()
    try:
        async with open_runtime(await settings_for_run()) as runtime:
            count = await tasks.plan(request)
            await name_run(f"{request.title} · {count} clips", tags_of(runtime.the_job.plan))
            await approved(runtime, approve_above_usd)
            return await make_clips(runtime)
    except REPORTED as error:
        return Failed(message=describe_error(error))


async def make_clips(runtime: Runtime) -> State[Any]:
    """Every clip on its own way; none waits for another, and none takes another along when it fails."""
    plan = runtime.the_job.plan
    rows = paid_first(plan.rows, await tasks.recover())
    left_behind = await unwatched(runtime)
    progress = Progress(runtime.the_job.order.title, len(plan.rows))
    batch = Batch(runtime, await shared_limits(plan.providers), progress)
    await batch.progress.start()
    async with interruptible(runtime) as clips:
        for provider in plan.providers:
            clips.start_soon(feed, batch, clips, provider, [row for row in rows if row.providers[0] == provider])
        for attempt_id, label in left_behind:
            clips.start_soon(bring_home, label, attempt_id)
    in_doubt = await rows_in_doubt(runtime)  # what was lost on the way may stand in the provider's log by now
    async with interruptible(runtime) as clips:
        for row in in_doubt:
            clips.start_soon(generate_and_deliver, batch, row)
    sentence = await tasks.report(runtime.the_job.order.title)
    return ending(runtime, sentence)


def paid_first(rows: Sequence[Row], left_behind: Sequence[str]) -> list[Row]:
    """The rows whose clips are paid for and on their way, in that order, then those that are to be bought."""
    place = {clip_key: number for number, clip_key in enumerate(left_behind)}
    return sorted(rows, key=lambda row: place.get(row.clip.key, len(place)))


async def feed(batch: Batch, clips: TaskGroup, provider: str, rows: list[Row]) -> None:
    """Start the clips of one provider, a window of them at a time."""
    wanted = [row for row in rows if row.clip.key not in batch.runtime.the_job.delivered_before]
    await batch.progress.more(len(rows) - len(wanted))
    room = anyio.Semaphore(2 * batch.runtime.limiter(provider).most)
    for row in wanted:
        await room.acquire()
        clips.start_soon(make_clip, batch, row, room)


async def make_clip(batch: Batch, row: Row, room: anyio.Semaphore) -> None:
    """One clip, from wherever it stands to its end; then there is room for another."""
    try:
        await generate_and_deliver(batch, row)
        await batch.progress.more()
    finally:
        room.release()


@isolate_failures
async def generate_and_deliver(batch: Batch, row: Row) -> None:
    """Ask the row's providers in their order; one that surely cost nothing may be followed by the next."""
    for provider in row.providers:
        async with batch.runtime.limiter(provider).slot(), shared_slot(provider, batch.limits):
            ready, go_on = await generate(batch.runtime, row, provider)
        if ready:
            await tasks.deliver(row.id, ready)
        if not go_on:
            return


async def generate(runtime: Runtime, row: Row, provider: str) -> tuple[str | None, bool]:
    """The attempt whose clip is ready, if any, and whether the row's next provider may be asked."""
    attempt, go_on = await advance(runtime, row, provider)
    while attempt is None and await step_for(runtime, row.clip.key, provider) is Step.FOLLOW:
        attempt, go_on = await advance(runtime, row, provider)  # another run was faster: see it through with it
    ready = await tasks.poll_until_ready(row.id, attempt) if attempt else None
    return ready, go_on


async def advance(runtime: Runtime, row: Row, provider: str) -> tuple[str | None, bool]:
    """Do what the clip needs now: the attempt that is to be polled then, if any, and whether another provider may be asked."""
    step = await step_for(runtime, row.clip.key, provider)
    if step is Step.FOLLOW:
        step = Step(await tasks.follow(row.id, row.clip.key))
    attempt: object = None
    match step:
        case Step.BUY if runtime.shutdown.is_set():
            return None, False
        case Step.BUY if provider in runtime.halted_providers:
            return None, True
        case Step.BUY:
            attempt = await tasks.create(row.id, row.clip.key, provider)
        case Step.COLLECT:
            attempt = await tasks.take(row.id, row.clip.key)
        case Step.SETTLE:
            attempt = await tasks.settle(row.id, row.clip.key)
        case _:
            return None, False
    return (attempt, False) if isinstance(attempt, str) else (None, step is Step.BUY)


@isolate_failures
async def bring_home(label: str, attempt_id: str) -> None:
    """What was paid for and nobody watches: a clip of another batch, or an attempt that does not speak for its clip."""
    attempt = await tasks.go_on(label, attempt_id, str(Step.COLLECT))
    ready = await tasks.poll_until_ready(label, attempt) if isinstance(attempt, str) else None
    if ready:
        await tasks.deliver(label, ready)


if __name__ == "__main__":
    import sys

    from flows.run import main

    sys.exit(main(generate_clips, sys.argv[1:]))
