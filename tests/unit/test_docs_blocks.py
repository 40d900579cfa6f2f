"""Every code block of README, CONTRIBUTING and docs is executed or checked here; `dailies …` lines are in test_docs.py."""

from __future__ import annotations

import ast
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from prefect.cli._app import _app as prefect_cli
from prefect.settings import get_current_settings

from dailies.catalog.load import load_catalog
from dailies.prompts import read_sheet
from dailies.sandbox.faults import Fault
from dailies.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
PAGES = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md")))
ELSEWHERE = {
    "pipx": ".ci/run installs the wheel with it",
    "dailies": "tests/unit/test_docs.py parses it",
    **dict.fromkeys(
        ("sqlite3", "pg_dump", "pg_restore", "mkdir", "mv", "cp"), "tests/e2e/test_ledger_page.py executes it"
    ),
    "git": "names a commit of this repository, which a copy of the sources need not have",
}
"""Programs whose lines are not looked at here, each with the reason."""
TARGETS = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def blocks(page: Path) -> Iterator[tuple[str, str]]:
    """Each code block with its language; an indented one is a shell's."""
    text = page.read_text(encoding="utf-8")
    for language, body in re.findall(r"^[ ]*```(\w*)\n(.*?)^[ ]*```", text, re.MULTILINE | re.DOTALL):
        yield language, body
    outside = re.sub(r"^[ ]*```.*?^[ ]*```", "", text, flags=re.MULTILINE | re.DOTALL)
    for body in re.findall(r"(?:^    \S.*\n)+", outside, re.MULTILINE):
        yield "sh", body


def in_language(*languages: str) -> list[tuple[str, str]]:
    """The blocks of these languages, each with its page's name."""
    return [(page.name, body) for page in PAGES for language, body in blocks(page) if language in languages]


LINES = [
    (name, line.strip())
    for name, body in in_language("sh", "bash", "")
    if name != "commands.md"
    for line in body.splitlines()
    if line.strip() and not line.strip().startswith("#")
]


def test_no_block_is_in_a_language_that_nobody_checks() -> None:
    languages = {language for page in PAGES for language, _ in blocks(page)}
    assert languages <= {"sh", "bash", "", "json", "csv", "console", "python", "toml"}
    pages = {
        "console": {"commands.md", "operations.md"},  # usage lines, generated; tests/flows/test_operations_page.py
        "python": {"providers.md"},  # tests/contract/test_provider_walkthrough.py runs the package that it writes
        "toml": {"providers.md"},
    }
    for kind, checked in pages.items():
        assert {page.name for page in PAGES for language, _ in blocks(page) if language == kind} <= checked


@pytest.mark.parametrize(("page", "line"), sorted(set(LINES)))
def test_a_line_to_type_is_one_that_works(page: str, line: str) -> None:
    words = shlex.split(line, comments=True)
    names = {}
    while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
        name, _, value = words.pop(0).partition("=")
        names[name] = value
    assert set(names) <= {"DAILIES_UNDER_TEST"}
    match words:
        case ["make", *targets]:
            assert {target for target in targets if "=" not in target} <= TARGETS
        case ["export", pair]:
            assert is_a_setting(pair.partition("=")[0])
        case [".venv/bin/prefect", *command]:
            prefect_cli.parse_args(command, exit_on_error=False, print_error=False)
        case [".venv/bin/python", "-c", code]:
            assert ast.parse(code)
        case [".venv/bin/python", "-m", "pytest", *files]:
            assert [file for file in files if file.startswith("tests/") and not (ROOT / file).exists()] == []
        case ["curl", address, "--json", fault]:
            assert address == "http://127.0.0.1:8790/sandbox/faults" and Fault.model_validate_json(fault)
        case ["docker", *options]:
            assert (ROOT / options[options.index("--file") + 1]).is_file()
        case [program, *_]:
            assert program in ELSEWHERE, f"{page}: nothing checks {line!r}"


def is_a_setting(name: str) -> bool:
    """Whether Prefect, or dailies, reads this variable."""
    known = get_current_settings().to_environment_variables(exclude_unset=False, include_secrets=True)
    more = ("PREFECT_API_DATABASE_CONNECTION_URL", "PREFECT_SERVER_API_AUTH_STRING", "PREFECT_UI_URL")  # unset here
    return name in known or name.lower() in Settings.model_fields or name in more


@pytest.mark.parametrize(("page", "body"), in_language("json"))
def test_json_is_json_and_a_file_of_models_is_one(page: str, body: str, tmp_path: Path) -> None:
    found = json.loads(body)
    if page == "models.md":
        (tmp_path / "models.json").write_text(body)
        catalog = load_catalog(tmp_path / "models.json")
        assert all(catalog.find(model["id"]) for model in found["models"])


@pytest.mark.parametrize(("page", "body"), in_language("csv"))
def test_a_csv_is_read_as_it_stands(page: str, body: str) -> None:
    catalog = load_catalog()
    rows = read_sheet(body.encode(), page).rows
    assert len(rows) == len(body.strip().splitlines()) - 1
    assert all(catalog.find(str(row.get("model"))) for row in rows if row.get("model"))
