"""What companies put before a Prefect server: TLS by an authority of their own, a path, and a header that opens the gate."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass
class Gateway:
    """A reverse proxy: what comes below `path` and shows the header goes on to the server, websockets too."""

    server: str
    path: str
    header: tuple[str, str]
    port: int = 0
    seen: Counter[str] = field(default_factory=Counter)
    """How many requests were `refused`, passed on as `http`, or as `websocket`."""

    @property
    def url(self) -> str:
        """What clients call the API."""
        return f"https://localhost:{self.port}{self.path}/api"

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection: one request, or one websocket."""
        with suppress(ConnectionError, asyncio.IncompleteReadError, OSError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            method, target, _ = head.split("\r\n")[0].split()
            name, value = self.header
            shown = re.search(rf"(?im)^{name}: {re.escape(value)}\r$", head)
            if not shown or not target.startswith(f"{self.path}/"):
                self.seen["refused"] += 1
                status = "404 Not Found" if shown else "403 Forbidden"
                writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
                await writer.drain()
            else:
                await self._pass_on(head.replace(f"{method} {self.path}/", f"{method} /", 1), reader, writer)
        writer.close()

    async def _pass_on(self, head: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upgrade = re.search(r"(?im)^upgrade: websocket\r$", head)
        self.seen["websocket" if upgrade else "http"] += 1
        if not upgrade:
            head = re.sub(r"(?im)^connection: [^\r]*\r\n", "", head)[:-2] + "Connection: close\r\n\r\n"
        upstream = urlsplit(self.server)
        back, on = await asyncio.open_connection(upstream.hostname, upstream.port)
        on.write(head.encode("latin-1"))
        await asyncio.gather(_pump(reader, on), _pump(back, writer))


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError, OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


@asynccontextmanager
async def gateway(server: str, path: str, header: tuple[str, str], context: ssl.SSLContext) -> AsyncIterator[Gateway]:
    """Run one, and end with everything still passing through it."""
    here = Gateway(server, path, header)
    tasks: set[asyncio.Task[None]] = set()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        with suppress(asyncio.CancelledError):
            await here.answer(reader, writer)
        tasks.discard(task)

    listening = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    here.port = listening.sockets[0].getsockname()[1]
    try:
        yield here
    finally:
        listening.close()
        for task in tuple(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
