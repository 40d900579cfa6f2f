"""A small production of a test's own: a Prefect server on Postgres, workers, and the world they work in."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import httpx
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.objects import FlowRun
from prefect.settings import (
    PREFECT_API_AUTH_STRING,
    PREFECT_API_SSL_CERT_FILE,
    PREFECT_API_URL,
    PREFECT_CLIENT_CUSTOM_HEADERS,
    PREFECT_CLIENT_RETRY_EXTRA_CODES,
    temporary_settings,
)
from sqlalchemy.engine import make_url

from tests.e2e.forks import ROOT

T = TypeVar("T")
RECORDER = {
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "200",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_READ_BATCH_SIZE": "200",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "1",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_BATCH_SIZE": "200",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_FLUSH_INTERVAL": "1",
    "PREFECT_SERVER_EVENTS_EXPIRED_BUCKET_BUFFER": "P1D",
}
QUIET = {"PREFECT_SERVER_ANALYTICS_ENABLED": "false", "DO_NOT_TRACK": "1", "PREFECT_LOGGING_COLORS": "false"}
SETTINGS = {
    "PREFECT_API_AUTH_STRING": PREFECT_API_AUTH_STRING,
    "PREFECT_API_SSL_CERT_FILE": PREFECT_API_SSL_CERT_FILE,
    "PREFECT_CLIENT_CUSTOM_HEADERS": PREFECT_CLIENT_CUSTOM_HEADERS,
}
FINAL = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}


@dataclass
class Process:
    """A program with all that it starts; its output is in a file."""

    popen: subprocess.Popen[bytes]
    log: Path
    again: Callable[[], subprocess.Popen[bytes]]

    def text(self) -> str:
        """What it has said so far."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def kill(self) -> None:
        """SIGKILL to it and to every process below it, at once: the machine is gone."""
        _signal([self.popen.pid, *descendants(self.popen.pid)], signal.SIGKILL)
        self.popen.wait()

    def stop(self) -> None:
        """End it and all below it kindly, then not."""
        everybody = [self.popen.pid, *descendants(self.popen.pid)]
        _signal(everybody, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            self.popen.wait(15)
        _signal([*everybody, *descendants(self.popen.pid)], signal.SIGKILL)
        self.popen.wait()

    def restart(self) -> None:
        """End it kindly and start it anew with the same words; its output goes on in the same file."""
        self.stop()
        self.popen = self.again()


def _signal(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def descendants(pid: int) -> list[int]:
    """Every process below this one, by /proc."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError, IndexError):
                parents[int(entry.name)] = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
    found, level = [], {pid}
    while level := {child for child, parent in parents.items() if parent in level}:
        found += sorted(level)
    return found


@contextmanager
def process(command: list[str], environ: Mapping[str, str], cwd: Path, log: Path) -> Iterator[Process]:
    """A program in a session of its own, gone at the end of the block."""
    log.unlink(missing_ok=True)

    def start() -> subprocess.Popen[bytes]:
        with log.open("ab") as out:
            return subprocess.Popen(
                command, env=dict(environ), cwd=cwd, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                start_new_session=True,
            )  # fmt: skip

    running = Process(start(), log, start)
    try:
        yield running
    finally:
        running.stop()


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def base_environ(folder: Path) -> dict[str, str]:
    """What any program of the production has in its environment."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR", "LANG") if name in os.environ}
    return {
        **kept,
        **QUIET,
        "PYTHONPATH": str(ROOT),
        "PREFECT_HOME": str(folder),
        "PREFECT_PROFILES_PATH": str(folder / "none.toml"),
    }


@contextmanager
def prefect_server(folder: Path, database: str | None = None, **environ: str) -> Iterator[str]:
    """`prefect server start` as a team does it, with the settings of docs/operations.md. Yields its API's URL."""
    with server_process(folder, database, **environ) as (api, _):
        yield api


@contextmanager
def server_process(folder: Path, database: str | None = None, **environ: str) -> Iterator[tuple[str, Process]]:
    """The same; yields its API's URL and the process."""
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    settings = {**base_environ(folder), **RECORDER, **environ}
    settings["PREFECT_SERVER_UI_STATIC_DIRECTORY"] = str(folder / "ui")
    settings["PREFECT_SERVER_UI_API_URL"] = f"http://127.0.0.1:{port}/api"
    settings["PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT"] = "false"
    if database:
        url = make_url(database).set(drivername="postgresql+asyncpg")  # the driver that Prefect's server uses
        settings["PREFECT_API_DATABASE_CONNECTION_URL"] = url.render_as_string(hide_password=False)
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    with process(command, settings, folder, folder / "server.log") as server:
        api = f"http://127.0.0.1:{port}/api"
        answers(api, server)
        yield api, server


def answers(api: str, server: Process) -> None:
    """Return once it does."""
    wait_for(lambda: _healthy(api, server), 300, lambda: server.text()[-2000:])


def _healthy(url: str, server: Process) -> bool:
    assert server.popen.poll() is None, server.text()[-2000:]
    with suppress(httpx.HTTPError):
        return httpx.get(f"{url}/health", timeout=5, trust_env=False).status_code == 200
    return False


def wait_for(
    condition: Callable[[], T], timeout_s: float, explain: Callable[[], str] = lambda: "", every_s: float = 0.5
) -> T:
    """The condition's value as soon as it is true. Fails with an explanation when it does not come true in time."""
    deadline = time.monotonic() + timeout_s
    while not (value := condition()):
        assert time.monotonic() < deadline, f"it did not happen within {timeout_s:g} s\n{explain()}"
        time.sleep(every_s)
    return value


@dataclass
class Api:
    """The Prefect API as a team asks it, in plain calls."""

    url: str
    shown: Mapping[str, str] = field(default_factory=dict)
    """Prefect's settings that the server, or what stands before it, asks for."""
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)

    def ask(self, question: Callable[[PrefectClient], Any]) -> Any:
        """The answer to one question to the client."""

        async def asked() -> Any:
            async with get_client() as client:
                return await question(client)

        shown = {SETTINGS[name]: json.loads(text) if text[0] == "{" else text for name, text in self.shown.items()}
        with temporary_settings({PREFECT_API_URL: self.url, PREFECT_CLIENT_RETRY_EXTRA_CODES: {500}, **shown}):
            return self.loop.run_until_complete(asked())

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """A request that the client has no method for."""
        answer = httpx.post(f"{self.url}{path}", json=body, timeout=30, trust_env=False)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def start(self, deployment: str, parameters: Mapping[str, Any]) -> FlowRun:
        """A run of a deployment, as the UI's form starts it."""

        async def started(client: PrefectClient) -> FlowRun:
            found = await client.read_deployment_by_name(deployment)
            return await client.create_flow_run_from_deployment(found.id, parameters=dict(parameters))

        run: FlowRun = self.ask(started)
        return run

    def run(self, run_id: UUID) -> FlowRun:
        """A flow run as it is now."""
        found: FlowRun = self.ask(lambda client: client.read_flow_run(run_id))
        return found

    def runs(self) -> list[FlowRun]:
        """The latest flow runs."""
        found: list[FlowRun] = self.ask(lambda client: client.read_flow_runs(limit=200))
        return found

    def ended(self, run_id: UUID, timeout_s: float, explain: Callable[[], str] = lambda: "") -> FlowRun:
        """A flow run at its end, waited for."""

        def final() -> FlowRun | None:
            run = self.run(run_id)
            return run if run.state and run.state.type.value in FINAL else None

        run = wait_for(final, timeout_s, explain, every_s=1)
        assert run is not None
        return run

    def events(self, name: str) -> list[dict[str, Any]]:
        """The events of this name (a `*` at its end stands for any), at most 200."""
        wanted = {"prefix": [name.removesuffix("*")]} if name.endswith("*") else {"name": [name]}
        body = {"filter": {"event": wanted, "occurred": {"since": "2000-01-01T00:00:00Z"}}, "limit": 50}
        page = self.post("/events/filter", body)
        found: list[dict[str, Any]] = page["events"]
        while page.get("next_page"):
            page = httpx.get(page["next_page"], timeout=30, trust_env=False).json()
            found += page["events"]
        return found
