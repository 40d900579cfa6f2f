"""OpenRouter's video API: a job that is polled, a list of models that says all, and a webhook with the job's id."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
import string
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from dailies.sandbox.answers import Refusal, json_answer, struck
from dailies.sandbox.api import Api, json_object
from dailies.sandbox.files import URL_LIFE_S, Files, clip_url
from dailies.sandbox.models import InvalidRequest, Model, Size
from dailies.sandbox.pictures import load_image, measure
from dailies.sandbox.webhooks import Webhooks
from dailies.sandbox.world import Generation, Order, World

ROOT = "/openrouter"
_WORDS = {"queued": "pending", "generating": "in_progress", "error": "failed"}
_FAILURE = "The video could not be generated."
_LETTERS = string.ascii_letters + string.digits


class _Address(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    url: str = Field(pattern="^(https?://|data:image/)")


class _Frame(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    type: Literal["image_url"]
    image_url: _Address
    frame_type: Literal["first_frame", "last_frame"]


class _Reference(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    type: Literal["image_url"]
    image_url: _Address


class _Job(BaseModel):
    """What every job may say, whatever its model."""

    model_config = ConfigDict(extra="forbid", strict=True)

    frame_images: list[_Frame] = []
    input_references: list[_Reference] = []
    size: str | None = Field(default=None, pattern=r"^\d+x\d+$")
    callback_url: str | None = Field(default=None, pattern="^https?://")  # https there; the sandbox calls loopback
    provider: dict[str, Any] | None = None
    session_id: str | None = Field(default=None, max_length=256)
    user: str | None = None
    trace: dict[str, Any] | None = None


class OpenRouter(Api):
    """`/openrouter/videos…`, `/generation` and `/credits`."""

    provider = "openrouter"
    below = "/openrouter"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._files = Files(world)
        self._webhooks = Webhooks(world, self._signed)

    def routes(self) -> list[Route]:
        """The operations; the list of models needs no key."""
        acts = (
            ("/videos", "POST", self.create),
            ("/videos/{id}", "GET", self.fetch),
            ("/videos/{id}/content", "GET", self.content),
            ("/generation", "GET", self.generation),
            ("/credits", "GET", self.credits),
        )
        models = Route(f"{ROOT}/videos/models", self.listed, methods=["GET"])
        return [models, *(self._route(ROOT + path, method, act) for path, method, act in acts)]

    def problem(self, status: int, name: str, message: str) -> Response:
        """`{error{code, message}}`."""
        return json_answer({"error": {"code": status, "message": message}}, status)

    def key(self, request: Request) -> str:
        """Only `Bearer KEY` counts."""
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        return key.strip() if scheme.lower() == "bearer" else ""

    async def order(self, request: Request) -> Order:
        """Check the job's own fields and the model's, as its entry in the list has them."""
        body = await json_object(request)
        common = {name: body.pop(name) for name in _Job.model_fields if name in body}
        try:
            job = _Job.model_validate(common)
        except ValidationError as error:
            wrong = (f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_url=False))
            raise InvalidRequest("; ".join(wrong)) from None
        model = self.model(body.pop("model", None))
        wanted = model.checked(body)
        image, measured = await _first_frame(job)
        prompt, duration_s = wanted.get("prompt", ""), wanted["duration"]
        if "forbidden" in prompt.lower():
            raise Refusal(403, "moderation", "The prompt was flagged by content moderation.")
        return Order(
            provider=self.provider,
            model=model,
            prompt=prompt,
            size=_size(job, model, wanted, measured),
            duration_s=duration_s,
            usd=model.usd(wanted.get("resolution"), duration_s),
            audio=wanted.get("generate_audio", True),
            image=image,
            generation_id=f"gen-vid-{int(self.world.now().timestamp())}-{''.join(secrets.choice(_LETTERS) for _ in range(20))}",
            webhook=job.callback_url,
        )

    def out_of_credits(self) -> Refusal:
        """402."""
        return Refusal(402, "insufficient_credits", "Insufficient credits. Add more to continue.")

    def accepted(self, request: Request, generation: Generation) -> None:
        """Its webhook wraps what a look would show."""
        self._webhooks.expect(
            generation,
            lambda: self._told(self.state(request, generation, self.status(generation))),
            lambda: self._told(self.state(request, generation, "generating")),
        )

    def created(self, request: Request, generation: Generation, generation_id: str | None) -> dict[str, Any]:
        """`{id, polling_url, status}`; the address is relative, which is allowed."""
        named = {"id": generation_id, "polling_url": f"{ROOT}/videos/{generation_id}"} if generation_id else {}
        return named | {"status": "pending"}

    async def answer(self, request: Request, generation: Generation) -> Response:
        """202, at once."""
        return json_answer(self.created(request, generation, generation.id), 202)

    async def fetch(self, request: Request) -> Response:
        """The state of one job."""
        return await self.polled(request, self._job(request))

    async def content(self, request: Request) -> Response:
        """The clip itself, for whoever shows the key."""
        generation = self._job(request)
        if not self.world.ended(generation) or self.world.failed(generation):
            raise Refusal(409, "not_ready", "The video is not ready.")
        order = generation.order
        fault = self.world.faults.take("download", order.provider, order.prompt, generation.id, order.model.id)
        if fault is not None and fault.kind == "redirect":
            return RedirectResponse(fault.url)
        if fault is not None:
            return await struck(fault, self.problem, lambda: Response(status_code=500))
        return Response(await self._files.data(generation), media_type="video/mp4")

    async def generation(self, request: Request) -> Response:
        """What a generation cost, by its id."""
        generation = self.world.find(request.query_params.get("id", "").removeprefix("g-"), self.provider)
        if generation is None:
            raise Refusal(404, "not_found", "Generation not found.")
        usd = 0.0 if self.world.failed(generation) else float(generation.charged_usd)
        return json_answer({"data": {"id": f"g-{generation.id}", "total_cost": usd, "usage": usd, "is_byok": False}})

    async def credits(self, request: Request) -> Response:
        """What was paid in and what was used."""
        total = self.world.config.balance_usd
        used = total - self.world.balance_usd()
        right = json_answer({"data": {"total_credits": float(total), "total_usage": float(used)}})
        fault = self.world.faults.take("billing", self.provider, "/credits")
        return right if fault is None else await struck(fault, self.problem, lambda: right)

    async def listed(self, request: Request) -> Response:
        """Every model with what it takes and what it costs."""
        gone = {key for key, entry in list(self.world.deprecations.items()) if entry["status"] == "withdrawn"}
        data = [_entry(model) for model in self.world.models[self.provider].values() if model.id not in gone]
        right = json_answer({"data": data})
        fault = self.world.faults.take("models", self.provider, "/videos/models")
        return right if fault is None else await struck(fault, self.problem, lambda: right)

    def state(
        self, request: Request, generation: Generation, status: str, *, url: bool = True, usd: bool = False
    ) -> dict[str, Any]:
        """The job; done, with its cost and its addresses: signed ones only where a copy is kept."""
        body = self.created(request, generation, generation.id) | {"status": _WORDS.get(status, status)}
        if status == "error":
            body["error"] = _FAILURE
        if status == "completed":
            body |= {
                "generation_id": f"g-{generation.id}",
                "usage": {"cost": float(generation.order.usd), "is_byok": False},
            }
        if status == "completed" and url:
            here = str(request.base_url).rstrip("/")
            body["unsigned_urls"] = [f"{here}{ROOT}/videos/{generation.id}/content?index=0"]
            if self.world.config.openrouter_copies:
                body["urls"] = [clip_url(request, generation, self.world)]
                body["expires_at"] = int(self.world.now().timestamp() + URL_LIFE_S)
        return body

    def _told(self, job: dict[str, Any]) -> dict[str, Any]:
        names = ("id", "status", "generation_id", "unsigned_urls", "usage", "error")
        data = {name: job[name] for name in names if name in job}
        return {
            "type": f"video.generation.{job['status']}",
            "created_at": int(self.world.now().timestamp()),
            "data": data,
        }

    def _signed(self, body: bytes, at: datetime, forged: bool) -> Mapping[str, str]:
        moment = str(int(at.timestamp()))
        secret = "somebody else's" if forged else self.world.config.webhook_secret
        digest = hmac.new(secret.encode(), f"{moment},".encode() + body, hashlib.sha256).hexdigest()
        return {"X-OpenRouter-Signature": f"t={moment},v1={digest}"}

    def _job(self, request: Request) -> Generation:
        generation = self.world.find(request.path_params["id"], self.provider)
        if generation is None:
            raise Refusal(404, "not_found", "Job not found.")
        return generation

    def _route(self, path: str, method: str, act: Any) -> Route:
        async def endpoint(request: Request) -> Response:
            return await self.guarded(request, act)

        return Route(path, endpoint, methods=[method])


async def _first_frame(job: _Job) -> tuple[bytes | None, Size | None]:
    frames = [frame.image_url.url for frame in job.frame_images if frame.frame_type == "first_frame"]
    references = [] if job.frame_images else [reference.image_url.url for reference in job.input_references]
    first = next(iter([*frames, *references]), None)
    image = await load_image(first) if first else None
    return (image, await asyncio.to_thread(measure, image)) if image is not None else (None, None)


def _size(job: _Job, model: Model, wanted: Mapping[str, Any], image: Size | None) -> Size:
    if job.size:
        wide, high = map(int, job.size.split("x"))
        return wide, high
    return model.size(wanted.get("resolution"), wanted.get("aspect_ratio"), image)


def _entry(model: Model) -> dict[str, Any]:
    """A model of the list; a SKU of a resolution is named after it."""
    values = {name: spec.get("enum") for name, spec in model.fields.items()}
    skus = {f"per-video-second{f'-{name}' if name else ''}": str(usd) for name, usd in model.usd_per_s.items()}
    return {
        "id": model.id,
        "canonical_slug": model.id,
        "name": model.id.rpartition("/")[2],
        "created": 1_780_000_000,
        "supported_durations": values.get("duration"),
        "supported_resolutions": values.get("resolution"),
        "supported_aspect_ratios": values.get("aspect_ratio"),
        "supported_sizes": None,
        "supported_frame_images": ["first_frame"],
        "generate_audio": "generate_audio" in model.fields,
        "seed": "seed" in model.fields,
        "pricing_skus": skus,
        "allowed_passthrough_parameters": [],
        "upscale_factor": None,
        "creativity": None,
    }
