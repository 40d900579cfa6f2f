"""OneRouter's queue: an asynchronous create at once answers with a task, whose end is told in the queue's own dialect."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dailies.sandbox.answers import Refusal, json_answer, struck
from dailies.sandbox.api import json_object
from dailies.sandbox.files import clip_url
from dailies.sandbox.models import InvalidRequest
from dailies.sandbox.onerouter import OneRouter
from dailies.sandbox.pictures import load_image, measure
from dailies.sandbox.world import Generation, Order, stored_client_id

_WORDS = {"queued": "QUEUED", "generating": "IN_PROGRESS", "completed": "SUCCESS", "error": "FAILURE"}
_FAILURE = "task failed: the video could not be generated"


class OneRouterQueue(OneRouter):
    """`POST /v1/images/generations`, for videos too, with the content of Ark's API; its tasks; and the account's balance."""

    def routes(self) -> list[Route]:
        """Its three operations."""

        async def create(request: Request) -> Response:
            return await self.guarded(request, self.create)

        async def task(request: Request) -> Response:
            return await self.guarded(request, self.fetch)

        async def balance(request: Request) -> Response:
            return await self.guarded(request, self.balance)

        return [
            Route("/v1/images/generations", create, methods=["POST"]),
            Route("/v1/videos/tasks/cgt-{number}", task, methods=["GET"]),
            Route("/v1/balance", balance, methods=["GET"]),
        ]

    async def order(self, request: Request) -> Order:
        """Check the fields: numbers are numbers here, prompt and image stand in `content`."""
        body = await json_object(request)
        model = self.model(body.pop("model", None))
        if not model.queued:
            raise InvalidRequest("model: this one is made synchronously only")
        wanted = model.checked(body)
        prompt, address = _content(wanted["content"])
        if "forbidden" in prompt.lower():
            raise Refusal(403, "moderation_error", "The request was rejected by the content moderation system.")
        image = await load_image(address) if address else None
        measured = await asyncio.to_thread(measure, image) if image is not None else None
        ratio = None if wanted["ratio"] == "adaptive" else wanted["ratio"]
        return Order(
            provider=self.provider,
            model=model,
            prompt=prompt,
            size=model.size(wanted["resolution"], ratio, measured),
            duration_s=wanted["duration"],
            usd=model.usd(wanted["resolution"], wanted["duration"]),
            audio=wanted["generate_audio"],
            image=image,
            client_request_id=stored_client_id(request.headers.get("x-client-request-id")),
        )

    def created(self, request: Request, generation: Generation, generation_id: str | None) -> dict[str, Any]:
        """An envelope around the task."""
        task = {"object": "video", "model": generation.order.model.id, "status": "QUEUED"}
        return {"code": 200, "message": "success", "data": task | ({"task_id": generation_id} if generation_id else {})}

    async def answer(self, request: Request, generation: Generation) -> Response:
        """At once."""
        return json_answer(self.created(request, generation, generation.id))

    async def fetch(self, request: Request) -> Response:
        """The state of one task."""
        generation = self.world.find(f"cgt-{request.path_params['number']}", self.provider)
        if generation is None:
            raise Refusal(404, "not_found", "Task not found.")
        return await self.polled(request, generation)

    def state(
        self, request: Request, generation: Generation, status: str, *, url: bool = True, usd: bool = False
    ) -> dict[str, Any]:
        """A task as it was seen: the address stands where a reason would, and once more further inside."""
        done = status == "completed"
        address = clip_url(request, generation, self.world, encoded_slash=True) if done and url else None
        task = {
            "task_id": generation.id,
            "status": _WORDS.get(status, status),
            "progress": "100%" if done else "30%",
            "fail_reason": address or (_FAILURE if status == "error" else ""),
            "cost": {"total_cost": float(generation.order.usd) if done else 0.0},
            "data": {"content": {"video_url": address}} if address else None,
        }
        return {"code": "success", "message": "", "data": task}

    async def balance(self, request: Request) -> Response:
        """What is left to spend; the shape is a guess, for nobody documents it."""
        right = json_answer({"data": {"balance": float(self.world.balance_usd()), "currency": "USD"}})
        fault = self.world.faults.take("billing", self.provider, "/v1/balance")
        return right if fault is None else await struck(fault, self.problem, lambda: right)


class OneRouterFront(OneRouter):
    """Both ways. The queue's tasks are known by their ids, so its routes come first."""

    def routes(self) -> list[Route]:
        """All of them."""
        return [*OneRouterQueue(self.world).routes(), *super().routes()]


def _content(parts: list[Any]) -> tuple[str, str | None]:
    """Prompt and image address of `[{type: text, text}, {type: image_url, image_url: {url}}]`."""
    prompt, address = "", None
    for part in parts:
        match part:
            case {"type": "text", "text": str(text)}:
                prompt = text
            case {"type": "image_url", "image_url": {"url": str(url)}}:
                address = url
            case _:
                raise InvalidRequest("content: a text, or an image_url with its url")
    return prompt, address
