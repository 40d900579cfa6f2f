"""As far as Linux can show it: commands on a system that lacks what only Linux, or only POSIX, has."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from dailies.ledger.owner import Owner
from dailies.prefect_api.server import open_lock
from dailies.system import try_lock, unlock

HIDDEN = """
import builtins, importlib.abc, io, os, pathlib, signal, sys

class Missing(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name in ("fcntl", "termios", "tty", "pty", "pwd", "grp", "resource", "posix_ipc", "syslog"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

for name in ("fcntl", "termios", "tty", "pty", "pwd", "grp", "resource"):
    sys.modules.pop(name, None)
sys.meta_path.insert(0, Missing())
for name in ("SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGKILL", "SIGALRM", "SIGCHLD", "SIGPIPE"):
    if hasattr(signal, name):
        delattr(signal, name)
for name in ("O_NONBLOCK", "O_CLOEXEC", "getuid", "geteuid", "setsid", "killpg", "mkfifo"):
    if hasattr(os, name):
        delattr(os, name)
import time
del time.CLOCK_BOOTTIME
real_open = io.open
def no_proc(file, *args, **kwargs):
    if str(file).startswith("/proc"):
        raise FileNotFoundError(2, "No such file or directory", str(file))
    return real_open(file, *args, **kwargs)
io.open = builtins.open = no_proc
real_readlink, real_stat = os.readlink, os.stat
os.readlink = lambda path, **more: no_proc(path) if str(path).startswith("/proc") else real_readlink(path, **more)
from dailies.cli import main
sys.exit(main(sys.argv[1:]))
"""
"""A system of a poorer kind: no fcntl, no SIGHUP, no O_NONBLOCK, no getuid, no /proc."""


def elsewhere(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """A command on such a system."""
    environ = {
        "PATH": os.environ["PATH"], "HOME": str(folder), "USER": "somebody", "DAILIES_HOME": str(folder / "home"),
        "DAILIES_TRUSTED_HOSTS": "127.0.0.1", "AIML_BASE_URL": "http://127.0.0.1:9", "AIML_API_KEY": "k",
    }  # fmt: skip
    return subprocess.run(
        [sys.executable, "-c", HIDDEN, *words], cwd=folder, env=environ, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=300, check=False,
    )  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    Image.new("RGB", (1280, 720)).save(tmp_path / "frame.png")
    (tmp_path / "prompts.csv").write_text("prompt,image,resolution\na door opens,frame.png,720p\n")
    return tmp_path


@pytest.mark.parametrize(
    ("words", "code"),
    [(["--version"], 0), (["models", "--json"], 0), (["status", "--json"], 0), (["check", "prompts.csv", "--json"], 2),
     (["run", "prompts.csv", "--to", "s3://b/p", "--json"], 2),
     (["report", "--json"], 0), (["doctor", "--ready", "--json"], 0)],
    ids=lambda value: " ".join(value) if isinstance(value, list) else str(value),
)  # fmt: skip
def test_a_command_needs_nothing_that_only_linux_has(folder: Path, words: list[str], code: int) -> None:
    done = elsewhere(folder, *words)
    assert done.returncode == code, done.stderr
    assert "No module named" not in done.stderr and "has no attribute" not in done.stderr
    if "--json" in words:
        json.loads(done.stdout)


def test_a_check_there_says_what_it_says_here(folder: Path) -> None:
    """The same refusal: the account can't be asked. And the same clip, by its content."""
    there = json.loads(elsewhere(folder, "check", "prompts.csv", "--json").stdout)
    assert there["clips"][0]["check"] == "ok" and there["error"]


def test_a_process_is_known_by_its_start_where_there_is_no_proc(monkeypatch: pytest.MonkeyPatch) -> None:
    real = Path.read_text
    monkeypatch.setattr(
        Path, "read_text", lambda self, *a, **k: real(Path("/nowhere/x") if "proc" in self.parts else self, *a, **k)
    )
    monkeypatch.setattr(Path, "exists", lambda self, **k: False)
    here = Owner.this_process()
    assert here.started.isdigit() and here.is_here(here)
    assert not Owner(here.machine, here.pid, "1", "x").is_here(here), "a number that was used again"
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    assert not Owner(here.machine, ended.pid, here.started, "x").is_here(here)


def test_a_lock_is_one_ones_and_then_the_nexts(tmp_path: Path) -> None:
    one, two = open_lock(tmp_path / "x.lock"), open_lock(tmp_path / "x.lock")
    assert try_lock(one) and not try_lock(two)
    unlock(one)
    assert try_lock(two)
    os.close(one)
    os.close(two)
