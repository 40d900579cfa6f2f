"""The progress bar of a run: it follows, and it never stands in a clip's way."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import anyio
import pytest

report: Any = import_module("tasks.report")


def shown(monkeypatch: pytest.MonkeyPatch, clips: int, server: Any) -> None:
    """All clips of a batch come to an end at the same time, while the server answers as it likes."""
    monkeypatch.setattr(report, "aupdate_progress_artifact", server)

    async def batch() -> None:
        bar = report.Progress("smiles", clips)
        async with anyio.create_task_group() as group:
            for _ in range(clips):
                group.start_soon(bar.more)

    anyio.run(batch)


def test_it_ends_at_a_hundred_and_never_goes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[float] = []

    async def slow(_id: object, progress: float) -> None:
        await anyio.lowlevel.checkpoint()
        told.append(progress)

    shown(monkeypatch, 5, slow)
    assert told == sorted(told) and told[-1] == 100


def test_a_server_that_is_away_stops_no_clip(monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(_id: object, progress: float) -> None:
        raise ConnectionError(f"{progress} went nowhere")

    shown(monkeypatch, 5, away)
