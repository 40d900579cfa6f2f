"""What all APIs do alike: let a request in, take an order, charge for it, answer, and spoil the answer on request."""

from __future__ import annotations

import asyncio
import json
import secrets
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from dailies.sandbox.answers import Refusal, broken, error_answer, json_answer, struck
from dailies.sandbox.faults import Fault
from dailies.sandbox.models import InvalidRequest, Model, load_models
from dailies.sandbox.wire import RawAnswer
from dailies.sandbox.world import Generation, KeyUsed, Order, OutOfCredits, World

ABSURD_ID = "x" * 10_000
_LATE_S = 5.0
_MAX_BODY_BYTES = 64 * 2**20


class Api(ABC):
    """One provider's API over a world."""

    provider: str
    below = ""
    """The path of its base address in the sandbox, where it is not the root."""
    invalid_status = 400
    encodes_slash = False
    """Whether the addresses of its clips hold an encoded slash, which the signature covers."""

    def __init__(self, world: World) -> None:
        self.world = world

    @abstractmethod
    def problem(self, status: int, name: str, message: str) -> Response:
        """An error in this API's own form."""

    @abstractmethod
    def key(self, request: Request) -> str:
        """The API key as the request carries it; empty if there is none in a form this API reads."""

    @abstractmethod
    async def order(self, request: Request) -> Order:
        """The order a valid create makes; Refusal or InvalidRequest for any other."""

    @abstractmethod
    def created(self, request: Request, generation: Generation, generation_id: str | None) -> dict[str, Any]:
        """The body of an accepted create under this id, or with no id at all."""

    @abstractmethod
    async def answer(self, request: Request, generation: Generation) -> Response:
        """The right answer to an accepted create."""

    @abstractmethod
    def state(
        self, request: Request, generation: Generation, status: str, *, url: bool = True, usd: bool = False
    ) -> dict[str, Any]:
        """The body of a poll in this status; without a URL, or with dollars in place of credits, if asked."""

    @classmethod
    def models(cls) -> Mapping[str, Model]:
        """Those of the data file that is called like the provider."""
        return load_models(f"{cls.provider}_models.json")

    @staticmethod
    def new_id(world: World, order: Order) -> str:
        """Of an order that came without one."""
        return secrets.token_hex(16)

    def status(self, generation: Generation) -> str:
        """queued, generating, completed or error; queued comes *after* the create's `generating`, as documented."""
        world = self.world
        if world.failed(generation):
            return "error"
        if world.ended(generation):
            return "completed"
        done = (world.now() - generation.at) / (generation.ends_at - generation.at)
        return "queued" if done < 0.3 else "generating"

    async def guarded(self, request: Request, act: Callable[[Request], Awaitable[Response]]) -> Response:
        """Run one operation behind the rate limit and the key; refusals become this API's errors."""
        try:
            self._let_in(request)
            return await act(request)
        except Refusal as refusal:
            return self.problem(refusal.status, refusal.name, refusal.message)
        except InvalidRequest as error:
            return self.problem(self.invalid_status, "BadRequestError", str(error))

    async def create(self, request: Request) -> Response:
        """The paid POST. Only a valid one meets a fault."""
        order = await self.order(request)
        fault = self.world.faults.take("create", self.provider, order.prompt, order.model.id)
        if fault is not None and fault.kind == "key_expired":
            self.world.forget_key(self.provider, order.key)
        if fault is None or fault.kind == "key_expired":
            return await self.answer(request, self.accept(request, order))
        if fault.kind in ("lost", "late", "same_id", "renamed_id") or fault.kind.startswith("charged_"):
            return await self._charged(fault, request, order)
        if fault.kind == "error_in_200":
            answer = error_answer(fault, fault.status or 502, self.problem)
            answer.status_code = 200
            return answer
        if fault.kind == "delay":
            await asyncio.sleep(fault.delay_s)
            return await self.answer(request, self.accept(request, order))
        return await struck(fault, self.problem, lambda: json_answer({}))

    def accept(self, request: Request, order: Order, again: bool = False) -> Generation:
        """Accept and charge, or refuse: for want of credits, or for a key that is used. `again` names the one before."""
        try:
            generation = self.world.accept_again(order) if again else self.world.accept(order)
        except OutOfCredits:
            raise self.out_of_credits() from None
        except KeyUsed:
            raise self.key_used() from None
        self.accepted(request, generation)
        return generation

    def accepted(self, request: Request, generation: Generation) -> None:  # noqa: B027 -- nothing, for most
        """What this API does once it has accepted an order."""

    def key_used(self) -> Refusal:
        """What this API says to a key of the caller's that stands for another order."""
        raise NotImplementedError

    @abstractmethod
    def out_of_credits(self) -> Refusal:
        """What this API says to an empty account."""

    async def polled(self, request: Request, generation: Generation) -> Response:
        """The answer to a poll of this generation."""
        order = generation.order
        fault = self.world.faults.take("poll", self.provider, order.prompt, generation.id, order.model.id)

        def right() -> Response:
            return self.shown(generation, self.state(request, generation, self.status(generation)))

        if fault is None:
            return right()
        body = self._misled(fault, request, generation)
        if body is None:
            return await struck(fault, self.problem, right)
        await asyncio.sleep(fault.delay_s)
        return self.shown(generation, body)

    def shown(self, generation: Generation, body: dict[str, Any]) -> Response:
        """The answer that holds the body of a poll."""
        return json_answer(body)

    def model(self, name: Any) -> Model:
        """The model of this name if it is still served; 404 otherwise."""
        if not isinstance(name, str):
            raise InvalidRequest("model: a string is required")
        model = self.world.models[self.provider].get(name)
        if model is None or self.world.deprecations.get(name, {}).get("status") == "withdrawn":
            raise Refusal(404, "NotFoundError", f"Model not found: {name[:200]}")
        return model

    def _let_in(self, request: Request) -> None:
        if not self.world.admits():
            raise Refusal(429, "TooManyRequestsError", "Too many requests.")
        key, known = self.key(request), self.world.config.api_keys
        if not key or (known and key not in known):
            raise Refusal(401, "AuthenticationError", "The API key is missing or wrong.")

    async def _charged(self, fault: Fault, request: Request, order: Order) -> Response:
        generation = self.accept(request, order, again=fault.kind == "same_id")
        await asyncio.sleep(fault.delay_s or (_LATE_S if fault.kind == "late" else 0))
        match fault.kind:
            case "lost":
                return RawAnswer(end=fault.end)
            case "charged_status":
                return error_answer(fault, fault.status or 500, self.problem)
            case "charged_no_id":
                return json_answer(self.created(request, generation, None))
            case "charged_absurd_id":
                return json_answer(self.created(request, generation, ABSURD_ID))
            case "renamed_id":
                body = self.created(request, generation, generation.id)
                return json_answer({"generation_id" if name == "id" else name: value for name, value in body.items()})
            case "late" | "same_id":
                return await self.answer(request, generation)
        return broken(fault.kind.removeprefix("charged_"), self.created(request, generation, generation.id))

    def _misled(self, fault: Fault, request: Request, generation: Generation) -> dict[str, Any] | None:
        match fault.kind:
            case "never":
                return self.state(request, generation, "generating")
            case "back":
                return self.state(request, generation, "queued")
            case "say":
                return self.state(request, generation, fault.say)
            case "unknown":
                return self.state(request, generation, "rehearsing")
            case "no_url":
                return self.state(request, generation, "completed", url=False)
            case "usd_spent":
                return self.state(request, generation, self.status(generation), usd=True)
            case "failed":
                self.world.fail(generation)
                return self.state(request, generation, "error")
        return None


async def json_object(request: Request) -> dict[str, Any]:
    """The request's JSON object; InvalidRequest for anything else, 413 for a body past 64 MiB."""
    value = await json_body(request)
    if not isinstance(value, dict):
        raise InvalidRequest("the body is not a JSON object")
    return value


async def json_body(request: Request) -> Any:
    """The request's JSON; InvalidRequest where it is none, 413 for a body past 64 MiB."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MAX_BODY_BYTES:
            raise Refusal(413, "PayloadTooLargeError", "The body is too large.")
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise InvalidRequest("the body is not JSON") from None
