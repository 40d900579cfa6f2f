"""The documents' script: create, look every 15 s until it is there, one clip after another; or a thread for each."""

from __future__ import annotations

import io
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx

from benchmarks.contenders.job import PATH, Clip, Job, answer, now, read


def make(job: Job, http: httpx.Client, s3: Any, number: int) -> Clip:
    """One clip from create to S3."""
    clip = Clip(started=now())
    clip.id = http.post(PATH, json=job.body(number)).json()["id"]
    while True:
        found = http.get(PATH, params={"generation_id": clip.id}).json()
        clip.polls += 1
        if found["status"] == "completed":
            break
        time.sleep(job.look_s)
    clip.noticed = now()
    if job.deliver:
        content = http.get(found["video"]["url"], headers={"Authorization": ""}).content
        s3.upload_fileobj(io.BytesIO(content), job.bucket, f"script/{number}.mp4")
    clip.stored = now()
    return clip


def main() -> None:
    """`threads` makes `in_flight` clips at once."""
    job, s3 = (given := read()), given.s3()
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=50)
    with httpx.Client(base_url=job.base_url, headers=job.headers, timeout=120, limits=limits) as http:
        workers = job.in_flight if "threads" in sys.argv else 1
        with ThreadPoolExecutor(workers) as pool:
            answer(list(pool.map(lambda number: make(job, http, s3, number), range(job.clips))))


if __name__ == "__main__":
    main()
