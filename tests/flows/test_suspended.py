"""A deployment's run that waits for a yes holds no process: it is suspended, begins anew with the answer, and buys once."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any
from uuid import UUID

import anyio
import pytest
import yaml
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.objects import FlowRun
from prefect.exceptions import Pause
from prefect.flow_engine import run_flow_async
from prefect.states import Cancelling, Pending

from flows.generate import generate_clips
from tests.e2e.forks import ROOT
from tests.e2e.harness import World
from tests.flows.factory import wait_for
from tests.flows.production import in_production

YES = {"approve": True, "note": "Ann"}


class Run:
    """One run of a deployment of `generate-clips`, executed here as a worker would, as often as it is scheduled."""

    def __init__(self, world: World, client: PrefectClient, run_id: UUID) -> None:
        self.world, self.client, self.id = world, client, run_id

    async def now(self) -> FlowRun:
        return await self.client.read_flow_run(self.id)

    async def execute(self) -> str:
        """Execute it once; the name of the state in which this process leaves it."""
        await self.client.set_flow_run_state(self.id, Pending())
        run = await self.now()
        try:
            state: Any = await run_flow_async(generate_clips, run, dict(run.parameters), return_type="state")
        except Pause:
            left = (await self.now()).state
            return left.name or "" if left else ""
        return str(state.name)

    async def resume(self, answer: dict[str, Any] | None) -> Any:
        """As the UI does with the form's content."""
        return await self.client.resume_flow_run(self.id, run_input=answer)

    async def again(self) -> None:
        """*Retry* in the UI."""
        await self.client.set_flow_run_state(self.id, Pending(name="AwaitingRetry"), force=True)


def with_run(world: World, story: Callable[[Run], Coroutine[Any, Any, None]], **given: Any) -> None:
    """Tell a story of one run that needs a yes above a dollar; `given` is what it is asked instead."""

    async def told() -> None:
        async with get_client() as client:
            flow_id = await client.create_flow(generate_clips)
            deployment = await client.create_deployment(flow_id, name=f"of-{world.bucket}")
            asked = {"prompts": str(world.prompts), "batch": f"suspended-{world.bucket}"}
            asked |= given or {"approve_above_usd": 1.0}
            run = await client.create_flow_run_from_deployment(deployment, parameters=asked)
            with anyio.fail_after(300):
                await story(Run(world, client, run.id))

    with world.here():
        anyio.run(told)


def test_it_leaves_its_process_and_what_was_approved_is_bought_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Suspended with the form in the UI, resumed by its API, begun anew, bought; executed again, nothing more.

    That it is suspended is the last that it says: whoever waits for its heartbeats waits no more.
    """
    world.csv(3)
    said: list[tuple[str, str, int]] = []

    def emit(event: str, resource: dict[str, str], follows: int = 0) -> int:
        said.append((event, resource["prefect.resource.id"], follows))
        return len(said)

    monkeypatch.setattr("tasks.engine.asking.emit_event", emit)

    async def story(run: Run) -> None:
        assert await run.execute() == "Suspended"
        assert world.posts() == []
        assert said == [("dailies.run.suspended", f"prefect.flow-run.{run.id}", follows) for follows in (0, 1)]
        assert (await run.resume(YES)).status.value == "ACCEPT"
        state = (await run.now()).state
        assert state and state.name == "Resuming", "a worker takes it once more"
        assert await run.execute() == "Completed"
        assert len(world.charges()) == 3
        await run.again()
        assert await run.execute() == "Completed", "what was approved is on record: nobody is asked"

    with_run(world, story)
    assert len(world.charges()) == 3 and len(said) == 2


def test_one_click_on_the_form_as_it_is_shipped_buys_nothing(world: World) -> None:
    """With what prefect.yaml fills in, and nothing said: it waits for a yes. Its CSV's path is of the clone."""
    shipped = yaml.safe_load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))["deployments"]
    (preset,) = [one["parameters"] for one in shipped if one["name"] == "generate-clips"]

    async def story(run: Run) -> None:
        assert await run.execute() == "Suspended"

    with_run(world, story, **(preset | {"prompts": str(ROOT / preset["prompts"])}))
    assert world.posts() == []


def test_a_no_buys_nothing(world: World) -> None:
    world.csv(2)

    async def story(run: Run) -> None:
        await run.execute()
        await run.resume({"approve": False, "note": "too dear"})
        assert await run.execute() == "Failed"
        state = (await run.now()).state
        assert state and "not approved: too dear: nothing was bought" in (state.message or "")

    with_run(world, story)
    assert world.posts() == []


def test_a_lower_cap_holds_for_the_run_that_begins_anew(world: World) -> None:
    world.csv(3)

    async def story(run: Run) -> None:
        await run.execute()
        await run.resume({"approve": True, "budget_usd": 2.6})
        assert await run.execute() == "PartialSuccess"
        await run.again()
        assert await run.execute() == "PartialSuccess", "begun once more, the same answer holds"

    with_run(world, story)
    assert len(world.charges()) == 2


def test_a_yes_to_other_clips_than_there_are_now_is_asked_again(world: World) -> None:
    """The CSV grew while nobody had answered yet: the yes was to what the form showed."""
    world.csv(2)

    async def story(run: Run) -> None:
        await run.execute()
        world.csv(3)
        await run.resume(YES)
        assert await run.execute() == "Suspended"
        assert world.posts() == []
        await run.resume(YES)
        assert await run.execute() == "Completed"

    with_run(world, story)
    assert len(world.charges()) == 3


def test_an_empty_answer_is_none(world: World) -> None:
    """Resumed without the form (`prefect flow-run resume`): asked again, nothing bought."""
    world.csv(2)

    async def story(run: Run) -> None:
        await run.execute()
        await run.resume(None)
        assert await run.execute() == "Suspended"

    with_run(world, story)
    assert world.posts() == []


def test_cancelled_while_it_is_suspended_it_is_over_at_once(world: World) -> None:
    """There is no process to wait for, and nothing was bought."""
    world.csv(2)

    async def story(run: Run) -> None:
        await run.execute()
        await run.client.set_flow_run_state(run.id, Cancelling())
        state = (await run.now()).state
        assert state and state.name == "Cancelled"

    with_run(world, story)
    assert world.posts() == []


def test_without_an_answer_in_time_the_server_ends_it_and_a_retry_asks_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is bought on an answer that comes too late."""
    monkeypatch.setattr("flows.approve.approve.__defaults__", (0,))
    world.csv(2)

    async def story(run: Run) -> None:
        await run.execute()
        late = await run.resume(YES)
        assert late.status.value != "ACCEPT", "refused now, or ended by the server a moment ago"
        state = (await run.now()).state
        assert state and state.name == "Failed" and "never resumed" in (state.message or "")
        monkeypatch.setattr("flows.approve.approve.__defaults__", (86400,))
        await run.again()
        assert await run.execute() == "Suspended"
        await run.resume(YES)
        assert await run.execute() == "Completed"

    with_run(world, story)
    assert len(world.charges()) == 2


@pytest.mark.production
@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_worker_with_one_place_works_on_while_a_run_waits_for_a_yes(tmp_path: Path) -> None:
    """A real worker: its only place is free meanwhile, the resumed run gets it back, and a cancelled one ends without it."""
    with in_production(tmp_path, f"sqlite:///{tmp_path / 'ledger.db'}") as production:
        production.worker("one", limit=1)

        def waiting(batch: str) -> UUID:
            prompts = production.world.csv(2, name=f"{batch}.csv")
            asked = {"prompts": str(prompts), "batch": batch, "approve_above_usd": 1.0}
            run = production.api.start("generate-clips/generate-clips", asked)

            def suspended() -> bool:
                state = production.api.run(run.id).state
                return state is not None and state.name == "Suspended"

            wait_for(suspended, 300, production.logs, every_s=1)
            return run.id

        first, second = waiting("first"), waiting("second")
        assert production.generate("report-clips/credits-report")[1] == "Completed"
        production.api.post(f"/flow_runs/{second}/set_state", {"state": {"type": "CANCELLING"}})
        state = production.api.ended(second, 30).state
        assert state and state.name == "Cancelled"
        assert production.world.posts() == []
        answer = production.api.post(f"/flow_runs/{first}/resume", {"run_input": YES})
        assert answer["status"] == "ACCEPT"
        ended = production.api.ended(first, 300, production.logs)
        assert ended.state and ended.state.name == "Completed", ended.state
        assert len(production.world.charges()) == 2
