"""An asyncio script: a semaphore, a task for each clip, a look every 15 s; S3 by boto3 in threads, or by aiobotocore."""

from __future__ import annotations

import asyncio
import importlib
import io
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpx

from benchmarks.contenders.job import PATH, Clip, Job, answer, now, read

Put = Callable[[str, bytes], Awaitable[object]]


async def make(job: Job, http: httpx.AsyncClient, put: Put, number: int, room: asyncio.Semaphore) -> Clip:
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
            await put(f"aio/{number}.mp4", content)
        clip.stored = now()
        return clip


@asynccontextmanager
async def store(job: Job, native: bool) -> AsyncIterator[Put]:
    """How a clip is put into S3."""
    if not native:
        s3 = job.s3()
        yield lambda key, content: asyncio.to_thread(s3.upload_fileobj, io.BytesIO(content), job.bucket, key)
        return
    session = importlib.import_module("aiobotocore.session").get_session()
    async with session.create_client("s3", endpoint_url=job.s3_url) as client:
        yield lambda key, content: client.put_object(Bucket=job.bucket, Key=key, Body=content)


async def run(job: Job, native: bool) -> list[Clip]:
    """All clips."""
    room = asyncio.Semaphore(job.in_flight)
    limits = httpx.Limits(max_connections=100, max_keepalive_connections=50)
    async with (
        store(job, native) as put,
        httpx.AsyncClient(
            base_url=job.base_url, headers=job.headers, timeout=httpx.Timeout(120, pool=None), limits=limits
        ) as http,
    ):
        return await asyncio.gather(*(make(job, http, put, number, room) for number in range(job.clips)))


if __name__ == "__main__":
    given = read()
    answer(asyncio.run(run(given, "aiobotocore" in sys.argv[1])))
