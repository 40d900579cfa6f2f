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
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from dailies.domain.states import State
from dailies.ledger import Ledger, Owner, open_engine
from tests.e2e.harness import Result, World

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
    done = self._in_shell([sys.executable, "-m", "dailies", *arguments], environ)
    assert "is not a setting" not in done.stderr, f"it was not put to the test: {done.stderr}"
    return done


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


def _attempt_of(production: Any, name: str) -> SimpleNamespace | None:
    """The one attempt of a batch, by its columns: that ledger is not ours to bring up while its version works."""
    engine = create_engine(production.world.ledger_url)
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT state FROM attempt WHERE batch = :name"), {"name": name}).all()
    engine.dispose()
    assert len(rows) <= 1
    return SimpleNamespace(state=State(rows[0].state)) if rows else None


def pytest_collection_modifyitems() -> None:
    """A production is made of the other version's deployments and workers."""
    patch = pytest.MonkeyPatch()
    for name in ("tests.flows.factory", "tests.flows.production", "tests.flows.test_shutdown"):
        if name in sys.modules:
            patch.setattr(sys.modules[name], "ROOT", Path(FOLDER), raising=False)
            patch.setattr(sys.modules[name], "attempt_of", _attempt_of, raising=False)


def pytest_configure() -> None:
    """Only for this session of pytest."""
    assert Path(FOLDER, "dailies").is_dir(), "DAILIES_UNDER_TEST names no folder with a dailies in it"
    settings = Path(FOLDER, "dailies", "settings.py").read_text(encoding="utf-8").lower()
    made = World.__post_init__

    def make(self: World) -> None:
        self.engine = True  # that version knows of no stand-in
        made(self)
        self.environ["PYTHONPATH"] = FOLDER
        for name in [name for name in self.environ if name.startswith("DAILIES_") and name.lower() not in settings]:
            del self.environ[name]  # a test's own convenience, which that version would refuse

    patch = pytest.MonkeyPatch()
    patch.setattr(Result, "waiting", property(lambda self: self.json["overdue"] + self.json.get("interrupted", 0)))
    for name, value in {"__post_init__": make, "start": _start, "_here": _here, "ledger": _ledger}.items():
        patch.setattr(World, name, value)
