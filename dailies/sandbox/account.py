"""The AI/ML API's account: finished requests, the balance and what moved it."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dailies.sandbox.answers import Refusal, iso, json_answer, struck
from dailies.sandbox.api import Api
from dailies.sandbox.faults import Where
from dailies.sandbox.models import InvalidRequest
from dailies.sandbox.world import Generation, World, credits_of

_MAX_WINDOW = timedelta(days=92)
_DEFAULT_LIMIT = 50
_PERIOD = re.compile(r"([1-9]\d{0,4})([hd])")
_TYPES = {"PAYMENT", "BONUS", "REFUND", "ADJUSTMENT", "MODEL_USAGE", "CREDITS_EXPIRED", "INIT"}


class Account:
    """`/v2/logs`, `/v2/billing` and `/v2/billing/transactions`; keys and errors are those of the video API."""

    def __init__(self, world: World, api: Api) -> None:
        self.world = world
        self.api = api

    def routes(self) -> list[Route]:
        """The three operations, each behind the key and its faults."""
        return [
            self._route("/v2/logs", "logs", self.logs),
            self._route("/v2/billing", "billing", self.balance),
            self._route("/v2/billing/transactions", "billing", self.transactions),
        ]

    def logs(self, request: Request) -> Response:
        """Finished requests, newest first."""
        query = request.query_params
        start, end = self._window(request)
        limit, offset = (number(query.get("limit"), "limit", _DEFAULT_LIMIT, 1, 100), _offset(query.get("offset")))
        models, statuses = query.getlist("model"), query.getlist("status")
        if not set(statuses) <= {"succeeded", "failed"}:
            raise InvalidRequest("status: succeeded or failed")
        if not self.api.key(request).startswith(query.get("key_prefix", "")):
            raise Refusal(403, "ForbiddenError", "Another key's requests need a management key.")
        rows = [
            row
            for generation in self._finished()
            if start <= generation.at <= end
            for row in [_log_row(generation)]
            if (not statuses or row["status"] in statuses)
            and (not models or row["model"] in models or row["model"].rpartition("/")[2] in models)
        ]
        page, total = rows[offset : offset + limit], len(rows)
        more = offset + len(page) < total
        pagination = {"limit": limit, "offset": offset, "total": total, "has_more": more}
        return json_answer({"data": page, "pagination": pagination})

    def balance(self, request: Request) -> Response:
        """The balance in USD, as far as charges are posted."""
        spent = sum(generation.charged_usd for generation in self._posted())
        return json_answer({"current_balance": float(self.world.config.balance_usd - spent), "currency": "USD"})

    def transactions(self, request: Request) -> Response:
        """Every movement, newest first; a charge appears only `billing_delay_s` after its clip was completed."""
        query = request.query_params
        since, until = (_moment(query.get("from"), "from"), _moment(query.get("to"), "to"))
        if since and until and until <= since:
            raise InvalidRequest("to: must be later than from")
        direction, kind = query.get("direction"), query.get("type")
        if direction not in (None, "TOPUP", "CHARGE") or kind not in _TYPES | {None}:
            raise InvalidRequest("direction or type: not one of the documented values")
        limit = number(query.get("limit"), "limit", _DEFAULT_LIMIT, 1, 100)
        after = _position(query.get("cursor"))
        rows = [
            row
            for row in sorted(self._movements(), key=_place, reverse=True)
            if (direction in (None, row["direction"]) and kind in (None, row["type"]))
            and (since is None or row["created_at"] >= iso(since))
            and (until is None or row["created_at"] < iso(until))
            and (after is None or _place(row) < after)
        ]
        page, more = rows[:limit], len(rows) > limit
        cursor = _cursor(page[-1]) if more else None
        return json_answer({"data": page, "pagination": {"next_cursor": cursor, "has_more": more}})

    def _route(self, path: str, where: Where, read: Callable[[Request], Response]) -> Route:
        async def act(request: Request) -> Response:
            right = read(request)
            fault = self.world.faults.take(where, self.api.provider, path)
            return right if fault is None else await struck(fault, self.api.problem, lambda: right)

        async def endpoint(request: Request) -> Response:
            return await self.api.guarded(request, act)

        return Route(path, endpoint, methods=["GET"])

    def _finished(self) -> list[Generation]:
        mine = [g for g in self.world.listed() if g.order.provider == self.api.provider and self.world.ended(g)]
        return sorted(mine, key=lambda g: g.at, reverse=True)

    def _posted(self) -> list[Generation]:
        return [g for g in self._finished() if not g.fails and self._posted_at(g) <= self.world.now()]

    def _posted_at(self, generation: Generation) -> datetime:
        return generation.ends_at + timedelta(seconds=self.world.config.billing_delay_s)

    def _movements(self) -> list[dict[str, Any]]:
        first = _movement(self.world.started_at, "TOPUP", "INIT", self.world.config.balance_usd, None, None)
        return [first] + [
            _movement(self._posted_at(g), "CHARGE", "MODEL_USAGE", g.charged_usd, g.order.model.id, g.id)
            for g in self._posted()
        ]

    def _window(self, request: Request) -> tuple[datetime, datetime]:
        query, now = request.query_params, self.world.now()
        period, start, end = query.get("period"), query.get("start"), query.get("end")
        if period is not None and (start is not None or end is not None):
            raise InvalidRequest("period: give either period or both start and end")
        if (start is None) != (end is None):
            raise InvalidRequest("start, end: must be used together")
        if period is not None:
            return now - _period(period), now
        first, last = (_moment(start, "start", naive=True), _moment(end, "end", naive=True))
        if first is None or last is None:
            return now - _MAX_WINDOW, now
        if last < first or last - first > _MAX_WINDOW:
            raise InvalidRequest("end: must not be earlier than start, nor more than 92 days later")
        return first, last


def number(text: str | None, name: str, default: int, least: int, most: int) -> int:
    """A whole number of a query within its bounds; InvalidRequest otherwise."""
    if text is None:
        return default
    if not text.isascii() or not text.isdigit() or len(text) > 9 or not least <= int(text) <= most:
        raise InvalidRequest(f"{name}: an integer from {least} to {most}")
    return int(text)


def _offset(text: str | None) -> int:
    return number(text, "offset", 0, 0, 10**9)


def _period(text: str) -> timedelta:
    match = _PERIOD.fullmatch(text)
    period = timedelta(**{{"h": "hours", "d": "days"}[match[2]]: int(match[1])}) if match else None
    if period is None or period > _MAX_WINDOW:
        raise InvalidRequest("period: a positive integer and h or d, at most 92 days")
    return period


def _moment(text: str | None, name: str, *, naive: bool = False) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidRequest(f"{name}: not ISO-8601") from None
    if moment.tzinfo is None and not naive:
        raise InvalidRequest(f"{name}: needs an offset")
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def _log_row(generation: Generation) -> dict[str, Any]:
    usd = 0 if generation.fails else generation.charged_usd
    return {
        "created": iso(generation.at),
        "status": "failed" if generation.fails else "succeeded",
        "origin": "api",
        "model": generation.order.model.id,
        "cost": {"usd": float(usd), "credits": 0 if generation.fails else credits_of(generation.charged_usd)},
        "tokens": {"input": 0, "output": 0, "total": 0},
        "request_id": None,
        "inference_id": generation.id,
        "client_request_id": generation.order.client_request_id,
    }


def _movement(at: datetime, direction: str, kind: str, usd: Any, model: str | None, ref: str | None) -> dict[str, Any]:
    return {
        "created_at": iso(at),
        "direction": direction,
        "type": kind,
        "amount": {"usd": float(usd), "credits": credits_of(usd)},
        "model": model,
        "reference_id": ref,
    }


def _place(row: dict[str, Any]) -> tuple[str, str]:
    return row["created_at"], row["reference_id"] or ""


def _cursor(row: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps({"v": 1, "c": _place(row)}).encode()).decode()


def _position(cursor: str | None) -> tuple[str, str] | None:
    if cursor is None:
        return None
    try:
        held = json.loads(base64.urlsafe_b64decode(cursor))
        moment, reference = held["c"]
        if not isinstance(moment, str) or not isinstance(reference, str):
            raise TypeError
    except (ValueError, TypeError, KeyError):
        raise InvalidRequest("cursor: not one of ours") from None
    return moment, reference
