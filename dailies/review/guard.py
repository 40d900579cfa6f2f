"""Who may talk to the screening room: whoever has its token, from a page of this very origin."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dailies.domain.commands import review

REVIEW: Final = f"`{review()}`"
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)
HEADERS: Final = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}


def new_token() -> str:
    """A token that nobody guesses; made anew at each start."""
    return secrets.token_urlsafe(24)


class Guard:
    """Lets a request through to `app` only below `/TOKEN/`, and only under one of the hosts that are ours.

    Another `Host` is 421, a path without the token 403. Every answer carries the same strict headers, and none of CORS.
    """

    def __init__(self, app: ASGIApp, token: str, hosts: Iterable[str]) -> None:
        self._app, self._token, self._hosts = app, token.encode(), frozenset(hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return  # no web sockets here; the lifespan has nothing to start

        async def strict(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(HEADERS)
                headers.setdefault("cache-control", "no-store")
            await send(message)

        if Headers(scope=scope).get("host", "") not in self._hosts:
            await PlainTextResponse("this page has another address", 421)(scope, receive, strict)
            return
        token, slash, path = scope["path"].removeprefix("/").partition("/")
        if not slash or not secrets.compare_digest(token.encode(), self._token):
            answer = PlainTextResponse(f"open the address that {REVIEW} printed, with its token", 403)
            await answer(scope, receive, strict)
            return
        await self._app({**scope, "path": f"/{path}", "root_path": ""}, receive, strict)
