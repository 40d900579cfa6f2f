"""What stops a program from outside, really: systemd with its own units, and a container, which is a PID namespace.

Both live in namespaces of their own; whatever is left in them ends with the block. systemd is the machine's own program, run as
a user's manager: which signals go to whom, in which order, is the same code as for system units.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from tests.e2e.forks import ROOT
from tests.e2e.harness import until
from tests.flows.factory import descendants

SYSTEMD = Path("/lib/systemd/systemd")
UNIT = ROOT / "deployments" / "dailies-worker.service"
INIT = [sys.executable, "-m", "dailies.sender.init", "--"]
NAMESPACES = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
OWN_CGROUP = """
mount --make-rprivate / && mount -t tmpfs tmpfs /run && mount -t cgroup2 none /sys/fs/cgroup || exit 77
mkdir -p "/sys/fs/cgroup/$1" && echo $$ > "/sys/fs/cgroup/$1/cgroup.procs" || exit 77
exec unshare --cgroup --mount sh "$2"
"""
MANAGER = """
umount /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup || exit 77
mkdir -p /run/systemd/system "$XDG_RUNTIME_DIR"
{systemd} --user --unit=none.target --log-target=console &
wait
"""
"""`/run/systemd/system` is how systemd knows that it is wanted; as PID 1 it would be no user's manager."""


@dataclass
class Unit:
    """A unit of the shipped file, under way below a systemd of its own."""

    manager: subprocess.Popen[bytes]
    environ: Mapping[str, str]

    def systemctl(self, *words: str) -> subprocess.CompletedProcess[str]:
        """What a person types. Blocks until systemd has done it."""
        [*_, inner] = [pid for pid in (self.manager.pid, *descendants(self.manager.pid)) if _is_systemd(pid)] or [0]
        command = ["nsenter", "--target", str(inner), "--mount", "--pid", "systemctl", "--user", *words]
        return subprocess.run(
            command, env=dict(self.environ), capture_output=True, text=True, timeout=120, check=False
        )  # fmt: skip

    def stop(self) -> None:
        """`systemctl stop`: when it returns, nothing of the unit is left."""
        done = self.systemctl("stop", "dailies-worker")
        assert done.returncode == 0, done.stderr


def _is_systemd(pid: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().startswith(str(SYSTEMD).encode())
    return False


def unit_text(folder: Path, environ: Mapping[str, str], command: list[str]) -> tuple[str, str]:
    """The shipped unit as it stands, and what a test puts beside it: another program below the same first words, its folder,
    its environment, no other user."""
    above, confined, below = UNIT.read_text().partition("# What it may touch")
    shipped = (
        above + below[below.index("[Install]") :]
    )  # a user's manager confines nobody, and what is stopped is the same
    assert confined
    [start] = [line for line in shipped.splitlines() if line.startswith("ExecStart=")]
    first, between, _worker = start.partition(" -- ")
    assert between and first.endswith("-m dailies.sender.init"), "the shipped unit's first process is our init"
    secrets = folder.parent / f"{folder.name}.environ"  # not among what is searched for keys
    secrets.write_text("".join(f'{name}="{value}"\n' for name, value in environ.items()))
    beside = ["[Service]", "User=", f"WorkingDirectory={folder}", f"EnvironmentFile={secrets}", "Restart=no"]
    return shipped, "\n".join([*beside, "ExecStart=", f"ExecStart={shlex.join(command)}", ""])


@contextmanager
def a_unit(folder: Path, environ: Mapping[str, str], command: list[str], *more: str) -> Iterator[Unit]:
    """The shipped unit with this command, started; `more` lines change its settings. Skips where none can be made."""
    if not SYSTEMD.exists() or os.geteuid() != 0:
        pytest.skip("no systemd here, or no right to run one in namespaces of its own")
    units = folder / "config" / "systemd" / "user"
    beside = units / "dailies-worker.service.d"
    beside.mkdir(parents=True)
    shipped, changed = unit_text(folder, environ, command)
    (units / "dailies-worker.service").write_text(shipped)
    (units / "none.target").write_text("[Unit]\nDefaultDependencies=no\n")
    (beside / "test.conf").write_text(changed + "\n".join(more) + "\n")
    script = folder / "manager.sh"
    script.write_text(MANAGER.format(systemd=SYSTEMD))
    group = f"dailies-test-{os.getpid()}-{folder.name}"
    own = {"PATH": os.environ["PATH"], "HOME": str(folder), "XDG_RUNTIME_DIR": "/run/user/0"}
    own["XDG_CONFIG_HOME"] = str(folder / "config")
    with (folder / "systemd.log").open("wb") as log:
        started = [*NAMESPACES, "sh", "-c", OWN_CGROUP, "sh", group, str(script)]
        manager = subprocess.Popen(started, env=own, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    unit = Unit(manager, own)
    try:
        until(lambda: manager.poll() is not None or unit.systemctl("start", "dailies-worker").returncode == 0, 60)
        if manager.poll() is not None:
            pytest.skip(f"no systemd of one's own can run here: {(folder / 'systemd.log').read_text()[-300:]}")
        yield unit
    finally:
        manager.kill()
        manager.wait()
        _remove_group(group)


def _remove_group(name: str) -> None:
    """What systemd made below its cgroup, once all of it has ended."""
    mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    for top in (Path(mount[1]) / name for mount in mounts if mount[2] == "cgroup2"):
        until(partial(_emptied, top), 30)


def _emptied(top: Path) -> bool:
    with suppress(OSError):
        for folder, _, _ in os.walk(top, topdown=False):
            os.rmdir(folder)
    return not top.exists()


@dataclass
class Container:
    """A program as PID 1 of a namespace: its end takes every other process along."""

    above: subprocess.Popen[bytes]

    def first(self) -> int:
        """PID 1, as it is called out here."""
        children = Path(f"/proc/{self.above.pid}/task/{self.above.pid}/children").read_text().split()
        return int(children[0])

    def stop(self, grace_s: float) -> None:
        """`docker stop --time`: SIGTERM to PID 1, and SIGKILL to it after the grace."""
        first = self.first()
        os.kill(first, signal.SIGTERM)
        try:
            self.above.wait(grace_s)
        except subprocess.TimeoutExpired:
            os.kill(first, signal.SIGKILL)
            self.above.wait(30)


@contextmanager
def a_container(folder: Path, environ: Mapping[str, str], command: list[str]) -> Iterator[Container]:
    """A container with this first process, started. Skips where no namespace can be made."""
    if subprocess.run([*NAMESPACES, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no PID namespace may be made here")
    with (folder / "container.log").open("wb") as log:
        above = subprocess.Popen(
            [*NAMESPACES, *command], cwd=folder, env=dict(environ), stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )  # fmt: skip
    try:
        yield Container(above)
    finally:
        above.kill()
        above.wait()
