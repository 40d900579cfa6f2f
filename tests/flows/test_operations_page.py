"""docs/operations.md is executed as far as it is processes; of the rest every file, option and setting that it names is there."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from prefect.settings import get_current_settings
from prefect.settings.legacy import _get_settings_fields

from tests.e2e.forks import ROOT
from tests.flows.factory import base_environ, prefect_server

PAGE = (ROOT / "docs" / "operations.md").read_text()
PROGRAMS = {
    "export", "docker", "kubectl", "systemctl", "useradd", "install", "cp", ".venv/bin/prefect", ".venv/bin/python",
}  # fmt: skip
"""What the page tells people to run, beside `dailies` (tests/unit/test_docs.py tries those)."""


def lines() -> Iterator[str]:
    """Every command of the page's shell blocks, without prompt and comment."""
    for block in re.findall(r"```(?:sh|console)\n(.*?)```", PAGE, re.S):
        for line in block.splitlines():
            if line.strip():
                yield re.sub(r"^[$#] ", "", line.strip())


def words(line: str) -> list[str]:
    """One command's words; what follows `#` is a comment."""
    return shlex.split(line, comments=True)


def exports() -> dict[str, str]:
    """The settings of the server, as step 2 exports them."""
    found = (words(line) for line in lines())
    return dict(one[1].split("=", 1) for one in found if one[0] == "export" and one[1].startswith("PREFECT_SERVER_"))


@pytest.mark.parametrize("line", sorted(set(lines())))
def test_every_command_is_of_a_program_that_the_page_may_expect_and_names_files_that_exist(line: str) -> None:
    said = words(line)
    assert said[0] in PROGRAMS
    for word in said:
        named = word.removeprefix("/opt/dailies/")
        if named.startswith("deployments/"):
            assert list(ROOT.glob(named)), word


@cache
def settings_of_prefect() -> frozenset[str]:
    return frozenset(_get_settings_fields(type(get_current_settings())))


@pytest.mark.parametrize("name", sorted(set(re.findall(r"\bPREFECT_[A-Z_]+[A-Z]\b", PAGE))))
def test_every_setting_of_prefect_s_that_the_page_names_is_one(name: str) -> None:
    assert name in settings_of_prefect()


@cache
def help_of(*command: str) -> str:
    asked = [sys.executable, "-m", "prefect", *command, "--help"]
    return subprocess.run(asked, capture_output=True, text=True, timeout=120, check=True).stdout


@pytest.mark.parametrize(
    "line",
    [
        *sorted({line for line in lines() if line.startswith(".venv/bin/prefect")}),
        "prefect worker start --pool dailies",
    ],
)
def test_every_option_of_prefect_s_is_one(line: str) -> None:
    said = words(line)[1:]
    command = [word for word in said[:2] if word in ("server", "variable", "worker", "start", "set")]
    assert [word for word in said if word.startswith("--") and word not in help_of(*command)] == []


@pytest.mark.production
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_afternoon_is_followed_up_to_the_deployments(tmp_path: Path) -> None:
    """Steps 2 to 5: the server with the page's settings, its password, the variables, the key, `make deploy`."""
    settings = exports()
    settings["PREFECT_SERVER_API_AUTH_STRING"] = "admin:secret"
    settings.pop("PREFECT_SERVER_UI_API_URL")
    with prefect_server(tmp_path / "prefect", **settings) as url:
        environ = base_environ(tmp_path) | {"PREFECT_API_URL": url, "PREFECT_API_AUTH_STRING": "admin:secret"}

        def run(*command: str, typed: str = "") -> str:
            done = subprocess.run(
                command, cwd=ROOT, env=environ, input=typed, capture_output=True, text=True, timeout=400, check=False
            )
            assert done.returncode == 0, done.stdout[-1500:] + done.stderr[-1500:]
            return done.stdout

        for line in lines():
            said = words(line)
            if said[:3] == [".venv/bin/prefect", "variable", "set"]:
                run(sys.executable, "-m", "prefect", *said[1:])
            elif said[:2] == [".venv/bin/python", "-c"]:
                run(sys.executable, "-c", said[2], typed="a-key\n")
        told = run(sys.executable, "deployments/deploy.py")
        assert "automation dailies · nothing is collected: created" in told
        for name, value in (("dailies_to", "s3://studio/clips"), ("dailies_daily_budget_usd", "500")):
            assert value in run(sys.executable, "-m", "prefect", "variable", "get", name)
