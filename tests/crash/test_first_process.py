"""The first process of a container: what it hands on, what it waits for, and what it buries."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from dailies.domain.states import State
from tests.crash.test_owners import sender_of
from tests.crash.test_sender_in_runs import lives
from tests.e2e.forks import ROOT
from tests.e2e.harness import World, named, until
from tests.e2e.invariants import assert_invariants
from tests.flows.factory import descendants

INIT = [sys.executable, "-m", "dailies.sender.init", "--"]
SOME_SENDER = """
import pathlib, time
pathlib.Path("sending").touch()
for _ in range(6000):
    if pathlib.Path("answer").exists():
        pathlib.Path("recorded").touch()
        break
    time.sleep(0.01)
"""
"""Known by the word in its arguments, as a sender is."""


def under_init(folder: Path, command: list[str]) -> subprocess.Popen[bytes]:
    """A command with our init above it."""
    return subprocess.Popen([*INIT, *command], cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)})


def test_it_ends_as_its_command_ends(tmp_path: Path) -> None:
    assert under_init(tmp_path, ["sh", "-c", "exit 7"]).wait(20) == 7
    assert under_init(tmp_path, ["sh", "-c", "kill -9 $$"]).wait(20) == 128 + 9
    assert under_init(tmp_path, ["no-such-command"]).wait(20) == 127
    assert under_init(tmp_path, []).wait(20) == 2


def test_it_stays_until_a_sender_that_its_command_has_left_behind_has_ended(tmp_path: Path) -> None:
    """Its own child by then; SIGTERM no longer ends anything."""
    (tmp_path / "sender.py").write_text(SOME_SENDER)
    leave = f"setsid {sys.executable} sender.py dailies.sender 3 & while [ ! -e sending ]; do :; done; exit 3"
    init = under_init(tmp_path, ["sh", "-c", leave])
    until(lambda: (tmp_path / "sending").exists() and len(descendants(init.pid)) == 1)
    init.send_signal(signal.SIGTERM)
    with pytest.raises(subprocess.TimeoutExpired):
        init.wait(0.5)
    (tmp_path / "answer").touch()
    assert init.wait(20) == 3
    assert (tmp_path / "recorded").exists()


HALF_DEAD = """
import ctypes, subprocess, sys, threading
subprocess.Popen([sys.executable, "sender.py", "dailies.sender", "3"], start_new_session=True)
threading.Thread(target=threading.Event().wait).start()
ctypes.CDLL(None).pthread_exit(None)
"""
"""Its main thread has ended, another one lives: a zombie to look at, and still its child's parent. So is each process of many
threads for a moment when it is killed."""


def test_it_sees_a_sender_below_a_run_that_is_half_dead(tmp_path: Path) -> None:
    (tmp_path / "sender.py").write_text(SOME_SENDER)
    (tmp_path / "run.py").write_text(HALF_DEAD)
    leave = f"{sys.executable} run.py & while [ ! -e sending ] || ! grep -q ') Z' /proc/$!/stat; do :; done; exit 3"
    init = under_init(tmp_path, ["sh", "-c", leave])
    try:
        until((tmp_path / "sending").exists)
        with pytest.raises(subprocess.TimeoutExpired):
            init.wait(2)
        (tmp_path / "answer").touch()
        until((tmp_path / "recorded").exists)
    finally:
        (tmp_path / "answer").touch()
        for pid in descendants(init.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    assert init.wait(20) == 3


def test_it_waits_for_nobody_else(tmp_path: Path) -> None:
    """What the command has left behind and is no sender is told to end."""
    init = under_init(tmp_path, ["sh", "-c", "setsid sleep 600 & echo $! > pid; exit 0"])
    assert init.wait(20) == 0
    until(lambda: not lives(int((tmp_path / "pid").read_text())))


def _state(pid: int) -> str:
    """The letter that the kernel has for how a process stands; empty where it ended meanwhile, as each `sleep` does."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()[0]
    except OSError:
        return ""


def test_signals_reach_the_command_and_the_dead_are_buried(tmp_path: Path) -> None:
    """SIGTERM is the command's to answer; an orphan that dies is no zombie."""
    command = 'trap "exit 5" TERM; (sh -c "exit 0" &) ; touch ready; for n in $(seq 600); do sleep 0.05; done'
    init = under_init(tmp_path, ["sh", "-c", command])
    until((tmp_path / "ready").exists)
    threading.Event().wait(0.3)
    states = [state for pid in descendants(init.pid) if (state := _state(pid))]
    assert "Z" not in states, states
    init.send_signal(signal.SIGTERM)
    assert init.wait(20) == 5


@pytest.mark.production
def test_a_killed_run_in_a_container_still_has_its_answer_recorded(world: World) -> None:
    """In a PID namespace of its own, whose end takes every process along: init is PID 1, and waits for the sender."""
    world.csv(named("a"), provider="onerouter")
    world.sandbox.fault("create", "late", delay_s=4, times=1)
    run = [*INIT, sys.executable, "-m", "dailies", "run", str(world.prompts), "--json"]
    container = subprocess.Popen(
        ["unshare", "--pid", "--fork", "--mount-proc", *run],
        cwd=world.folder, env=world.outside, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip
    until(lambda: world.charges() or container.poll() is not None, 90)
    if container.poll() is not None:
        pytest.skip("no PID namespace may be made here")
    [flow] = [
        pid for pid in descendants(container.pid) if b"dailies\0run" in cmdline(pid) and b"init" not in cmdline(pid)
    ]
    os.kill(flow, signal.SIGKILL)
    assert sender_of(world)
    assert container.wait(30) == 128 + 9
    assert [attempt.state for attempt in world.attempts()] == [State.COMPLETED]
    result = assert_invariants(world)
    assert result and result.code == 0 and len(world.charges()) == 1


def cmdline(pid: int) -> bytes:
    """The arguments of a process; nothing of one that is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""
