"""How the sandbox's tests speak to it: small calls over real HTTP."""

from __future__ import annotations

import base64
import functools
import json
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import httpx
import jsonschema

from dailies.sandbox import Sandbox
from dailies.sandbox.pictures import test_image as picture

KEY = "sandbox-key"
SORA = "openai/sora-2-pro-i2v"
SORA_ONEROUTER = "openai/sora-2-pro-image-to-video"
_DOCUMENTS = Path(__file__).parent / "openapi"


def call(sandbox: Sandbox, method: str, path: str, *, key: str | None = KEY, **options: Any) -> httpx.Response:
    """One request on a connection of its own, with the key, following nothing."""
    headers = options.pop("headers", {}) | ({"authorization": f"Bearer {key}"} if key else {})
    return _client().request(method, sandbox.url + path, headers=headers, **options)


def get(url: str) -> httpx.Response:
    """One GET without a key, following nothing."""
    return _client().get(url)


def stream(url: str) -> AbstractContextManager[httpx.Response]:
    """One GET without a key, its body unread."""
    return _client().stream("GET", url)


@functools.cache
def _client() -> httpx.Client:
    # One client, because each loads its certificates anew; but no connection is used twice.
    return httpx.Client(timeout=10, trust_env=False, limits=httpx.Limits(max_keepalive_connections=0))


@functools.cache
def data_uri(width: int = 1280, height: int = 720, form: str = "jpg") -> str:
    """A test image as a data URI."""
    kind = {"jpg": "jpeg"}.get(form, form)
    return f"data:image/{kind};base64,{base64.b64encode(picture((width, height), form)).decode()}"


def aiml_body(**changes: Any) -> dict[str, Any]:
    """A valid AI/ML API create; a change to None leaves the field out."""
    body = {
        "model": SORA,
        "prompt": "she smiles",
        "image_url": data_uri(),
        "resolution": "720p",
        "aspect_ratio": "16:9",
        "duration": 4,
    } | changes
    return {name: value for name, value in body.items() if value is not None}


def create(sandbox: Sandbox, *, key: str | None = KEY, headers: Any = None, **changes: Any) -> httpx.Response:
    """The AI/ML API's create."""
    path = "/v2/video/generations"
    return call(sandbox, "POST", path, key=key, headers=headers or {}, json=aiml_body(**changes))


def fetch(sandbox: Sandbox, generation_id: str) -> httpx.Response:
    """The AI/ML API's poll."""
    return call(sandbox, "GET", "/v2/video/generations", params={"generation_id": generation_id})


def finished(sandbox: Sandbox, **changes: Any) -> tuple[str, str]:
    """(generation id, clip URL) of a generation that is completed at its first poll."""
    generation_id = create(sandbox, **changes).json()["id"]
    return generation_id, fetch(sandbox, generation_id).json()["video"]["url"]


def onerouter(sandbox: Sandbox, *, headers: Any = None, **changes: Any) -> httpx.Response:
    """OneRouter's create, the image on the sandbox's own host."""
    body = {
        "model": SORA_ONEROUTER,
        "prompt": "she smiles",
        "image_url": f"{sandbox.url}/images/1280x720.jpg",
        "resolution": "720p",
        "duration": "4",
    } | changes
    return call(sandbox, "POST", "/v1/videos/generations", headers=headers or {}, json=body)


def documented(name: str, body: Any) -> None:
    """Fail unless this JSON is what the provider's OpenAPI document promises for its 200."""
    paths = json.loads((_DOCUMENTS / f"{name}.openapi.json").read_text())["paths"]
    operation = next(iter(next(iter(paths.values())).values()))
    schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
    jsonschema.validate(body, _nullable(schema))


def _nullable(schema: Any) -> Any:
    # OpenAPI 3.0 says "nullable" where JSON Schema says "or null".
    if isinstance(schema, list):
        return [_nullable(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    plain = {name: _nullable(part) for name, part in schema.items() if name not in ("nullable", "example")}
    return {"anyOf": [plain, {"type": "null"}]} if schema.get("nullable") is True else plain
