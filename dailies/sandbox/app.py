"""The sandbox as one ASGI application."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from dailies.sandbox.account import Account
from dailies.sandbox.aiml import Aiml
from dailies.sandbox.catalogue import Catalogue
from dailies.sandbox.config import SandboxConfig
from dailies.sandbox.control import Control
from dailies.sandbox.fal import Fal
from dailies.sandbox.fal_account import FalAccount
from dailies.sandbox.files import Files
from dailies.sandbox.higgsfield import Higgsfield
from dailies.sandbox.onerouter import OneRouter
from dailies.sandbox.onerouter_queue import OneRouterQueue
from dailies.sandbox.openrouter import OpenRouter
from dailies.sandbox.runware import Runware
from dailies.sandbox.uploads import Uploads
from dailies.sandbox.world import Seen, World


def create_app(config: SandboxConfig | None = None, world: World | None = None) -> ASGIApp:
    """The providers' APIs, their files and `/sandbox/…` over one world (a new one of `config`, unless one is given).

    AI/ML API and OneRouter answer at the root, every other provider below `/ITS-NAME`.

    Faults that end a connection need the server of `dailies.sandbox.server`; all else works on any ASGI server.
    """
    world = world or World(config or SandboxConfig())
    aiml, onerouter, files = Aiml(world), OneRouter(world), Files(world)
    runware, higgsfield, fal, openrouter = Runware(world), Higgsfield(world), Fal(world), OpenRouter(world, files)
    parts = (
        *(aiml, OneRouterQueue(world), onerouter, files, Account(world, aiml), Catalogue(world, aiml)),
        *(Uploads(world), runware, FalAccount(world, fal), fal, higgsfield, openrouter),
    )
    control = Control(world, files, [aiml, onerouter, runware, higgsfield, fal, openrouter])
    app = Starlette(routes=[route for part in (*parts, control) for route in part.routes()])
    return _Noted(app, world)


class _Noted:
    """Notes every request before anything can go wrong with it."""

    def __init__(self, app: ASGIApp, world: World) -> None:
        self._app = app
        self._world = world

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not scope["path"].startswith("/sandbox/"):
            client_request_id = Headers(scope=scope).get("x-client-request-id")
            self._world.note(Seen(scope["method"], scope["path"], client_request_id, self._world.now()))
        await self._app(scope, receive, send)
