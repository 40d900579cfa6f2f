"""`/sandbox/…`: everything the `Sandbox` class offers, over HTTP, so that another process can drive it."""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dailies.sandbox.answers import Refusal, iso, json_answer
from dailies.sandbox.api import json_object
from dailies.sandbox.faults import Fault
from dailies.sandbox.files import Files
from dailies.sandbox.fronts import Front
from dailies.sandbox.models import InvalidRequest
from dailies.sandbox.world import Generation, World


class Retirement(BaseModel):
    """A model that is going (`deprecated`, `superseded`: still served) or gone (`withdrawn`)."""

    model_config = ConfigDict(extra="forbid")

    id: str
    status: Literal["deprecated", "superseded", "withdrawn"] = "withdrawn"
    shutdown_at: str | None = None
    replaced_by: str | None = None


class Repricing(BaseModel):
    """A new price in USD per second: for one resolution, or for all."""

    model_config = ConfigDict(extra="forbid")

    id: str
    usd_per_s: Decimal = Field(ge=0)
    resolution: str | None = None


def retire(world: World, retirement: Retirement) -> None:
    """List a model as going or gone; it need not be one the sandbox knows."""
    world.deprecations[retirement.id] = {
        "id": retirement.id,
        "aliases": [],
        "status": retirement.status,
        "deprecated_at": world.now().date().isoformat(),
        "shutdown_at": retirement.shutdown_at,
        "replaced_by": retirement.replaced_by,
        "reason": "provider_delisted",
    }


def reprice(world: World, repricing: Repricing) -> None:
    """Change what a model costs from now on; ValueError for one the sandbox doesn't know."""
    known = [models for models in world.models.values() if repricing.id in models]
    if not known:
        raise ValueError(f"no model {repricing.id!r}")
    for models in known:
        models[repricing.id] = models[repricing.id].priced(repricing.usd_per_s, repricing.resolution)


class Control:
    """The routes. They need no key: the sandbox listens on loopback and holds nothing of value."""

    def __init__(self, world: World, files: Files, fronts: Mapping[str, Front]) -> None:
        self.world = world
        self.files = files
        self._fronts = fronts

    def routes(self) -> list[Route]:
        """All of them."""
        return [
            _route("/sandbox/health", "GET", self.health),
            _route("/sandbox/charges", "GET", self.charges),
            _route("/sandbox/requests", "GET", self.requests),
            _route("/sandbox/generations", "GET", self.generations),
            _route("/sandbox/clip", "GET", self.clip),
            _route("/sandbox/faults", "GET", self.faults),
            _route("/sandbox/faults", "POST", self.add_fault),
            _route("/sandbox/faults", "DELETE", self.clear_faults),
            _route("/sandbox/reset", "POST", self.reset),
            _route("/sandbox/withdraw", "POST", self.withdraw),
            _route("/sandbox/deprecate", "POST", self.deprecate),
            _route("/sandbox/price", "POST", self.price),
        ]

    async def health(self, request: Request) -> Response:
        """Alive."""
        return json_answer({"status": "ok", "since": iso(self.world.started_at)})

    async def charges(self, request: Request) -> Response:
        """The sandbox's own list of charges; USD as text, so no cent is lost."""
        return json_answer([_plain(dataclasses.asdict(charge)) for charge in self.world.charges()])

    async def requests(self, request: Request) -> Response:
        """Every request but those to `/sandbox`."""
        return json_answer([_plain(dataclasses.asdict(seen)) for seen in self.world.requests()])

    async def generations(self, request: Request) -> Response:
        """Every generation with its state and the size of its clip."""
        return json_answer([self._described(generation) for generation in self.world.listed()])

    async def clip(self, request: Request) -> Response:
        """The true bytes of `?generation_id=`'s clip, whatever faults lie in wait for its download."""
        generation = self.world.generations.get(request.query_params.get("generation_id", ""))
        if generation is None:
            raise Refusal(404, "NotFound", "no such generation")
        return Response(await self.files.data(generation), media_type="video/mp4")

    async def faults(self, request: Request) -> Response:
        """The faults still to come."""
        return json_answer(self.world.faults.pending())

    async def add_fault(self, request: Request) -> Response:
        """One more fault."""
        self.world.faults.add(Fault.model_validate(await json_object(request)))
        return json_answer(self.world.faults.pending(), 201)

    async def clear_faults(self, request: Request) -> Response:
        """No more faults."""
        self.world.faults.clear()
        return Response(status_code=204)

    async def reset(self, request: Request) -> Response:
        """Everything as at the start."""
        self.world.reset()
        return Response(status_code=204)

    async def withdraw(self, request: Request) -> Response:
        """A model goes: creates get 404, the list leaves it out."""
        return self._retired(await json_object(request) | {"status": "withdrawn"})

    async def deprecate(self, request: Request) -> Response:
        """A model's end is announced; it is still served."""
        return self._retired({"status": "deprecated"} | await json_object(request))

    async def price(self, request: Request) -> Response:
        """A model's price changes."""
        reprice(self.world, Repricing.model_validate(await json_object(request)))
        return Response(status_code=204)

    def _retired(self, body: dict[str, Any]) -> Response:
        retire(self.world, Retirement.model_validate(body))
        return Response(status_code=204)

    def _described(self, generation: Generation) -> dict[str, Any]:
        order = generation.order
        return {
            "id": generation.id,
            "provider": order.provider,
            "model": order.model.id,
            "prompt": order.prompt,
            "status": self._fronts[order.provider].status(generation),
            "width": order.size[0],
            "height": order.size[1],
            "duration_s": order.duration_s,
            "usd": str(order.usd),
            "client_request_id": order.client_request_id,
            "at": iso(generation.at),
            "ends_at": iso(generation.ends_at),
        }


def _route(path: str, method: str, act: Callable[[Request], Awaitable[Response]]) -> Route:
    async def endpoint(request: Request) -> Response:
        try:
            return await act(request)
        except (ValidationError, InvalidRequest, ValueError) as error:
            return json_answer({"error": str(error)}, 400)
        except Refusal as refusal:
            return json_answer({"error": refusal.message}, refusal.status)

    return Route(path, endpoint, methods=[method])


def _plain(record: dict[str, Any]) -> dict[str, Any]:
    return {key: _text(value) for key, value in record.items()}


def _text(value: Any) -> Any:
    if isinstance(value, datetime):
        return iso(value)
    return str(value) if isinstance(value, Decimal) else value
