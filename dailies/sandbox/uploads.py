"""Files that a caller puts somewhere first, so that a request can name their address."""

from __future__ import annotations

import secrets

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dailies.sandbox.world import World

_MOST_BYTES = 50 * 2**20


class Uploads:
    """`PUT` and `GET /uploads/NAME`; only names that were given out."""

    def __init__(self, world: World) -> None:
        self.world = world

    def routes(self) -> list[Route]:
        """Both operations on one path."""
        return [Route("/uploads/{name}", self.file, methods=["GET", "PUT"])]

    async def file(self, request: Request) -> Response:
        """Take the file, or give it."""
        name = request.path_params["name"]
        held = self.world.uploads.get(name)
        if held is None:
            return Response("no such upload", 404)
        if request.method == "GET":
            return Response(held[1], media_type=held[0]) if held[1] else Response("nothing was uploaded", 404)
        body = await request.body()
        if len(body) > _MOST_BYTES:
            return Response("too large", 413)
        self.world.uploads[name] = (request.headers.get("content-type", "application/octet-stream"), body)
        return Response(status_code=200)


def upload_slot(request: Request, world: World) -> str:
    """A new address under which one file can be put, and read then."""
    name = secrets.token_hex(16)
    world.uploads[name] = ("application/octet-stream", b"")
    return f"{request.base_url}uploads/{name}"
