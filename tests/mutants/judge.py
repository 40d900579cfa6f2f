"""Mutants of a few files, judged by tests that are collected once: each mutant by a fork of this process.

`mutmut` makes the mutants and names them; the tests that enter a mutant's function judge it, the quickest first.
"""

from __future__ import annotations

import difflib
import gc
import importlib.abc
import importlib.util
import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType

import pytest
from mutmut.configuration import config
from mutmut.mutation import trampoline
from mutmut.mutation.file_mutation import MutatedFile, mutate_file_contents
from mutmut.utils.format_utils import get_mutant_name, mangled_name_from_mutant_name

KILLED, SURVIVED, UNTESTED = 1, 0, 33
LONGEST_S = 60
"""A mutant whose tests take longer is killed: it waits for ever, or turns in a circle."""
Entered = dict[str, list[int]]
"""By function: which tests enter it, by their place in the session, the quickest first."""


class Mutated(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports each of these modules with all its mutants in it."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self.files: dict[str, MutatedFile] = {}
        self.paths: dict[str, Path] = {}
        for path in paths:
            module = get_mutant_name(path, "").rstrip(".")
            self.paths[module] = path
            self.files[module] = mutate_file_contents(str(path), path.read_text(encoding="utf-8"))

    def find_spec(self, name: str, path: object = None, target: object = None) -> importlib.machinery.ModuleSpec | None:
        """For one of ours, the spec that leads here."""
        found = self.paths.get(name)
        return importlib.util.spec_from_file_location(name, found.absolute(), loader=self) if found else None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> None:
        """As usual."""

    def exec_module(self, module: ModuleType) -> None:
        """Run the mutated source as that of the module."""
        exec(compile(self.files[module.__name__].code, str(module.__file__), "exec"), module.__dict__)

    @property
    def names(self) -> list[str]:
        """All mutants."""
        return [f"{module}.{name}" for module, file in self.files.items() for name in file.mutant_names]

    def change(self, mutant: str) -> str:
        """The lines in which a mutant differs from its function."""
        module, _, name = mutant.rpartition(".")
        file = self.files[module]
        lines = file.code.splitlines()

        def body(function: str) -> list[str]:
            span = file.line_span_by_function_name[function]
            return [line.strip().replace(function, "") for line in lines[span.start - 1 : span.end]]

        of = mangled_name_from_mutant_name(name)
        found = difflib.unified_diff(body(f"{of}__mutmut_orig"), body(name), lineterm="", n=0)
        return "\n".join(f"    {line}" for line in found if not line.startswith(("---", "+++", "@@")))


class Judge:
    """A pytest plugin in whose session each mutant is tried instead of each test."""

    def __init__(self, mutants: Sequence[str]) -> None:
        self.mutants = mutants
        self.codes: dict[str, int] = {}

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """All tests once, to see that they pass and what they enter; then each mutant."""
        if session.testsfailed or not session.items:
            raise session.Failed("the tests can't be collected")
        session.config.pluginmanager.unregister(name="terminalreporter")
        entered = entering(session)
        for mutant in self.mutants:
            tests = entered.get(mangled_name_from_mutant_name(mutant), ())
            self.codes[mutant] = tried(session, mutant, tests) if tests else UNTESTED
            print(end={KILLED: ".", SURVIVED: "S", UNTESTED: "u"}[self.codes[mutant]], flush=True, file=sys.__stderr__)
        return True


def judged(
    paths: Sequence[Path], tests: Sequence[str], choose: Callable[[list[str]], list[str]]
) -> tuple[dict[str, int], Callable[[str], str]]:
    """Each mutant of these files that `choose` leaves, with mutmut's exit code; and what shows the lines of one."""
    mutated = Mutated(paths)
    sys.meta_path.insert(0, mutated)
    judge = Judge(choose(mutated.names))
    options = config()
    chosen = tests or options.pytest_add_cli_args_test_selection
    code = pytest.main([*options.pytest_add_cli_args, "-q", "--tb=native", *chosen], plugins=[judge])
    if code or not judge.codes:
        sys.exit("no mutant was judged: see above")
    return judge.codes, mutated.change


def tried(session: pytest.Session, mutant: str, tests: Sequence[int]) -> int:
    """Whether one of these tests, in a fork that says nothing, notices a mutant."""
    child = multiprocessing.get_context("fork").Process(target=_try, args=(session, mutant, tests))
    child.start()
    child.join(LONGEST_S)
    if child.exitcode is None:
        child.kill()
        child.join()
    return SURVIVED if child.exitcode == 0 else KILLED


def _try(session: pytest.Session, mutant: str, tests: Sequence[int]) -> None:
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    os.dup2(nothing, 2)
    trampoline.set_mutant_under_test(mutant)
    items = [session.items[place] for place in tests]
    for item, following in zip(items, [*items[1:], None], strict=True):
        item.ihook.pytest_runtest_protocol(item=item, nextitem=following)
        if session.testsfailed:
            os._exit(KILLED)


def entering(session: pytest.Session) -> Entered:
    """Which tests enter which function. They run in this process, whose forks find warm what they have made warm."""
    trampoline.set_mutant_under_test("stats")
    entered: set[str] = set()
    vars(trampoline)["record_trampoline_hit"] = lambda name, caller=None: entered.add(name)
    took: dict[str, list[tuple[float, int]]] = {}
    for place, (item, following) in enumerate(zip(session.items, [*session.items[1:], None], strict=True)):
        entered.clear()
        began = time.process_time()
        item.ihook.pytest_runtest_protocol(item=item, nextitem=following)
        if session.testsfailed:
            raise session.Failed(f"without a mutant {item.nodeid} fails")
        for function in entered:
            took.setdefault(function, []).append((time.process_time() - began, place))
    gc.collect()
    gc.freeze()
    return {function: [place for _, place in sorted(found)] for function, found in took.items()}
