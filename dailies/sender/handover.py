"""How a socket gets from a process to the one that it starts: inherited, or, on Windows, shared by the other's number."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

SHARED = "shared"


def started_with(theirs: socket.socket, command: Sequence[str], environ: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """A process of its own, without this one's console, that finds `theirs` by its last argument. Raises OSError."""
    nowhere = subprocess.DEVNULL
    if sys.platform != "win32":
        return subprocess.Popen(  # noqa: S603 - our own package under our own interpreter
            [*command, str(theirs.fileno())], env=environ, pass_fds=(theirs.fileno(),), start_new_session=True, stdin=nowhere,
            stdout=nowhere, stderr=nowhere,
        )  # fmt: skip
    flags: Any = subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP
    process = subprocess.Popen(  # noqa: S603 - as above
        [*command, SHARED], env=environ, creationflags=flags, stdin=subprocess.PIPE, stdout=nowhere, stderr=nowhere
    )
    assert process.stdin
    with process.stdin as pipe:
        pipe.write(theirs.share(process.pid))
    return process


def received(handed_over: str) -> socket.socket:
    """The socket that `started_with` handed over, in the process that it started."""
    if sys.platform == "win32" and handed_over == SHARED:
        return socket.fromshare(sys.stdin.buffer.read())
    return socket.socket(fileno=int(handed_over))
