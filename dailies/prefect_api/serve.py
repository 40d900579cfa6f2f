"""The process of the local Prefect server: `python -m dailies.prefect_api.serve FOLDER LOCK_FD`.

`dailies.prefect_api.server` starts it and says who may use it. It listens on a free port of 127.0.0.1, keeps its
database, UI files and log in FOLDER, and ends by itself soon after the last process that uses it is gone.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from dailies.environment import change
from dailies.prefect_api.server import ABOUT_PATH, ANOTHER, HOST, SERVER_LOCK, USERS_LOCK, open_lock
from dailies.prefect_api.waiting import ADDRESS_FILE, DATABASE
from dailies.system import try_lock, unlock

if TYPE_CHECKING:
    import uvicorn
    from fastapi import FastAPI
    from starlette.requests import Request
    from starlette.responses import Response

TICK_S = 0.2
SETTLE_S = 1.5
"""So long nothing moves before the history counts as written; the recorder flushes once a second."""
LINGER_S = 0.5
"""So long a server is unused before it ends: a killed client's last events may still be in its socket."""
DRAIN_S = 15.0
"""The longest that an unused server goes on recording."""


def settings(folder: Path, port: int) -> dict[str, str]:
    """Prefect's settings for a server on this port whose files are all in `folder`."""
    url = f"http://{HOST}:{port}"
    return {
        "PREFECT_HOME": str(folder),
        "PREFECT_SERVER_UI_ENABLED": "true",
        "PREFECT_SERVER_UI_API_URL": f"{url}/api",
        "PREFECT_SERVER_UI_STATIC_DIRECTORY": str(folder / "ui"),  # else Prefect writes into its own package
        "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
        "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": f"{url},http://localhost:{port}",  # else any web page may read it
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
        "PREFECT_LOGGING_LEVEL": "WARNING",
        "PREFECT_LOGGING_COLORS": "false",
        # One commit per event is 100 events a second; the broker drops silently behind 10,000. Measured: with
        # batches of 200 a flow of 5,000 tasks is recorded whole.
        "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "200",
        "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_READ_BATCH_SIZE": "200",
        "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "1",
        "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_BATCH_SIZE": "200",
        "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_FLUSH_INTERVAL": "1",
        "PREFECT_SERVER_EVENTS_RETENTION_PERIOD": "2d",
        "PREFECT_SERVER_EVENTS_EXPIRED_BUCKET_BUFFER": "P1D",  # as docs/operations.md has it
    }


class History:
    """Tells when all events that reached the server are written down.

    `progress` returns the broker's counters and how many messages still wait in it.
    """

    def __init__(
        self, progress: Callable[[], tuple[tuple[int, ...], int]], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._progress = progress
        self._clock = clock
        self._counters: tuple[int, ...] = ()
        self._moved_at = clock()

    def settled(self) -> bool:
        """Whether nothing waits and nothing has moved for SETTLE_S. Only true if asked at least that often."""
        counters, waiting = self._progress()
        now = self._clock()
        if waiting or counters != self._counters:
            self._counters, self._moved_at = counters, now
        return now - self._moved_at >= SETTLE_S


def broker_progress() -> tuple[tuple[int, ...], int]:
    """Counters of Prefect's in-memory event broker, and how many messages wait in its queues."""
    from prefect.server.utilities.messaging.memory import METRICS, Topic

    topics = list(Topic._topics.values())  # noqa: SLF001 - it tells nobody how much waits; seen in 3.8.8
    waiting = sum(s._queue.qsize() + s._retry.qsize() for topic in topics for s in topic._subscriptions)  # noqa: SLF001
    return tuple(count for metrics in list(METRICS.values()) for count in metrics.values()), waiting


async def end_when_unused(server: uvicorn.Server, users_fd: int, history: History) -> None:
    """Ask the server to exit once nobody holds the users' lock and the history is written.

    The lock is then kept until the process ends: who comes meanwhile waits for it and starts another server.
    """
    used_at = time.monotonic()
    while True:
        settled = history.settled()
        unused_s = time.monotonic() - used_at
        if not try_lock(users_fd):
            used_at = time.monotonic()
        elif unused_s > DRAIN_S or (settled and unused_s > LINGER_S):
            server.should_exit = True
            return
        else:
            unlock(users_fd)
        await asyncio.sleep(TICK_S)


async def serve(app: FastAPI, listener: socket.socket, folder: Path) -> bool:
    """Serve until unused or told to stop. Returns whether the server ever started."""
    import uvicorn
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    token, history = uuid.uuid4().hex, History(broker_progress)

    async def about(_: Request) -> Response:
        return JSONResponse({"token": token, "settled": history.settled()})

    app.router.routes.insert(0, Route(ABOUT_PATH, about))  # before the UI, which answers every other path
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=2))

    async def announce_and_watch() -> None:
        while not server.started:
            await asyncio.sleep(0.02)
        _write_note(folder, port=listener.getsockname()[1], token=token)
        await end_when_unused(server, open_lock(folder / USERS_LOCK), history)

    def stop(_: asyncio.Task[None]) -> None:
        server.should_exit = True  # whatever ended the watch: a server that nobody watches must not live on

    watch = asyncio.create_task(announce_and_watch())
    watch.add_done_callback(stop)
    try:
        await server.serve(sockets=[listener])
    finally:
        watch.cancel()
        (folder / ADDRESS_FILE).unlink(missing_ok=True)
    return server.started


STARTER_LETS_GO_S = 5.0


def main() -> int:
    """Run the server. Returns the exit code: 0, 3 if it could not start (the reason is in its log), 4 if another one is there."""
    folder = Path(sys.argv[1])
    if len(sys.argv) > 2:
        os.set_inheritable(
            int(sys.argv[2]), False
        )  # held, unused, until this process ends: it says that a server is there
    elif not _alone(open_lock(folder / SERVER_LOCK)):
        return ANOTHER
    os.umask(0o077)
    _write_note(folder, doing="loading Prefect")
    listener = socket.socket()
    listener.bind((HOST, 0))
    change(settings(folder, listener.getsockname()[1]))

    from prefect.server.api.server import create_app
    from starlette.middleware.trustedhost import TrustedHostMiddleware

    _write_note(folder, doing=f"{'opening' if (folder / DATABASE).exists() else 'making'} its database")
    app = create_app(final=True)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=[HOST, "localhost"])  # against DNS rebinding
    return 0 if asyncio.run(serve(app, listener, folder)) else 3


def _alone(lock_fd: int) -> bool:
    """Take the server's lock, which whoever started us lets go in this moment; another starter may be quicker."""
    until = time.monotonic() + STARTER_LETS_GO_S
    while not (taken := try_lock(lock_fd)) and time.monotonic() < until:
        time.sleep(0.1)
    return taken


def _write_note(folder: Path, **facts: object) -> None:
    """Say in the server's note how it is: `doing` while it starts, then `port` and `token`."""
    path = folder / ADDRESS_FILE
    draft = path.with_suffix(".new")
    draft.write_text(json.dumps({"pid": os.getpid()} | facts), encoding="utf-8")
    draft.replace(path)


if __name__ == "__main__":
    raise SystemExit(main())
