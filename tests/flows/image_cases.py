"""The image, built and run: `.ci/image` builds it and names a container of it in DAILIES_IMAGE. Not part of the suite.

There is no container engine here: a chroot with the image's files, its user and its environment, on this machine's own network.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from typing import Any

import pytest

from dailies import __version__
from tests.flows.test_containers import of

CONTAINER = os.environ.get("DAILIES_IMAGE", "")
MAY_WRITE = ("/dev", "/home/dailies", "/proc", "/run/lock", "/tmp", "/var/lib/dailies", "/var/tmp")

pytestmark = [pytest.mark.skipif(not CONTAINER, reason=".ci/image builds it"), pytest.mark.timeout(600)]


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
