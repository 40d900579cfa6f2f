"""An S3 server in a process of its own, so that its work is not counted as anybody's: `python -m benchmarks.store [MB/s]`."""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable
from typing import IO, Any

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.moto_server.threaded_moto_server import ThreadedMotoServer
from moto.moto_server.werkzeug_app import DomainDispatcherApplication
from moto.s3.models import s3_backends

FILL = "/_fill"
CHUNK_BYTES = 256 * 1024


class Line:
    """A line to the store that takes so many megabytes a second, whoever sends them."""

    def __init__(self, mb_per_s: float) -> None:
        self._bytes_per_s = mb_per_s * 1e6
        self._lock = threading.Lock()
        self._free_at = 0.0

    def carry(self, size_bytes: int) -> None:
        """Wait until so much has gone over the line, after all that others have put on it."""
        with self._lock:
            self._free_at = max(self._free_at, time.monotonic()) + size_bytes / self._bytes_per_s
            wait_s = self._free_at - time.monotonic()
        time.sleep(max(0.0, wait_s))


class Slowly:
    """A request's body as it comes over the line."""

    def __init__(self, body: IO[bytes], line: Line) -> None:
        self._body, self._line = body, line

    def read(self, size: int = -1) -> bytes:
        """Like a file's; -1 reads to the end."""
        parts: list[bytes] = []
        while size != 0:
            part = self._body.read(CHUNK_BYTES if size < 0 else min(size, CHUNK_BYTES))
            if not part:
                break
            self._line.carry(len(part))
            parts.append(part)
            size -= len(part) if size > 0 else 0
        return b"".join(parts)

    def readline(self, size: int = -1) -> bytes:
        """Like a file's."""
        return self._body.readline(size)


def behind(line: Line) -> None:
    """Let every moto server of this process read its requests over the line."""
    app: Callable[..., Iterable[bytes]] = DomainDispatcherApplication.__call__

    def over_the_line(self: DomainDispatcherApplication, environ: dict[str, Any], respond: Any) -> Iterable[bytes]:
        return app(self, {**environ, "wsgi.input": Slowly(environ["wsgi.input"], line)}, respond)

    DomainDispatcherApplication.__call__ = over_the_line  # type: ignore[method-assign, assignment]


def fillable() -> None:
    """Let every moto server of this process take a list of addresses at `FILL`, each an object of one byte from then on."""
    app: Callable[..., Iterable[bytes]] = DomainDispatcherApplication.__call__

    def filled(self: DomainDispatcherApplication, environ: dict[str, Any], respond: Any) -> Iterable[bytes]:
        if environ["PATH_INFO"] != FILL:
            return app(self, environ, respond)
        for place in json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))):
            bucket, _, key = place.removeprefix("s3://").partition("/")
            s3_backends[DEFAULT_ACCOUNT_ID]["aws"].put_object(bucket, key, b"x")
        respond("204 No Content", [])
        return []

    DomainDispatcherApplication.__call__ = filled  # type: ignore[method-assign, assignment]


def main() -> None:
    """Serve on a free port until the parent is gone; the first line on stdout is the address."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    if len(sys.argv) > 1:
        behind(Line(float(sys.argv[1])))
    fillable()
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    print(f"http://{host}:{port}", flush=True)
    parent = os.getppid()
    while os.getppid() == parent:
        threading.Event().wait(1)


if __name__ == "__main__":
    main()
