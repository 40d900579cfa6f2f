"""What ends a run before its time: Ctrl-C, SIGTERM or a closed terminal, and what is said and waited for then."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

import anyio
from anyio.abc import TaskGroup

from dailies.domain.commands import COLLECT
from dailies.runtime import Runtime
from dailies.system import signals

INTERRUPTED = 130
SIGNALS = signals("SIGINT", "SIGTERM", "SIGHUP")
logger = logging.getLogger("dailies.flows")


@asynccontextmanager
async def interruptible(runtime: Runtime) -> AsyncIterator[TaskGroup]:
    """A task group that the first Ctrl-C, SIGTERM or SIGHUP winds down: no new claims, the answers to creates in flight are
    waited for, everything else ends. The second one ends the process at once; its sender goes on until it has the answers.
    """
    group = anyio.create_task_group()

    def stop() -> None:
        if runtime.shutdown.is_set():
            os._exit(INTERRUPTED)
        runtime.shutdown.set()
        group.cancel_scope.cancel()
        logger.warning(what_is_waited_for(runtime))

    with _handling(stop):
        async with group:
            yield group


def what_is_waited_for(runtime: Runtime) -> str:
    """One line for whoever ends a run: how many answers it waits for, for how long, and what ending it twice would mean."""
    waiting = runtime.sender.under_way
    if not waiting:
        return f"stopping: no create is in flight. What is paid is on record; {COLLECT} brings it home"
    now = time.monotonic()
    left_s = max(runtime.settings.create_timeout_s(create.provider) - (now - create.since) for create in waiting)
    pids = ", ".join(sorted({str(create.line.pid) for create in waiting}))
    count, requests = (
        ("1 create is", "the request")
        if len(waiting) == 1
        else (f"{len(waiting)} creates are", f"the {len(waiting)} requests")
    )
    return (
        f"stopping: {count} in flight, waited for up to {_minutes(left_s)}. A second Ctrl-C ends this program at once: "
        f"{requests} in flight will still be received and recorded by process {pids}; {COLLECT} brings the clips home"
    )


def _minutes(seconds: float) -> str:
    return f"{max(1.0, seconds):.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


@contextmanager
def _handling(stop: Callable[[], None]) -> Iterator[None]:
    """Call `stop` on SIGINT, SIGTERM and SIGHUP; whoever handled them before does so again afterwards.

    A signal that is ignored stays ignored: `nohup` is meant.
    """
    loop = asyncio.get_running_loop()
    before = {}
    for number in SIGNALS:
        with suppress(ValueError, RuntimeError, NotImplementedError):  # not in the main thread
            earlier = signal.getsignal(number)
            if number.name == "SIGHUP" and earlier is signal.SIG_IGN:
                continue
            loop.add_signal_handler(number, stop)
            before[number] = earlier
    try:
        yield
    finally:
        for number, handler in before.items():
            loop.remove_signal_handler(number)
            signal.signal(number, handler)
