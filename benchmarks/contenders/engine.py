"""Prefect's own part: an async flow whose tasks do nothing but fail and be retried, as ours are."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from prefect import flow, task
from prefect.cache_policies import NO_CACHE

from dailies.memory import keep_flat

CREATES_AT_ONCE = 50  # as ours


def again(*_: Any) -> bool:
    """Always."""
    return True


LOOKS: Counter[int] = Counter()
"""How often each was looked at. Not a parameter: the engine would look in it for the results of earlier tasks."""


async def wait(number: int, most: int) -> int:
    """Fails so many times, then is ready."""
    LOOKS[number] += 1
    if LOOKS[number] < most:
        raise RuntimeError("still generating")
    return number


async def step(number: int) -> int:
    """A task that does nothing: what creating and delivering are to the engine."""
    return number


@flow(persist_result=False)
async def many(clips: int, base: int, waits_s: list[float], to_the_end: bool) -> dict[str, int]:
    """Create, poll and deliver without any of the three. Returns the memory with a few and with all waiting, in bytes;
    prints it and ends the process there and then, unless it is to go `to_the_end`.
    """
    memory: dict[str, int] = {}
    decorated: Any = task
    once = decorated(cache_policy=NO_CACHE, persist_result=False)(step)
    polled = decorated(
        retries=len(waits_s), retry_delay_seconds=waits_s, retry_condition_fn=again, cache_policy=NO_CACHE,
        persist_result=False,
    )(wait)  # fmt: skip

    door = asyncio.Semaphore(CREATES_AT_ONCE)

    async def one(number: int) -> None:
        async with door:
            await once(number)
        if number in (base, clips):
            memory["few" if number == base else "all"] = memory_bytes()
        if number == clips and not to_the_end:
            print(json.dumps(memory), flush=True)
            os._exit(0)
        await polled(number, len(waits_s))
        await once(number)

    await asyncio.gather(*(one(number) for number in range(1, clips + 1)))
    return memory


def memory_bytes() -> int:
    """What this process holds now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)  # ours silences the engine's lines for each retry too
    keep_flat()  # as ours does, so that what is left of the difference is our own
    json.dump(asyncio.run(many(**json.load(sys.stdin))), sys.stdout)
