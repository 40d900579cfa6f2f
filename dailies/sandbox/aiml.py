"""The AI/ML API's video endpoint: create, then poll."""

from __future__ import annotations

import asyncio
import secrets
import uuid
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dailies.sandbox.account import Account
from dailies.sandbox.answers import Refusal, json_answer, phrase
from dailies.sandbox.api import Api, json_object
from dailies.sandbox.catalogue import Catalogue
from dailies.sandbox.files import clip_url
from dailies.sandbox.models import InvalidRequest, Model, Size
from dailies.sandbox.pictures import load_image, measure
from dailies.sandbox.world import Generation, Order, World, credits_of, stored_client_id

_DEFAULT_DURATION_S = 5
_URL_SAFE = "-_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_PATH = "/v2/video/generations"


class Aiml(Api):
    """`POST` and `GET /v2/video/generations`."""

    provider = "aiml"

    def routes(self) -> list[Route]:
        """Both operations, which share one path, its account and its lists."""

        async def create(request: Request) -> Response:
            return await self.guarded(request, self.create)

        async def fetch(request: Request) -> Response:
            return await self.guarded(request, self.fetch)

        own = [Route(_PATH, create, methods=["POST"]), Route(_PATH, fetch, methods=["GET"])]
        return [*own, *Account(self.world, self).routes(), *Catalogue(self.world, self).routes()]

    @staticmethod
    def new_id(world: World, order: Order) -> str:
        """Of a clip by OpenAI its own; else 21 characters that may begin with a dash."""
        if order.model.id.startswith("openai/"):
            return f"video_{secrets.token_hex(25)}:{order.model.id}"
        return secrets.choice("-v") + "".join(secrets.choice(_URL_SAFE) for _ in range(20))

    def problem(self, status: int, name: str, message: str) -> Response:
        """RFC 9457 with the API's own additions."""
        body = {
            "title": phrase(status),
            "status": status,
            "message": message,
            "requestId": str(uuid.uuid4()),
            "error": {"name": name, "message": message},
        }
        answer = json_answer(body, status)
        answer.headers["content-type"] = "application/problem+json"
        return answer

    def key(self, request: Request) -> str:
        """Only `Bearer KEY` counts."""
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        return key.strip() if scheme.lower() == "bearer" else ""

    async def order(self, request: Request) -> Order:
        """Check every field as the model's page documents it, and the image's pixels where it names them."""
        body = await json_object(request)
        model = self.model(body.pop("model", None))
        wanted = model.checked(body)
        resolution, ratio = (wanted.get("resolution"), wanted.get("aspect_ratio") or wanted.get("ratio"))
        image, measured = await _image(wanted)
        size = model.size(resolution, ratio, measured)
        _check_pixels(model, size, measured)
        prompt = wanted.get("prompt", "")
        if "forbidden" in prompt.lower():
            raise Refusal(400, "ContentModerationError", "The prompt was rejected by the moderation system.")
        duration_s = int(wanted.get("duration", _DEFAULT_DURATION_S))
        return Order(
            provider=self.provider,
            model=model,
            prompt=prompt,
            size=size,
            duration_s=duration_s,
            usd=model.usd(resolution, duration_s),
            audio=wanted.get("generate_audio", True),
            image=image,
            client_request_id=stored_client_id(request.headers.get("x-client-request-id")),
            fps=wanted.get("fps"),
        )

    def out_of_credits(self) -> Refusal:
        """403, not 402."""
        return Refusal(403, "InsufficientCreditsError", "You have run out of credits. Please top up your balance.")

    def created(self, request: Request, generation: Generation, generation_id: str | None) -> dict[str, Any]:
        """`{id, status}`."""
        return ({} if generation_id is None else {"id": generation_id}) | {"status": "generating"}

    async def answer(self, request: Request, generation: Generation) -> Response:
        """At once; the id stands in a header too."""
        headers = {"x-inference-id": generation.id}
        return json_answer(self.created(request, generation, generation.id), headers=headers)

    async def fetch(self, request: Request) -> Response:
        """The state of one generation."""
        generation_id = request.query_params.get("generation_id")
        if not generation_id:
            raise InvalidRequest("generation_id: required")
        generation = self.world.find(generation_id, self.provider)
        if generation is None:
            raise Refusal(404, "NotFoundError", "Generation not found.")
        return await self.polled(request, generation)

    def shown(self, generation: Generation, body: dict[str, Any]) -> Response:
        """The id stands in a header too."""
        return json_answer(body, headers={"x-inference-id": generation.id})

    def state(
        self, request: Request, generation: Generation, status: str, *, url: bool = True, usd: bool = False
    ) -> dict[str, Any]:
        """`{id, status, video?, error?, meta?}`; a completed one says what it cost."""
        body: dict[str, Any] = {"id": generation.id, "status": status}
        if status == "error":
            body["error"] = {"name": "GenerationError", "message": "The video could not be generated."}
        if status == "completed":
            price = generation.order.usd
            body["meta"] = {"usage": {"usd_spent": float(price)} if usd else {"credits_used": credits_of(price)}}
        if status == "completed" and url:
            body["video"] = {"url": clip_url(request, generation, self.world)}
        return body


async def _image(wanted: Mapping[str, Any]) -> tuple[bytes | None, Size | None]:
    reference = _image_reference(wanted)
    image = await load_image(reference) if reference else None
    return (image, await asyncio.to_thread(measure, image)) if image is not None else (None, None)


def _image_reference(wanted: Mapping[str, Any]) -> str | None:
    frames = wanted.get("keyframes")
    first = frames.get("frame0") if isinstance(frames, dict) else None
    candidates = [first.get("url") if isinstance(first, dict) else None]
    for name in (
        "image_url",
        "first_frame_image",
        "image_urls",
        "image_list",
        "reference_image_urls",
        "reference_images",
    ):
        value = wanted.get(name)
        candidates.append(value[0] if isinstance(value, list) and value else value)
    return next((value for value in candidates if isinstance(value, str)), None)


def _check_pixels(model: Model, size: Size, image: Size | None) -> None:
    if model.pixels and image and image != size:
        raise InvalidRequest(
            f"image_url: the image is {image[0]}x{image[1]}, but this resolution and aspect ratio need "
            f"{size[0]}x{size[1]}"
        )
