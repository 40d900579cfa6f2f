"""What is imported is declared: an installation must not live by what somebody else happens to bring along."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
holders = cache(packages_distributions)
OURS = {"dailies", "flows", "tasks", "deployments", "tests", "benchmarks", "data", "docs"}


def imported(*rooms: str) -> dict[str, str]:
    """The packages that these folders import, each with a file that does."""
    files = [file for room in rooms for file in (ROOT / room).rglob("*.py")]
    return {name: str(file.relative_to(ROOT)) for file in files for name in _packages(file)}


def _packages(file: Path) -> Iterator[str]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    guards = (node for node in ast.walk(tree) if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
    only_typed = {id(node) for guard in guards for node in ast.walk(guard)}
    for node in ast.walk(tree):
        if id(node) in only_typed:
            continue
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [node.module]
        yield from {name.partition(".")[0] for name in names} - OURS - sys.stdlib_module_names


def declared(*extras: str) -> set[str]:
    """The distributions that are declared, with these extras."""
    lines = [*PROJECT["dependencies"], *(one for extra in extras for one in PROJECT["optional-dependencies"][extra])]
    return {_normal(re.split(r"[^\w.-]", line)[0]) for line in lines}


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def undeclared(found: dict[str, str], known: set[str]) -> dict[str, str]:
    """Packages that no declared distribution holds, each with a file that imports it."""
    return {name: file for name, file in found.items() if not {_normal(d) for d in holders().get(name, [])} & known}


def test_what_the_program_imports_is_declared() -> None:
    extras = [name for name in PROJECT["optional-dependencies"] if name not in ("test", "dev")]
    assert undeclared(imported("dailies", "flows", "tasks", "deployments"), declared(*extras)) == {}


def test_what_the_tests_import_is_declared() -> None:
    assert undeclared(imported("tests", "docs", "data"), declared(*PROJECT["optional-dependencies"])) == {}


@pytest.mark.parametrize("line", ["import dotenv", "from yaml import safe_load", "def f():\n    import markupsafe"])
def test_an_import_anywhere_in_a_file_is_found(line: str, tmp_path: Path) -> None:
    file = tmp_path / "module.py"
    file.write_text(f"import os\nfrom dailies import errors\n{line}\n")
    (found,) = undeclared(dict.fromkeys(_packages(file), "module.py"), {"prefect"})
    assert found in line


def test_what_only_a_type_checker_reads_needs_no_installation(tmp_path: Path) -> None:
    file = tmp_path / "module.py"
    file.write_text("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import mypy_boto3_s3\n")
    assert list(_packages(file)) == []
