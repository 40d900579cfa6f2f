"""The vendors' own Python clients create, poll and fetch against the sandbox: they know the APIs from elsewhere.

`higgsfield-client` and `openrouter` take an address. `fal-client` takes a host from its environment and speaks https to it,
so its one constant is set. `runware` speaks WebSocket only, which the sandbox does not: a bridge hands each of its arrays of
tasks to the sandbox by HTTP, and the answer back, both unchanged but for the key.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import fal_client
import fal_client.client
import higgsfield_client
import httpx
import openrouter
import pytest
import runware
from openrouter import components
from runware.base import RunwareAPIError
from websockets.asyncio.server import ServerConnection, serve

from dailies.sandbox import Sandbox
from tests.contract.fronts import FAL_MODEL, HIGGSFIELD_MODEL, OPENROUTER_MODEL, RUNWARE_MODEL, image
from tests.contract.sandbox_calls import KEY, get


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clients read the environment's proxies; the sandbox is on this machine."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def is_clip(url: str) -> bool:
    """Whether a clip lies there, for everybody."""
    return get(url).content[4:8] == b"ftyp"


def test_higgsfields_client(sandbox: Sandbox) -> None:
    client = higgsfield_client.SyncClient(base_url=f"{sandbox.url}/higgsfield", api_key=f"sandbox:{KEY}")
    arguments = {"prompt": "she smiles", "image_url": image(sandbox), "duration": 5}
    request = client.submit(HIGGSFIELD_MODEL, arguments)
    assert isinstance(request.status(), higgsfield_client.Completed)
    assert is_clip(request.get()["video"]["url"])
    assert is_clip(client.subscribe(HIGGSFIELD_MODEL, arguments)["video"]["url"])
    assert sandbox.charges()[0].generation_id == request.request_id


def test_higgsfields_client_cannot_cancel_what_is_done(sandbox: Sandbox) -> None:
    client = higgsfield_client.SyncClient(base_url=f"{sandbox.url}/higgsfield", api_key=f"sandbox:{KEY}")
    request = client.submit(HIGGSFIELD_MODEL, {"prompt": "she smiles", "image_url": image(sandbox)})
    with pytest.raises(higgsfield_client.HiggsfieldClientError, match="queued"):
        request.cancel()


def test_fals_client(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fal_client.client, "QUEUE_URL_FORMAT", f"{sandbox.url}/fal/")
    client = fal_client.SyncClient(key=KEY)
    arguments = {"prompt": "she smiles", "start_image_url": image(sandbox), "duration": "5"}
    handle = client.submit(FAL_MODEL, arguments)
    assert isinstance(handle.status(with_logs=True), fal_client.Completed)
    assert is_clip(handle.get()["video"]["url"])
    again = client.get_handle(FAL_MODEL, handle.request_id)
    assert (again.status_url, again.response_url) == (handle.status_url, handle.response_url)
    assert [charge.generation_id for charge in sandbox.charges()] == [handle.request_id]


def test_openrouters_client(sandbox: Sandbox) -> None:
    with openrouter.OpenRouter(api_key=KEY, server_url=f"{sandbox.url}/openrouter") as client:
        listed = client.video_generation.list_videos_models()
        model = next(model for model in listed.data if model.id == OPENROUTER_MODEL)
        frame = components.FrameImage(
            type="image_url", frame_type="first_frame", image_url=components.FrameImageImageURL(url=image(sandbox))
        )
        job = client.video_generation.generate(
            model=model.id, prompt="she smiles", duration=5, resolution="720p", frame_images=[frame]
        )
        done = client.video_generation.get_generation(job_id=job.id)
        clip = client.video_generation.get_video_content(job_id=job.id)
        assert (done.status, done.usage and done.usage.cost) == ("completed", 0.75)
        assert clip.read()[4:8] == b"ftyp" and is_clip((done.urls or [""])[0])


@asynccontextmanager
async def bridge(sandbox: Sandbox) -> AsyncIterator[str]:
    """A WebSocket before the sandbox's Runware."""

    async def answer(connection: ServerConnection) -> None:
        key = ""
        async with httpx.AsyncClient(trust_env=False) as http:
            async for message in connection:
                tasks: list[dict[str, Any]] = json.loads(message)
                if tasks[0]["taskType"] == "authentication":
                    key = tasks[0]["apiKey"]
                    session = {"taskType": "authentication", "connectionSessionUUID": str(uuid.uuid4())}
                    await connection.send(json.dumps({"data": [session]}))
                    continue
                reply = await http.post(
                    f"{sandbox.url}/runware", json=tasks, headers={"authorization": f"Bearer {key}"}
                )
                await connection.send(reply.text)

    async with serve(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        yield f"ws://127.0.0.1:{port}"


def test_runwares_client(sandbox: Sandbox) -> None:
    async def use() -> None:
        async with bridge(sandbox) as url:
            client = runware.Runware(api_key=KEY, url=url)
            await client.connect()
            wanted = runware.IVideoInference(
                model=RUNWARE_MODEL,
                positivePrompt="she smiles",
                duration=5,
                width=1280,
                height=720,
                taskUUID=str(uuid.uuid4()),
                includeCost=True,
                frameImages=[runware.IFrameImage(inputImage=image(sandbox), frame="first")],
            )
            await client.videoInference(requestVideo=wanted)
            (video,) = await client.getResponse(taskUUID=str(wanted.taskUUID))
            assert (video.taskUUID, video.cost) == (wanted.taskUUID, 0.925)
            assert is_clip(str(video.videoURL))
            details = await client.getTaskDetails(taskUUID=str(wanted.taskUUID))
            assert details.taskUUID == wanted.taskUUID
            with pytest.raises(RunwareAPIError, match="exists"):
                await client.videoInference(requestVideo=wanted)
            await client.disconnect()

    asyncio.run(use())
    assert len(sandbox.charges()) == 1
