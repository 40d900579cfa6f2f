"""The progress bar of a run: it follows, and it never stands in a clip's way."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import anyio
import pytest
from sqlalchemy.exc import OperationalError

report: Any = import_module("tasks.report")


async def made(*_: object, **__: object) -> str:
    """The address of a new bar."""
    return "a bar"


def shown(monkeypatch: pytest.MonkeyPatch, clips: int, server: Any) -> None:
    """All clips of a batch come to an end at the same time, while the server answers as it likes."""
    monkeypatch.setattr(report, "aupdate_progress_artifact", server)
    monkeypatch.setattr(report, "acreate_progress_artifact", made)

    async def batch() -> None:
        bar = report.Progress("smiles", clips)
        await bar.start()
        async with anyio.create_task_group() as group:
            for _ in range(clips):
                group.start_soon(bar.more)

    anyio.run(batch)


def test_it_ends_at_a_hundred_and_never_goes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[float] = []

    async def slow(_id: object, progress: float) -> None:
        await anyio.lowlevel.checkpoint()
        told.append(progress)

    monkeypatch.setattr(report, "MOVED_EVERY_S", 0)
    shown(monkeypatch, 5, slow)
    assert told == sorted(told) and told[-1] == 100


def test_of_many_clips_in_a_second_it_shows_the_last_figure_and_nobody_waits_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[float] = []

    async def note(_id: object, progress: float) -> None:
        told.append(progress)

    monkeypatch.setattr(report, "MOVED_EVERY_S", 3600.0)
    shown(monkeypatch, 20, note)
    assert told == [5, 100]


def test_a_server_that_is_away_stops_no_clip(monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(_id: object, progress: float) -> None:
        raise ConnectionError(f"{progress} went nowhere")

    shown(monkeypatch, 5, away)


def test_a_bar_that_could_not_be_made_stops_no_clip(monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(*_: object, **__: object) -> str:
        raise ConnectionError("no server")

    async def never(_id: object, progress: float) -> None:
        raise AssertionError("there is no bar to move")

    monkeypatch.setattr(f"{__name__}.made", away)
    shown(monkeypatch, 5, never)


def test_the_bar_of_a_dispatch_outlives_a_ledger_that_is_away_for_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten rows, two of them delivered before; the ledger fails at first, and in between."""
    dispatch: Any = import_module("tasks.dispatch")
    answers: Iterator[int | Exception] = iter(
        [OperationalError("select", {}, OSError("gone")), 2, 5, OperationalError("", {}, OSError()), 10]
    )
    told: list[float] = []
    over = anyio.Event()

    def stored(_runtime: object, _batch: str) -> int:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def note(_id: object, progress: float) -> None:
        told.append(progress)
        if progress == 100:
            over.set()

    monkeypatch.setattr(report, "acreate_progress_artifact", made)
    monkeypatch.setattr(report, "aupdate_progress_artifact", note)
    monkeypatch.setattr(dispatch, "stored_of", stored)
    monkeypatch.setattr(dispatch, "SHOW_EVERY_S", 0)
    monkeypatch.setattr(report, "MOVED_EVERY_S", 0)
    batch = SimpleNamespace(name="big", plan=SimpleNamespace(rows=range(10)), delivered_before={"a", "b"})

    async def watched() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(dispatch.show_progress, None, batch)
            with anyio.fail_after(20):
                await over.wait()
            group.cancel_scope.cancel()

    anyio.run(watched)
    assert told == [20, 50, 100]
