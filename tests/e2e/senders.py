"""Senders that start in no time, for tests that are not about how one is started.

A run in this process gets one in a thread; a forked child gets one that was forked with it: a process of its own, in a
session of its own, as in production.
"""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from unittest import mock

from dailies.sender import client
from dailies.sender.line import Process
from dailies.sender.process import main, serve

START = "dailies.sender.client.start_process"


@dataclass
class InThread:
    """A sender in a thread of this process."""

    thread: threading.Thread
    pid: int

    def poll(self) -> int | None:
        """0 once it has ended."""
        return None if self.thread.is_alive() else 0


@contextmanager
def senders_in_threads() -> Iterator[None]:
    """Runs that start in this process while the block runs find their sender in a thread."""
    with mock.patch(START, _start_thread):
        yield


def _start_thread() -> tuple[Process, socket.socket]:
    ours, theirs = socket.socketpair()
    thread = threading.Thread(target=lambda: asyncio.run(serve(theirs, asyncio.Event())), name="sender")
    thread.start()
    return InThread(thread, os.getpid()), ours


@dataclass
class Forked:
    """A sender that was forked from the process that will give it orders."""

    pid: int

    def poll(self) -> int | None:
        """Its exit code once it has ended."""
        found, status = os.waitpid(self.pid, os.WNOHANG)
        return os.waitstatus_to_exitcode(status) if found else None


def fork_a_sender() -> None:
    """Before this process has threads: fork the sender that its run will use. Any further one is started as in production."""
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        ours.close()
        os.setsid()
        null = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(null, descriptor)
        try:
            main(str(theirs.detach()))
        finally:
            os._exit(0)
    theirs.close()
    spare: list[tuple[Process, socket.socket]] = [(Forked(pid), ours)]
    start = client.start_process
    mock.patch(START, side_effect=lambda: spare.pop() if spare else start()).start()
