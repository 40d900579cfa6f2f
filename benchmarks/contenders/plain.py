"""Our own steps without Prefect: what is left of a run is what the engine adds. `python -m benchmarks.contenders.plain CSV`."""

from __future__ import annotations

import asyncio
import sys

from dailies.domain.clips import Row
from dailies.order import Order
from dailies.settings import load_settings
from dailies.steps.create import create_clip
from dailies.steps.deliver import deliver_clip
from dailies.steps.poll import StillGenerating, look_at
from dailies.steps.report import report_job
from dailies.steps.schedule import schedule, until
from dailies.steps.start import plan_order, start_job
from dailies.studio import Studio, open_studio


async def make(studio: Studio, row: Row) -> None:
    """Create, poll, deliver; nothing goes wrong here."""
    async with studio.pace(row.providers[0]).slot():
        attempt = await create_clip(studio, row.clip.key, row.providers[0])
        looks = await schedule(studio, attempt.id)
        await until(studio, looks.first_look)
        waits_s = iter(looks.delays_s)
        while True:
            try:
                ready = await look_at(studio, attempt.id)
                break
            except StillGenerating:
                await asyncio.sleep(next(waits_s, looks.delays_s[-1]))
    await deliver_clip(studio, ready.id)


async def main(prompts: str, in_flight: int) -> None:
    """The batch, with its report."""
    async with open_studio(load_settings({"dailies_in_flight": in_flight})) as studio:
        order = Order(prompts)
        job = await start_job(studio, order, await plan_order(studio, order))
        async with asyncio.TaskGroup() as clips:
            for row in job.plan.rows:
                clips.create_task(make(studio, row))
        await report_job(studio)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
