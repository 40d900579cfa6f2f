"""A small HTTP server on loopback whose answers are written byte by byte, for tests of what fetches URLs."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from dailies.net import Trust

Answer = bytes | Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Loopback:
    """A running server: where it is and what it was asked, head by head."""

    port: int = 0
    scheme: str = "http"
    heads: list[str] = field(default_factory=list)

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        """Write the URL of a path here."""
        return f"{self.scheme}://{host}:{self.port}{path}"

    @property
    def trust(self) -> Trust:
        """Trust this very server."""
        return Trust.parse(f"127.0.0.1:{self.port}")


@asynccontextmanager
async def serve(routes: Mapping[str, Answer], context: ssl.SSLContext | None = None) -> AsyncIterator[Loopback]:
    """Serve each path's answer, one request to a connection, and stop with everything still being answered."""
    here = Loopback(scheme="https" if context else "http")
    tasks: set[asyncio.Task[None]] = set()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            here.heads.append(head)
            route = routes.get(head.split()[1].partition("?")[0], reply(b"", status=404))
            if isinstance(route, bytes):
                writer.write(route)
                await writer.drain()
            else:
                await route(writer)
        writer.close()
        tasks.discard(task)

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    here.port = server.sockets[0].getsockname()[1]
    try:
        yield here
    finally:
        server.close()
        for task in tuple(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()


def reply(body: bytes, *headers: str, status: int = 200, length: int | None = -1) -> bytes:
    """Write an answer; `length` -1 tells the true Content-Length, None tells none."""
    told = [] if length is None else [f"Content-Length: {len(body) if length == -1 else length}"]
    head = "\r\n".join([f"HTTP/1.1 {status} x", "Connection: close", *told, *headers])
    return head.encode() + b"\r\n\r\n" + body


def redirect(to: str) -> bytes:
    """Write a redirect."""
    return reply(b"", f"Location: {to}", status=302)


def framed(content: bytes, signed: bool = True) -> bytes:
    """Write it in signed chunks, as S3's clients send."""
    sign = b";chunk-signature=" + b"0a" * 32 if signed else b""
    pieces = [content[at : at + 65536] for at in range(0, len(content), 65536)]
    body = b"".join(b"%x%s\r\n%s\r\n" % (len(piece), sign, piece) for piece in pieces)
    return body + b"0" + sign + b"\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n"
