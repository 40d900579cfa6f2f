"""fal's platform: the history of requests, what each of them cost, prices, the balance, and the webhooks' public key."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dailies.sandbox.account import number
from dailies.sandbox.answers import iso, json_answer, struck
from dailies.sandbox.fal import ROOT, SIGNING_KEY, Fal
from dailies.sandbox.faults import Fault, Where
from dailies.sandbox.models import InvalidRequest
from dailies.sandbox.world import Generation, World

_BILLED_DAYS = 90


class FalFront(Fal):
    """The queue, and the rest of the platform."""

    def routes(self) -> list[Route]:
        """All of it; the queue's own come last, for an endpoint's address may be anything."""
        return [*FalAccount(self.world, self).routes(), *super().routes()]


class FalAccount:
    """What stands at other hosts of fal's, here below the same address."""

    def __init__(self, world: World, api: Fal) -> None:
        self.world = world
        self.api = api

    def routes(self) -> list[Route]:
        """The free questions. The public key needs no key."""
        return [
            self._route("/v1/models/requests/by-endpoint", "history", self.history),
            self._route("/v1/models/billing-events", "billing", self.billing_events),
            self._route("/v1/models/pricing", "models", self.pricing),
            self._route("/v1/account/billing", "billing", self.balance),
            Route(f"{ROOT}/.well-known/jwks.json", self.keys, methods=["GET"]),
        ]

    def history(self, request: Request, fault: Fault | None) -> Any:
        """Requests of one endpoint in a window of time, the newest first; `expand=payloads` shows what was asked for."""
        query = request.query_params
        endpoint, start, end = query.get("endpoint_id"), _moment(query, "start"), _moment(query, "end")
        if not endpoint:
            raise InvalidRequest("endpoint_id: required")
        limit, first = (
            number(query.get("limit"), "limit", 50, 1, 100),
            number(query.get("cursor"), "cursor", 0, 0, 10**9),
        )
        found = [g for g in self._mine(endpoint) if (not start or g.at >= start) and (not end or g.at <= end)]
        if fault is not None and fault.kind == "missing":
            found = found[1:]
        items = [self._item(request, g, g.id, query.get("expand") == "payloads") for g in found]
        if fault is not None and fault.kind == "ambiguous":
            items += [item | {"request_id": str(uuid.uuid4())} for item in items]
        page = items[first : first + limit]
        more = first + len(page) < len(items)
        return {"items": page, "next_cursor": str(first + len(page)) if more else None, "has_more": more}

    def billing_events(self, request: Request, fault: Fault | None) -> Any:
        """What successful requests cost, once it is posted."""
        query = request.query_params
        start, end = _moment(query, "start"), _moment(query, "end")
        if start and end and end - start > timedelta(days=_BILLED_DAYS):
            raise InvalidRequest(f"end: at most {_BILLED_DAYS} days after start")
        asked = set(query.getlist("request_id"))
        rows = [
            _billed(g)
            for g in self._mine(query.get("endpoint_id"))
            if self._posted(g)
            and (not start or g.at >= start)
            and (not end or g.at <= end)
            and (not asked or g.id in asked)
        ]
        return {"billing_events": rows, "next_cursor": None, "has_more": False}

    def pricing(self, request: Request, fault: Fault | None) -> Any:
        """The unit price of the endpoints asked for; the dearest resolution's where there are several."""
        asked = {part for value in request.query_params.getlist("endpoint_id") for part in value.split(",") if part}
        models = [model for model in self.world.models["fal"].values() if model.id in asked]
        prices = [
            {"endpoint_id": m.id, "unit_price": float(max(m.usd_per_s.values())), "unit": "seconds", "currency": "USD"}
            for m in models
            if self.world.deprecations.get(m.id, {}).get("status") != "withdrawn"
        ]
        return {"prices": prices, "next_cursor": None, "has_more": False}

    def balance(self, request: Request, fault: Fault | None) -> Any:
        """What is left to spend."""
        return {
            "username": "sandbox",
            "credits": {"current_balance": float(self.world.balance_usd()), "currency": "USD"},
        }

    async def keys(self, request: Request) -> Response:
        """The webhooks' public key, as a set of keys."""
        raw = SIGNING_KEY.public_key().public_bytes_raw()
        x = base64.urlsafe_b64encode(raw).decode().rstrip("=")
        return json_answer(
            {"keys": [{"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": "sandbox", "x": x}]}
        )

    def _route(self, path: str, where: Where, read: Callable[[Request, Fault | None], Any]) -> Route:
        async def act(request: Request) -> Response:
            fault = self.world.faults.take(where, "fal", path)
            right = json_answer(read(request, fault))
            plain = fault is None or fault.kind in ("missing", "ambiguous")
            return right if fault is None or plain else await struck(fault, self.api.problem, lambda: right)

        async def endpoint(request: Request) -> Response:
            return await self.api.guarded(request, act)

        return Route(ROOT + path, endpoint, methods=["GET"])

    def _mine(self, endpoint: str | None) -> list[Generation]:
        mine = [g for g in self.world.listed() if g.order.provider == "fal" and endpoint in (None, g.order.model.id)]
        return sorted(mine, key=lambda g: g.at, reverse=True)

    def _posted(self, generation: Generation) -> bool:
        posted_at = generation.ends_at + timedelta(seconds=self.world.config.billing_delay_s)
        return not generation.fails and posted_at <= self.world.now()

    def _item(self, request: Request, generation: Generation, request_id: str, payloads: bool) -> dict[str, Any]:
        ended, failed = self.world.ended(generation), self.world.failed(generation)
        item: dict[str, Any] = {
            "request_id": request_id,
            "endpoint_id": generation.order.model.id,
            "sent_at": iso(generation.at),
            "started_at": iso(generation.at),
            "ended_at": iso(generation.ends_at) if ended else None,
            "status_code": (500 if failed else 200) if ended else None,
            "duration": (generation.ends_at - generation.at).total_seconds() if ended else None,
        }
        if payloads:
            output = self.api.output(request, generation) if ended and not failed else None
            item |= {"json_input": dict(generation.order.body), "json_output": output}
        return item


def _billed(generation: Generation) -> dict[str, Any]:
    usd, seconds = generation.charged_usd, generation.order.duration_s
    return {
        "request_id": generation.id,
        "timestamp": iso(generation.ends_at),
        "endpoint_id": generation.order.model.id,
        "output_units": seconds,
        "unit_price": float(generation.order.usd / seconds),
        "cost_subtotal": float(usd),
        "cost_discount": 0.0,
        "cost_total": float(usd),
        "cost_estimate_nano_usd": int(usd * Decimal(10**9)),
    }


def _moment(query: Any, name: str) -> datetime | None:
    text = query.get(name)
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidRequest(f"{name}: not ISO-8601") from None
    if moment.tzinfo is None:
        raise InvalidRequest(f"{name}: needs an offset")
    return moment
