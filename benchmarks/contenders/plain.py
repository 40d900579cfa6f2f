"""Our own steps without Prefect: what is left of a run is what the engine adds. `python -m benchmarks.contenders.plain CSV`."""

from __future__ import annotations

import asyncio
import sys

from dailies.domain.clips import Row
from dailies.planning.batch import Batch
from dailies.planning.request import BatchRequest
from dailies.runtime import Runtime, open_runtime
from dailies.settings import load_settings
from dailies.steps.create import create_clip
from dailies.steps.deliver import deliver_clip
from dailies.steps.poll import StillGenerating, poll_once
from dailies.steps.report import report_batch
from dailies.steps.schedule import schedule, until
from dailies.steps.start import begin_batch


async def make(runtime: Runtime, batch: Batch, row: Row) -> None:
    """Create, poll, deliver; nothing goes wrong here."""
    async with runtime.limiter(row.providers[0]).slot(row.clip.key):
        attempt = await create_clip(runtime, batch, row, row.providers[0])
        looks = await schedule(runtime, attempt.id)
        await until(runtime, looks.first_look)
        waits_s = iter(looks.delays_s)
        while True:
            try:
                ready = await poll_once(runtime, attempt.id)
                break
            except StillGenerating:
                await asyncio.sleep(next(waits_s, looks.delays_s[-1]))
    await deliver_clip(runtime, ready.id, batch.name)


async def main(prompts: str, in_flight: int) -> None:
    """The batch, with its report."""
    async with open_runtime(load_settings({"dailies_in_flight": in_flight})) as runtime:
        order = BatchRequest(prompts=prompts)
        batch = runtime.batches.add(await begin_batch(runtime, order))
        async with asyncio.TaskGroup() as clips:
            for row in batch.plan.rows:
                clips.create_task(make(runtime, batch, row))
        await report_batch(runtime, batch)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
