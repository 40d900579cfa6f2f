"""Who works on an attempt, and whether that process still lives."""

from __future__ import annotations

import os
import secrets
import socket
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Owner:
    """One worker: machine, process, process start, and a nonce per opened runtime. `str()` of it stands in the ledger.

    `machine` names host, boot and PID namespace, because a PID means nothing across any of them.
    """

    machine: str
    pid: int
    started: str
    nonce: str

    def __str__(self) -> str:
        return f"{self.machine}|{self.pid}|{self.started}|{self.nonce}"

    @classmethod
    def parse(cls, text: str) -> Owner:
        """The owner that wrote `text`."""
        machine, pid, started, nonce = text.rsplit("|", 3)
        return cls(machine, int(pid), started, nonce)

    @classmethod
    def this_process(cls) -> Owner:
        """An owner for the calling process."""
        return cls(_machine(), os.getpid(), _process_start(os.getpid()) or "?", secrets.token_hex(4))

    def is_dead(self, lease_until: datetime, now: datetime, seen_from: Owner) -> bool:
        """Dead at once when its process is gone from the machine we are on; otherwise when its lease has run out."""
        if self.machine == seen_from.machine and not self.is_here(seen_from):
            return True
        return lease_until < now

    def is_here(self, seen_from: Owner) -> bool:
        """Whether its process is on the machine we are on and has not ended; a stopped one has not."""
        return self.machine == seen_from.machine and _process_start(self.pid) == self.started


def _machine() -> str:
    parts = [socket.gethostname()]
    for path in ("/proc/sys/kernel/random/boot_id", "/etc/machine-id"):
        try:
            parts.append(Path(path).read_text().strip()[:8])
            break
        except OSError:
            continue
    try:
        parts.append(os.readlink("/proc/self/ns/pid").strip("pid:[]"))
    except OSError:
        pass
    return "/".join(parts)


def _process_start(pid: int) -> str | None:
    """When a process started, in the kernel's ticks; None when there is no such process (or it is a zombie)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except FileNotFoundError:
        return None if Path("/proc/self").exists() else _start_without_proc(pid)
    except (OSError, IndexError):
        return None
    return None if fields[0] in ("Z", "X") else fields[19]


def _start_without_proc(pid: int) -> str | None:
    """Where there is no /proc (macOS, Windows): when it started, in milliseconds. `?` where that may not be asked."""
    import psutil

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else f"{process.create_time() * 1000:.0f}"
    except psutil.NoSuchProcess:
        return None
    except psutil.AccessDenied:
        return "?"
