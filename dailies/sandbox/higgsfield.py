"""Higgsfield: one address per model, a key of the caller's for what must not be made twice, and a price before buying."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from datetime import timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dailies.sandbox.answers import Refusal, iso, json_answer, struck
from dailies.sandbox.api import Api, json_object
from dailies.sandbox.files import clip_url
from dailies.sandbox.models import InvalidRequest, Model
from dailies.sandbox.pictures import load_image, measure
from dailies.sandbox.uploads import upload_slot
from dailies.sandbox.webhooks import Webhooks, new_uuid
from dailies.sandbox.world import Generation, Order

ROOT = "/higgsfield"
KEPT = timedelta(days=7)
_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_WORDS = {"generating": "in_progress", "error": "failed"}
_CREDITS_PER_USD = 16


class Higgsfield(Api):
    """`POST /higgsfield/ENDPOINT`, its requests, the estimate and the upload."""

    provider = "higgsfield"
    below = "/higgsfield"
    invalid_status = 422

    def __init__(self, world: Any) -> None:
        super().__init__(world)
        self._webhooks = Webhooks(world)
        self._deleted: set[str] = set()

    def routes(self) -> list[Route]:
        """The operations; a model's own address comes last, for it may be anything."""
        acts = (
            ("/requests/{id}/status", "GET", self.fetch),
            ("/requests/{id}/cancel", "POST", self.cancel),
            ("/requests/{id}", "DELETE", self.delete),
            ("/estimate/{endpoint:path}", "POST", self.estimate),
            ("/files/generate-upload-url", "POST", self.upload),
            ("/{endpoint:path}", "POST", self.create),
        )
        return [self._route(ROOT + path, method, act) for path, method, act in acts]

    def problem(self, status: int, name: str, message: str) -> Response:
        """`{detail}`, as the vendor's own client reads it."""
        return json_answer({"detail": message}, status)

    def key(self, request: Request) -> str:
        """`Key ID:SECRET`; the sandbox's keys are the whole of it, or the secret."""
        scheme, _, pair = request.headers.get("authorization", "").partition(" ")
        _, colon, secret = pair.strip().partition(":")
        if scheme != "Key" or not colon or not secret:
            return ""
        return pair.strip() if pair.strip() in self.world.config.api_keys else secret

    async def order(self, request: Request) -> Order:
        """Check the model's fields; the key names the intent, and its fingerprint is the request without its headers."""
        key = request.headers.get("idempotency-key")
        if key is not None and not _KEY.fullmatch(key):
            raise InvalidRequest("Idempotency-Key: 1 to 255 visible ASCII characters")
        body, webhook = await json_object(request), request.query_params.get("hf_webhook")
        endpoint = request.path_params["endpoint"]
        model, wanted = self._checked(endpoint, body)
        image = await load_image(wanted["image_url"]) if "image_url" in wanted else None
        measured = await asyncio.to_thread(measure, image) if image is not None else None
        whole = json.dumps([endpoint, body, webhook], sort_keys=True)
        return Order(
            provider=self.provider,
            model=model,
            prompt=wanted.get("prompt", ""),
            size=model.size(wanted.get("resolution"), wanted.get("aspect_ratio"), measured),
            duration_s=wanted["duration"],
            usd=model.usd(wanted.get("resolution"), wanted["duration"]),
            image=image,
            client_request_id=key,
            generation_id=new_uuid(),
            key=key,
            fingerprint=hashlib.sha256(whole.encode()).hexdigest(),
            webhook=webhook,
            moderated="forbidden" in wanted.get("prompt", "").lower(),
        )

    def out_of_credits(self) -> Refusal:
        """Not documented: 402, as a word for it."""
        return Refusal(402, "InsufficientCredits", "Not enough credits for this request.")

    def key_used(self) -> Refusal:
        """The key is another request's."""
        return Refusal(422, "IdempotencyKeyReused", "This Idempotency-Key was used with other parameters.")

    def accepted(self, request: Request, generation: Generation) -> None:
        """Its webhook gets the status as a look would show it."""
        self._webhooks.expect(
            generation,
            lambda: self.state(request, generation, self.status(generation)),
            lambda: self.state(request, generation, "generating"),
        )

    def created(self, request: Request, generation: Generation, generation_id: str | None) -> dict[str, Any]:
        """`{status, request_id, status_url, cancel_url}`."""
        return {"status": "queued"} | (_links(request, generation_id) if generation_id else {})

    async def answer(self, request: Request, generation: Generation) -> Response:
        """At once; the same for the first request under a key and for every later one."""
        return json_answer(self.created(request, generation, generation.id))

    async def fetch(self, request: Request) -> Response:
        """The state of one request."""
        return await self.polled(request, self._request(request))

    async def cancel(self, request: Request) -> Response:
        """Only what is still queued can be stopped; its credits come back."""
        generation = self._request(request)
        if self.status(generation) != "queued":
            raise Refusal(400, "NotCancellable", "Only a queued request can be cancelled.")
        self.world.cancel(generation)
        return json_answer({}, 202)

    async def delete(self, request: Request) -> Response:
        """A finished request goes at once."""
        generation = self._request(request)
        if not self.world.ended(generation):
            raise Refusal(400, "NotFinished", "Only a finished request can be deleted.")
        self._deleted.add(generation.id)
        return Response(status_code=204)

    async def estimate(self, request: Request) -> Response:
        """What the same create would cost this account."""
        model, wanted = self._checked(request.path_params["endpoint"], await json_object(request))
        usd = model.usd(wanted.get("resolution"), wanted["duration"])
        right = json_answer({"credits": f"{usd * _CREDITS_PER_USD:.3f}", "usd": f"{usd:.3f}"})
        fault = self.world.faults.take("billing", self.provider, "/estimate", model.id)
        return right if fault is None else await struck(fault, self.problem, lambda: right)

    async def upload(self, request: Request) -> Response:
        """Where a file can be put, and where it can be read then."""
        content_type = (await json_object(request)).get("content_type")
        if not isinstance(content_type, str):
            raise InvalidRequest("content_type: required")
        address = upload_slot(request, self.world)
        return json_answer(
            {"public_url": address, "upload_url": address, "upload_headers": {"content-type": content_type}}
        )

    def state(
        self, request: Request, generation: Generation, status: str, *, url: bool = True, usd: bool = False
    ) -> dict[str, Any]:
        """`{status, request_id, status_url, cancel_url, video?, error?, expires_at?}`; what it cost is not in it."""
        word = _WORDS.get(status, status)
        if status == "error":
            word = "canceled" if generation.cancelled else "nsfw" if generation.order.moderated else "failed"
        body: dict[str, Any] = {"status": word} | _links(request, generation.id)
        if status == "error" and word == "failed":
            body["error"] = "The video could not be generated."
        if status == "completed":
            body["expires_at"] = iso(generation.ends_at + KEPT)
            if url:
                body["video"] = {"url": clip_url(request, generation, self.world, life_s=KEPT.total_seconds())}
        return body

    def _checked(self, endpoint: str, body: dict[str, Any]) -> tuple[Model, dict[str, Any]]:
        model = self.model(endpoint)
        wanted = model.checked(body)
        if str(wanted.get("image_url", "")).startswith("data:"):
            raise InvalidRequest("image_url: an address is needed; files go by the upload")
        return model, wanted

    def _request(self, request: Request) -> Generation:
        generation = self.world.find(request.path_params["id"], self.provider)
        if generation is None or generation.id in self._deleted:
            raise Refusal(404, "NotFound", "Request not found.")
        return generation

    def _route(self, path: str, method: str, act: Any) -> Route:
        async def endpoint(request: Request) -> Response:
            return await self.guarded(request, act)

        return Route(path, endpoint, methods=[method])


def _links(request: Request, request_id: str) -> dict[str, Any]:
    base = f"{str(request.base_url).rstrip('/')}{ROOT}/requests/{request_id}"
    return {"request_id": request_id, "status_url": f"{base}/status", "cancel_url": f"{base}/cancel"}
