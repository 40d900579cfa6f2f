"""fal's queue: a submit answers with the addresses of its request, and only these lead to it."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dailies.sandbox.answers import Refusal, json_answer, struck
from dailies.sandbox.api import Api, json_object
from dailies.sandbox.files import clip_url
from dailies.sandbox.models import InvalidRequest
from dailies.sandbox.pictures import load_image, measure
from dailies.sandbox.uploads import upload_slot
from dailies.sandbox.webhooks import Webhooks, new_uuid
from dailies.sandbox.world import Generation, Order

ROOT = "/fal"
SIGNING_KEY = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"dailies sandbox").digest())
"""Signs the webhooks; its public half is at `/.well-known/jwks.json`, in `fal_account.py`."""

_FORGED_KEY = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"somebody else").digest())
_WORDS = {"queued": "IN_QUEUE", "generating": "IN_PROGRESS", "completed": "COMPLETED", "error": "COMPLETED"}
_FAILURE = "The video could not be generated."
_DETAIL = {
    "msg": "The content was flagged by a content checker.",
    "type": "content_policy_violation",
    "loc": ["body", "prompt"],
}


class Fal(Api):
    """`POST /fal/OWNER/APP/PATH` and `/fal/OWNER/APP/requests/ID…`, below which the path's last part is dropped."""

    provider = "fal"
    below = "/fal"
    invalid_status = 422

    def __init__(self, world: Any) -> None:
        super().__init__(world)
        self._webhooks = Webhooks(world, signed)

    def routes(self) -> list[Route]:
        """The operations; an endpoint's own address comes last, for it may be anything."""
        request = "/{owner}/{app}/requests/{id}"
        acts = (
            ("/storage/upload/initiate", "POST", self.upload),
            (f"{request}/status", "GET", self.fetch),
            (f"{request}/cancel", "PUT", self.cancel),
            (request, "GET", self.result),
            ("/{endpoint:path}", "POST", self.create),
        )
        return [self._route(ROOT + path, method, act) for path, method, act in acts]

    def problem(self, status: int, name: str, message: str) -> Response:
        """`{detail}`: a list of what is wrong with the body, else a text."""
        wrong = [{"loc": ["body"], "msg": message, "type": "value_error"}]
        return json_answer({"detail": wrong if status == 422 else message}, status, {"x-fal-error-type": name})

    def key(self, request: Request) -> str:
        """`Key KEY`; of `Key ID:SECRET` the sandbox's keys are the whole, or the secret."""
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        if scheme != "Key":
            return ""
        return key.strip() if key.strip() in self.world.config.api_keys else key.strip().rpartition(":")[2]

    async def order(self, request: Request) -> Order:
        """Check the endpoint's own fields. Two equal submits are two requests: there is no key."""
        body, model = await json_object(request), self.model(request.path_params["endpoint"])
        wanted = model.checked(body)
        addresses = [wanted[name] for name in ("image_url", "start_image_url") if name in wanted]
        address = next(iter([*addresses, *wanted.get("image_urls", [])]), None)
        image = await load_image(address) if address else None
        measured = await asyncio.to_thread(measure, image) if image is not None else None
        duration_s = int(str(wanted["duration"]).rstrip("s"))
        return Order(
            provider=self.provider,
            model=model,
            prompt=wanted.get("prompt", ""),
            size=model.size(wanted.get("resolution"), wanted.get("aspect_ratio"), measured),
            duration_s=duration_s,
            usd=model.usd(wanted.get("resolution"), duration_s),
            audio=wanted.get("generate_audio", True),
            image=image,
            generation_id=new_uuid(),
            webhook=request.query_params.get("fal_webhook"),
            moderated="forbidden" in wanted.get("prompt", "").lower(),
            body=body,
        )

    def out_of_credits(self) -> Refusal:
        """402; the real one may say 403."""
        return Refusal(402, "insufficient_credits", "User is locked. Reason: exhausted balance.")

    def accepted(self, request: Request, generation: Generation) -> None:
        """Its webhook gets the result, or the reason why there is none."""
        self._webhooks.expect(
            generation,
            lambda: self._told(request, generation),
            lambda: {"request_id": generation.id, "status": "IN_PROGRESS", "payload": None},
        )

    def created(self, request: Request, generation: Generation, generation_id: str | None) -> dict[str, Any]:
        """The request's id and its three addresses."""
        links = _links(request, generation, generation_id) if generation_id else {}
        return {"status": "IN_QUEUE", "queue_position": 0} | links

    async def answer(self, request: Request, generation: Generation) -> Response:
        """At once."""
        return json_answer(self.created(request, generation, generation.id))

    async def fetch(self, request: Request) -> Response:
        """How the request stands; never the clip."""
        return await self.polled(request, self._request(request))

    def shown(self, generation: Generation, body: dict[str, Any]) -> Response:
        """202 while it goes on."""
        return json_answer(body, 202 if body["status"] in ("IN_QUEUE", "IN_PROGRESS") else 200)

    async def result(self, request: Request) -> Response:
        """What came of it. A failed request is 422 or 500 here, an unfinished one 400. Faults of `poll` strike here too."""
        generation = self._request(request)
        texts = (generation.order.prompt, generation.id, generation.order.model.id)
        fault = self.world.faults.take("poll", self.provider, *texts)
        if fault is not None and fault.kind in (
            "status",
            "busy",
            "html",
            "redirect",
            "close",
            "reset",
            "empty",
            "half",
            "delay",
        ):
            return await struck(fault, self.problem, lambda: self._result(request, generation))
        return self._result(request, generation, url=fault is None or fault.kind != "no_url")

    async def cancel(self, request: Request) -> Response:
        """What waits is stopped; what runs is asked to stop, finishes and costs all the same; what is done can't be."""
        generation = self._request(request)
        if self.world.ended(generation):
            raise Refusal(400, "already_completed", "ALREADY_COMPLETED")
        if self.status(generation) == "queued":
            self.world.cancel(generation)
        return json_answer({"status": "CANCELLATION_REQUESTED"}, 202)

    async def upload(self, request: Request) -> Response:
        """Where a file can be put, and where it can be read then."""
        wanted = await json_object(request)
        if not isinstance(wanted.get("content_type"), str):
            raise InvalidRequest("content_type: required")
        address = upload_slot(request, self.world)
        return json_answer({"upload_url": address, "file_url": address})

    def state(
        self, request: Request, generation: Generation, status: str, *, url: bool = True, usd: bool = False
    ) -> dict[str, Any]:
        """The status with the fields that the vendor's own client does not do without."""
        body: dict[str, Any] = {"status": _WORDS.get(status, status), "logs": []} | _links(
            request, generation, generation.id
        )
        if status == "queued":
            body["queue_position"] = 1
        if status in ("completed", "error"):
            body["metrics"] = {"inference_time": (generation.ends_at - generation.at).total_seconds()}
        if status == "error":
            kind = (
                "cancelled"
                if generation.cancelled
                else "content_policy_violation"
                if generation.order.moderated
                else "error"
            )
            words = {"cancelled": "The request was cancelled.", "content_policy_violation": _DETAIL["msg"]}.get(
                kind, _FAILURE
            )
            body |= {"error": words, "error_type": kind}
        return body

    def _result(self, request: Request, generation: Generation, url: bool = True) -> Response:
        if not self.world.ended(generation):
            return self.problem(400, "in_progress", "Request is still in progress")
        if self.world.failed(generation):
            if generation.order.moderated:
                return json_answer({"detail": [_DETAIL]}, 422, {"x-fal-error-type": "content_policy_violation"})
            return self.problem(500, "internal_error", _FAILURE)
        return json_answer(self.output(request, generation, url))

    def output(self, request: Request, generation: Generation, url: bool = True) -> dict[str, Any]:
        """The model's own answer; its address is public and unsigned."""
        address = clip_url(request, generation, self.world).partition("?")[0]
        clip = {"content_type": "video/mp4", "file_name": "output.mp4", "file_size": 1}
        return {"video": clip | ({"url": address} if url else {}), "seed": 42}

    def _told(self, request: Request, generation: Generation) -> dict[str, Any]:
        about = {"request_id": generation.id, "gateway_request_id": generation.id}
        if self.world.failed(generation):
            detail = [_DETAIL] if generation.order.moderated else _FAILURE
            return about | {"status": "ERROR", "error": str(_FAILURE), "payload": {"detail": detail}}
        return about | {"status": "OK", "payload": self.output(request, generation)}

    def _request(self, request: Request) -> Generation:
        """A request is known below its own owner and app only."""
        generation = self.world.find(request.path_params["id"], self.provider)
        here = f"{request.path_params['owner']}/{request.path_params['app']}"
        if generation is None or app_of(generation.order.model.id) != here:
            raise Refusal(404, "not_found", "Request not found.")
        return generation

    def _route(self, path: str, method: str, act: Any) -> Route:
        async def endpoint(request: Request) -> Response:
            return await self.guarded(request, act)

        return Route(path, endpoint, methods=[method])


def app_of(endpoint_id: str) -> str:
    """`OWNER/APP` of an endpoint."""
    return "/".join(endpoint_id.split("/")[:2])


def signed(body: bytes, at: datetime, forged: bool) -> Mapping[str, str]:
    """The headers of a webhook: Ed25519 over request id, user id, time and the body's digest, a line each."""
    request_id, user_id, moment = "req-sandbox", "user-sandbox", str(int(at.timestamp()))
    message = "\n".join((request_id, user_id, moment, hashlib.sha256(body).hexdigest()))
    return {
        "X-Fal-Webhook-Request-Id": request_id,
        "X-Fal-Webhook-User-Id": user_id,
        "X-Fal-Webhook-Timestamp": moment,
        "X-Fal-Webhook-Signature": (_FORGED_KEY if forged else SIGNING_KEY).sign(message.encode()).hex(),
    }


def _links(request: Request, generation: Generation, request_id: str) -> dict[str, Any]:
    base = f"{str(request.base_url).rstrip('/')}{ROOT}/{app_of(generation.order.model.id)}/requests/{request_id}"
    addresses = {"response_url": base, "status_url": f"{base}/status", "cancel_url": f"{base}/cancel"}
    return {"request_id": request_id, "gateway_request_id": request_id} | addresses
