"""How often is one clip charged when the answer to its create is lost, and does the caller end with the clip's id?

    python -m benchmarks.lost_answer [NAME…]

Public clients, each with its own retries, and ours send one create to the sandbox, whose own list of charges is what is counted.
Three ways of losing the answer: each comes later than the client waits; the connection is closed once, after the charge; a 500
once, after the charge. Vendors that the sandbox speaks for are asked at their own front, the others at one that turns any POST
into a create. Prints the table of docs/performance.md and writes JSON; a client that is not installed is left out.
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
import uuid
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from websockets.asyncio.server import ServerConnection, serve

from dailies.cli.demo import embedded
from dailies.prefect_api.server import local_server
from dailies.sandbox import Sandbox, SandboxConfig
from dailies.sandbox.wire import OpenWire, RawAnswer

ROOT = Path(__file__).resolve().parents[1]
BENCH_PYTHON = ROOT / ".venv-bench" / "bin" / "python"
NODE_MODULES = ROOT / ".venv-bench" / "node_modules"
CLIENT_WAITS_S, ANSWER_AFTER_S, QUIET_FOR_S, AT_MOST_S = 1.0, 3.0, 12.0, 150.0
KEY = "sandbox-key"
BODY = {
    "model": "openai/sora-2-pro-i2v", "prompt": "a lost answer", "resolution": "720p", "aspect_ratio": "16:9", "duration": 4,
}  # fmt: skip
WAYS: dict[str, dict[str, Any]] = {
    "each answer late": {"kind": "late", "times": None, "delay_s": ANSWER_AFTER_S},
    "connection closed": {"kind": "lost", "times": 1},
    "a 500": {"kind": "charged_status", "times": 1, "status": 500},
}


@dataclass(frozen=True)
class Contender:
    """One client: its script, where it runs, and below which path of the sandbox it asks (None: the front for any POST).

    The script knows URL, WAIT, KEY and IMAGE, and prints `id` once it holds the generation's id.
    """

    code: str
    below: str | None = None
    runs: str = "bench"
    note: str = ""


CONTENDERS = {
    "`openai`": Contender("""
import openai
print("id", openai.OpenAI(api_key="k", base_url=URL + "/v1", timeout=WAIT).videos.create(prompt="a lost answer", model="sora-2-pro").id)
"""),
    "`runwayml`": Contender("""
import runwayml
print("id", runwayml.RunwayML(api_key="k", base_url=URL, timeout=WAIT).image_to_video.create(
    model="gen4_turbo", prompt_image="https://example.com/a.png", prompt_text="a lost answer", ratio="1280:720", duration=5).id)
"""),
    "`fal-client`": Contender(
        """
import fal_client.client as f
f.QUEUE_URL_FORMAT = URL + "/"
print("id", f.SyncClient(key=KEY, default_timeout=WAIT).submit("fal-ai/kling-video/v3/pro/text-to-video", {"prompt": "lost"}).request_id)
""",
        "/fal",
    ),
    "Vercel's AI SDK (`@ai-sdk/fal`)": Contender(
        """
import { experimental_generateVideo as generate } from "ai";
import { createFal } from "@ai-sdk/fal";
const here = async (url, options) => {
  const signal = AbortSignal.timeout(WAIT * 1000);
  const answer = await fetch(String(url).replace("https://queue.fal.run", URL), { ...options, signal });
  if (options.method === "POST" && answer.ok) console.log("id");
  return answer;
};
const model = createFal({ apiKey: KEY, fetch: here }).video("kling-video/v3/pro/text-to-video");
await generate({ model, prompt: "lost" });
""",
        "/fal",
        "node",
    ),
    "`openrouter`": Contender(
        """
import openrouter
client = openrouter.OpenRouter(api_key=KEY, server_url=URL, timeout_ms=int(WAIT * 1000))
print("id", client.video_generation.generate(model="bytedance/seedance-2.0", prompt="lost", duration=5, resolution="720p").id)
""",
        "/openrouter",
        "tests",
    ),
    "`higgsfield-client`": Contender(
        """
import higgsfield_client
client = higgsfield_client.SyncClient(base_url=URL, api_key="id:" + KEY, timeout=WAIT)
print("id", client.submit("bytedance/seedance-2.5/image-to-video", {"prompt": "lost", "image_url": IMAGE, "duration": 5}).request_id)
""",
        "/higgsfield",
        "tests",
    ),
    "`runware`": Contender(
        """
import asyncio, runware
async def main():
    client = runware.Runware(api_key=KEY, url=URL)
    await client.connect()
    frame = runware.IFrameImage(inputImage=IMAGE, frame="first")
    made = await client.videoInference(requestVideo=runware.IVideoInference(
        model="klingai:5@3", positivePrompt="lost", duration=5, width=1280, height=720, frameImages=[frame]))
    print("id", made)
asyncio.run(main())
""",
        "/runware",
        "websocket",
        "waits longer than any answer here",
    ),
    "`wavespeed`": Contender("""
from wavespeed import Client
import wavespeed.config as c
c.api.read_timeout_submit = WAIT
print("id", Client(api_key="k", base_url=URL)._submit("kling", {"prompt": "lost"}, timeout=WAIT)[0])
"""),
    "a plain Prefect task with `retries=3`": Contender(
        """
import httpx
from prefect import flow, task
@task(retries=3, retry_delay_seconds=0.5)
def create():
    return httpx.post(URL + "/create", json={}, timeout=WAIT).raise_for_status().json()
@flow
def script():
    return create()
print("id", script()["id"])
""",
        None,
        "tests",
    ),
}
OURS = "`dailies run`, run again, and `dailies collect`"


@contextmanager
def any_post(sandbox: Sandbox, image_url: str, way: str) -> Iterator[str]:
    """Any POST becomes a create at the sandbox; its answer is late, or lost once."""
    lost_already: list[str] = []

    async def create(request: Request) -> Response:
        await request.body()
        async with httpx.AsyncClient(trust_env=False) as client:
            made = await client.post(
                f"{sandbox.url}/v2/video/generations",
                json={**BODY, "image_url": image_url},
                headers={"Authorization": f"Bearer {KEY}"},
            )
        fault = WAYS[way]
        if fault["kind"] == "late":
            await asyncio.sleep(fault["delay_s"])
        elif not lost_already:
            lost_already.append(way)
            return RawAnswer() if fault["kind"] == "lost" else Response(status_code=fault["status"])
        return JSONResponse({"code": 200, "data": made.json(), **made.json()})

    app = Starlette(routes=[Route("/{path:path}", create, methods=["POST"])])
    config = uvicorn.Config(app, "127.0.0.1", 0, http=OpenWire, log_config=None, timeout_graceful_shutdown=0)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


@asynccontextmanager
async def websocket(sandbox: Sandbox) -> AsyncIterator[str]:
    """Runware's client speaks WebSocket only: each of its arrays of tasks is passed on by HTTP; a lost answer ends the socket."""

    async def answer(connection: ServerConnection) -> None:
        async with httpx.AsyncClient(trust_env=False, timeout=30) as http:
            async for message in connection:
                tasks = json.loads(message)
                if tasks[0]["taskType"] == "authentication":
                    session = {"taskType": "authentication", "connectionSessionUUID": str(uuid.uuid4())}
                    await connection.send(json.dumps({"data": [session]}))
                    continue
                try:
                    reply = await http.post(
                        f"{sandbox.url}/runware", json=tasks, headers={"authorization": f"Bearer {KEY}"}
                    )
                    reply.raise_for_status()
                except httpx.HTTPError:
                    return
                await connection.send(reply.text)

    async with serve(answer, "127.0.0.1", 0) as server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def measured(one: Contender, way: str) -> tuple[int, bool]:
    """One client's create in one way of losing its answer: the charges once all is quiet, and whether it holds an id."""
    with Sandbox(SandboxConfig(time_scale=0, render="quick", api_keys=frozenset({KEY, f"id:{KEY}"}))) as sandbox:
        image = f"{sandbox.url}/images/1280x720.png"
        if one.below is None:
            with any_post(sandbox, image, way) as url:
                has_id = _run(one, url, image)
                _wait_until_quiet(sandbox)
            return len(sandbox.charges()), has_id
        sandbox.fault("create", provider=one.below.strip("/"), **WAYS[way])
        by_http = one.runs != "websocket"
        has_id = (
            _run(one, sandbox.url + one.below, image) if by_http else asyncio.run(_by_websocket(one, sandbox, image))
        )
        _wait_until_quiet(sandbox)
        return len(sandbox.charges()), has_id


async def _by_websocket(one: Contender, sandbox: Sandbox, image: str) -> bool:
    async with websocket(sandbox) as url:
        return await asyncio.to_thread(_run, one, url, image)


def _run(one: Contender, url: str, image: str) -> bool:
    known = {"URL": url, "WAIT": CLIENT_WAITS_S, "KEY": KEY, "IMAGE": image}
    if one.runs == "node":
        script = "".join(f"const {name} = {json.dumps(value)};\n" for name, value in known.items()) + one.code
        command, folder = ["node", "--input-type=module", "-e", script], NODE_MODULES.parent
    else:
        script = "".join(f"{name} = {value!r}\n" for name, value in known.items()) + one.code
        command, folder = [str(BENCH_PYTHON) if one.runs == "bench" else sys.executable, "-c", script], ROOT
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=AT_MOST_S, check=False, cwd=folder)
    except subprocess.TimeoutExpired as slow:
        return b"\nid" in b"\n" + (slow.stdout or b"")
    return "\nid" in "\n" + done.stdout


def ours(way: str) -> tuple[int, bool]:
    """`dailies run` with the same answer lost, twice, and then `dailies collect`: the charges, and whether the clip is there."""
    with tempfile.TemporaryDirectory() as folder, embedded(SandboxConfig(time_scale=0, render="quick")) as stage:
        import boto3

        boto3.client("s3").create_bucket(Bucket="bench")
        csv = Path(folder) / "one.csv"
        csv.write_text(f"prompt,image\na lost answer,{stage.sandbox.url}/images/1280x720.png\n")
        stage.sandbox.fault("create", **WAYS[way])
        env = {
            **os.environ, "DAILIES_HOME": f"{folder}/home", "DAILIES_TO": "s3://bench", "AIML_API_KEY": "sandbox-key",
            "AIML_BASE_URL": stage.sandbox.url, "DAILIES_TRUSTED_HOSTS": "127.0.0.1",
            "DAILIES_CREATE_TIMEOUT_S": str(CLIENT_WAITS_S),
        }  # fmt: skip
        for command in (["run", str(csv), "--yes"], ["run", str(csv), "--yes"], ["collect"]):
            subprocess.run(
                [sys.executable, "-m", "dailies", *command], env=env, capture_output=True, timeout=180, check=False
            )
        objects = boto3.client("s3").list_objects_v2(Bucket="bench").get("Contents", [])
        return len(stage.sandbox.charges()), any(one["Key"].endswith(".mp4") for one in objects)


def _wait_until_quiet(sandbox: Sandbox) -> None:
    seen, since = -1, time.monotonic()
    while time.monotonic() - since < QUIET_FOR_S:
        if len(sandbox.charges()) != seen:
            seen, since = len(sandbox.charges()), time.monotonic()
        time.sleep(0.2)


def installed(one: Contender) -> bool:
    """Whether what the client needs is there."""
    return {"bench": BENCH_PYTHON.exists(), "node": (NODE_MODULES / "ai").exists()}.get(one.runs, True)


def main(names: Sequence[str]) -> None:
    """Measure all, or those whose name holds one of these words; print the table, write benchmarks/out/lost_answer.json."""
    found: dict[str, dict[str, tuple[int, bool]]] = {}
    print(f"| create call | {' | '.join(WAYS)} |\n|---|{'---|' * len(WAYS)}")
    with tempfile.TemporaryDirectory() as home, local_server(Path(home)) as server:
        os.environ.update(server.environment())
        for name, one in {**CONTENDERS, OURS: None}.items():
            if (names and not any(word in name for word in names)) or (one and not installed(one)):
                continue
            found[name] = {way: measured(one, way) if one else ours(way) for way in WAYS}
            ends = [
                f"{charges} × {'and the clip' if has_id else 'and no clip'}" for charges, has_id in found[name].values()
            ]
            print(f"| {name} | {' | '.join(ends)} |", flush=True)
    out = ROOT / "benchmarks" / "out"
    out.mkdir(exist_ok=True)
    (out / "lost_answer.json").write_text(json.dumps(found, indent=2))


if __name__ == "__main__":
    main(sys.argv[1:])
