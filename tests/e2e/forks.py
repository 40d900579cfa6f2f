"""Starts commands of dailies in a fraction of a second: a process that has imported everything forks a child for each.

A child is a real process of its own: it may be killed, stopped and continued. Run as `python -m tests.e2e.forks` this is
the server; `Forks` is the test's side of it.
"""

from __future__ import annotations

import atexit
import fcntl
import json
import os
import signal
import subprocess
import sys
import tempfile
import termios
import threading
from collections.abc import Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Self

ROOT = Path(__file__).resolve().parents[2]
KILLED = -signal.SIGKILL


@dataclass(frozen=True)
class Child:
    """One command under way."""

    forks: Forks
    pid: int
    folder: Path

    def wait(self, timeout_s: float = 60) -> int:
        """Its exit code; minus the signal's number when a signal ended it."""
        return self.forks.result("code", str(self.pid), timeout_s)

    def wait_until_stopped(self, timeout_s: float = 60) -> None:
        """Return once it has stopped itself (SIGSTOP)."""
        self.forks.result("stopped", str(self.pid), timeout_s)

    def signal(self, number: int) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)

    def text(self, name: str) -> str:
        """What it has written to `stdout` or `stderr` so far."""
        return (self.folder / name).read_text(encoding="utf-8", errors="replace")


class Forks:
    """A running fork server: `with Forks() as forks: forks.start(["run", …], environ, folder)`."""

    def __init__(self) -> None:
        quiet = {
            "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "WARNING",
            "PREFECT_PROFILE": "ephemeral",
            "DO_NOT_TRACK": "1",
        }
        self._environ = {**os.environ, **quiet, "PYTHONPATH": str(ROOT)}
        self._news: dict[tuple[str, str], int] = {}
        self._changed = threading.Condition()

    def __enter__(self) -> Self:
        self._server = subprocess.Popen(
            [sys.executable, "-m", "tests.e2e.forks"], cwd=ROOT, env=self._environ, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, start_new_session=True,  # Ctrl-C is for the tests, which then close its stdin
        )  # fmt: skip
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._server.stdin and self._server.stdout
        self._server.stdin.close()
        self._server.wait(30)
        self._reader.join()
        self._server.stdout.close()

    def start(self, arguments: Sequence[str], environ: Mapping[str, str], cwd: Path, **how: Any) -> Child:
        """Start `dailies ARGUMENTS` with this environment and nothing else in it.

        `how`: `terminal="/dev/pts/…"` is the child's own, in a session of its own; `session=True` is that without a terminal;
        `sender=True` has it start its sender as in production; `nohup=True` has it ignore SIGHUP.
        """
        folder = Path(tempfile.mkdtemp(prefix="child-", dir=cwd))
        order = {"arguments": list(arguments), "environ": dict(environ), "cwd": str(cwd), "folder": str(folder), **how}
        assert self._server.stdin
        self._server.stdin.write(json.dumps(order).encode() + b"\n")
        self._server.stdin.flush()
        # the first one waits until everything is imported
        return Child(self, self.result("started", str(folder), 300), folder)

    def result(self, what: str, which: str, timeout_s: float) -> int:
        """Wait for one piece of news. Raises TimeoutError."""
        with self._changed:
            if not self._changed.wait_for(lambda: (what, which) in self._news, timeout_s):
                raise TimeoutError(f"child {which}: no {what} within {timeout_s:g} s")
            return self._news.pop((what, which))

    def _read(self) -> None:
        assert self._server.stdout
        for line in self._server.stdout:
            news = json.loads(line)
            with self._changed:
                self._news[news["what"], news["which"]] = news["value"]
                self._changed.notify_all()


def serve() -> None:
    """Import everything, then fork a child for each line on stdin. At its end (the tests are gone) all children end too."""
    _import_everything()
    children: set[int] = set()

    def reap(_number: int, _frame: FrameType | None) -> None:
        with suppress(ChildProcessError):
            while (found := os.waitpid(-1, os.WNOHANG | os.WUNTRACED))[0]:
                pid, status = found
                stopped = os.WIFSTOPPED(status)
                if not stopped:
                    children.discard(pid)
                value = 0 if stopped else os.waitstatus_to_exitcode(status)
                _tell("stopped" if stopped else "code", str(pid), value)

    signal.signal(signal.SIGCHLD, reap)
    for line in sys.stdin.buffer:
        order = json.loads(line)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})  # its start is told before its end
        terminal = order.get("terminal")
        held = [os.open(terminal, os.O_RDWR | os.O_NOCTTY)] if terminal else []  # never without anybody who has it open
        pid = os.fork()
        if pid == 0:
            _become(order, held)
        for descriptor in held:
            os.close(descriptor)
        children.add(pid)
        _tell("started", order["folder"], pid)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
    for pid in list(children):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _import_everything() -> None:
    from importlib import import_module

    import boto3
    from PIL import Image

    ours = ("cli.app", "cli.check", "cli.ledger", "cli.run", "report.tables")
    late = (
        "anyio._backends._asyncio",
        "av.subtitles",
        "fastapi",
        "graphviz",
        "prefect.engine",
        "psycopg",
        "pyarrow.parquet",
    )  # imported only when first used
    for name in (
        *(f"dailies.{name}" for name in ours),
        "flows.collect",
        "flows.generate",
        "tests.e2e.senders",
        "tests.e2e.standin",
        *late,
    ):
        import_module(name)
    Image.init()  # every format's module
    boto3.client("s3", region_name="us-east-1")  # reads the service's description, a third of a second


def _become(order: dict[str, Any], held: list[int]) -> None:
    """In the child: run the command and end as an interpreter ends. What is held open for it, it opens itself."""
    code = 70
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a suite in a shell's background would ignore it
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
        if order.get("nohup"):
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
        if order.get("session") or order.get("terminal"):
            os.setsid()
        os.environ.clear()
        os.environ.update(order["environ"])
        os.chdir(order["cwd"])
        _be_shown(order)
        for descriptor in held:
            os.close(descriptor)
        from tests.e2e.senders import fork_a_sender

        if not order.get("sender"):
            fork_a_sender()
        from prefect.settings import PREFECT_API_URL, temporary_settings

        from dailies.cli.app import main
        from tests.e2e import standin

        engine = standin.standing_in() if standin.SAYS_SO in os.environ else nullcontext()
        with temporary_settings({PREFECT_API_URL: os.environ["PREFECT_API_URL"]}), engine:
            code = main(order["arguments"])
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    except BaseException:  # noqa: BLE001 - a child of a fork must never return into the tests
        import traceback

        traceback.print_exc()
    finally:
        threading._shutdown()  # type: ignore[attr-defined]  # noqa: SLF001 - what the interpreter's end does
        atexit._run_exitfuncs()  # noqa: SLF001 - likewise
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _be_shown(order: dict[str, Any]) -> None:
    """Have the child read and write at its terminal, in the encoding that its environment names; else in files."""
    terminal = order.get("terminal")
    files = [Path(order["folder"]) / name for name in ("stdout", "stderr")]
    _open_as(0, terminal or os.devnull, os.O_RDWR if terminal else os.O_RDONLY)
    for number, file in enumerate(files, 1):
        _open_as(number, terminal or file, os.O_RDWR if terminal else os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    if terminal:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)  # what is typed there, such as Ctrl-C, is a signal to the child
        encoding = os.environ.get("PYTHONIOENCODING", "utf-8")
        sys.stdin = open(0, encoding=encoding, closefd=False)  # noqa: SIM115 - as long as the process
        sys.stdout = open(1, "w", encoding=encoding, closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", encoding=encoding, errors="backslashreplace", closefd=False)  # noqa: SIM115


def _open_as(number: int, path: str | Path, flags: int) -> None:
    """A file under this number alone: nobody whom the child starts holds it open as well."""
    opened = os.open(path, flags | os.O_NOCTTY, 0o600)
    os.dup2(opened, number)
    os.close(opened)


def _tell(what: str, which: str, value: int) -> None:
    news = {"what": what, "which": which, "value": value}
    os.write(1, json.dumps(news).encode() + b"\n")  # one write: a signal handler may come between two


if __name__ == "__main__":
    serve()
