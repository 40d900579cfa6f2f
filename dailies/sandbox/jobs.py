"""A front for providers whose creates answer with a job: what most of them have in common, to be changed where one differs."""

from __future__ import annotations

import asyncio
import hashlib
import json
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dailies.sandbox.answers import Refusal, json_answer
from dailies.sandbox.api import Api, json_object
from dailies.sandbox.files import clip_url
from dailies.sandbox.pictures import load_image, measure
from dailies.sandbox.world import Generation, Order


class Jobs(Api):
    """`POST /videos` with a bearer key gives `{id, status}`; `GET /videos/ID` gives `{id, status, url?, error?, usd?}`.

    With `key_header` the same request under the same key is the same job, and another one under it is refused with a 409.
    """

    image_field = "image_url"
    key_header: str | None = None
    path = "/videos"

    def routes(self) -> list[Route]:
        """Both operations, below the front's own path."""

        async def create(request: Request) -> Response:
            return await self.guarded(request, self.create)

        async def fetch(request: Request) -> Response:
            return await self.guarded(request, self.fetch)

        at = f"{self.below}{self.path}"
        return [Route(at, create, methods=["POST"]), Route(f"{at}/{{id}}", fetch, methods=["GET"])]

    def problem(self, status: int, name: str, message: str) -> Response:
        """`{error: {code, message}}`."""
        return json_answer({"error": {"code": name, "message": message}}, status)

    def key(self, request: Request) -> str:
        """`Bearer KEY`."""
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        return key.strip() if scheme.lower() == "bearer" else ""

    async def order(self, request: Request) -> Order:
        """The model's own fields, strictly."""
        body = await json_object(request)
        key = request.headers.get(self.key_header) if self.key_header else None
        whole = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
        model = self.model(body.pop("model", None))
        wanted = model.checked(body)
        prompt = str(wanted.get("prompt", ""))
        if "forbidden" in prompt.lower():
            raise Refusal(400, "moderation", "The prompt was rejected by the moderation system.")
        image = await load_image(wanted[self.image_field]) if self.image_field in wanted else None
        measured = await asyncio.to_thread(measure, image) if image is not None else None
        resolution, seconds = wanted.get("resolution"), int(wanted.get("duration", 5))
        return Order(
            provider=self.provider,
            model=model,
            prompt=prompt,
            size=model.size(resolution, wanted.get("aspect_ratio"), measured),
            duration_s=seconds,
            usd=model.usd(resolution, seconds),
            image=image,
            client_request_id=key,
            key=key,
            fingerprint=whole if key else None,
        )

    def out_of_credits(self) -> Refusal:
        """402."""
        return Refusal(402, "insufficient_credits", "There are not enough credits.")

    def key_used(self) -> Refusal:
        """The key stands for another request."""
        return Refusal(409, "key_reused", "This key was used with other parameters.")

    def created(self, request: Request, generation: Generation, generation_id: str | None) -> dict[str, Any]:
        """`{id, status}`."""
        return ({"id": generation_id} if generation_id else {}) | {"status": "queued"}

    async def answer(self, request: Request, generation: Generation) -> Response:
        """202, at once."""
        return json_answer(self.created(request, generation, generation.id), 202)

    async def fetch(self, request: Request) -> Response:
        """The state of one job."""
        generation = self.world.find(request.path_params["id"], self.provider)
        if generation is None:
            raise Refusal(404, "not_found", "There is no such job.")
        return await self.polled(request, generation)

    def state(
        self, request: Request, generation: Generation, status: str, *, url: bool = True, usd: bool = False
    ) -> dict[str, Any]:
        """`{id, status, url?, error?, cost?}`, with the cost once it is completed."""
        body: dict[str, Any] = {"id": generation.id, "status": status}
        if status == "error":
            body["error"] = {"code": "failed", "message": "The video could not be generated."}
        if status == "completed":
            body["usage"] = {"cost": float(generation.order.usd)}
            if url:
                body["url"] = clip_url(request, generation, self.world)
        return body
