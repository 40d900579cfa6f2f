"""How the tests speak to the four further fronts of the sandbox, and a receiver of webhooks."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

from dailies.sandbox import Sandbox
from tests.contract.sandbox_calls import KEY, call

RUNWARE_MODEL = "klingai:5@3"
HIGGSFIELD_MODEL = "kling-video/v3.0-turbo/image-to-video"
FAL_MODEL = "fal-ai/kling-video/v3/pro/image-to-video"
OPENROUTER_MODEL = "bytedance/seedance-2.0"
KEYED = {"authorization": f"Key sandbox:{KEY}"}


def image(sandbox: Sandbox) -> str:
    """A first frame on the sandbox's own host."""
    return f"{sandbox.url}/images/1280x720.jpg"


def task(sandbox: Sandbox, **changes: Any) -> dict[str, Any]:
    """A valid task of Runware's; a change to None leaves the field out."""
    body = {
        "taskType": "videoInference",
        "taskUUID": str(uuid.uuid4()),
        "deliveryMethod": "async",
        "includeCost": True,
        "model": RUNWARE_MODEL,
        "positivePrompt": "she smiles",
        "duration": 5,
        "width": 1280,
        "height": 720,
        "frameImages": [{"inputImage": image(sandbox), "frame": "first"}],
    } | changes
    return {name: value for name, value in body.items() if value is not None}


def runware(sandbox: Sandbox, *tasks: dict[str, Any], key: str | None = KEY) -> httpx.Response:
    """One array of tasks."""
    return call(sandbox, "POST", "/runware", key=key, json=list(tasks))


def look(sandbox: Sandbox, task_uuid: str) -> Any:
    """`getResponse`."""
    return runware(sandbox, {"taskType": "getResponse", "taskUUID": task_uuid}).json()


def higgsfield(sandbox: Sandbox, *, key: str | None = None, hook: str | None = None, **changes: Any) -> httpx.Response:
    """Higgsfield's create, under this Idempotency-Key if one is given."""
    body = {"prompt": "she smiles", "image_url": image(sandbox), "duration": 5, "resolution": "720p"} | changes
    headers = KEYED | ({"idempotency-key": key} if key else {})
    params = {"hf_webhook": hook} if hook else {}
    path = f"/higgsfield/{HIGGSFIELD_MODEL}"
    sent = {name: value for name, value in body.items() if value is not None}
    return call(sandbox, "POST", path, key=None, headers=headers, json=sent, params=params)


def fal(sandbox: Sandbox, *, hook: str | None = None, **changes: Any) -> httpx.Response:
    """fal's submit."""
    body = {"prompt": "she smiles", "start_image_url": image(sandbox), "duration": "5"} | changes
    params = {"fal_webhook": hook} if hook else {}
    sent = {name: value for name, value in body.items() if value is not None}
    return call(sandbox, "POST", f"/fal/{FAL_MODEL}", key=None, headers=KEYED, json=sent, params=params)


def openrouter(sandbox: Sandbox, **changes: Any) -> httpx.Response:
    """OpenRouter's create."""
    frame = {"type": "image_url", "image_url": {"url": image(sandbox)}, "frame_type": "first_frame"}
    body = {
        "model": OPENROUTER_MODEL,
        "prompt": "she smiles",
        "duration": 5,
        "resolution": "720p",
        "aspect_ratio": "16:9",
        "frame_images": [frame],
    } | changes
    sent = {name: value for name, value in body.items() if value is not None}
    return call(sandbox, "POST", "/openrouter/videos", json=sent)


def keyed(url: str, method: str = "GET", **options: Any) -> httpx.Response:
    """One request to an address as it was given, with a key of two parts."""
    return httpx.request(method, url, headers=KEYED, trust_env=False, timeout=10, **options)


@dataclass
class Receiver:
    """Remembers each call, and answers 200."""

    url: str = ""
    paths: list[str] = field(default_factory=list)
    calls: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    came: threading.Condition = field(default_factory=threading.Condition)

    def wait(self, count: int, timeout_s: float = 20) -> list[tuple[dict[str, str], bytes]]:
        """The calls, once there are so many."""
        with self.came:
            assert self.came.wait_for(lambda: len(self.calls) >= count, timeout_s), (
                f"{len(self.calls)} of {count} calls came"
            )
            return list(self.calls)


@contextmanager
def receiver() -> Iterator[Receiver]:
    """A server of webhooks on a free port."""
    held = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            with held.came:
                held.paths.append(self.path)
                held.calls.append(({name.lower(): value for name, value in self.headers.items()}, body))
                held.came.notify_all()
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    held.url = f"http://127.0.0.1:{server.server_port}/hook?ref=abc"
    try:
        yield held
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
