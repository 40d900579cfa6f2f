"""Runware: every operation is a task in one array, POSTed to one address, under an id that the caller makes."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dailies.sandbox.answers import Refusal, json_answer
from dailies.sandbox.api import Api, json_body
from dailies.sandbox.files import clip_url
from dailies.sandbox.models import InvalidRequest, Model, Size
from dailies.sandbox.pictures import load_image, measure
from dailies.sandbox.webhooks import Webhooks
from dailies.sandbox.world import Generation, Order

_WORDS = {"generating": "processing", "completed": "success"}
_FREE = ("getResponse", "getTaskDetails", "authentication", "ping")
_UUID4 = r"^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-4[0-9a-fA-F]{3}-[89abAB][0-9a-fA-F]{3}-[0-9a-fA-F]{12}$"


class _Task(BaseModel):
    """What every paid task may say, whatever its model."""

    model_config = ConfigDict(extra="forbid", strict=True)

    taskType: Literal["videoInference"]  # noqa: N815 -- the API's own spelling, here and below
    taskUUID: str = Field(pattern=_UUID4)  # noqa: N815
    deliveryMethod: Literal["async"] = "async"  # noqa: N815
    includeCost: bool = False  # noqa: N815
    outputType: Literal["URL"] = "URL"  # noqa: N815
    outputFormat: Literal["MP4", "WEBM"] = "MP4"  # noqa: N815
    numberResults: Literal[1] = 1  # noqa: N815
    safety: dict[str, Any] | None = None
    ttl: int | None = Field(default=None, ge=60)
    webhookURL: str | None = Field(default=None, pattern="^https?://")  # noqa: N815


class Runware(Api):
    """`POST /runware`. A request holds free tasks, or one paid one: that much of the real array is enough here."""

    provider = "runware"
    below = "/runware"

    def __init__(self, world: Any) -> None:
        super().__init__(world)
        self._webhooks = Webhooks(world)

    def routes(self) -> list[Route]:
        """The one address."""

        async def tasks(request: Request) -> Response:
            return await self.guarded(request, self.act)

        return [Route("/runware", tasks, methods=["POST"])]

    async def guarded(self, request: Request, act: Any) -> Response:
        """Read the array first: its first task may hold the key."""
        try:
            request.state.tasks = await _tasks(request)
        except InvalidRequest as error:
            return self.problem(400, "invalidRequest", str(error))
        return await super().guarded(request, act)

    async def act(self, request: Request) -> Response:
        """Carry the array out."""
        tasks = [task for task in request.state.tasks if task["taskType"] != "authentication"]
        paid = [task for task in tasks if task["taskType"] not in _FREE]
        if paid:
            if len(tasks) > 1:
                raise InvalidRequest("the sandbox takes one paid task a request, alone")
            request.state.task = paid[0]
            return await self._create(request)
        if len(tasks) == 1 and tasks[0]["taskType"] == "getResponse":
            return await self._look(request, tasks[0])
        answers = [await self._free(request, task) for task in tasks]
        return json_answer(
            {key: [item for answer in answers for item in answer.get(key, [])] for key in ("data", "errors")}
        )

    def problem(self, status: int, name: str, message: str) -> Response:
        """`{errors: [{code, message}]}`; the task's id and type stand there where a task is meant."""
        return json_answer({"errors": [{"code": name, "message": message}]}, status)

    def key(self, request: Request) -> str:
        """`Bearer KEY`, or the key of the array's first task."""
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        first = request.state.tasks[0]
        named = first.get("apiKey") if first["taskType"] == "authentication" else None
        return key.strip() if scheme.lower() == "bearer" else str(named or "")

    async def order(self, request: Request) -> Order:
        """Check the task's own fields and the model's: what is not documented is an error."""
        body = dict(request.state.task)
        common = {name: body.pop(name) for name in _Task.model_fields if name in body}
        try:
            task = _Task.model_validate(common)
        except ValidationError as error:
            wrong = (f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_url=False))
            raise InvalidRequest("; ".join(wrong)) from None
        model = self.model(body.pop("model", None))
        wanted = model.checked(body)
        image, measured = await _first_frame(wanted)
        prompt = wanted.get("positivePrompt", "")
        if "forbidden" in prompt.lower():
            raise Refusal(400, "contentModeration", "The prompt was flagged by the content moderation.")
        return Order(
            provider=self.provider,
            model=model,
            prompt=prompt,
            size=_size(model, wanted, measured),
            duration_s=int(wanted["duration"]),
            usd=model.usd(wanted.get("resolution"), int(wanted["duration"])),
            image=image,
            client_request_id=task.taskUUID,
            fps=wanted.get("fps"),
            generation_id=task.taskUUID,
            key=task.taskUUID,
            webhook=task.webhookURL,
            body=request.state.task,
        )

    def out_of_credits(self) -> Refusal:
        """402."""
        return Refusal(402, "insufficientCredits", "The balance is not enough for this task.")

    def key_used(self) -> Refusal:
        """A taskUUID is taken once, whatever stands beside it."""
        return Refusal(400, "conflictTaskUUID", "A task with this taskUUID exists already.")

    def accepted(self, request: Request, generation: Generation) -> None:
        """Its webhook is told the result as a look would."""
        self._webhooks.expect(
            generation,
            lambda: self.state(request, generation, self.status(generation)),
            lambda: self.state(request, generation, "generating"),
        )

    def created(self, request: Request, generation: Generation, generation_id: str | None) -> dict[str, Any]:
        """An acknowledgement that repeats the task's id."""
        return {"data": [{"taskType": "videoInference"} | ({"taskUUID": generation_id} if generation_id else {})]}

    async def answer(self, request: Request, generation: Generation) -> Response:
        """At once."""
        return json_answer(self.created(request, generation, generation.id))

    def state(
        self, request: Request, generation: Generation, status: str, *, url: bool = True, usd: bool = False
    ) -> dict[str, Any]:
        """`data[]` with the status and the result, or `errors[]` for a task that failed. Its cost is there when asked for."""
        task = {"taskType": "videoInference", "taskUUID": generation.id}
        if status == "error":
            failure = {
                "code": "timeoutProvider",
                "message": "The provider failed to make the video.",
                "status": "error",
            }
            return {"data": [], "errors": [failure | task]}
        result: dict[str, Any] = task | {"status": _WORDS.get(status, status)}
        if status == "completed":
            result |= {"videoUUID": str(uuid.uuid5(uuid.NAMESPACE_URL, generation.id)), "seed": 42}
            if generation.order.body.get("includeCost"):
                result["cost"] = float(generation.order.usd)
            if url:
                life_s = generation.order.body.get("ttl") or 3600
                result["videoURL"] = clip_url(request, generation, self.world, life_s=life_s)
        return {"data": [result]}

    async def _create(self, request: Request) -> Response:
        task = request.state.task
        try:
            return await self.create(request)
        except Refusal as refusal:
            return _errors(refusal.status, refusal.name, refusal.message, task)
        except InvalidRequest as error:
            return _errors(400, "invalidParameter", str(error), task)

    async def _look(self, request: Request, task: dict[str, Any]) -> Response:
        generation = self._known(task)
        return (
            await self.polled(request, generation)
            if generation
            else json_answer({"data": [], "errors": [_unknown(task)]})
        )

    async def _free(self, request: Request, task: dict[str, Any]) -> dict[str, Any]:
        generation = self._known(task)
        match task["taskType"]:
            case "ping":
                return {"data": [{"taskType": "ping", "pong": True}]}
            case _ if generation is None:
                return {"errors": [_unknown(task)]}
            case "getResponse":
                return self.state(request, generation, self.status(generation))
        response = self.state(request, generation, self.status(generation))
        details = {"taskType": "getTaskDetails", "taskUUID": generation.id}
        return {"data": [details | {"request": [dict(generation.order.body)], "response": response}]}

    def _known(self, task: dict[str, Any]) -> Generation | None:
        """The task of this id, as long as the id is known: an id that was forgotten is nobody's."""
        return self.world.keyed(self.provider, str(task.get("taskUUID")))


async def _tasks(request: Request) -> list[dict[str, Any]]:
    tasks = await json_body(request)
    if not isinstance(tasks, list) or not tasks or not all(isinstance(task, dict) for task in tasks):
        raise InvalidRequest("the body is not an array of tasks")
    if not all(isinstance(task.get("taskType"), str) for task in tasks):
        raise InvalidRequest("taskType: required")
    return tasks


def _unknown(task: dict[str, Any]) -> dict[str, Any]:
    about = {name: task.get(name) for name in ("taskType", "taskUUID")}
    return {"code": "taskNotFound", "message": "No task with this taskUUID.", "parameter": "taskUUID"} | about


def _errors(status: int, code: str, message: str, task: dict[str, Any]) -> Response:
    about = {name: task.get(name) for name in ("taskType", "taskUUID")}
    return json_answer({"errors": [{"code": code, "message": message} | about]}, status)


async def _first_frame(wanted: dict[str, Any]) -> tuple[bytes | None, Size | None]:
    """The first of `frameImages: [{inputImage, frame}]`, or of a newer model's `inputs.frameImages: [{image, frame}]`."""
    frames = wanted.get("frameImages") or wanted.get("inputs", {}).get("frameImages") or []
    if not frames:
        return None, None
    first = frames[0]
    address = first.get("inputImage") or first.get("image") if isinstance(first, dict) else first
    if not isinstance(address, str):
        raise InvalidRequest("frameImages: inputImage is required")
    image = await load_image(address)
    return (image, await asyncio.to_thread(measure, image)) if image is not None else (None, None)


def _size(model: Model, wanted: dict[str, Any], image: Size | None) -> Size:
    if "width" in wanted and "height" in wanted:
        return wanted["width"], wanted["height"]
    return model.size(wanted.get("resolution"), None, image)
