"""The sandbox as one ASGI application."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from dailies.sandbox.config import SandboxConfig
from dailies.sandbox.control import Control
from dailies.sandbox.files import Files
from dailies.sandbox.uploads import Uploads
from dailies.sandbox.world import Seen, World


def create_app(config: SandboxConfig | None = None, world: World | None = None) -> ASGIApp:
    """Every API, their files and `/sandbox/…` over one world (a new one of `config`, unless one is given).

    The two oldest answer at the root, every other provider below its own path.

    Faults that end a connection need the server of `dailies.sandbox.server`; all else works on any ASGI server.
    """
    world = world or World(config or SandboxConfig())
    files = Files(world)
    fronts = {name: front(world) for name, front in world.fronts.items()}
    routes = [route for front in fronts.values() for route in front.routes()]
    app = Starlette(
        routes=[*routes, *Uploads(world).routes(), *files.routes(), *Control(world, files, fronts).routes()]
    )
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
