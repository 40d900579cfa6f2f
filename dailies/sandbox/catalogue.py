"""The AI/ML API's public list of models: what is served, at which price, and what is about to go.

OneRouter's list has the same path, at another host. Whoever asks without any filter, as its clients do, gets both.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import date
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dailies.sandbox.answers import Refusal, iso, json_answer, struck
from dailies.sandbox.api import Api
from dailies.sandbox.models import InvalidRequest, Model
from dailies.sandbox.world import World

_TYPE = "video-generation"


class Catalogue:
    """`/v1/models` and `/v1/models/deprecations`: no key needed, and both can be asked again by ETag."""

    def __init__(self, world: World, api: Api) -> None:
        self.world = world
        self.api = api

    def routes(self) -> list[Route]:
        """Both lists."""
        return [self._route("/v1/models", self.models), self._route("/v1/models/deprecations", self.deprecations)]

    def models(self, request: Request) -> Any:
        """The models still served, filtered as asked; an empty list means not served."""
        query = request.query_params
        sections = _listed(request, "include") | ({"all"} if query.get("details") in ("true", "1") else set())
        gone = {key for key, entry in list(self.world.deprecations.items()) if entry["status"] == "withdrawn"}
        data = [
            _entry(model, sections)
            for model in self.world.models["aiml"].values()
            if model.id not in gone and _wanted(model, request)
        ]
        if not query:
            data += [_routed(model) for model in self.world.models["onerouter"].values() if model.id not in gone]
        return {"object": "list", "data": data}

    def deprecations(self, request: Request) -> Any:
        """Models that are going or gone, newest first."""
        status, since = (request.query_params.get("status"), request.query_params.get("since"))
        if since is not None:
            _check_date(since)
        data = [
            entry
            for entry in reversed(list(self.world.deprecations.values()))
            if status in (None, entry["status"]) and (since is None or (entry["deprecated_at"] or "") >= since)
        ]
        return {"object": "list", "generated_at": iso(self.world.started_at), "data": data}

    def _route(self, path: str, read: Callable[[Request], Any]) -> Route:
        async def endpoint(request: Request) -> Response:
            try:
                if not self.world.admits():
                    raise Refusal(429, "TooManyRequestsError", "Too many requests.")
                right = _tagged(request, read(request))
            except Refusal as refusal:
                return self.api.problem(refusal.status, refusal.name, refusal.message)
            except InvalidRequest as error:
                return self.api.problem(400, "BadRequestError", str(error))
            fault = self.world.faults.take("models", "aiml", path, request.query_params.get("id", ""))
            return right if fault is None else await struck(fault, self.api.problem, lambda: right)

        return Route(path, endpoint, methods=["GET"])


def _tagged(request: Request, body: Any) -> Response:
    tag = f'"{hashlib.sha256(json.dumps(body).encode()).hexdigest()[:24]}"'
    known = {part.strip().removeprefix("W/") for part in request.headers.get("if-none-match", "").split(",")}
    if tag in known:
        return Response(status_code=304, headers={"etag": tag})
    return json_answer(body, headers={"etag": tag})


def _listed(request: Request, name: str) -> set[str]:
    return {part for value in request.query_params.getlist(name) for part in value.split(",") if part}


def _wanted(model: Model, request: Request) -> bool:
    ids, types = _listed(request, "id"), _listed(request, "type")
    tags, abilities = _listed(request, "tags"), _listed(request, "capabilities")
    inputs, outputs = (_listed(request, "input_modalities"), _listed(request, "output_modalities"))
    either = _listed(request, "modalities")
    return all(
        not asked or asked & offered
        for asked, offered in (
            (ids, {model.id, model.id.rpartition("/")[2]}),
            (types, {_TYPE}),
            (tags, {"playground:video"}),
            (abilities, {"image_to_video"}),
            (inputs, {"image", "text"}),
            (outputs, {"video"}),
            (either, {"image", "text", "video"}),
        )
    )


def _entry(model: Model, sections: set[str]) -> dict[str, Any]:
    developer, _, name = model.id.rpartition("/")
    entry: dict[str, Any] = {
        "id": model.id,
        "aliases": [name] if developer else [],
        "type": _TYPE,
        "info": {"name": name, "developer": developer or name},
        "tags": ["playground:video"],
    }
    extra = {
        "pricing": _pricing(model),
        "modalities": {"input": ["image", "text"], "output": ["video"]},
        "capabilities": ["image_to_video"],
    }
    return entry | {key: value for key, value in extra.items() if sections & {key, "all"}}


def _routed(model: Model) -> dict[str, Any]:
    """An entry of OneRouter's list, as it was seen: its own fields, in letters that are large at times."""
    seen = {"category_type": "Video", "is_display_only": False, "display_name": model.id.title()}
    return _entry(model, set()) | seen | {"input_modalities": ["TEXT", "image"], "output_modalities": ["Video"]}


def _pricing(model: Model) -> dict[str, Any]:
    rates = {key: {"price": float(usd), "unit": "second", "per": 1} for key, usd in model.usd_per_s.items()}
    if set(rates) == {""}:
        return {"kind": "fixed", "currency": "USD", "units": [rates[""]]}
    variants = [{"when": {"resolution": key}} | rate for key, rate in rates.items()]
    return {"kind": "variants", "currency": "USD", "dimensions": ["resolution"], "variants": variants}


def _check_date(text: str) -> None:
    try:
        date.fromisoformat(text)
    except ValueError:
        raise InvalidRequest("since: not a date") from None
