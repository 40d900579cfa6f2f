"""A real Prefect server on this machine, for as long as somebody uses it.

Prefect's own ephemeral server loses task runs; this one is an ordinary server in a process of its own, shared by all
runs with the same home. Who lives how long is said by two file locks, which the kernel releases at any death:

- `users.lock`: every user holds it shared. The server ends when it can take it exclusively, and keeps it then, so a
  newcomer that gets its share knows that the server won't end under it, and one that doesn't waits for the end. Its last
  user tells it that it left, so that it need not wait for what a killed one may still have sent.
- `server.lock`: whoever starts a server takes it and hands it on to the server, which holds it all its life. So there
  is never more than one, and the lock being free means that there is none, whatever `server.json` says.

Importing this module doesn't import Prefect: its settings must be in the environment first.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

from dailies.environment import variables
from dailies.errors import Misconfigured
from dailies.prefect_api.waiting import (
    ADDRESS_FILE,
    DATABASE,
    LOG_FILE,
    LONGEST_S,
    STILL_S,
    Waiting,
    doing,
    seen,
    written_note,
)
from dailies.system import AS_IT_STANDS, try_lock

HOST = "127.0.0.1"
ABOUT_PATH = "/dailies"
USERS_LOCK, SERVER_LOCK = "users.lock", "server.lock"

ANOTHER = 4
"""The exit code of a server that found another one there."""
POLL_S = 0.05
END_TIMEOUT_S = 10.0
SETTLE_TIMEOUT_S = 5.0
"""The longest that the last user waits for the history to be written; the server goes on writing without it."""
LOG_LIMIT_BYTES = 1_000_000
PASSED_ON = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "LANGUAGE", "TZ", "TMPDIR", "VIRTUAL_ENV", "LD_LIBRARY_PATH")
"""What the server may know of the environment: no key, and no Prefect setting that is meant for somebody else."""

SIGNS_NOTHING = Path(__file__).with_name("signs_nothing.pem")
"""An authority whose key nobody has. Each of Prefect's clients, six in a run, else reads the usual 140 of them on its event loop,
40 ms, for a server that speaks plain HTTP."""


class GivenUp(Exception):
    """The start of a server was given up by whoever asked for it."""


@dataclass(frozen=True, slots=True)
class LocalServer:
    """A running server. `folder` holds its database, log and locks."""

    api_url: str
    ui_url: str
    folder: Path
    pid: int

    def environment(self, environ: Mapping[str, str] | None = None) -> dict[str, str]:
        """The variables that Prefect's client finds this server by."""
        return client_environment(self.folder, environ) | {
            "PREFECT_API_URL": self.api_url,
            "PREFECT_UI_URL": self.ui_url,
        }


def client_environment(folder: Path, environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """What Prefect's client is to find in the environment before it is imported, whatever the server's address will be.

    What `environ` says of logging and retries is left alone.
    """
    present = variables() if environ is None else environ
    wanted = {
        "PREFECT_HOME": str(folder),
        "PREFECT_PROFILE": "ephemeral",  # Prefect's built-in default: nobody's profile names another server
        "PREFECT_SERVER_EPHEMERAL_ENABLED": "false",
        "PREFECT_API_SSL_CERT_FILE": str(SIGNS_NOTHING),
        "DO_NOT_TRACK": "1",
    }
    spared = present.get("no_proxy", present.get("NO_PROXY")) or ""  # lower case first, as every reader of them does
    hosts = spared.split(",") if spared else []
    wanted["NO_PROXY"] = wanted["no_proxy"] = ",".join([*hosts, *([] if HOST in hosts else [HOST])])
    wishes = {
        "PREFECT_LOGGING_LEVEL": "INFO",
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "WARNING",
        "PREFECT_CLIENT_RETRY_EXTRA_CODES": "500",  # what a server answers whose database is busy
    }
    return wanted | {name: wish for name, wish in wishes.items() if name not in present}


def server_folder(home: Path) -> Path:
    """Where the local server of a home keeps what is its own."""
    return home.expanduser().absolute() / "prefect"


@contextmanager
def local_server(
    home: Path,
    *,
    startup_timeout_s: float = LONGEST_S,
    on_wait: Callable[[str], None] | None = None,
    given_up: Callable[[], bool] = lambda: False,
) -> Iterator[LocalServer]:
    """Use the local server of this `home`: start it if there is none, and let it end after its last user.

    `on_wait` gets one sentence whenever there is something to wait for, and every few seconds what a start is at. Leaving waits
    a moment, if nobody else uses the server, until the history is written and the server has ended.

    Raises Misconfigured once the server's process has ended, stands still, or does not answer within `startup_timeout_s`;
    GivenUp once `given_up` is true before there is one.
    """
    say = on_wait or (lambda _: None)
    folder = server_folder(home)
    with _explained(folder):
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        users_fd = open_lock(folder / USERS_LOCK)
    last: LocalServer | None = None
    try:
        with _explained(folder):
            _join(users_fd, folder, min(startup_timeout_s, STILL_S), say, given_up)
            server = _find_or_start(folder, startup_timeout_s, say, given_up)
        try:
            yield server
        finally:
            last = server if _finish_history(server, users_fd, say) else None
    finally:
        os.close(users_fd)
        if last:
            _await_end(last)


def open_lock(path: Path) -> int:
    """Open (or create) a lock file for its owner alone. Returns the descriptor, which no child inherits."""
    return os.open(path, os.O_RDWR | os.O_CREAT | AS_IT_STANDS, 0o600)


def _join(
    users_fd: int, folder: Path, timeout_s: float, say: Callable[[str], None], given_up: Callable[[], bool]
) -> None:
    """Take a share of the users' lock. While a server is ending, that one has it alone, and we wait."""
    noticed_at = time.monotonic()
    told = False
    while not try_lock(users_fd, alone=False):
        if given_up():
            raise GivenUp
        if time.monotonic() - noticed_at > timeout_s:
            raise Misconfigured(_failure(folder, "the last one has not ended"), trouble="prefect")
        if not told and time.monotonic() - noticed_at > 2 * POLL_S:  # a server that only looks has it for an instant
            say("waiting for the last local Prefect server to end")
            told = True
        time.sleep(POLL_S)


def _find_or_start(
    folder: Path, timeout_s: float, say: Callable[[str], None], given_up: Callable[[], bool]
) -> LocalServer:
    """The running server; started here, unless another process is just starting it."""
    child: subprocess.Popen[bytes] | None = None
    waiting: Waiting | None = None
    log_start = 0
    while (server := _running(folder)) is None:
        if given_up():  # SIGTERM ends it at once, but for an upgrade of its database, which it ends first
            if child and os.name == "posix":
                child.terminate()
            raise GivenUp
        if child is None:
            log_start = _size(folder / LOG_FILE)
            child = _try_start(folder)
        elif child.poll() == ANOTHER:
            child = None
        elif child.poll() is not None:
            raise Misconfigured(
                _failure(folder, f"its process ended with code {child.returncode}", log_start), trouble="prefect"
            )
        if waiting is None:
            first = not (folder / DATABASE).exists()
            say("starting the local Prefect server" + (" (its first start takes half a minute)" if first else ""))
            waiting = Waiting(lambda: seen(folder), lambda: doing(folder), say, timeout_s, time.monotonic)
        if reason := waiting.over():
            if child:
                _end(child)
            raise Misconfigured(_failure(folder, reason, log_start), trouble="prefect")
        time.sleep(POLL_S)
    if child:
        threading.Thread(target=child.wait, daemon=True).start()  # so that it leaves no zombie if it ends before us
    return server


def _try_start(folder: Path) -> subprocess.Popen[bytes] | None:
    """Start a server, unless one is there or being started."""
    lock_fd = open_lock(folder / SERVER_LOCK)
    try:
        if not try_lock(lock_fd):
            return None
        (folder / ADDRESS_FILE).unlink(missing_ok=True)
        handed_on = [str(lock_fd)] if os.name == "posix" else []  # Windows hands on no lock: the server takes it itself
        with open(folder / LOG_FILE, "ab", opener=_private) as log:
            return subprocess.Popen(  # noqa: S603 - our own module under our own interpreter
                [sys.executable, "-m", "dailies.prefect_api.serve", str(folder), *handed_on],
                env=server_environment(variables()),
                cwd=folder,  # so that no .env or prefect.toml of the working directory reaches it
                pass_fds=[int(fd) for fd in handed_on],
                start_new_session=True,  # Ctrl-C is for the run; the server still has to record how that ends
                creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),  # the same on Windows
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
    finally:
        os.close(lock_fd)  # the child has it now


def server_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """What the server's process sees: the little of `environ` that it needs, and where this process imports from."""
    kept = {name: value for name, value in environ.items() if name in PASSED_ON or name.startswith("LC_")}
    path = os.pathsep.join(os.path.abspath(entry) for entry in sys.path)
    return kept | {"PYTHONPATH": path, "PYTHONSAFEPATH": "1", "PYTHONUTF8": "1"}


def _running(folder: Path) -> LocalServer | None:
    """The server that `server.json` names, if it is that very server which answers there."""
    try:
        note = written_note(folder)
        url = f"http://{HOST}:{int(note['port'])}"
        if _about(url)["token"] != note["token"]:
            return None
        return LocalServer(api_url=f"{url}/api", ui_url=url, folder=folder, pid=int(note["pid"]))
    except (OSError, ValueError, KeyError, TypeError, HTTPException):
        return None


def _about(url: str, method: str = "GET") -> dict[str, Any]:
    """What a server of ours says of itself. Asked with the standard library: this is the first thing that a command does."""
    with closing(HTTPConnection(url.removeprefix("http://"), timeout=5)) as connection:
        connection.request(method, ABOUT_PATH)
        answer: dict[str, Any] = json.loads(connection.getresponse().read())
        return answer


def _finish_history(server: LocalServer, users_fd: int, say: Callable[[str], None]) -> bool:
    """Send what this process still has to record and, unless others keep the server alive, wait until it is written.

    The server would go on without us, but where we are a container's main process it would not outlive us. Returns
    whether we were its last user.
    """
    _send_events()
    alone = try_lock(users_fd) and try_lock(users_fd, alone=False)
    if not alone:
        return False
    deadline = time.monotonic() + SETTLE_TIMEOUT_S
    told = False
    with suppress(OSError, HTTPException, KeyError, ValueError):
        while not _about(server.ui_url)["settled"] and time.monotonic() < deadline:
            if not told:
                say("writing the history of the run")
                told = True
            time.sleep(POLL_S)
    return True


def _await_end(server: LocalServer) -> None:
    """Return when the server's process is gone. It is told that we left, and ends at once if nobody else came."""
    import psutil

    with suppress(OSError, HTTPException, ValueError):
        _about(server.ui_url, "POST")
    deadline = time.monotonic() + END_TIMEOUT_S
    while psutil.pid_exists(server.pid) and time.monotonic() < deadline:
        time.sleep(POLL_S)


def _send_events() -> None:
    """Let Prefect's client threads, if there are any, send the events and logs that they still have."""
    with suppress(RuntimeError):
        asyncio.get_running_loop()
        return  # a loop must not be blocked; Prefect sends them when the process exits
    for module, name in (("prefect.logging.handlers", "APILogWorker"), ("prefect.events.worker", "EventsWorker")):
        if module in sys.modules:
            getattr(sys.modules[module], name).drain_all(timeout=SETTLE_TIMEOUT_S, at_exit=False)


def _end(child: subprocess.Popen[bytes]) -> None:
    child.terminate()
    try:
        child.wait(timeout=5)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


@contextmanager
def _explained(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Misconfigured(_failure(folder, str(error)), trouble="prefect") from error


def _failure(folder: Path, reason: str, log_start: int = 0) -> str:
    log = folder / LOG_FILE
    lines: list[str] = []
    with suppress(OSError):
        lines = log.read_bytes()[log_start:].decode("utf-8", "replace").splitlines()[-12:]
    words = f"\nIts last words ({log}):\n" + "\n".join(f"    {line.rstrip()}" for line in lines) if lines else ""
    return (
        f"The local Prefect server did not start: {reason}. Nothing was bought.{words}\n"
        f"See that {folder} can be written and its disk is not full. If its database is broken, move "
        f"{folder / DATABASE} away: only the history in the UI is lost, never the ledger. "
        "Or set PREFECT_API_URL to a Prefect server of your own."
    )


def _private(path: str, flags: int) -> int:
    if _size(Path(path)) > LOG_LIMIT_BYTES:
        flags |= os.O_TRUNC
    return os.open(path, flags, 0o600)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
