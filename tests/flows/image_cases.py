"""The image, built and run: `.ci/image` builds it and names a container of it in DAILIES_IMAGE. Not part of the suite.

There is no container engine here: a chroot with the image's files, its user and its environment, on this machine's own network.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from dailies import __version__
from tests.e2e.harness import World
from tests.flows.factory import base_environ, descendants, free_port, process, wait_for
from tests.flows.test_containers import SERVICES, of, with_port

CONTAINER = os.environ.get("DAILIES_IMAGE", "")
MAY_WRITE = ("/dev", "/home/dailies", "/proc", "/run/lock", "/tmp", "/var/lib/dailies", "/var/tmp")
FROM_HERE = re.compile(r"(AIML|ONEROUTER|AWS|PREFECT_API)_\w+|DAILIES_(TO|TRUSTED_HOSTS|LOOK|POLL_\w+)|SSL_CERT_FILE")
"""What of a world's environment the container is given, beside a home of its own."""

pytestmark = [
    pytest.mark.engine,  # nothing here stands in for a Prefect server
    pytest.mark.skipif(not CONTAINER, reason=".ci/image builds it"),
    pytest.mark.timeout(600),
]


def told(*command: str, **environ: str) -> list[str]:
    """A command in the container, in the environment that the compose file gives."""
    given = [f"{name}={value}" for name, value in {"HOME": "/tmp", **environ}.items()]
    return ["buildah", "run", "--isolation", "chroot", CONTAINER, "--", "env", *given, *command]


def run(*command: str, **environ: str) -> str:
    """The command to its end. Returns what it said."""
    done = subprocess.run(told(*command, **environ), capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, (command, done.stdout[-3000:], done.stderr[-3000:])
    return done.stdout


def config() -> dict[str, Any]:
    """What the image says of itself."""
    found = subprocess.run(["buildah", "inspect", CONTAINER], capture_output=True, text=True, check=True)
    inside: dict[str, Any] = json.loads(found.stdout)["Docker"]["config"]
    return inside


@pytest.fixture
def environ(world: World, tmp_path: Path) -> dict[str, str]:
    """A world's provider and store, and its Prefect server, as settings of the container."""
    given = {name: value for name, value in world.environ.items() if FROM_HERE.fullmatch(name)}
    for name in [name for name in given if name.endswith("SSL_CERT_FILE")]:
        del given[name]  # a file of this machine
    return given


def test_it_says_what_it_is_and_starts_as_the_dockerfile_tells() -> None:
    said = config()
    labels = said["Labels"]
    assert labels["org.opencontainers.image.version"] == __version__
    assert re.fullmatch(r"[0-9a-f]{40}", labels["org.opencontainers.image.revision"])
    assert said["User"] == "10001:10001" and said["Healthcheck"]["Test"][0] == "CMD"
    assert [said["Entrypoint"], said["Cmd"]] == [json.loads(of("ENTRYPOINT")[0]), json.loads(of("CMD")[0])]
    assert said["StopSignal"] == "SIGTERM" and "/var/lib/dailies" in said["Volumes"]


def test_its_user_may_write_its_home_and_what_everybody_may() -> None:
    assert run("id", "-u").strip() == "10001"
    found = run("sh", "-c", "find / -xdev -writable ! -type l 2>/dev/null || true").split()
    assert "/var/lib/dailies" in found
    assert [path for path in found if not path.startswith(MAY_WRITE)] == []


def test_no_compiler_no_installer_and_no_test_tools_are_in_it() -> None:
    names = ["pip", "setuptools", "pytest", "moto", "playwright", "hypothesis"]
    there = f"from importlib.util import find_spec; print([name for name in {names} if find_spec(name)])"
    assert run("python", "-c", there).strip() == "[]"
    assert run("sh", "-c", "command -v gcc cc make git || true").strip() == ""


def test_it_is_ready_and_knows_its_version() -> None:
    assert __version__ in run("dailies", "--version")
    assert json.loads(run("dailies", "doctor", "--ready", "--json"))["ready"] is True


def test_a_batch_is_made_in_it_and_reported(world: World, environ: dict[str, str]) -> None:
    """What was taken out of its packages is missed by nothing: decoding, tables, Parquet, Prefect's client."""
    said = json.loads(run("dailies", "run", "data/prompts.csv", "--json", "--batch", "demo", **environ))
    assert said["delivered"] == said["rows"] == len(world.charges()) == len(world.clips())
    assert {Path(name).suffix for name in world.objects()} >= {".mp4", ".csv", ".html", ".parquet"}


def test_a_worker_starts_by_the_entrypoint_is_healthy_and_ends_when_it_is_told(
    environ: dict[str, str], tmp_path: Path
) -> None:
    said, port = config(), str(free_port())
    run("prefect", "--no-prompt", "work-pool", "create", "dailies", "--type", "process", "--overwrite", **environ)
    command = told(*said["Entrypoint"], *said["Cmd"], **environ, PREFECT_WORKER_WEBSERVER_PORT=port)
    health = told(*[word.replace("8080", port) for word in said["Healthcheck"]["Test"][1:]])
    with process(command, {**os.environ, **base_environ(tmp_path)}, tmp_path, tmp_path / "worker.log") as worker:
        wait_for(lambda: subprocess.run(health, capture_output=True, check=False).returncode == 0, 120, worker.text)
        first = next(pid for pid in descendants(worker.popen.pid) if _is(pid, "-m", "dailies.sender.init"))
        os.kill(first, signal.SIGTERM)
        wait_for(lambda: worker.popen.poll() is not None, 120, worker.text)
    assert "Traceback" not in worker.text()


def test_the_server_of_the_compose_file_starts_in_it_and_shows_its_pages(tmp_path: Path) -> None:
    port, environ = (
        free_port(),
        {
            name: value
            for name, value in SERVICES["server"]["environment"].items()
            if not name.startswith(
                ("PREFECT_MESSAGING", "PREFECT_REDIS", "PREFECT_SERVER_EVENTS_CAUSAL", "PREFECT_SERVER_CONC")
            )
            and name not in ("PREFECT_SERVER_DOCKET_URL", "PREFECT_SERVER_UI_API_URL", "DO_NOT_TRACK")
        },
    )  # no Redis is here
    environ["PREFECT_API_DATABASE_CONNECTION_URL"] = "sqlite+aiosqlite:////tmp/served.db"
    assert "prefect_redis" in run("python", "-c", "import prefect_redis.messaging; print(prefect_redis.__name__)")
    run(*SERVICES["migrate"]["command"], **environ)
    command = told(*with_port(SERVICES["server"]["command"], port), **environ)
    with process(command, {**os.environ, **base_environ(tmp_path)}, tmp_path, tmp_path / "server.log") as server:
        page = f"http://127.0.0.1:{port}/"
        wait_for(lambda: _says(page, "<html"), 300, server.text)
        os.kill(next(pid for pid in descendants(server.popen.pid) if _is(pid, "server", "start")), signal.SIGTERM)
        wait_for(lambda: server.popen.poll() is not None, 120, server.text)


def _says(address: str, word: str) -> bool:
    with suppress(httpx.HTTPError):
        return word in httpx.get(address, trust_env=False, timeout=5).text
    return False


def _is(pid: int, *words: str) -> bool:
    """Whether a process of Python has these words behind the program's name."""
    said = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
    return tuple(said[1:3]) == words or tuple(said[2:4]) == words
