"""The answers both APIs share: JSON, a gateway's page, bodies that break off, and the faults that any read can meet."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from starlette.responses import Response

from dailies.sandbox.faults import Fault
from dailies.sandbox.wire import RawAnswer

Problem = Callable[[int, str, str], Response]
"""Makes an API's own error answer from status, short name and message."""

_NAMES = {401: "AuthenticationError", 403: "ForbiddenError", 404: "NotFoundError", 429: "TooManyRequestsError"}


class Refusal(Exception):
    """A request the API says no to, without charge."""

    def __init__(self, status: int, name: str, message: str) -> None:
        super().__init__(message)
        self.status, self.name, self.message = status, name, message


def json_answer(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON answer."""
    return Response(json.dumps(body), status, headers, media_type="application/json")


def html_page(status: int) -> Response:
    """What a gateway shows in place of the API."""
    title = f"{status} {phrase(status)}"
    page = f"<html><head><title>{title}</title></head><body><center><h1>{title}</h1></center><hr>gateway</body></html>"
    return Response(page, status, media_type="text/html")


def legacy_problem(status: int, message: str) -> Response:
    """The AI/ML API's older error body, whose statusCode is a string."""
    return json_answer({"statusCode": str(status), "message": message, "error": phrase(status)}, status)


def broken(form: str, body: Any) -> Response:
    """A 200 whose body is of no use: `html`, `empty` or `half` of the JSON."""
    if form == "html":
        return html_page(200)
    text = json.dumps(body)
    return Response("" if form == "empty" else text[: len(text) // 2], media_type="application/json")


def phrase(status: int) -> str:
    """The status in words; gateways invent numbers of their own."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Origin Error"


def iso(moment: datetime) -> str:
    """A moment as the APIs write it: UTC, milliseconds, Z."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


async def struck(fault: Fault, problem: Problem, right: Callable[[], Response]) -> Response:
    """What a request that only reads (or a create that is not charged) gets from this fault.

    `right` makes the answer it would have had.
    """
    await asyncio.sleep(fault.delay_s)
    match fault.kind:
        case "delay":
            return right()
        case "status":
            return error_answer(fault, fault.status or 500, problem)
        case "busy":
            return error_answer(fault, 429, problem)
        case "html":
            return html_page(fault.status or 502)
        case "redirect":
            return Response(status_code=302, headers={"location": fault.url})
        case "reset":
            return RawAnswer(end="reset")
        case "close":
            return RawAnswer()
        case "empty" | "half":
            return broken(fault.kind, json.loads(bytes(right().body)))
    raise AssertionError(f"{fault.where} has no answer for {fault.kind}")


def error_answer(fault: Fault, status: int, problem: Problem) -> Response:
    """The error of this status in the body the fault wants, with its Retry-After text."""
    message = "A fault that was asked for."
    match fault.body:
        case "html":
            answer = html_page(status)
        case "legacy":
            answer = legacy_problem(status, message)
        case _:
            answer = problem(status, _NAMES.get(status, "UpstreamError"), message)
    if fault.retry_after is not None:
        answer.headers["retry-after"] = fault.retry_after
    return answer
