"""From a CSV to clips in S3: the main flow.

read and quote ─► for every clip, on its own way: create ─► poll ─► deliver ─► at the end the report
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, assert_never

import anyio
from anyio.abc import TaskGroup
from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Failed

import tasks
from dailies.domain.clips import Row
from dailies.domain.next_step import Step
from dailies.errors import describe_error
from dailies.planning.batch import Batch
from dailies.planning.request import BatchRequest
from dailies.runtime import Runtime
from dailies.runtime.interrupt import interruptible
from dailies.steps.recover import left_over, rows_in_doubt, speaking_attempt, step_for
from dailies.steps.report import final_credits
from flows import parameters as p
from flows.approve import approve
from flows.shared import REPORTED, ending, finish, run_name, tags_of, title_of
from tasks.engine.isolation import isolate_failures
from tasks.engine.limits import shared_limits, shared_slot
from tasks.engine.run import name_run, runtime_for_run
from tasks.engine.states import show_our_logs
from tasks.report import Progress


@flow(name="generate-clips", flow_run_name=run_name, persist_result=False, validate_parameters=True)
@p.takes_request()
async def generate_clips(request: BatchRequest, approve_above_usd: p.ApproveAbove = None) -> State[Any]:
    """Turn a CSV of prompts and images into video clips in S3, and say what each one cost."""
    show_our_logs()
    try:
        async with runtime_for_run(request.in_flight) as runtime:
            batch = await tasks.plan(request)
            await name_run(title_of(batch), tags_of(batch))
            batch = runtime.batches.add(await approve(runtime, batch, approve_above_usd))
            return await make_clips(runtime, batch)
    except REPORTED as error:
        return Failed(message=describe_error(error))


async def make_clips(runtime: Runtime, batch: Batch) -> State[Any]:
    """Every clip on its own way; none waits for another, and none takes another along when it fails."""
    rows = paid_first(batch.plan.rows, await tasks.recover())
    others = await left_over(runtime, batch)
    run = Run(runtime, batch, await shared_limits(batch.plan.providers), Progress(batch.request.title, len(rows)))
    await run.progress.start()
    async with interruptible(runtime) as clips:
        for provider in batch.plan.providers:
            clips.start_soon(submit_window, run, clips, provider, [r for r in rows if r.providers[0] == provider])
        for attempt in others:
            clips.start_soon(finish, runtime, attempt)
    in_doubt = await rows_in_doubt(runtime, batch)  # what was lost on the way may stand in the provider's log by now
    async with interruptible(runtime) as clips:
        for row in in_doubt:
            clips.start_soon(make_clip, run, row)
    await runtime.last_looks()
    sentence = await tasks.report(batch.request.title, batch.name)
    await tasks.materialise(batch, final_credits(runtime, batch).totals)
    return ending(runtime, batch, sentence)


@dataclass(frozen=True, slots=True)
class Run:
    """What all clips of a run share: the batch, the limits that other machines share, the progress bar."""

    runtime: Runtime
    batch: Batch
    limits: frozenset[str]
    progress: Progress

    @asynccontextmanager
    async def slot(self, provider: str, row: Row) -> AsyncIterator[None]:
        """One generation's place at a provider, in this process and among all machines."""
        async with self.runtime.limiter(provider).slot(row.clip.key), shared_slot(provider, self.limits):
            yield


def paid_first(rows: Sequence[Row], left_behind: Sequence[str]) -> list[Row]:
    """The rows whose clips are paid for and on their way, in that order, then those that are to be bought."""
    place = {clip_key: number for number, clip_key in enumerate(left_behind)}
    return sorted(rows, key=lambda row: place.get(row.clip.key, len(place)))


async def submit_window(run: Run, clips: TaskGroup, provider: str, rows: list[Row]) -> None:
    """Start the clips of one provider, a window of them at a time."""
    to_make = [row for row in rows if row.clip.key not in run.batch.delivered_before]
    clips.start_soon(run.progress.more, len(rows) - len(to_make))
    slots = anyio.Semaphore(2 * run.runtime.limiter(provider).most)

    async def one(row: Row) -> None:
        try:
            await make_clip(run, row)
            clips.start_soon(run.progress.more)
        finally:
            slots.release()

    for row in to_make:
        await slots.acquire()
        clips.start_soon(one, row)


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider has the request, or had it earlier: its generation is to be polled."""

    attempt_id: str


@dataclass(frozen=True, slots=True)
class Ready:
    """The clip can be downloaded."""

    attempt_id: str


@dataclass(frozen=True, slots=True)
class TryNext:
    """This provider was surely not paid: the row's next one may be asked."""


@dataclass(frozen=True, slots=True)
class Done:
    """This run has nothing more to do for the clip."""


@isolate_failures
async def make_clip(run: Run, row: Row) -> None:
    """One clip, from wherever it stands to its end: its providers are asked in their order."""
    for provider in row.providers:
        async with run.slot(provider, row):
            outcome = await generate(run, row, provider)
        match outcome:
            case Ready(attempt_id):
                await tasks.deliver(row.id, run.batch.name, attempt_id)
                return
            case Done():
                return
            case TryNext():
                continue
            case _:
                assert_never(outcome)


async def generate(run: Run, row: Row, provider: str) -> Ready | TryNext | Done:
    """Have the clip generated at one provider, or see through what is under way already."""
    outcome = await advance(run, row, provider)
    while not isinstance(outcome, Accepted):
        if await step_for(run.runtime, row.clip.key, provider) is not Step.FOLLOW:
            return outcome
        outcome = await advance(run, row, provider)  # another run was faster: see it through with it
    run.runtime.limiter(provider).generating(row.clip.key)
    ready = await tasks.poll_until_ready(row.id, run.batch.name, outcome.attempt_id)
    return Ready(ready) if isinstance(ready, str) else Done()


async def advance(run: Run, row: Row, provider: str) -> Accepted | TryNext | Done:
    """Do what the clip needs now, so that its generation can be polled."""
    runtime, key = run.runtime, row.clip.key
    step = await step_for(runtime, key, provider)
    if step is Step.FOLLOW:
        waited = await tasks.wait_for_owner(row.id, key)
        step = waited if isinstance(waited, Step) else Step.NOTHING
    match step:
        case Step.BUY if runtime.shutdown.is_set():
            return Done()
        case Step.BUY if provider in runtime.halted_providers:
            return TryNext()
        case Step.BUY:
            bought = await tasks.create(row.id, run.batch.name, key, provider)
            return Accepted(bought) if isinstance(bought, str) else TryNext()
        case Step.COLLECT:
            found = await tasks.take_over(row.id, await speaking_attempt(runtime, key) or "")
        case Step.SETTLE:
            found = await tasks.settle(row.id, run.batch.name, key)
        case Step.FOLLOW | Step.REOPEN | Step.NOTHING:
            return Done()
        case _:
            assert_never(step)
    return Accepted(found) if isinstance(found, str) else Done()


if __name__ == "__main__":
    from flows.shared import as_command

    as_command("run")
