"""How often is one clip charged when the answer to its create comes late?

    python -m benchmarks.lost_answer

The create call of three vendor packages (installed into `.venv-bench` from `requirements-bench.lock`), a plain Prefect
task with `retries=3`, and ours: each sends one create to the sandbox, whose answer comes later than the client waits.
The sandbox's own list of charges is what is counted. Prints the table of the README and writes JSON.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dailies.cli.demo import embedded
from dailies.prefect_api.server import local_server
from dailies.sandbox import Sandbox, SandboxConfig

ROOT = Path(__file__).resolve().parents[1]
BENCH_PYTHON = ROOT / ".venv-bench" / "bin" / "python"
CLIENT_WAITS_S, ANSWER_AFTER_S, QUIET_FOR_S = 1.0, 3.0, 12.0
BODY = {
    "model": "openai/sora-2-pro-i2v", "prompt": "a lost answer", "resolution": "720p", "aspect_ratio": "16:9", "duration": 4,
}  # fmt: skip

SDKS = {
    "openai": """
import openai
openai.OpenAI(api_key="k", base_url=URL + "/v1", timeout=WAIT).videos.create(prompt="a lost answer", model="sora-2-pro")
""",
    "runwayml": """
import runwayml
runwayml.RunwayML(api_key="k", base_url=URL, timeout=WAIT).image_to_video.create(
    model="gen4_turbo", prompt_image="https://example.com/a.png", prompt_text="a lost answer", ratio="1280:720", duration=5)
""",
    "fal-client": """
import fal_client.client as f
f.QUEUE_URL_FORMAT = URL + "/"
f.SyncClient(key="k", default_timeout=WAIT).submit("fal-ai/sora-2/image-to-video/pro", {"prompt": "a lost answer"})
""",
    "a Prefect task with retries=3": """
import httpx
from prefect import flow, task
@task(retries=3, retry_delay_seconds=0.5)
def create():
    return httpx.post(URL + "/create", json={}, timeout=WAIT).json()
@flow
def script():
    return create()
script()
""",
}


@contextmanager
def late_front(sandbox: Sandbox, image_url: str) -> Iterator[str]:
    """Any POST becomes a create at the sandbox; its answer is passed on late, when the client has long given up."""

    async def create(request: Request) -> Response:
        await request.body()
        async with httpx.AsyncClient() as client:
            made = await client.post(
                f"{sandbox.url}/v2/video/generations",
                json={**BODY, "image_url": image_url},
                headers={"Authorization": "Bearer sandbox-key"},
            )
        await asyncio.sleep(ANSWER_AFTER_S)
        return Response(made.content, made.status_code, media_type="application/json")

    app = Starlette(routes=[Route("/{path:path}", create, methods=["POST"])])
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None, timeout_graceful_shutdown=0))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    try:
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()


def charges_of_sdk(name: str, code: str) -> int:
    """Run one vendor's create against a late answer and count the charges once it has fallen quiet."""
    python = sys.executable if "Prefect" in name else str(BENCH_PYTHON)
    with Sandbox(SandboxConfig(time_scale=0, render="quick")) as sandbox:
        with late_front(sandbox, f"{sandbox.url}/images/1280x720.png") as url:
            script = f"URL = {url!r}\nWAIT = {CLIENT_WAITS_S}\n{code}"
            subprocess.run([python, "-c", script], capture_output=True, timeout=120, check=False)
            _wait_until_quiet(sandbox)
        return len(sandbox.charges())


def charges_of_ours() -> int:
    """`dailies run` with the same late answer, twice, and then `dailies collect`: the charges of all of them."""
    with tempfile.TemporaryDirectory() as folder, embedded(SandboxConfig(time_scale=0, render="quick")) as stage:
        import boto3

        boto3.client("s3").create_bucket(Bucket="bench")
        csv = Path(folder) / "one.csv"
        csv.write_text(f"prompt,image\na lost answer,{stage.sandbox.url}/images/1280x720.png\n")
        stage.sandbox.fault("create", "late", times=1, delay_s=ANSWER_AFTER_S)
        env = {
            **os.environ, "DAILIES_HOME": f"{folder}/home", "DAILIES_TO": "s3://bench", "AIML_API_KEY": "sandbox-key",
            "AIML_BASE_URL": stage.sandbox.url, "DAILIES_TRUSTED_HOSTS": "127.0.0.1",
            "DAILIES_CREATE_TIMEOUT_S": str(CLIENT_WAITS_S),
        }  # fmt: skip
        for command in (["run", str(csv), "--yes"], ["run", str(csv), "--yes"], ["collect"]):
            subprocess.run(
                [sys.executable, "-m", "dailies", *command], env=env, capture_output=True, timeout=180, check=False
            )
        return len(stage.sandbox.charges())


def _wait_until_quiet(sandbox: Sandbox) -> None:
    seen, since = -1, time.monotonic()
    while time.monotonic() - since < QUIET_FOR_S:
        if len(sandbox.charges()) != seen:
            seen, since = len(sandbox.charges()), time.monotonic()
        time.sleep(0.2)


def main() -> None:
    """Measure all, print the table, write benchmarks/out/lost_answer.json."""
    if not BENCH_PYTHON.exists():
        sys.exit("the vendor packages are missing: make bench installs them into .venv-bench")
    counts = {}
    with tempfile.TemporaryDirectory() as home, local_server(Path(home)) as server:
        os.environ.update(server.environment())
        for name, code in SDKS.items():
            counts[name] = charges_of_sdk(name, code)
        counts["dailies"] = charges_of_ours()
    print("| create call | charged |\n|---|---|")
    for name, count in counts.items():
        print(f"| {name} | {count} × |")
    out = ROOT / "benchmarks" / "out"
    out.mkdir(exist_ok=True)
    (out / "lost_answer.json").write_text(json.dumps(counts, indent=2))


if __name__ == "__main__":
    main()
