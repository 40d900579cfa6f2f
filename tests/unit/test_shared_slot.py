"""A place among all machines is given back by whoever dies: Prefect's lease on it is short."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from prefect.concurrency.asyncio import concurrency

from tasks.engine import limits


def test_a_killed_holder_s_place_is_free_within_two_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    # the server's code, which no worker shall load for its collection
    from prefect.server.api.concurrency_limits_v2 import bulk_increment_active_slots_with_lease

    taken: list[dict[str, Any]] = []

    @asynccontextmanager
    async def counted(name: str, **asked: Any) -> AsyncIterator[None]:
        taken.append(inspect.signature(concurrency).bind(name, **asked).arguments)
        yield

    monkeypatch.setattr(limits, "concurrency", counted)

    async def two() -> None:
        async with limits.shared_slot("shards", frozenset({"shards"})), limits.shared_slot("aiml", frozenset()):
            pass

    anyio.run(two)
    (shards,) = taken
    assert shards["names"] == "dailies-shards" and shards["strict"] is False
    least = next(
        bound.ge
        for bound in inspect.signature(bulk_increment_active_slots_with_lease)
        .parameters["lease_duration"]
        .default.metadata
        if hasattr(bound, "ge")
    )
    assert least <= shards["lease_duration"] <= 105, "Prefect takes a lease away within 15 s of its end"
