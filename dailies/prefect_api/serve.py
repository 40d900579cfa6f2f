"""The process of the local Prefect server: `python -m dailies.prefect_api.serve FOLDER LOCK_FD`.

`dailies.prefect_api.server` starts it and says who may use it. It listens on a free port of 127.0.0.1, keeps its
database, UI files and log in FOLDER, and ends by itself soon after the last process that uses it is gone.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import socket
import sys
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dailies.environment import change
from dailies.memory import leave_to_the_system, loading
from dailies.prefect_api.schema import is_current, note_current
from dailies.prefect_api.server import ABOUT_PATH, ANOTHER, HOST, SERVER_LOCK, USERS_LOCK, open_lock
from dailies.prefect_api.waiting import ADDRESS_FILE, DATABASE
from dailies.system import try_lock, unlock

if TYPE_CHECKING:
    import uvicorn
    from fastapi import FastAPI
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp, Receive, Scope, Send

TICK_S, SOON_S = 0.2, 0.02
"""How often it looks whether somebody uses it: usually, and when its last user has said that it left."""
SETTLE_S = 1.5
"""So long nothing moves before the history counts as written; the recorder flushes once a second."""
END_WRITES = 200
"""So many events the recorder and the persister write as they end: the recorder's batch, which its end writes one of."""
LINGER_S = 0.5
"""So long a server is unused before it ends, unless its last user said that it left: a killed client's last events may still be
in its socket."""
DRAIN_S = 15.0
"""The longest that an unused server goes on recording."""


def settings(folder: Path, port: int, migrate: bool = True) -> dict[str, str]:
    """Prefect's settings for a server on this port whose files are all in `folder`; `migrate`: its schema may be an old one."""
    url = f"http://{HOST}:{port}"
    return {
        "PREFECT_HOME": str(folder),
        "PREFECT_SERVER_DATABASE_MIGRATE_ON_START": str(migrate).lower(),
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
        "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": str(END_WRITES),
        "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_READ_BATCH_SIZE": "200",
        "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "1",
        "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_BATCH_SIZE": "200",
        "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_FLUSH_INTERVAL": "1",
        "PREFECT_SERVER_EVENTS_RETENTION_PERIOD": "2d",
        "PREFECT_SERVER_EVENTS_EXPIRED_BUCKET_BUFFER": "P1D",  # as docs/operations.md has it
    }


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the server has come with the events that reached it."""

    counters: tuple[int, ...]
    """What grows with each event, whatever becomes of it."""
    waiting: int
    """Events in the broker that nobody has taken up."""
    at_work: int
    """Deliveries that are not done with, and streams of events that may bring more."""
    delivered: int
    """All deliveries so far: at least as many as events."""


class History:
    """Tells when all events that reached the server are written down, or will be by its end."""

    def __init__(self, progress: Callable[[], Progress], clock: Callable[[], float] = time.monotonic) -> None:
        self._progress = progress
        self._clock = clock
        self._counters: tuple[int, ...] = ()
        self._moved_at = clock()
        self._written = 0

    def settled(self) -> bool:
        """Whether nothing waits and nothing has moved for SETTLE_S, or so little came since that the server's end writes it.

        Only true if asked at least that often.
        """
        seen, now = self._progress(), self._clock()
        if seen.waiting or seen.counters != self._counters:
            self._counters, self._moved_at = seen.counters, now
        if now - self._moved_at >= SETTLE_S:
            self._written = seen.delivered
            return True
        return not seen.waiting and not seen.at_work and seen.delivered - self._written <= END_WRITES


class Streams:
    """The app, and how many streams of events it reads: one is over when all that its client sent has been read."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.open = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "websocket" or not scope["path"].endswith("/events/in"):
            await self._app(scope, receive, send)
            return
        self.open += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self.open -= 1

    def progress(self) -> Progress:
        """Of Prefect's in-memory event broker, and of these streams."""
        from prefect.server.utilities.messaging.memory import METRICS, Topic

        topics = list(Topic._topics.values())  # noqa: SLF001 - it tells nobody how much waits; seen in 3.8.8
        waiting = sum(s._queue.qsize() + s._retry.qsize() for topic in topics for s in topic._subscriptions)  # noqa: SLF001
        seen = [dict(metrics) for metrics in list(METRICS.values())]
        delivered = sum(metrics["published"] for metrics in seen)
        return Progress(
            counters=tuple(count for metrics in seen for count in metrics.values()),
            waiting=waiting,
            at_work=self.open + delivered - sum(metrics["consumed"] for metrics in seen),
            delivered=delivered,
        )


async def end_when_unused(server: uvicorn.Server, users_fd: int, history: History, left: asyncio.Event) -> None:
    """Ask the server to exit once nobody holds the users' lock and the history is written; `left`: a user says that it has left.

    The lock is then kept until the process ends: who comes meanwhile waits for it and starts another server.
    """
    used_at = time.monotonic()
    while True:
        settled = history.settled()
        unused_s = time.monotonic() - used_at
        if not try_lock(users_fd):
            used_at = time.monotonic()
            left.clear()
        elif unused_s > DRAIN_S or (settled and (left.is_set() or unused_s > LINGER_S)):
            server.should_exit = True
            return
        else:
            unlock(users_fd)
        if left.is_set():
            await asyncio.sleep(SOON_S)
            continue
        with suppress(TimeoutError):
            await asyncio.wait_for(left.wait(), TICK_S)


async def serve(app: FastAPI, listener: socket.socket, folder: Path) -> bool:
    """Serve until unused or told to stop. Returns whether the server ever started."""
    import uvicorn
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    streams, token, left = Streams(app), uuid.uuid4().hex, asyncio.Event()
    history = History(streams.progress)

    async def about(request: Request) -> Response:
        if request.method == "POST":
            left.set()
        return JSONResponse({"token": token, "settled": history.settled()})

    app.router.routes.insert(
        0, Route(ABOUT_PATH, about, methods=["GET", "POST"])
    )  # before the UI, which answers every other path
    # Nothing is compressed on the way: within a machine that only takes time, of both sides and for each event.
    config = uvicorn.Config(streams, log_level="warning", timeout_graceful_shutdown=2, ws_per_message_deflate=False)
    server = uvicorn.Server(config)

    async def announce_and_watch() -> None:
        while not server.started:
            await asyncio.sleep(0.02)
        note_current(folder)
        _write_note(folder, port=listener.getsockname()[1], token=token)
        await end_when_unused(server, open_lock(folder / USERS_LOCK), history, left)

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
    change(settings(folder, listener.getsockname()[1], migrate=not is_current(folder)))

    with loading():
        from prefect.server.api.server import create_app
        from starlette.middleware.trustedhost import TrustedHostMiddleware

        _write_note(folder, doing=f"{'opening' if (folder / DATABASE).exists() else 'making'} its database")
        gc.freeze()  # it collects as it is made
        app = create_app(final=True)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=[HOST, "localhost"])  # against DNS rebinding
    started = asyncio.run(serve(app, listener, folder))
    leave_to_the_system()
    return 0 if started else 3


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
