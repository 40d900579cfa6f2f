"""The stand-in does with flows and tasks what Prefect does with them: one flow of each kind of end, run by both."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from typing import Any

import pytest
from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed

from dailies.errors import BadInput
from tasks.engine.clip_task import NotDone, clip_task
from tests.e2e.harness import Services
from tests.e2e.standin import standing_in

CALLS: list[str] = []


class Again(Exception):
    """Worth another try."""


@clip_task(retry_on=(Again,), retries=2, retry_delay_seconds=[0.01])
async def step(name: str, fails: int, error: type[Exception]) -> str:
    """Fails so often, then returns its name."""
    CALLS.append(name)
    if CALLS.count(name) <= fails:
        raise error(f"{name} failed")
    return name


@flow(persist_result=False)
async def steps(count: int, fails: int = 0, kind: str = "") -> State[Any]:
    """A step that is tried again for one kind of error, ends for another, and takes the flow along for a third."""
    found = await step("step", fails, {"again": Again, "ours": BadInput}.get(kind, ZeroDivisionError))
    words = f"not done: {found.error}" if isinstance(found, NotDone) else found
    return Completed(name="AsAsked", message=f"{words} {count + 1}")


async def _end(**parameters: Any) -> tuple[list[str], str | None, bool, str]:
    CALLS.clear()
    state: State[Any] = await steps(**parameters, return_state=True)
    return list(CALLS), state.name, state.is_failed(), (state.message or "").split(":")[0]


ENDS: list[tuple[dict[str, Any], tuple[list[str], str, bool, str]]] = [
    ({"count": "1"}, (["step"], "AsAsked", False, "step 2")),
    ({"count": 1, "fails": 2, "kind": "again"}, (["step"] * 3, "AsAsked", False, "step 2")),
    ({"count": 1, "fails": 3, "kind": "again"}, (["step"] * 3, "Failed", True, "Flow run encountered an exception")),
    ({"count": 1, "fails": 1, "kind": "ours"}, (["step"], "AsAsked", False, "not done")),
    ({"count": 1, "fails": 1}, (["step"], "Failed", True, "Flow run encountered an exception")),
]


@pytest.mark.parametrize("whose", ["the stand-in", "Prefect"])
def test_flows_and_tasks_end_alike(services: Services, whose: str) -> None:
    """Parameters are read as declared, what may be tried again is, and the rest ends as it ends there."""
    if whose == "Prefect":
        assert services.prefect
    with standing_in() if whose == "the stand-in" else nullcontext():
        assert [asyncio.run(_end(**asked)) for asked, _ in ENDS] == [expected for _, expected in ENDS]
