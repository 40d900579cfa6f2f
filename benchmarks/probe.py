"""Looks into a program from within, and writes what it saw beside itself when the process ends. It is never imported: the stage
puts this text, as `sitecustomize.py`, where every interpreter that the program starts finds it first.

Of the program: each call that held its event loop (`HELD_S`), and CPU by what it was spent on. Of any process: what it asked of
the ledger. Of Prefect's server: its requests and the messages of its websockets.
"""

from __future__ import annotations

import atexit
import json
import os
import re
import resource
import sqlite3.dbapi2
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

HELD_S, SAMPLE_S, WRITES_S = 0.05, 0.01, 1.0
ROLES = {"dailies.prefect_api.serve": "server", "dailies.sender": "sender"}
ROOMS = {
    "/dailies/media/footage": "look at the footage", "/dailies/steps/look": "look at the footage",
    "/dailies/media/": "checks and poster", "/dailies/storage/": "download and S3", "/botocore/": "download and S3",
    "/dailies/ledger/": "ledger", "/sqlalchemy/": "ledger", "/dailies/sender/": "orders to the sender",
    "/dailies/providers/": "provider's API", "/dailies/net/": "provider's API", "/dailies/report/": "report",
    "/site-packages/prefect/": "Prefect's engine", "/dailies/": "our own steps", "/flows/": "our own steps",
    "/tasks/": "our own steps",
}  # fmt: skip
"""By the innermost frame whose file has such a part in its name."""

OURS = ("/dailies/", "/flows/", "/tasks/")
BEGINNERS = ("_begun", "_read", "_write", "__enter__")
"""What only begins a transaction for somebody."""
ROLE = next((role for module, role in ROLES.items() if module in sys.orig_argv), "program")
STATEMENTS: Counter[str] = Counter()
BEGUN: Counter[str] = Counter()
"""Transactions by the function of ours that began them."""
REQUESTS: Counter[str] = Counter()
CPU_MS: Counter[str] = Counter()
HELD: dict[str, list[float]] = {}
CALLS: dict[int, tuple[float, int, str]] = {}
"""By thread: since when its loop is in this call, how long the thread had waited for a core by then, and where it is."""


def where(frame: Any) -> tuple[str, str]:
    """What a stack is doing: its room, and its innermost place outside the standard library, with the one of ours that led there."""
    room = place = ours = ""
    while frame is not None and not (room and place and ours):
        file = frame.f_code.co_filename
        room = room or next((name for part, name in ROOMS.items() if part in file), "")
        here = f"{'/'.join(Path(file).parts[-2:])}:{frame.f_code.co_name}"
        if "site-packages" not in file and any(part in file for part in OURS):
            ours = ours or here
            place = place or here
        elif not place and "site-packages" in file:
            place = here
        frame = frame.f_back
    return room or "Python itself", place if ours in ("", place) else f"{ours} > {place}"


def had_ns(thread: int, what: int) -> int:
    """How long a thread has had a core (0), or waited for one (1). A thread that has ended has neither."""
    try:
        return int(Path(f"/proc/self/task/{thread}/schedstat").read_text().split()[what])
    except (OSError, IndexError):
        return 0


def waited_ns(thread: int) -> int:
    """How long a thread has waited for a core."""
    return had_ns(thread, 1)


def watch_loop() -> None:
    """Let each call of an event loop say when it begins and ends."""
    import asyncio.events

    run = asyncio.events.Handle._run  # noqa: SLF001

    def timed(handle: Any) -> None:
        thread, native, began = threading.get_ident(), threading.get_native_id(), time.perf_counter()
        CALLS[thread] = (began, waited_ns(native), "")
        try:
            run(handle)
        finally:
            _, before_ns, place = CALLS.pop(thread)
            took_s = time.perf_counter() - began
            if took_s > HELD_S:
                took_s -= (waited_ns(native) - before_ns) / 1e9
            if took_s > HELD_S:
                name = f"{place or 'not seen'} ({threading.current_thread().name})"
                HELD.setdefault(name, []).append(took_s)

    asyncio.events.Handle._run = timed  # type: ignore[method-assign, assignment]  # noqa: SLF001


def sample() -> None:
    """Every 10 ms: where each thread's CPU went, and what a call that takes long is doing."""
    spent: dict[int, int] = {}
    me = threading.get_ident()
    while True:
        time.sleep(SAMPLE_S)
        frames = sys._current_frames()  # noqa: SLF001
        for each in threading.enumerate():
            thread, native = each.ident or 0, each.native_id or 0
            cpu_ns = had_ns(native, 0)
            more_ns = cpu_ns - spent.get(native, 0)
            spent[native] = cpu_ns
            room, place = where(frames.get(thread)) if thread != me else ("this measurement", "")
            if more_ns > 0:
                CPU_MS[room] += more_ns / 1e6  # type: ignore[assignment]
            call = CALLS.get(thread)
            if call and not call[2] and time.perf_counter() - call[0] > HELD_S / 2:
                CALLS[thread] = (*call[:2], place)


def count_statements() -> None:
    """Each statement that SQLite runs in the ledger."""
    connect = sqlite3.dbapi2.connect

    def counted(database: Any, *more: Any, **named: Any) -> Any:
        connection = connect(database, *more, **named)
        if "ledger" in os.fspath(database):
            connection.set_trace_callback(executed)
        return connection

    sqlite3.dbapi2.connect = counted


def executed(text: str) -> None:
    """One statement."""
    word = text.split(None, 1)[0].upper()
    STATEMENTS[word] += 1
    if word == "BEGIN":
        frame: Any = sys._getframe(1)  # noqa: SLF001
        while frame and not ("/dailies/" in frame.f_code.co_filename and frame.f_code.co_name not in BEGINNERS):
            frame = frame.f_back
        BEGUN[f"{Path(frame.f_code.co_filename).stem}.{frame.f_code.co_name}" if frame else "elsewhere"] += 1


def count_requests() -> None:
    """Each request of Prefect's server by what it asks for, and each message of a websocket."""
    import uvicorn

    init = uvicorn.Config.__init__

    def counted(self: Any, app: Any, *more: Any, **named: Any) -> None:
        async def counting(scope: Any, receive: Any, send: Any) -> None:
            kind = scope.get("method", "message")
            path = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "ID", scope.get("path", ""))

            async def received() -> Any:
                message = await receive()
                REQUESTS[f"{kind} {path}"] += message["type"] == "websocket.receive"
                return message

            REQUESTS[f"{kind} {path}"] += scope["type"] == "http"
            await app(scope, received if scope["type"] == "websocket" else receive, send)

        init(self, counting, *more, **named)

    uvicorn.Config.__init__ = counted  # type: ignore[method-assign]


def write() -> None:
    """What was seen, as JSON."""
    seen = {
        "role": ROLE, "cpu_s": time.process_time(), "statements": dict(STATEMENTS), "requests": dict(REQUESTS),
        "begun": dict(BEGUN), "cpu_ms": dict(CPU_MS), "held": HELD,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }  # fmt: skip
    file = Path(__file__).with_name(f"{os.getpid()}.json")
    draft = file.with_suffix(".new")
    draft.write_text(json.dumps(seen))
    draft.replace(file)


def write_often() -> None:
    """For whoever wants to know while it runs."""
    while True:
        write()
        time.sleep(WRITES_S)


def leave(code: int, leave: Any = os._exit) -> None:
    """The same where a process ends without its interpreter's end."""
    write()
    leave(code)


if "-c" not in sys.orig_argv[:3]:
    atexit.register(write)
    os._exit = leave  # type: ignore[assignment]
    count_statements()
    if ROLE == "server":
        count_requests()
        threading.Thread(target=write_often, name="probe", daemon=True).start()
    if ROLE == "program":
        watch_loop()
        threading.Thread(target=sample, name="probe", daemon=True).start()
