"""Serves the application until SIGINT or SIGTERM."""

from __future__ import annotations

import socket
from types import FrameType

import uvicorn
from starlette.applications import Starlette

from dailies.errors import Misconfigured


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens; port 0 takes a free one. Raises Misconfigured."""
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise Misconfigured(f"--host {host} --port {port}: {error.strerror or error}", trouble="port") from error


def serve(app: Starlette, listening: socket.socket) -> None:
    """Answer until the process is told to end. Blocks."""
    config = uvicorn.Config(
        app, ws="none", loop="asyncio", lifespan="off", log_config=None, log_level="warning", access_log=False,
        server_header=False, timeout_graceful_shutdown=5,
    )  # fmt: skip
    _Server(config).run([listening])


class _Server(uvicorn.Server):
    """uvicorn's server, except that a signal only ends it: uvicorn would raise it once more afterwards."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop soon."""
        self.should_exit = True
