"""An asyncio script: a semaphore, a task for each clip, a look every 15 s."""

from __future__ import annotations

import asyncio
import io
from typing import Any

import httpx

from benchmarks.contenders.job import PATH, Clip, Job, answer, now, read


async def make(job: Job, http: httpx.AsyncClient, s3: Any, number: int, room: asyncio.Semaphore) -> Clip:
    """One clip from create to S3."""
    async with room:
        clip = Clip(started=now())
        clip.id = (await http.post(PATH, json=job.body(number))).json()["id"]
        while True:
            found = (await http.get(PATH, params={"generation_id": clip.id})).json()
            clip.polls += 1
            if found["status"] == "completed":
                break
            await asyncio.sleep(job.look_s)
        clip.noticed = now()
        if job.deliver:
            content = (await http.get(found["video"]["url"], headers={"Authorization": ""})).content
            await asyncio.to_thread(s3.upload_fileobj, io.BytesIO(content), job.bucket, f"aio/{number}.mp4")
        clip.stored = now()
        return clip


async def run(job: Job) -> list[Clip]:
    """All clips."""
    room, s3 = asyncio.Semaphore(job.in_flight), job.s3()
    limits = httpx.Limits(max_connections=100, max_keepalive_connections=50)
    async with httpx.AsyncClient(
        base_url=job.base_url, headers=job.headers, timeout=httpx.Timeout(120, pool=None), limits=limits
    ) as http:
        return await asyncio.gather(*(make(job, http, s3, number, room) for number in range(job.clips)))


if __name__ == "__main__":
    given = read()
    answer(asyncio.run(run(given)))
