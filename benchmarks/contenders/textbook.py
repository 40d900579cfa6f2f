"""A textbook Prefect pipeline: a task for each step, submitted to a thread pool, polls as retries with exponential_backoff."""

from __future__ import annotations

import io
import logging
from typing import Any

import httpx
from prefect import flow, task
from prefect.task_runners import ThreadPoolTaskRunner
from prefect.tasks import exponential_backoff

from benchmarks.contenders.job import PATH, Clip, Job, answer, now, read

given = read()
http = httpx.Client(
    base_url=given.base_url, headers=given.headers, timeout=120, limits=httpx.Limits(max_keepalive_connections=50)
)
s3 = given.s3()
polls: dict[str, int] = {}


@task
def create(number: int) -> Clip:
    """The create."""
    started = now()
    return Clip(id=http.post(PATH, json=given.body(number)).json()["id"], started=started)


@task(retries=20, retry_delay_seconds=exponential_backoff(given.look_s), retry_jitter_factor=0.3)
def poll(clip: Clip) -> tuple[Clip, str]:
    """Fails until the clip is ready, so that Prefect tries again."""
    polls[clip.id] = polls.get(clip.id, 0) + 1
    found = http.get(PATH, params={"generation_id": clip.id}).json()
    if found["status"] != "completed":
        raise RuntimeError(f"{clip.id} is {found['status']}")
    clip.noticed, clip.polls = now(), polls[clip.id]
    return clip, found["video"]["url"]


@task(retries=3)
def deliver(ready: tuple[Clip, str], number: int) -> Clip:
    """Download and upload."""
    clip, url = ready
    if given.deliver:
        content = http.get(url, headers={"Authorization": ""}).content
        s3.upload_fileobj(io.BytesIO(content), given.bucket, f"textbook/{number}.mp4")
    clip.stored = now()
    return clip


def pipeline(job: Job) -> list[Clip]:
    """All clips at once, as many as there are threads."""
    poll_later: Any = poll.submit  # takes futures where its types say values
    deliver_later: Any = deliver.submit
    waiting = [deliver_later(poll_later(create.submit(number)), number) for number in range(job.clips)]
    return [future.result() for future in waiting]


if __name__ == "__main__":
    logging.disable(logging.INFO)
    threads = 2 * given.in_flight  # a clip holds two: one polls, one waits to deliver
    runner: Any = ThreadPoolTaskRunner(max_workers=threads)
    answer(flow(name="textbook", task_runner=runner)(pipeline)(given))
