"""Small servers that misbehave in ways of their own."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import ClassVar, Self
from urllib.parse import urlsplit


def free_port() -> int:
    """A port on which nobody listens just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Loopback:
    """An HTTP server of a test's own on a free port, for as long as the block runs; `handler` answers its requests."""

    url = ""

    def handler(self) -> type[BaseHTTPRequestHandler]:
        """Who answers."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self.handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


class Elsewhere(Loopback):
    """A host to which nothing should ever be sent; `requests` says what was, and `answer` what it gives."""

    def __init__(self, answer: bytes = b"") -> None:
        self.answer = answer
        self.requests: list[str] = []

    def handler(self) -> type[BaseHTTPRequestHandler]:
        """One that notes and answers."""
        return type("Handler", (_Notes,), {"owner": self})


class _Notes(BaseHTTPRequestHandler):
    owner: ClassVar[Elsewhere]

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet."""

    def _serve(self) -> None:
        self.owner.requests.append(f"{self.command} {self.path}")
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.owner.answer)))
        self.end_headers()
        self.wfile.write(self.owner.answer)

    do_GET = do_POST = do_HEAD = _serve  # noqa: N815


class Answers(Loopback):
    """A host of results whose answers are written byte by byte: `routes` holds a whole HTTP answer for each path."""

    def __init__(self, routes: dict[str, bytes] | None = None) -> None:
        self.routes = routes or {}

    def handler(self) -> type[BaseHTTPRequestHandler]:
        """One that writes the answer of its path, 404 where there is none, and closes."""
        return type("Handler", (_Writes,), {"owner": self})


class _Writes(BaseHTTPRequestHandler):
    owner: ClassVar[Answers]

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet."""

    def do_GET(self) -> None:
        """Write it."""
        self.wfile.write(self.owner.routes.get(self.path, b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"))
        self.close_connection = True


class OpensLate:
    """A port that refuses connections until `open()` is called, and then leads to another server."""

    def __init__(self, behind: str) -> None:
        self._behind = (urlsplit(behind).hostname, urlsplit(behind).port)
        self._listener = socket.socket()
        self._listener.bind(("127.0.0.1", 0))  # bound and not listening: every connection is refused
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._sockets = [self._listener]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for one in self._sockets:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def open(self) -> None:
        """Let connections in from now on."""
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(self._behind)
                self._sockets += [near, far]
                for source, target in ((near, far), (far, near)):
                    threading.Thread(target=_pump, args=(source, target), daemon=True).start()


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
