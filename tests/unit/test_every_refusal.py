"""Every refusal that the code can say, collected from the code, ends with a command that the program knows."""

from __future__ import annotations

import ast
import importlib
import re
import shlex
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, cast, get_args

import pytest
from cyclopts import CycloptsError

from dailies.cli.answers import ends_with_a_command
from dailies.cli.app import app, refused
from dailies.errors import BadInput, BadRow, BadRows, DailiesError, Misconfigured, Trouble

ROOT = Path(__file__).resolve().parents[2]
MODULES = [path for room in ("dailies", "flows", "tasks") for path in sorted((ROOT / room).rglob("*.py"))]
KINDS = {kind.__name__: kind for kind in (BadInput, Misconfigured)}
VERBS = [str(name) for name in app if not str(name).startswith("-")]
REFUSED_BY_THEIR_EXIT_CODE = {
    ("dailies/cli/app.py", "refused"),    # all that is raised, below
    ("dailies/cli/check.py", "_run_check"),    # prints what `refused` would
    ("dailies/cli/doctor.py", "run_doctor"),    # tests/e2e/test_ways.py
    ("dailies/cli/run.py", "exit_code"),    # tests/e2e/test_faults_create.py
    ("dailies/sender/init.py", "main"),    # a container's first process: its usage is what to type
}  # fmt: skip


@dataclass(frozen=True)
class Site:
    """One place that refuses: where, with which error, in which words. What is known only at run time is an x."""

    where: str
    kind: type[DailiesError]
    text: str
    trouble: Trouble | None

    @property
    def error(self) -> DailiesError:
        return self.kind(self.text, trouble=self.trouble)


def sites() -> Iterator[Site]:
    for path in MODULES:
        code = path.read_text(encoding="utf-8")
        if not any(f"{kind}(" in code for kind in KINDS):
            continue  # to parse all of the program takes seconds, of each worker that collects this file
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in KINDS:
                text = worded(node.args[0], path) if node.args else "x"
                said = next((word.value for word in node.keywords if word.arg == "trouble"), None)
                known = said.value if isinstance(said, ast.Constant) else None
                where = f"{path.relative_to(ROOT)}:{node.lineno}"
                yield Site(where, KINDS[node.func.id], text, cast("Trouble | None", known))


def worded(node: ast.expr, path: Path) -> str:
    """The text of a message; a name of the module's that is a text stands for it, as the commands do."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(worded(part, path) for part in node.values)
    if isinstance(node, ast.FormattedValue):
        return worded(node.value, path)
    if isinstance(node, ast.Name):
        found = getattr(importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts)), node.id, None)
        return found if isinstance(found, str) else "x"
    return "x"


SITES = list(sites())


@cache
def known(line: str) -> bool:
    """Whether the program can read it."""
    try:
        command, _, _ = app.parse_args(shlex.split(line)[1:], exit_on_error=False, print_error=False)
    except (CycloptsError, ValueError):
        return False
    return callable(command)


def last_line(error: DailiesError, tokens: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> str:
    """The last line that a refusal shows."""
    print(error, file=sys.stderr)
    assert refused(error, tokens) == 2
    return capsys.readouterr().err.strip().splitlines()[-1]


def ends_with_what_to_type(line: str) -> bool:
    return any(known(line[found.start() :].rstrip("`.) ")) for found in re.finditer(r"\bdailies ", line))


def test_there_are_as_many_as_there_are() -> None:
    """The collection has not lost its way: it finds each kind, in most rooms, and only codes that there are."""
    assert len(SITES) > 180 and {site.kind for site in SITES} == set(KINDS.values())
    assert {site.trouble for site in SITES} - {None} <= set(get_args(Trouble))


@pytest.mark.parametrize("site", SITES, ids=[site.where for site in SITES])
def test_each_ends_with_what_to_type_next(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    assert ends_with_what_to_type(last_line(site.error, ("run", "prompts.csv"), capsys)), site.text


@pytest.mark.parametrize("verb", VERBS)
def test_whatever_the_trouble_and_whichever_the_command(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    """With no word after it, with a file, and with an option."""
    for trouble in get_args(Trouble):
        for tokens in ((verb,), (verb, "prompts.csv"), (verb, "--json=no")):
            for kind in KINDS.values():
                line = last_line(kind("x.", trouble=trouble), tokens, capsys)
                assert ends_with_what_to_type(line), (trouble, tokens, line)


def test_rows_end_with_the_check_of_their_file(capsys: pytest.CaptureFixture[str]) -> None:
    error = BadRows("dailies take.csv", [BadRow(2, "prompt", "is empty", cure="write one")])
    assert last_line(error, ("run", "dailies take.csv"), capsys) == "Next: dailies check 'dailies take.csv'"


@pytest.mark.parametrize(
    ("message", "ends"),
    [
        ("dailies of monday.csv: there is no such file. Nothing was bought.", False),
        ("wait until dailies status shows none. Nothing was changed", False),
        ("the dailies project", False),
        ("First: dailies collect, then dailies status", True),
        ("say `dailies run 'the dailies of may.csv' --budget 5`.", True),
        ("one line: dailies status\nNothing was changed.", False),
    ],
)
def test_only_a_command_at_the_end_is_one(message: str, ends: bool) -> None:
    """A file that is called `dailies of monday.csv` took the last line away."""
    assert ends_with_a_command(message) is ends


def test_nothing_else_ends_with_2() -> None:
    """Each function that gives the code of a refusal is known here, with what shows its last line."""
    assert set(exits()) == REFUSED_BY_THEIR_EXIT_CODE


def exits() -> Iterator[tuple[str, str]]:
    for path in MODULES:
        for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                for node in ast.walk(function):
                    if isinstance(node, ast.Return) and any(map(is_two, whole(node.value))):
                        yield str(path.relative_to(ROOT)), function.name


def whole(node: ast.expr | None) -> list[Any]:
    """What may be returned as it stands: no part of a sum or of a call."""
    if isinstance(node, ast.IfExp):
        return [*whole(node.body), *whole(node.orelse)]
    return [node]


def is_two(node: Any) -> bool:
    return (isinstance(node, ast.Constant) and node.value == 2 and type(node.value) is int) or (
        isinstance(node, ast.Name) and node.id == "REFUSED"
    )
