"""A forward proxy on loopback for tests: tunnels (CONNECT) and requests in absolute form, with or without a password."""

from __future__ import annotations

import asyncio
import re
from base64 import b64encode
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field


@dataclass
class ForwardProxy:
    """A running proxy. `names` are hosts that only it can resolve; `seen` holds what it was asked for, line by line."""

    login: str | None = None
    names: Mapping[str, str] = field(default_factory=dict)
    refuses: int | None = None
    silent: bool = False
    port: int = 0
    seen: list[str] = field(default_factory=list)
    heads: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            self.heads.append(head)
            self.seen.append(head.split("\r\n")[0])
            if self.silent:
                await asyncio.Event().wait()
            await self._serve(head, reader, writer)
        writer.close()

    async def _serve(self, head: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.login and f"Proxy-Authorization: Basic {b64encode(self.login.encode()).decode()}" not in head:
            writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            return await writer.drain()
        if self.refuses:
            writer.write(f"HTTP/1.1 {self.refuses} Refused Here\r\nContent-Length: 0\r\n\r\n".encode())
            return await writer.drain()
        method, target, _ = head.split("\r\n")[0].split()
        authority = target if method == "CONNECT" else target.split("/")[2]
        host, _, port = authority.rpartition(":")
        upstream = await asyncio.open_connection(self.names.get(host, host), int(port))
        if method == "CONNECT":
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            here = head.replace(
                f"http://{authority}", "", 1
            )  # one request to a connection: the next may be another host's
            upstream[1].write(re.sub(r"(?i)connection: keep-alive", "Connection: close", here).encode())
        await asyncio.gather(_pump(reader, upstream[1]), _pump(upstream[0], writer))
        return None


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


@asynccontextmanager
async def forward_proxy(
    login: str | None = None,
    names: Mapping[str, str] | None = None,
    refuses: int | None = None,
    silent: bool = False,
) -> AsyncIterator[ForwardProxy]:
    """Run one, and end with everything still passing through it."""
    proxy = ForwardProxy(login, names or {}, refuses, silent)
    tasks: set[asyncio.Task[None]] = set()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        with suppress(asyncio.CancelledError, OSError):
            await proxy.answer(reader, writer)
        tasks.discard(task)

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        for task in tuple(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()
