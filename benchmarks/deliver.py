"""One way to deliver, in a process of its own: `python -m benchmarks.deliver < job.json`."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx

from dailies.domain.clips import Clip, Image, Row
from dailies.domain.records import Attempt
from dailies.ledger import Caps
from dailies.runtime import Runtime, open_runtime
from dailies.settings import load_settings
from dailies.steps.deliver import deliver_clip
from dailies.storage.s3 import S3

AT_ONCE = 16  # of dailies' own
SERVER = """
import os, sys, uvicorn
from starlette.applications import Starlette
from starlette.responses import FileResponse
from starlette.routing import Route
import socket
listening = socket.create_server(("127.0.0.1", 0), backlog=512)
print(f"http://127.0.0.1:{listening.getsockname()[1]}", flush=True)
app = Starlette(routes=[Route("/{name}", lambda request: FileResponse(sys.argv[1], media_type="video/mp4"))])
server = uvicorn.Server(uvicorn.Config(app, log_level="critical"))
server.run(sockets=[listening])
"""


@contextmanager
def provider(file: Path) -> Iterator[str]:
    """A file server whose every address is this file."""
    process = subprocess.Popen([sys.executable, "-c", SERVER, str(file)], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    try:
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait()


def paid(runtime: Runtime, job: dict[str, Any], url: str) -> list[Attempt]:
    """So many clips that are paid for and ready at the provider."""
    image = Image("0.png", 1280, 720, "png", 1, "00" * 32)
    clips = [
        Clip("openai/sora-2-pro-i2v", f"clip {number}", image, "720p", "16:9", 4) for number in range(job["count"])
    ]
    rows = [Row(number, f"clip-{number}", clip, ("aiml",)) for number, clip in enumerate(clips)]
    usd = Decimal("1.26")
    runtime.ledger.plan(
        "delivery", "", f"s3://{job['bucket']}/{job['prefix']}", rows, dict.fromkeys((c.key for c in clips), usd)
    )
    ready = []
    for number, clip in enumerate(clips):
        claimed = runtime.ledger.claim(clip.key, "delivery", "aiml", usd, Caps(), "digest")
        assert isinstance(claimed, Attempt)
        submitted = runtime.ledger.mark_submitted(claimed.id, f"generation-{number}")
        ready.append(runtime.ledger.record_completed(submitted, f"{url}/{number}.mp4", usd))
    return ready


async def ours(job: dict[str, Any], url: str) -> float:
    """The delivery step as a run has it. Returns seconds."""
    async with open_runtime(load_settings()) as runtime:
        ready = paid(runtime, job, url)
        began = time.perf_counter()
        done = await asyncio.gather(*(deliver_clip(runtime, attempt.id, "delivery") for attempt in ready))
        seconds = time.perf_counter() - began
        assert all(attempt.s3_uri and not attempt.mismatch for attempt in done), done[0].mismatch
        return seconds


def uploading(job: dict[str, Any], url: str | None) -> float:
    """boto3 alone, and where there is a URL the download before it. Returns seconds."""
    folder = Path(job["folder"]) / job["prefix"]
    folder.mkdir()
    s3, local = S3().client, threading.local()
    for number in range(job["count"]):
        if url is None:
            shutil.copyfile(Path(job["folder"]) / "clip.mp4", folder / f"{number}.mp4")

    def one(number: int) -> None:
        path = folder / f"{number}.mp4"
        if url is not None:
            if not hasattr(local, "http"):
                local.http = httpx.Client(timeout=60)
            with local.http.stream("GET", f"{url}/{number}.mp4") as answer, path.open("wb") as file:
                for chunk in answer.iter_bytes(2**20):
                    file.write(chunk)
        s3.upload_file(str(path), job["bucket"], f"{job['prefix']}/{number}.mp4")
        path.unlink()

    began = time.perf_counter()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(one, range(job["count"])))
    return time.perf_counter() - began


def main() -> None:
    """Prints MB/s as JSON."""
    job = json.load(sys.stdin)
    file = Path(job["folder"]) / "clip.mp4"
    with provider(file) as url:
        match job["way"]:
            case "dailies":
                seconds = asyncio.run(ours(job, url))
            case "upload_file alone":
                seconds = uploading(job, None)
            case _:
                seconds = uploading(job, url)
    print(json.dumps({"mb_per_s": job["count"] * file.stat().st_size / 1e6 / seconds}))


if __name__ == "__main__":
    main()
