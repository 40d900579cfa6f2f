"""Answers that no well-behaved server gives: written to the socket itself, past the HTTP library."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import Literal

from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

_EXTENSION = "dailies.sandbox.transport"


class OpenWire(H11Protocol):
    """uvicorn's own HTTP/1.1 protocol that also hands its transport to the application."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wrap the application for this one connection."""
        super().connection_made(transport)
        # asyncio does this only for sockets that name their protocol; without it each answer waits 40 ms for an ACK.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        app = self.app

        async def with_transport(scope: Scope, receive: Receive, send: Send) -> None:
            scope.setdefault("extensions", {})[_EXTENSION] = transport
            await app(scope, receive, send)

        self.app = with_transport


class RawAnswer(Response):
    """Sends these bytes as they are (perhaps none) and ends the connection: `close` is a FIN, `reset` an RST."""

    def __init__(self, data: bytes = b"", end: Literal["close", "reset"] = "close") -> None:
        super().__init__()
        self._data = data
        self._end = end

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Write, end, and wait until the server has noticed that the connection is gone."""
        transport: asyncio.Transport = scope["extensions"][_EXTENSION]
        transport.write(self._data)
        if self._end == "reset":
            await _written(transport)
            _reset(transport)
        else:
            transport.close()
        while (await receive())["type"] != "http.disconnect":
            pass


def raw_head(status: int, headers: dict[str, str]) -> bytes:
    """The head of an HTTP/1.1 answer, exactly as given."""
    lines = [f"HTTP/1.1 {status} OK", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    return "\r\n".join(lines).encode("latin-1")


async def _written(transport: asyncio.Transport) -> None:
    # An RST throws away what still waits to be sent, so let the socket take it first.
    while transport.get_write_buffer_size() and not transport.is_closing():
        await asyncio.sleep(0.01)


def _reset(transport: asyncio.Transport) -> None:
    # SO_LINGER with zero seconds makes the kernel end the connection by RST in place of FIN.
    raw = transport.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
