"""The local Prefect server: real server processes, real clients, real kills."""

from __future__ import annotations

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

import httpx
import pytest
from websockets.sync.client import connect

from dailies.errors import Misconfigured
from dailies.prefect_api.server import SERVER_LOCK, LocalServer, local_server, open_lock, server_environment
from dailies.prefect_api.waiting import ADDRESS_FILE
from dailies.system import try_lock
from tests.cli.children import child_environment

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("prefect_server")]  # one process builds the history once

DEADLINE_S = 60.0

USER = """
import json, sys
from pathlib import Path
from dailies.prefect_api.server import local_server
with local_server(Path(sys.argv[1]), on_wait=lambda text: print(json.dumps({"wait": text}), flush=True)) as server:
    print(json.dumps({"pid": server.pid, "ui_url": server.ui_url}), flush=True)
    sys.stdin.read()
"""

RUN = """
import asyncio, os, signal, sys
from pathlib import Path
from dailies.prefect_api.server import local_server
with local_server(Path(sys.argv[1])) as server:
    os.environ.update(server.environment())
    from prefect import flow, task
    from prefect.cache_policies import NO_CACHE
    from prefect.events.worker import EventsWorker

    @task(cache_policy=NO_CACHE)
    async def quick(number):
        return number

    @flow(name=sys.argv[2])
    async def many():
        for number in range(int(sys.argv[3])):
            await quick(number)

    asyncio.run(many())
    if sys.argv[4] == "killed":
        EventsWorker.drain_all(at_exit=False)
        os.kill(os.getpid(), signal.SIGKILL)
"""


def wait_until(happened: Callable[[], bool], what: str, timeout_s: float = DEADLINE_S) -> None:
    deadline = time.monotonic() + timeout_s
    while not happened():
        assert time.monotonic() < deadline, f"not within {timeout_s} s: {what}"
        time.sleep(0.05)


def server_is_gone(home: Path) -> bool:
    """The server holds this lock from its first moment to its last."""
    lock_fd = open_lock(home / "prefect" / SERVER_LOCK)
    try:
        return try_lock(lock_fd)
    finally:
        os.close(lock_fd)


def wait_until_gone(home: Path, timeout_s: float = DEADLINE_S) -> None:
    wait_until(lambda: server_is_gone(home), "the server has ended", timeout_s)


@contextmanager
def user(home: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that uses the server until its stdin is closed."""
    process = subprocess.Popen(
        [sys.executable, "-c", USER, str(home)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=child_environment(),
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def told(stream: IO[str] | None, key: str) -> dict[str, Any]:
    """The first thing that a user says about `key`."""
    assert stream is not None
    for line in stream:
        said: dict[str, Any] = json.loads(line)
        if key in said:
            return said
    raise AssertionError(f"the user ended without a word about {key}")


def run_flow(home: Path, name: str, tasks: int, ending: str) -> int:
    command = [sys.executable, "-c", RUN, str(home), name, str(tasks), ending]
    return subprocess.run(command, env=child_environment(), timeout=120, stderr=subprocess.DEVNULL).returncode


def completed_tasks(server: LocalServer, flow_name: str) -> int:
    body = {
        "flows": {"name": {"any_": [flow_name]}},
        "task_runs": {"state": {"type": {"any_": ["COMPLETED"]}}},
    }
    return int(httpx.post(f"{server.api_url}/task_runs/count", json=body, timeout=30).json())


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home that saw two runs: one that ended well, and one that was killed as soon as it was done."""
    folder = tmp_path_factory.mktemp("history")
    assert run_flow(folder, "whole", 300, "well") == 0
    assert run_flow(folder, "killed", 300, "killed") == -signal.SIGKILL
    wait_until_gone(folder)
    return folder


@pytest.fixture
def home(history: Path, tmp_path: Path) -> Iterator[Path]:
    """A home of one's own, with that history, so that no database must be built."""
    shutil.copytree(history, tmp_path, dirs_exist_ok=True)
    yield tmp_path
    wait_until_gone(tmp_path)


@pytest.fixture(scope="module")
def server(history: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    """A server that is started over that history."""
    folder = tmp_path_factory.mktemp("served")
    shutil.copytree(history, folder, dirs_exist_ok=True)
    with local_server(folder) as running:
        yield running
    wait_until_gone(folder)


@pytest.mark.production
def test_history_is_complete_at_the_next_start_however_the_runs_ended(server: LocalServer) -> None:
    assert completed_tasks(server, "whole") == 300
    assert completed_tasks(server, "killed") == 300


@pytest.mark.production
def test_the_ui_is_served_and_asks_this_very_server(server: LocalServer) -> None:
    page = httpx.get(server.ui_url)
    settings = httpx.get(f"{server.ui_url}/ui-settings").json()
    assert "<html" in page.text
    assert settings["api_url"] == server.api_url
    assert httpx.get(f"{server.api_url}/health").json() is True


@pytest.mark.production
def test_another_web_page_can_neither_read_nor_rebind_to_the_server(server: LocalServer) -> None:
    foreign = httpx.get(f"{server.api_url}/health", headers={"Origin": "https://elsewhere.example"})
    rebound = httpx.get(f"{server.api_url}/health", headers={"Host": "elsewhere.example"})
    assert "access-control-allow-origin" not in foreign.headers
    assert rebound.status_code == 400


@pytest.mark.production
def test_nothing_is_compressed_on_the_way_to_a_server_of_the_same_machine(server: LocalServer) -> None:
    with connect(f"{server.api_url.replace('http', 'ws', 1)}/events/in") as stream:
        assert stream.response and "Sec-WebSocket-Extensions" not in stream.response.headers


@pytest.mark.production
def test_all_its_files_are_for_their_owner_alone(server: LocalServer) -> None:
    kept = [server.folder, *server.folder.glob("*")]
    assert {path.name for path in kept} >= {"prefect.db", "server.log", "server.json", "users.lock", "server.lock"}
    assert [path for path in kept if stat.S_IMODE(path.stat().st_mode) & 0o077] == []


@pytest.mark.production
def test_runs_that_start_at_once_share_one_server_and_leave_none_when_killed(home: Path) -> None:
    with ExitStack() as stack:
        users = [stack.enter_context(user(home)) for _ in range(3)]
        servers = {told(process.stdout, "pid")["pid"] for process in users}
        assert len(servers) == 1
        for process in users:
            process.kill()
            process.wait()
    wait_until_gone(home, timeout_s=20)


@pytest.mark.production
def test_a_server_outlives_the_run_that_started_it_while_another_uses_it(home: Path) -> None:
    with user(home) as first:
        started = told(first.stdout, "pid")
        with local_server(home) as running:
            first.kill()
            first.wait()
            assert running.pid == started["pid"]
            assert not server_is_gone(home)
            assert httpx.get(f"{running.api_url}/health").json() is True


@pytest.mark.production
def test_its_last_user_leaves_no_process_behind(home: Path) -> None:
    with local_server(home) as server:
        pass
    with pytest.raises(ProcessLookupError):
        os.kill(server.pid, 0)


@pytest.mark.production
def test_who_comes_while_a_server_ends_gets_a_new_one(home: Path) -> None:
    with user(home) as process:
        ending_pid = told(process.stdout, "pid")["pid"]
        process.kill()
        process.wait()

    def has_begun_to_end() -> bool:
        users_fd = open_lock(home / "prefect" / "users.lock")
        try:
            return not try_lock(users_fd)
        finally:
            os.close(users_fd)

    wait_until(has_begun_to_end, "the server keeps newcomers away")
    with local_server(home) as fresh:
        assert httpx.get(f"{fresh.api_url}/health").json() is True
        assert fresh.pid != ending_pid


@pytest.mark.production
def test_a_run_killed_during_the_start_leaves_no_server(home: Path) -> None:
    with user(home) as process:
        assert "starting" in told(process.stdout, "wait")["wait"]
        wait_until(lambda: not server_is_gone(home), "the server process has begun")
        process.kill()
    wait_until_gone(home)


@pytest.mark.production
def test_a_note_left_by_a_dead_server_is_ignored_even_if_its_port_answers(server: LocalServer, home: Path) -> None:
    port = int(server.ui_url.rpartition(":")[2])
    stale = {"pid": os.getpid(), "port": port, "token": "of a dead server"}
    (home / "prefect" / ADDRESS_FILE).write_text(json.dumps(stale))
    with local_server(home) as running:
        assert running.ui_url != server.ui_url
        assert httpx.get(f"{running.api_url}/health").json() is True


@pytest.mark.production
def test_a_broken_database_is_one_clear_message_with_the_servers_last_words(tmp_path: Path) -> None:
    folder = tmp_path / "prefect"
    folder.mkdir()
    (folder / "prefect.db").write_bytes(b"no database " * 1000)
    with pytest.raises(Misconfigured) as failure, local_server(tmp_path):
        pass
    message = str(failure.value)
    assert "file is not a database" in message
    assert str(folder / "prefect.db") in message
    assert "Nothing was bought" in message
    assert server_is_gone(tmp_path)


def test_a_server_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="did not answer in time"), local_server(tmp_path, startup_timeout_s=0.5):
        pass
    assert server_is_gone(tmp_path)


def test_a_home_that_cant_be_written_is_one_clear_message(tmp_path: Path) -> None:
    (tmp_path / "prefect").write_text("a file in the way")
    with pytest.raises(Misconfigured, match="File exists"), local_server(tmp_path):
        pass


def test_the_clients_environment_names_this_server_alone_and_no_proxy() -> None:
    server = LocalServer("http://127.0.0.1:1/api", "http://127.0.0.1:1", Path("/home/prefect"), 1)
    variables = server.environment({"NO_PROXY": "intranet", "PREFECT_LOGGING_LEVEL": "DEBUG"})
    assert variables["PREFECT_API_URL"] == "http://127.0.0.1:1/api"
    assert variables["PREFECT_HOME"] == "/home/prefect"
    assert variables["PREFECT_SERVER_EPHEMERAL_ENABLED"] == "false"
    assert variables["DO_NOT_TRACK"] == "1"
    assert variables["NO_PROXY"] == variables["no_proxy"] == "intranet,127.0.0.1"  # the lower case one goes first
    assert "PREFECT_LOGGING_LEVEL" not in variables


LOADED_BEFORE = """
import json, sys, threading
from pathlib import Path
from dailies.prefect_api.client import expect_server, use_server
from dailies.prefect_api.server import LocalServer
expect_server(Path(sys.argv[1]))
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_URL, PREFECT_HOME, PREFECT_UI_URL
seen = [PREFECT_API_URL.value()]
use_server(LocalServer("http://127.0.0.1:1/api", "http://127.0.0.1:1", Path(sys.argv[1]) / "prefect", 1))
seen.append(str(get_client().api_url))
thread = threading.Thread(target=lambda: seen.extend(map(str, [PREFECT_API_URL.value(), PREFECT_UI_URL.value(), PREFECT_HOME.value()])))
thread.start()
thread.join()
print(json.dumps(seen))
"""


def test_prefect_may_be_loaded_before_it_is_told_of_the_server(tmp_path: Path) -> None:
    command = [sys.executable, "-c", LOADED_BEFORE, str(tmp_path)]
    done = subprocess.run(
        command, env=child_environment(HOME=str(tmp_path)), capture_output=True, text=True, check=True
    )
    api = "http://127.0.0.1:1/api"
    assert json.loads(done.stdout) == [None, f"{api}/", api, "http://127.0.0.1:1", str(tmp_path / "prefect")]
    assert {path.name for path in tmp_path.iterdir()} <= {"prefect"}, (
        "nothing else is made, least of all in the user's home"
    )


def test_the_server_sees_no_key_and_nobody_elses_prefect_settings() -> None:
    present = {"PATH": "/bin", "LC_ALL": "C", "AIML_API_KEY": "k", "AWS_SECRET_ACCESS_KEY": "k", "PREFECT_API_KEY": "k"}
    seen = server_environment(present)
    assert {"PATH", "LC_ALL"} <= seen.keys()
    assert "k" not in seen.values()


def test_importing_the_module_does_not_import_prefect() -> None:
    code = "import sys, dailies.prefect_api.server; raise SystemExit('prefect' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], env=child_environment()).returncode == 0
