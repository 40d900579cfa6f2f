"""`approve_above_usd`: the run pauses and asks in the Prefect UI; without a yes nothing is bought."""

from __future__ import annotations

from typing import Any

import anyio
import httpx
import pytest

from tests.e2e.harness import World


async def flow_and_answer(world: World, answer: dict[str, Any] | None) -> Any:
    """Run the flow; when it pauses, fill in the form over the API as the UI does, and resume it."""
    from flows.generate import generate_clips

    api = world.environ["PREFECT_API_URL"]
    batch = f"approval-{world.bucket}"

    async def person() -> None:
        async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
            paused: list[Any] = []
            while not paused:
                body = {"flow_runs": {"state": {"type": {"any_": ["PAUSED"]}}, "name": {"like_": batch}}}
                found = await client.post(f"{api}/flow_runs/filter", json=body)
                paused = found.json() if found.is_success else []  # a busy server answers 503 once in a while
                await anyio.sleep(0.1)
            accepted = False
            while not accepted:  # the form's fields follow the state by a moment
                response = await client.post(f"{api}/flow_runs/{paused[0]['id']}/resume", json={"run_input": answer})
                accepted = response.is_success and response.json().get("status") == "ACCEPT"
                await anyio.sleep(0.1)

    async with anyio.create_task_group() as group:
        if answer is not None:
            group.start_soon(person)
        with anyio.fail_after(90):
            return await generate_clips(str(world.prompts), batch=batch, approve_above_usd=1.0, return_state=True)


@pytest.mark.parametrize(
    ("answer", "bought"),
    [
        pytest.param({"approve": True, "note": "Ann, for the spring spot"}, 3, id="yes", marks=pytest.mark.engine),
        pytest.param({"approve": True, "budget_usd": 2.6}, 2, id="yes, for less", marks=pytest.mark.production),
        pytest.param({"approve": False, "note": "too dear"}, 0, id="no", marks=pytest.mark.production),
    ],
)
def test_a_person_decides_in_the_form(world: World, answer: dict[str, Any], bought: int) -> None:
    """Approve, lower the budget, or refuse."""
    world.csv(3)
    with world.here():
        state = anyio.run(flow_and_answer, world, answer)
    assert len(world.charges()) == bought
    assert state.is_completed() == (bought > 0)


@pytest.mark.engine
def test_no_answer_in_time_buys_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The form times out."""
    monkeypatch.setattr("flows.approve.WAIT_S", 1)
    monkeypatch.setattr("flows.approve.approve.__defaults__", (1,))
    world.csv(1)
    with world.here():
        state = anyio.run(flow_and_answer, world, None)
    assert state.is_failed()
    assert world.posts() == []


def test_below_the_limit_nobody_is_asked(world: World) -> None:
    """A batch that is cheap enough goes ahead."""
    world.csv(1)
    assert world.run().code == 0


@pytest.mark.production
def test_what_was_approved_is_on_record_and_a_resumed_run_asks_only_for_more(world: World) -> None:
    """The rest of what was approved is bought without a question; one clip more is asked about, however cheap."""
    world.csv(2)
    world.sandbox.fault("create", "status", status=401, after=1)  # the key is refused for one of them
    batch = f"approval-{world.bucket}"
    with world.here():
        assert anyio.run(flow_and_answer, world, {"approve": True}).is_completed()
        with world.ledger() as ledger:
            approval = ledger.approval(batch)
            assert approval and approval.clips == 2 and approval.usd == 2 * ledger.counted(batch)
        assert len(world.charges()) == 1
        resumed = anyio.run(flow_and_answer, world, None)
        assert resumed.is_completed() and len(world.charges()) == 2, "nobody had to be there"
        world.csv(3)
        assert anyio.run(flow_and_answer, world, {"approve": False, "note": "no more"}).is_failed()
    assert len(world.charges()) == 2


def test_a_yes_on_the_command_line_is_on_record_too(world: World) -> None:
    """`--yes` and `--json` are a yes."""
    world.csv(2)
    assert world.run().code == 0
    with world.ledger() as ledger:
        approval = ledger.approval("batch")
        assert approval and approval.clips == 2 and approval.usd == ledger.counted("batch") > 0
