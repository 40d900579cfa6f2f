"""Async code asks the ledger through one function, and meets one error for all that a database raises."""

from __future__ import annotations

import ast
import pickle
import re
import threading
from collections.abc import Callable
from pathlib import Path

import anyio
import anyio.from_thread
import pytest
from sqlalchemy.exc import OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from dailies.errors import Misconfigured, describe_error, trouble_of
from dailies.ledger.calling import LedgerUnavailable, ledger_call, name_of
from dailies.ledger.file import LedgerVanished
from dailies.ledger.types import LostOwnership

ROOT = Path(__file__).resolve().parents[2]
AWAY = OperationalError("select", {}, OSError("server closed the connection\nmore"))


def raising(error: Exception) -> Callable[[], None]:
    def call() -> None:
        raise error

    return call


def test_a_call_runs_in_another_thread_and_hands_its_answer_back() -> None:
    def call(one: int, two: str) -> tuple[int, str, bool]:
        return one, two, threading.current_thread() is threading.main_thread()

    assert anyio.run(ledger_call, call, 1, "b") == (1, "b", False)


@pytest.mark.parametrize("error", [AWAY, PoolTimeout("no connection is free"), SQLAlchemyError("x")])
def test_whatever_a_database_raises_is_one_error_with_its_words(error: SQLAlchemyError) -> None:
    with pytest.raises(LedgerUnavailable) as met:
        anyio.run(ledger_call, raising(error))
    assert (str(met.value), met.value.__cause__, name_of(met.value)) == (str(error), error, type(error).__name__)
    assert (describe_error(met.value), trouble_of(met.value)) == (describe_error(error), "ledger")


@pytest.mark.parametrize(
    "error", [LostOwnership("taken over"), LedgerVanished("gone"), Misconfigured("no"), KeyError("x")]
)
def test_what_the_ledger_itself_refuses_stays_what_it_is(error: Exception) -> None:
    with pytest.raises(type(error)) as met:
        anyio.run(ledger_call, raising(error))
    assert met.value is error


def test_it_is_raised_once_and_survives_a_pickle() -> None:
    with pytest.raises(LedgerUnavailable) as met:
        anyio.run(ledger_call, raising(LedgerUnavailable("away", "OperationalError")))
    assert met.value.__cause__ is None
    again = pickle.loads(pickle.dumps(met.value))
    assert (str(again), name_of(again)) == ("away", "OperationalError")


def test_a_write_is_waited_for_though_its_caller_is_cancelled() -> None:
    written, go_on = threading.Event(), threading.Event()

    async def cancelled() -> None:
        begun = anyio.Event()

        def write() -> None:
            anyio.from_thread.run_sync(begun.set)
            go_on.wait(10)
            written.set()

        async with anyio.create_task_group() as group:
            group.start_soon(ledger_call, write)
            await begun.wait()
            group.cancel_scope.cancel()
            go_on.set()
        assert written.is_set()

    anyio.run(cancelled)


def past_it(text: str) -> list[int]:
    """The lines that hand a ledger's method, or a ledger, to a worker thread by themselves."""
    ends = re.compile(r"(^|\.)_?ledger(\.\w+)?$")
    calls = (n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Call) and not n.keywords)
    return [
        n.lineno
        for n in calls
        if ast.unparse(n.func).endswith("to_thread.run_sync") and any(ends.search(ast.unparse(a)) for a in n.args)
    ]


def test_nobody_asks_the_ledger_in_a_thread_past_it() -> None:
    modules = [path for room in ("dailies", "flows", "tasks") for path in (ROOT / room).rglob("*.py")]
    texts = {path: path.read_text(encoding="utf-8") for path in modules}
    found = {str(path.relative_to(ROOT)): past_it(text) for path, text in texts.items() if "to_thread" in text}
    assert {path: lines for path, lines in found.items() if lines} == {}
    assert past_it("await anyio.to_thread.run_sync(runtime.ledger.attempts, key)\nf(g)\n") == [1]
