"""A Prefect global concurrency limit that a team has made holds for all runs on all machines."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any

import anyio
import httpx
import pytest

from dailies.providers.aiml.client import Aiml
from dailies.providers.base import Created
from dailies.registry import declared
from dailies.runtime import wiring
from tests.e2e.fixtures import MakeWorld
from tests.e2e.harness import World, until
from tests.e2e.invariants import assert_invariants


@contextmanager
def limit(world: World, provider: str, most: int) -> Iterator[None]:
    """`dailies-<provider>` on the Prefect server, for as long as the block runs."""
    url = f"{world.environ['PREFECT_API_URL']}/v2/concurrency_limits"
    with httpx.Client(trust_env=False, timeout=30) as client:
        body = {"name": f"dailies-{provider}", "limit": most, "active": True}
        made = client.post(f"{url}/", json=body).raise_for_status().json()
        try:
            yield
        finally:  # a busy server answers 503 once in a while, and a limit that stays would hold for every later test
            until(lambda: client.delete(f"{url}/{made['id']}").status_code in (204, 404))


def most_at_once(world: World) -> int:
    """How many generations the provider had under way at the same time."""
    made = httpx.get(f"{world.sandbox.url}/sandbox/generations", trust_env=False, timeout=30).json()
    spans = [(datetime.fromisoformat(g["at"]), datetime.fromisoformat(g["ends_at"])) for g in made]
    return max(sum(began <= start < ended for began, ended in spans) for start, _ in spans)


@pytest.mark.engine
def test_two_runs_at_once_keep_the_limit_between_them(make_world: MakeWorld) -> None:
    """Each of them alone would have all its clips generating at once."""
    world = make_world(time_scale=0.005)
    seldom = {"provider": "higgsfield", "model": "bytedance/seedance-2-5", "duration": "5"}
    csvs = [world.csv(3, name=f"{name}.csv", **seldom) for name in ("one", "two")]
    with limit(world, seldom["provider"], 2):  # whoever shares this server meanwhile buys elsewhere
        children = [world.start("run", str(path), "--json") for path in csvs]
        codes = [child.wait(120) for child in children]
    assert codes == [0, 0], [child.text("stderr") for child in children]
    assert len(world.charges()) == 6
    assert most_at_once(world) == 2
    assert_invariants(world)


@pytest.mark.engine
def test_without_a_limit_nothing_is_waited_for(make_world: MakeWorld) -> None:
    """The run's own setting is the only one then."""
    world = make_world(time_scale=0.01)
    world.csv(4)
    assert world.run().code == 0
    assert most_at_once(world) == 4


def test_creates_are_sent_a_few_at_once_however_many_clips_may_be_in_flight(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Thousands at once would hold thousands of images, and wait for each other until their answers count as lost."""
    clips, under_way, most = 9, 0, 0
    everybody = anyio.Event()
    create = Aiml.create

    async def counted(self: Aiml, *arguments: Any) -> Created:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        if under_way == clips:
            everybody.set()
        with anyio.move_on_after(0.5):  # whoever may come, comes
            await everybody.wait()
        try:
            return await create(self, *arguments)
        finally:
            under_way -= 1

    monkeypatch.setattr(Aiml, "create", counted)
    fewer = {**declared(), "aiml": replace(declared()["aiml"], creates_at_once=3)}
    monkeypatch.setattr(wiring, "declared", lambda: fewer)
    world.csv(clips)
    assert world.run("--in-flight", str(clips)).code == 0
    assert most == 3
