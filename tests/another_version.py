"""Puts these tests' inputs to another version of dailies: `pytest -p tests.another_version FILE`, with DAILIES_UNDER_TEST=FOLDER.

In FOLDER lies that version's code. Every command runs in an interpreter of its own that imports it; sandbox, store and oracle are
today's. A SQLite ledger is read from a copy, which is brought up: the file itself stays as that version wrote it.
"""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from dailies.ledger import Ledger, Owner, open_engine
from tests.e2e.harness import LATER_SETTINGS, Result, World

FOLDER = os.environ.get("DAILIES_UNDER_TEST", "")


@dataclass
class Process:
    """A command of the other version under way; it is spoken to as `forks.Child` is."""

    process: subprocess.Popen[bytes]
    folder: Path

    @property
    def pid(self) -> int:
        """Of the command itself."""
        return self.process.pid

    def wait(self, timeout_s: float = 60) -> int:
        """Its exit code; minus the signal's number when a signal ended it."""
        return self.process.wait(timeout_s)

    def wait_until_stopped(self, timeout_s: float = 60) -> None:
        """Return once it has stopped itself (SIGSTOP)."""
        os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WNOWAIT)

    def signal(self, number: int) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)

    def text(self, name: str) -> str:
        """What it has written to `stdout` or `stderr` so far."""
        return (self.folder / name).read_text(encoding="utf-8", errors="replace")


def _start(self: World, *arguments: str, **environ: str) -> Process:
    folder = Path(tempfile.mkdtemp(prefix="child-", dir=self.folder))
    command = [sys.executable, "-m", "dailies", *(arguments or ("run", str(self.prompts), "--json"))]
    with (folder / "stdout").open("wb") as out, (folder / "stderr").open("wb") as err:
        given = {**self.environ, **environ}
        return Process(subprocess.Popen(command, cwd=self.folder, env=given, stdout=out, stderr=err), folder)


def _here(self: World, arguments: Sequence[str], environ: Mapping[str, str]) -> Result:
    return self._in_shell([sys.executable, "-m", "dailies", *arguments], environ)


@contextmanager
def _ledger(self: World) -> Iterator[Ledger]:
    url = self.ledger_url
    with tempfile.TemporaryDirectory(prefix="dailies-read-") as folder:
        if (file := make_url(url).database) and url.startswith("sqlite") and Path(file).exists():
            with closing(sqlite3.connect(file)) as there, closing(sqlite3.connect(f"{folder}/ledger.db")) as copy:
                there.backup(copy)
            url = f"sqlite:///{folder}/ledger.db"
        ledger = Ledger(open_engine(url), Owner.this_process())
        try:
            yield ledger
        finally:
            ledger.engine.dispose()


def pytest_configure() -> None:
    """Only for this session of pytest."""
    assert Path(FOLDER, "dailies").is_dir(), "DAILIES_UNDER_TEST names no folder with a dailies in it"
    made = World.__post_init__

    def make(self: World) -> None:
        made(self)
        self.environ["PYTHONPATH"] = FOLDER
        for name in LATER_SETTINGS:
            self.environ.pop(name, None)

    patch = pytest.MonkeyPatch()
    patch.setattr(Result, "waiting", property(lambda self: self.json["overdue"] + self.json.get("interrupted", 0)))
    for name, value in {"__post_init__": make, "start": _start, "_here": _here, "ledger": _ledger}.items():
        patch.setattr(World, name, value)
