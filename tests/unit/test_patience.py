"""What a flow keeps for its clips and shards, and what it does when Prefect's API is away for a while."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import anyio
import httpx
import pytest
from prefect.client.schemas.objects import State, StateType
from prefect.context import FlowRunContext
from prefect.utilities.engine import get_state_for_result, link_state_to_task_run_result

from dailies.report.write import Written
from tasks.engine.isolation import isolate_failures
from tests.report.factories import credits, mixed_rows

dispatch: Any = import_module("tasks.dispatch")
report: Any = import_module("tasks.report")
REQUEST = httpx.Request("POST", "http://127.0.0.1/api/flow_runs/filter")


def answered(status: int) -> httpx.HTTPStatusError:
    """The error of an answer with this status."""
    return httpx.HTTPStatusError("no", request=REQUEST, response=httpx.Response(status, request=REQUEST))


def asked(monkeypatch: pytest.MonkeyPatch, *answers: Exception | str) -> str:
    """What comes of asking an API that answers like this, one after another."""
    monkeypatch.setattr(dispatch, "FOLLOW_EVERY_S", 0)
    left = iter(answers)

    async def ask() -> str:
        answer = next(left)
        if isinstance(answer, Exception):
            raise answer
        return str(answer)

    return str(anyio.run(dispatch.patiently, ask))


def test_a_dispatch_waits_for_an_api_that_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    away = [httpx.ConnectError("refused"), answered(503), httpx.ReadTimeout("slow"), answered(429)]
    assert asked(monkeypatch, *away, "here again") == "here again"


@pytest.mark.parametrize("status", [401, 404, 422])
def test_what_the_api_refuses_is_not_asked_for_ever(monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    with pytest.raises(httpx.HTTPStatusError):
        asked(monkeypatch, answered(status), "never asked")


def test_the_tasks_of_a_clip_know_each_other_and_the_flow_keeps_nothing_of_them() -> None:
    """Prefect finds by a result's address which task it came from; of ten thousand clips all that would stay."""
    bare: dict[str, Any] = {"run_results": {}, "task_run_assets": {}}
    flow = FlowRunContext.model_construct(**bare)
    found: list[Any] = []

    @isolate_failures
    async def clip(attempt: str) -> None:
        link_state_to_task_run_result(State(type=StateType.COMPLETED, name=attempt), attempt)
        found.append(get_state_for_result(attempt))
        context = FlowRunContext.get()
        assert context
        context.task_run_assets[uuid4()] = set()

    async def many() -> None:
        async with anyio.create_task_group() as clips:
            for number in range(3):
                clips.start_soon(clip, f"attempt {number}")

    with flow:
        anyio.run(many)
    assert sorted(state.name for state, _ in found) == ["attempt 0", "attempt 1", "attempt 2"]
    assert (flow.run_results, flow.task_run_assets) == ({}, {})


def test_a_report_that_the_ui_can_not_show_ends_no_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The clips are delivered and the files written; the artifacts are only there to be seen."""
    figures = credits(mixed_rows(3))

    async def away(*_: object, **__: object) -> None:
        raise answered(500)

    async def written(*_: object) -> tuple[object, Written]:
        return figures, Written(tmp_path, None)

    monkeypatch.setattr(report, "acreate_table_artifact", away)
    monkeypatch.setattr(report, "report_batch", written)
    monkeypatch.setattr(report, "current_runtime", lambda: SimpleNamespace(batches={"monday": None}))
    assert anyio.run(report.report.fn, "monday", "monday") == figures.totals.sentence()
