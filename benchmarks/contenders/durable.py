"""DBOS: a durable workflow for each clip, its steps recorded in SQLite; a program that died goes on where it was.

Only `.venv-bench` has it, so it is imported by name.
"""

from __future__ import annotations

import asyncio
import importlib
import io
import os
from dataclasses import asdict
from typing import Any

import httpx

from benchmarks.contenders.job import PATH, Clip, answer, now, read

dbos: Any = importlib.import_module("dbos")
DBOS: Any = dbos.DBOS
given = read()
http = httpx.AsyncClient(base_url=given.base_url, headers=given.headers, timeout=httpx.Timeout(120, pool=None))
s3 = given.s3()


@DBOS.step()  # type: ignore[untyped-decorator]
async def create(number: int) -> dict[str, Any]:
    """The create. Not retried by itself; one whose answer was not recorded is sent again after a crash."""
    started = now()
    found = (await http.post(PATH, json=given.body(number))).raise_for_status().json()
    return asdict(Clip(id=found["id"], started=started))


@DBOS.step()  # type: ignore[untyped-decorator]
async def look(generation_id: str) -> str:
    """The clip's address once it is ready."""
    found = (await http.get(PATH, params={"generation_id": generation_id})).json()
    return str(found["video"]["url"]) if found["status"] == "completed" else ""


@DBOS.step(retries_allowed=True, max_attempts=3)  # type: ignore[untyped-decorator]
async def deliver(url: str, number: int) -> float:
    """Download and upload."""
    if given.deliver:
        content = (await http.get(url, headers={"Authorization": ""})).content
        await asyncio.to_thread(s3.upload_fileobj, io.BytesIO(content), given.bucket, f"durable/{number}.mp4")
    return now()


@DBOS.workflow()  # type: ignore[untyped-decorator]
async def make(number: int) -> dict[str, Any]:
    """One clip from create to S3."""
    clip = Clip(**await create(number))
    while True:
        url = await look(clip.id)
        clip.polls += 1
        if url:
            break
        await DBOS.sleep_async(given.look_s)
    clip.noticed = now()
    clip.stored = await deliver(url, number)
    return asdict(clip)


async def main() -> list[Clip]:
    """All clips, so many at once. A workflow that was begun by an earlier process is joined, not begun again."""
    DBOS.launch()  # in this loop: what an earlier process left open goes on in it at once
    room = asyncio.Semaphore(given.in_flight)

    async def one(number: int) -> Clip:
        async with room:
            with dbos.SetWorkflowID(f"clip-{number}"):
                handle = await DBOS.start_workflow_async(make, number)
            return Clip(**await handle.get_result())

    return await asyncio.gather(*(one(number) for number in range(given.clips)))


if __name__ == "__main__":
    folder = os.environ["DAILIES_HOME"]
    os.makedirs(folder, exist_ok=True)
    database = f"sqlite:///{folder}/dbos.sqlite"
    DBOS(config={"name": "clips", "system_database_url": database, "log_level": "WARNING", "application_version": "1"})
    answer(asyncio.run(main()))
    DBOS.destroy()
