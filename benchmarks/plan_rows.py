"""The parts of planning a batch, timed in a process of their own: `python -m benchmarks.plan_rows PROMPTS.csv`."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path

from dailies.planning.request import BatchRequest
from dailies.prompts import read_sheet
from dailies.runtime import open_runtime
from dailies.settings import load_settings
from dailies.steps.start import plan_batch, start_batch


async def timed(prompts: str) -> dict[str, float]:
    """Seconds to read the CSV, to plan all of it, and to put the plan on record."""
    order = BatchRequest(prompts=prompts)
    began = time.perf_counter()
    read_sheet(Path(prompts).read_bytes(), prompts)
    read_s = time.perf_counter() - began
    async with open_runtime(load_settings()) as runtime:
        began = time.perf_counter()
        plan = await plan_batch(runtime, order)
        plan_s = time.perf_counter() - began
        began = time.perf_counter()
        await start_batch(runtime, order, plan)
        return {"read_s": read_s, "plan_s": plan_s, "record_s": time.perf_counter() - began}


if __name__ == "__main__":
    json.dump(asyncio.run(timed(sys.argv[1])), sys.stdout)
