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
import contextlib, json
from dailies.cli import main
for words in json.loads(sys.argv[1]):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(words)
    print(json.dumps([code, out.getvalue(), err.getvalue()]))
"""
"""Commands on a system of a poorer kind: no fcntl, no SIGHUP, no O_NONBLOCK, no getuid, no /proc."""
CODES = {
    "--version": 0,
    "models --json": 0,
    "status --json": 0,
    "check prompts.csv --json": 2,
    "run prompts.csv --to s3://b/p --json": 2,
    "report --json": 0,
    "doctor --ready --json": 0,
}


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[int, str, str]]:
    """What each command answers there: its exit code, stdout and stderr. What any of them imports, is imported there."""
    folder = tmp_path_factory.mktemp("elsewhere")
    Image.new("RGB", (1280, 720)).save(folder / "frame.png")
    (folder / "prompts.csv").write_text("prompt,image,resolution\na door opens,frame.png,720p\n")
    environ = {
        "PATH": os.environ["PATH"], "HOME": str(folder), "USER": "somebody", "DAILIES_HOME": str(folder / "home"),
        "DAILIES_TRUSTED_HOSTS": "127.0.0.1", "AIML_BASE_URL": "http://127.0.0.1:9", "AIML_API_KEY": "k",
    }  # fmt: skip
    commands = json.dumps([line.split() for line in CODES])
    done = subprocess.run(
        [sys.executable, "-c", HIDDEN, commands], cwd=folder, env=environ, stdin=subprocess.DEVNULL, capture_output=True,
        text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return dict(zip(CODES, map(json.loads, done.stdout.splitlines()), strict=True))


@pytest.mark.parametrize("line", CODES)
def test_a_command_needs_nothing_that_only_linux_has(elsewhere: dict[str, tuple[int, str, str]], line: str) -> None:
    code, out, err = elsewhere[line]
    assert code == CODES[line], err
    assert "No module named" not in err and "has no attribute" not in err
    if line.endswith("--json"):
        json.loads(out)


def test_a_check_there_says_what_it_says_here(elsewhere: dict[str, tuple[int, str, str]]) -> None:
    """The same refusal: the account can't be asked. And the same clip, by its content."""
    there = json.loads(elsewhere["check prompts.csv --json"][1])
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
