"""A Prefect API that somebody has configured is found where Prefect itself finds it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dailies.errors import Misconfigured
from dailies.prefect_api.address import configured_api_url
from tests.cli.children import child_environment

pytestmark = pytest.mark.slow

URL = "http://configured.example/api"
PROFILES = (
    f'active = "mine"\n[profiles.mine]\nPREFECT_API_URL = "{URL}"\n[profiles.plain]\nPREFECT_LOGGING_LEVEL = "INFO"\n'
)
OTHER = PROFILES.replace(URL, "http://other.example/api")
CONFIGURATIONS: dict[str, tuple[dict[str, str], dict[str, str]]] = {
    "nothing": ({}, {}),
    "environment": ({"PREFECT_API_URL": URL}, {"cwd/.env": "PREFECT_API_URL=http://other.example/api\n"}),
    ".env": ({}, {"cwd/.env": f"PREFECT_API_URL={URL}\n", "cwd/prefect.toml": '[api]\nurl = "http://x.example/api"\n'}),
    "prefect.toml": ({}, {"cwd/prefect.toml": f'[api]\nurl = "{URL}"\n', "profiles.toml": OTHER}),
    "pyproject.toml": ({}, {"cwd/pyproject.toml": f'[tool.prefect.api]\nurl = "{URL}"\n'}),
    "profile": ({}, {"profiles.toml": PROFILES}),
    "profile without API": ({"PREFECT_PROFILE": "plain"}, {"profiles.toml": PROFILES}),
    "unknown profile": ({"PREFECT_PROFILE": "nobody"}, {"profiles.toml": PROFILES}),
    "built-in profile": ({"PREFECT_PROFILE": "local"}, {}),
    "home": ({"PREFECT_HOME": "home"}, {"cwd/home/profiles.toml": PROFILES, "profiles.toml": OTHER}),
    "home without profiles": ({"PREFECT_HOME": "home", "PREFECT_PROFILE": "local"}, {}),
    "moved": ({"PREFECT_PROFILES_PATH": "p.toml"}, {"cwd/p.toml": PROFILES, "profiles.toml": OTHER}),
    "moved in prefect.toml": ({}, {"cwd/prefect.toml": 'profiles_path = "p.toml"\n', "cwd/p.toml": PROFILES}),
}
ASK_PREFECT = """
import json, os, sys
from prefect.settings.models.root import Settings
base = dict(os.environ)
for line in sys.stdin:
    folder, variables = json.loads(line)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(base | variables)
    print(json.dumps(Settings().api.url), flush=True)
"""
AskPrefect = Callable[[Path, dict[str, str]], Any]


@pytest.fixture(scope="module")
def user_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The HOME of the process in which Prefect is asked; Prefect looks it up once, at import."""
    return tmp_path_factory.mktemp("user")


@pytest.fixture(scope="module")
def ask_prefect(user_home: Path) -> Iterator[AskPrefect]:
    """Which API Prefect itself would use in a folder, with some variables set."""
    with subprocess.Popen(
        [sys.executable, "-c", ASK_PREFECT],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=child_environment(HOME=str(user_home)),
    ) as process:

        def ask(folder: Path, variables: dict[str, str]) -> Any:
            assert process.stdin is not None
            assert process.stdout is not None
            print(json.dumps([str(folder), variables]), file=process.stdin, flush=True)
            return json.loads(process.stdout.readline())

        yield ask


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_a_configured_api_is_found_where_prefect_finds_it(
    name: str, ask_prefect: AskPrefect, user_home: Path, tmp_path: Path
) -> None:
    variables, files = CONFIGURATIONS[name]
    shutil.rmtree(user_home / ".prefect", ignore_errors=True)
    for path, text in files.items():
        place = tmp_path / path.removeprefix("cwd/") if path.startswith("cwd/") else user_home / ".prefect" / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    found = configured_api_url(child_environment(HOME=str(user_home), **variables), tmp_path)
    assert found == ask_prefect(tmp_path, variables)
    assert found in (None, URL, "http://127.0.0.1:4200/api")


def test_an_empty_url_is_no_configured_api(tmp_path: Path) -> None:
    assert configured_api_url({"PREFECT_API_URL": " ", "HOME": str(tmp_path)}, tmp_path) is None


def test_a_configuration_that_cant_be_read_is_not_taken_for_none(tmp_path: Path) -> None:
    (tmp_path / "prefect.toml").write_text("[api\n")
    with pytest.raises(Misconfigured, match=r"prefect\.toml can't be read"):
        configured_api_url({"HOME": str(tmp_path)}, tmp_path)
