"""`GET /healthz`, `GET /metrics`, and `POST /hooks/PROVIDER`. The ledger is read at each request, so it speaks for all processes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from sqlalchemy.exc import SQLAlchemyError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from dailies.errors import describe_error
from dailies.ledger import Ledger
from dailies.ledger.calling import LEDGER_AWAY
from dailies.ledger.metering import metering_of
from dailies.report.prometheus import CONTENT_TYPE, metrics_text

MOST_BYTES = 4 << 20
"""A call that is larger tells of no clip."""


@dataclass(frozen=True, slots=True)
class Call:
    """A provider's call as it came: nothing in it is believed yet."""

    provider: str
    reference: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """What the caller is told: 2xx once it is on record, 400 unreadable, 401 bad signature, 404 unknown reference."""

    status: int
    text: str


Receive = Callable[[Call], Awaitable[Answer]]


async def knows_no_reference(call: Call) -> Answer:
    """For a server that was started without providers that call."""
    return Answer(404, "unknown reference")


def create_app(ledger: Ledger, receive: Receive = knows_no_reference) -> Starlette:
    """The application; `receive` puts a provider's call on record."""

    async def metrics(_: Request) -> Response:
        try:
            return Response(await run_in_threadpool(lambda: metrics_text(metering_of(ledger))), media_type=CONTENT_TYPE)
        except SQLAlchemyError as error:
            return PlainTextResponse(f"the ledger does not answer: {type(error).__name__}", 503)

    async def healthz(_: Request) -> Response:
        try:
            await run_in_threadpool(ledger.brakes)
        except LEDGER_AWAY as error:
            return PlainTextResponse(f"the ledger does not answer: {describe_error(error)}", 503)
        return PlainTextResponse("ok")

    async def hooks(request: Request) -> Response:
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > MOST_BYTES:
                return PlainTextResponse("too large", 400)
        call = Call(request.path_params["provider"], request.query_params.get("ref", ""), dict(request.headers), body)
        answer = await receive(call)
        return PlainTextResponse(answer.text, answer.status)

    return Starlette(routes=[
        Route("/healthz", healthz),
        Route("/metrics", metrics),
        Route("/hooks/{provider}", hooks, methods=["POST"]),
    ])  # fmt: skip
