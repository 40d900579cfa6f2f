"""A store that misbehaves on request: it stands before a real S3 server and passes on what no fault strikes."""

from __future__ import annotations

import base64
import hashlib
import http.client
import socket
import struct
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import ClassVar
from urllib.parse import urlsplit

from tests.e2e.loopback import Loopback
from tests.e2e.s3_manners import CHANGES, DROPS, MADE_UP, REFUSALS, UNTOLD, Refusal

HOP_BY_HOP = {"connection", "transfer-encoding", "keep-alive", "content-length", "expect"}


@dataclass
class StoreFault:
    """One fault. `kind`: 503, denied, reset (before), lost (done, and no answer), flip (a byte on the way)."""

    kind: str
    method: str = "PUT"
    times: int = 1
    part: str = ".mp4"


@dataclass
class FaultyStore(Loopback):
    """`with FaultyStore(url) as store: store.url`; `seen` are the requests as (method, path)."""

    behind: str
    faults: list[StoreFault] = field(default_factory=list)
    seen: list[tuple[str, str]] = field(default_factory=list)
    manners: set[str] = field(
        default_factory=set
    )  # names of tests.e2e.s3_manners: how this store is, for as long as they stand
    puts: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def handler(self) -> type[BaseHTTPRequestHandler]:
        """One that passes on what no fault strikes."""
        return type("Handler", (_Handler,), {"store": self})

    def fault(self, kind: str, method: str = "PUT", times: int = 1, part: str = ".mp4") -> None:
        """Let the next `times` requests of this method, whose path holds `part`, go wrong."""
        self.faults.append(StoreFault(kind, method, times, part))

    def clear_faults(self) -> None:
        """Behave from now on."""
        with self._lock:
            self.faults.clear()

    def refusal(self, method: str, path: str, headers: Mapping[str, str]) -> Refusal | None:
        """What this store's manners say to a request; else None."""
        said = (REFUSALS[name](method, path, headers) for name in sorted(self.manners & REFUSALS.keys()))
        return next((refused for refused in said if refused), None)

    def take(self, method: str, path: str) -> str | None:
        """The fault that strikes this request."""
        with self._lock:
            self.seen.append((method, path))
            for fault in self.faults:
                if fault.method == method and fault.part in path and fault.times > 0:
                    fault.times -= 1
                    return fault.kind
        return None


class _Handler(BaseHTTPRequestHandler):
    store: ClassVar[FaultyStore]
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet."""

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.command == "PUT":
            self.store.puts.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
        refused = self.store.refusal(self.command, self.path, dict(self.headers))
        if refused:
            status, code, words = refused
            self._answer(status, f"<Error><Code>{code}</Code><Message>{words}</Message></Error>".encode())
            return
        match self.store.take(self.command, self.path):
            case "503":
                self._answer(503, b"<Error><Code>SlowDown</Code><Message>reduce your rate</Message></Error>")
            case "denied":
                self._answer(403, b"<Error><Code>AccessDenied</Code><Message>no</Message></Error>")
            case "reset":
                self._hang_up(reset=True)
            case "lost":
                self._forward(body)
                self._hang_up(reset=False)
            case "flip":
                self._receive_flipped(body)
            case _:
                status, headers, content = self._forward(body)
                for name in self.store.manners & CHANGES.keys():
                    status, headers, content = CHANGES[name](self.command, self.path, status, headers, content)
                self._answer(status, content, headers)

    do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = _serve  # noqa: N815

    def _receive_flipped(self, body: bytes) -> None:
        """As S3 does, and the server behind us does not: compare the checksum with what came."""
        came = bytes([body[0] ^ 1]) + body[1:]
        announced = self.headers.get("x-amz-checksum-sha256")
        if announced == base64.b64encode(hashlib.sha256(came).digest()).decode():
            raise AssertionError("the checksum does not tell one byte from another")
        if announced is None:
            status, headers, content = self._forward(came)
            self._answer(status, content, headers)
        else:
            self._answer(400, b"<Error><Code>BadDigest</Code><Message>checksum</Message></Error>")

    def _forward(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        parts = urlsplit(self.store.behind)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
        dropped = HOP_BY_HOP | {header for name in self.store.manners for header in DROPS.get(name, ())}
        headers = {name: value for name, value in self.headers.items() if name.lower() not in dropped}
        try:
            path = self.path.replace(MADE_UP, "")
            connection.request(self.command, path, body, {**headers, "Content-Length": str(len(body))})
            answer = connection.getresponse()
            content = answer.read()
            return answer.status, answer.getheaders(), content
        finally:
            connection.close()

    def _answer(self, status: int, content: bytes, headers: list[tuple[str, str]] | None = None) -> None:
        self.send_response_only(status)
        length = str(len(content))
        for name, value in headers or [("Content-Type", "application/xml")]:
            if name.lower() == "content-length" and self.command == "HEAD":
                length = value
            elif name.lower() not in HOP_BY_HOP:
                self.send_header(name, value)
        if any(self.command in UNTOLD.get(name, ()) for name in self.store.manners):
            self.send_header("Connection", "close")
        else:
            self.send_header("Content-Length", length)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _hang_up(self, reset: bool) -> None:
        if reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()
