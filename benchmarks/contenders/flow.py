"""An async Prefect flow written well: tasks awaited in the flow's own loop, a semaphore, polls as retries with growing waits, no
retry of the paid step, and results kept, so that another run of the flow creates nothing that has an answer."""

from __future__ import annotations

import asyncio
import io
import logging
from dataclasses import asdict
from typing import Any

import httpx
from prefect import flow, task
from prefect.cache_policies import INPUTS

from benchmarks.contenders.job import PATH, Clip, answer, now, read

given = read()
WAITS_S = [given.look_s * factor for factor in (1, 1, 1, 1.5, 2, 2, 3, 3, 4)]
http = httpx.AsyncClient(base_url=given.base_url, headers=given.headers, timeout=httpx.Timeout(120, pool=None))
s3 = given.s3()
polls: dict[str, int] = {}


@task(cache_policy=INPUTS, persist_result=True)
async def create(number: int, base_url: str) -> dict[str, Any]:
    """The create; what it answers is kept."""
    started = now()
    found = (await http.post(f"{base_url}{PATH}", json=given.body(number))).raise_for_status().json()
    return asdict(Clip(id=found["id"], started=started))


@task(retries=50, retry_delay_seconds=WAITS_S, retry_jitter_factor=0.3, persist_result=False)
async def poll(clip: dict[str, Any]) -> str:
    """Fails until the clip is ready."""
    polls[clip["id"]] = polls.get(clip["id"], 0) + 1
    found = (await http.get(PATH, params={"generation_id": clip["id"]})).json()
    if found["status"] != "completed":
        raise RuntimeError(f"{clip['id']} is {found['status']}")
    clip["noticed"], clip["polls"] = now(), polls[clip["id"]]
    return str(found["video"]["url"])


@task(retries=3, persist_result=False)
async def deliver(url: str, number: int) -> None:
    """Download and upload."""
    content = (await http.get(url, headers={"Authorization": ""})).content
    await asyncio.to_thread(s3.upload_fileobj, io.BytesIO(content), given.bucket, f"flow/{number}.mp4")


@flow(persist_result=False)
async def pipeline() -> list[Clip]:
    """All clips, so many at once."""
    room = asyncio.Semaphore(given.in_flight)

    async def one(number: int) -> Clip:
        async with room:
            clip = await create(number, given.base_url)
            url = await poll(clip)
            if given.deliver:
                await deliver(url, number)
            return Clip(**{**clip, "stored": now()})

    return await asyncio.gather(*(one(number) for number in range(given.clips)))


if __name__ == "__main__":
    logging.disable(logging.INFO)
    answer(asyncio.run(pipeline()))
