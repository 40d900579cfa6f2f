"""OneRouter's video endpoint: one long POST that answers with the clip, or (task form) with a task to poll."""

from __future__ import annotations

import asyncio
import secrets
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dailies.sandbox.answers import Refusal, json_answer
from dailies.sandbox.api import Api, json_object
from dailies.sandbox.files import clip_url
from dailies.sandbox.models import InvalidRequest, Model, Size
from dailies.sandbox.pictures import load_image, measure
from dailies.sandbox.world import Generation, Order, World, stored_client_id

_WORDS = {"generating": "processing", "error": "failed"}
_FAILURE = "The video could not be generated."


class OneRouter(Api):
    """`POST /v1/videos/generations` and `GET /v1/videos/tasks/{task_id}`."""

    provider = "onerouter"
    encodes_slash = True

    def routes(self) -> list[Route]:
        """Both operations."""

        async def create(request: Request) -> Response:
            return await self.guarded(request, self.create)

        async def task(request: Request) -> Response:
            return await self.guarded(request, self.fetch)

        return [
            Route("/v1/videos/generations", create, methods=["POST"]),
            Route("/v1/videos/tasks/{task_id}", task, methods=["GET"]),
        ]

    @staticmethod
    def new_id(world: World, order: Order) -> str:
        """By the way in which it is made."""
        if order.model.queued:
            return f"cgt-{world.now():%Y%m%d%H%M%S}-{secrets.token_hex(8)}"
        return f"{'video' if world.config.onerouter_form == 'result' else 'task'}_{secrets.token_hex(16)}"

    def problem(self, status: int, name: str, message: str) -> Response:
        """`{error{code, message, type, param}}`."""
        return json_answer({"error": {"code": status, "message": message, "type": name, "param": None}}, status)

    def key(self, request: Request) -> str:
        """The key alone, or after `Bearer`: the documents show both."""
        value = request.headers.get("authorization", "").strip()
        return value[7:].strip() if value.lower().startswith("bearer ") else value

    async def order(self, request: Request) -> Order:
        """Check the fields as documented: every value is a string, the image is a URL."""
        body = await json_object(request)
        model = self.model(body.pop("model", None))
        if model.queued:
            raise InvalidRequest("model: this one is made asynchronously only")
        wanted = model.checked(body)
        if wanted["image_url"].startswith("data:"):
            raise InvalidRequest("image_url: a public URL is needed")
        image = await load_image(wanted["image_url"])
        measured = await asyncio.to_thread(measure, image) if image is not None else None
        if "forbidden" in wanted["prompt"].lower():
            raise Refusal(403, "moderation_error", "The request was rejected by the content moderation system.")
        resolution = _resolution(model, wanted["resolution"], measured)
        size = model.size(resolution, _ratio(wanted["aspect_ratio"], measured), measured)
        duration_s = int(wanted["duration"])
        return Order(
            provider=self.provider,
            model=model,
            prompt=wanted["prompt"],
            size=size,
            duration_s=duration_s,
            usd=model.usd(resolution, duration_s),
            image=image,
            client_request_id=stored_client_id(request.headers.get("x-client-request-id")),
        )

    def out_of_credits(self) -> Refusal:
        """402: the 403 here is moderation."""
        return Refusal(402, "insufficient_credits", "The balance is not enough for this request.")

    def created(self, request: Request, generation: Generation, generation_id: str | None) -> dict[str, Any]:
        """A list is a result, an object is a task."""
        if self.world.config.onerouter_form == "task":
            return {"data": {} if generation_id is None else {"task_id": generation_id}}
        clip = {
            "url": clip_url(request, generation, self.world, encoded_slash=True),
            "revised_prompt": generation.order.prompt,
            "video_id": generation_id,
        }
        return {"data": [] if generation_id is None else [clip], "created": int(generation.at.timestamp())}

    async def answer(self, request: Request, generation: Generation) -> Response:
        """Hold the connection until the clip is ready; a failure comes inside HTTP 200."""
        if self.world.config.onerouter_form == "result":
            left_s = (generation.ends_at - self.world.now()).total_seconds()
            await asyncio.sleep(max(0.0, left_s))
            if generation.fails:
                answer = self.problem(500, "generation_failed", _FAILURE)
                answer.status_code = 200
                return answer
        return json_answer(self.created(request, generation, generation.id))

    async def fetch(self, request: Request) -> Response:
        """The state of one task."""
        generation = self.world.find(request.path_params["task_id"], self.provider)
        if generation is None:
            raise Refusal(404, "not_found", "Task not found.")
        return await self.polled(request, generation)

    def state(
        self, request: Request, generation: Generation, status: str, *, url: bool = True, usd: bool = False
    ) -> dict[str, Any]:
        """`{data{status, fail_reason, urls, cost{total_cost}}}`; money is in dollars here, so `usd` changes nothing."""
        done = status == "completed"
        data = {
            "status": _WORDS.get(status, status),
            "fail_reason": _FAILURE if status == "error" else "",
            "urls": [clip_url(request, generation, self.world, encoded_slash=True)] if done and url else [],
            "cost": {"total_cost": float(generation.order.usd) if done else 0.0},
        }
        return {"data": data}


def _resolution(model: Model, asked: str, image: Size | None) -> str:
    # "auto" is not explained; the sandbox takes the larger form only for an image that has its exact pixels.
    if asked != "auto":
        return asked
    return "1080p" if image and sorted(image) == sorted(model.pixels["1080p"]) else "720p"


def _ratio(asked: str, image: Size | None) -> str:
    if asked != "auto":
        return asked
    return "9:16" if image and image[1] > image[0] else "16:9"
