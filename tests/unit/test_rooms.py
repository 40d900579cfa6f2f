"""Every module stands under the import contract, and what is private to others is touched in one file each."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import version
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SEEN_IN = {
    "dailies/prefect_api/serve.py": ("prefect", "3.8.8", ("_topics", "_subscriptions", "_queue", "_retry")),
    "dailies/prefect_api/check.py": ("prefect", "3.8.8", ("_client",)),
    "dailies/prefect_api/client.py": ("prefect", "3.8.8", ("refresh_global_settings_context",)),
    "dailies/prefect_api/server.py": ("prefect", "3.8.8", ("drain_all",)),
    "tasks/engine/isolation.py": ("prefect", "3.8.8", ("run_results", "task_run_assets")),
    "dailies/sheets/workbook.py": ("openpyxl", "3.1.5", ("_cells",)),
    "dailies/sandbox/wire.py": ("uvicorn", "0.54.0", ("H11Protocol",)),
}
"""Names that their owners may change, by the file that uses them, with the version in which they were seen."""


def layers() -> set[str]:
    """Every module that the contract names."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (named,) = (contract["layers"] for contract in contracts if contract["type"] == "layers")
    return {name.strip() for layer in named for name in layer.split("|")}


def modules() -> Iterator[str]:
    """Top-level rooms and files: what a contract can name."""
    yield from ("flows", "tasks")
    for path in (ROOT / "dailies").iterdir():
        if path.is_dir() and (path / "__init__.py").exists():
            yield f"dailies.{path.name}"
        elif path.suffix == ".py" and not path.stem.startswith("__"):
            yield f"dailies.{path.stem}"


def test_every_module_stands_in_one_layer_and_no_layer_is_empty() -> None:
    assert set(modules()) == layers()


def test_no_import_is_let_off() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    assert [contract["name"] for contract in contracts if contract.get("ignore_imports")] == []


def sources() -> Iterator[tuple[str, str]]:
    """Our own modules, by their paths."""
    for room in ("dailies", "flows", "tasks"):
        for path in sorted((ROOT / room).rglob("*.py")):
            yield path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")


@cache
def users() -> dict[str, set[str]]:
    """Which of our modules name each of these things: as an attribute of something else, in an import, or as a text."""
    found: dict[str, set[str]] = {name: set() for _, _, names in SEEN_IN.values() for name in names}
    for path, text in sources():
        if any(name in text for name in found):
            for name in _named(ast.parse(text)) & found.keys():
                found[name].add(path)
    return found


def _named(tree: ast.Module) -> set[str]:
    nodes = list(ast.walk(tree))
    attributes = (n for n in nodes if isinstance(n, ast.Attribute))
    others = {n.attr for n in attributes if not (isinstance(n.value, ast.Name) and n.value.id in ("self", "runtime"))}
    texts = {n.value for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str)}
    return others | texts | {alias.name for n in nodes if isinstance(n, ast.ImportFrom) for alias in n.names}


@pytest.mark.parametrize(("path", "name"), [(path, name) for path, (_, _, names) in SEEN_IN.items() for name in names])
def test_a_private_name_of_another_package_stands_in_one_file(path: str, name: str) -> None:
    assert users()[name] == {path}


@pytest.mark.parametrize("path", sorted(path for path, (_, seen, _) in SEEN_IN.items()))
def test_a_private_name_is_looked_at_again_when_its_package_is_upgraded(path: str) -> None:
    package, seen, _ = SEEN_IN[path]
    assert version(package) == seen, f"{path} uses private names of {package}: see that they still mean the same"
