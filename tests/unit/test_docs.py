"""What a newcomer reads is generated, and stays current."""

from __future__ import annotations

import re
import runpy
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from dailies.catalog import load_catalog
from dailies.cli.app import app
from dailies.domain.clip_line import COLUMNS

ROOT = Path(__file__).resolve().parents[2]
COMMAND = re.compile(r"^(?:\$ )?(dailies(?: .*)?)$")


@pytest.mark.parametrize(
    "name",
    [
        "batch.md",
        "settings.md",
        "models.md",
        "trouble.md",
        "sandbox.md",
        "json.md",
        "tables.md",
        "providers.md",
    ],
)  # .ci/run compares all of them
def test_what_comes_from_the_code_is_as_the_code_is(name: str) -> None:
    generate = runpy.run_path(str(ROOT / "docs" / "generate.py"))
    assert (ROOT / "docs" / name).read_text(encoding="utf-8") == generate["pages"](load_catalog())[name], (
        "run: python docs/generate.py"
    )


def test_the_readme_is_one_screen_with_a_picture() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.split()) < 700 and len(text.splitlines()) <= 60
    pictures = re.findall(r"!\[[^]]*\]\(([^)]+)\)", text)
    assert pictures and all((ROOT / name).stat().st_size for name in pictures)
    assert "make demo" in text and "make test" in text


def blocks(text: str) -> Iterator[str]:
    """The lines of every code block, fenced or indented."""
    fenced = False
    for line in text.splitlines():
        if line.lstrip().startswith("```"):
            fenced = not fenced
        elif fenced or line.startswith("    "):
            yield line.strip()


def typed() -> Iterator[tuple[str, str]]:
    """Every `dailies …` line of a code block of README and docs, without its comment."""
    written = (
        path for path in sorted((ROOT / "docs").rglob("*.md")) if path.name != "commands.md"
    )  # usage lines, generated
    for path in (ROOT / "README.md", *written):
        for line in blocks(path.read_text(encoding="utf-8")):
            if found := COMMAND.match(line.split("   #")[0].split("  #")[0].strip()):
                yield path.name, found[1]


@pytest.mark.parametrize(("page", "line"), sorted(set(typed())))
def test_every_command_in_a_code_block_is_one_that_the_program_knows(page: str, line: str) -> None:
    words = shlex.split(line)[1:]
    command, bound, _ = app.parse_args(words, exit_on_error=False, print_error=False)
    assert callable(command) and bound is not None


def test_every_file_that_the_readme_names_exists() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8") + (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    linked = re.findall(r"\]\((?!https?:)([^)#]+)\)", text)
    assert linked
    assert [name for name in linked if not (ROOT / name).exists()] == []


def test_every_named_test_of_the_guarantees_exists() -> None:
    text = (ROOT / "docs/guarantees.md").read_text(encoding="utf-8")
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", text)
    assert len(named) > 30
    missing = [f"{file}::{test}" for file, test in named if not _has(ROOT / file, test)]
    assert missing == []


def _has(file: Path, test: str) -> bool:
    return file.exists() and re.search(rf"def {test}\b", file.read_text(encoding="utf-8")) is not None


def test_the_credit_columns_are_documented() -> None:
    text = (ROOT / "docs/report.md").read_text(encoding="utf-8")
    assert [name for name in COLUMNS if f"`{name}`" not in text] == []


@pytest.mark.parametrize("page", ["guarantees.md", "proof.md"])
def test_every_test_that_is_named_as_proof_is_there(page: str) -> None:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    named = set(re.findall(r"(tests/\w+/\w+\.py)::(\w+)", text))
    assert len(named) > 30
    gone = [f"{file}::{name}" for file, name in sorted(named) if f"def {name}(" not in _code(file)]
    assert not gone, gone


def _code(file: str) -> str:
    path = ROOT / file
    return path.read_text(encoding="utf-8") if path.exists() else ""
