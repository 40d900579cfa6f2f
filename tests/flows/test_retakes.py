"""A round of retakes as a schedule starts it: each that was sent back once, under the round's budget; and what Prefect hears."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from flows.retakes import NOTHING, retakes, round_state
from tests.e2e.harness import World, named

pytestmark = pytest.mark.engine

WITHIN_S = 60.0


def a_round(world: World, **parameters: Any) -> State[Any]:
    """One run of the flow in this process, against the tests' Prefect server."""

    async def run() -> State[Any]:
        state: State[Any] = await retakes(**parameters, return_state=True)
        return state

    with world.here():
        return anyio.run(run)


def judge(world: World, batch: str, *lines: str) -> None:
    file = Path(world.folder) / "verdicts.csv"
    file.write_text("\n".join(["id,take,verdict", *lines]))
    result = world.command("review", "--batch", batch, "--import", str(file))
    assert result.code == 0, result.stderr


def heard(world: World, prefix: str, resource: str, batch: str | None = None) -> list[dict[str, Any]]:
    """The events of a kind about one resource, of one batch if it is named (other tests judge the same clip), that the server
    has, once there is one."""
    ends = time.monotonic() + WITHIN_S
    wanted = {"filter": {"event": {"prefix": [prefix]}, "resource": {"id_prefix": [resource]}}, "limit": 50}
    while True:
        answer = httpx.post(f"{world.environ['PREFECT_API_URL']}/events/filter", json=wanted)
        events: list[dict[str, Any]] = answer.raise_for_status().json()["events"]
        found = [event for event in events if batch in (None, event["payload"].get("batch"))]
        if found or time.monotonic() > ends:
            return found
        time.sleep(0.2)


def test_each_that_was_sent_back_is_made_once_under_the_rounds_budget(world: World) -> None:
    """Two batches; the first round has money for one of them, the next one for the other, and then nothing is left."""
    for batch in ("first", "second"):
        world.csv(named(f"{batch}-a", f"{batch}-b"), name=f"{batch}.csv")
        assert world.run().code == 0
        judge(world, batch, f"{batch}-a,1,retake")
    assert len(world.charges()) == 4
    state = a_round(world, budget_usd=1.9)
    assert state.is_failed() and "the round's budget leaves $0.6" in str(state.message), state.message
    assert len(world.charges()) == 5
    state = a_round(world, budget_usd=1.9)
    assert state.is_completed() and len(world.charges()) == 6, state.message
    state = a_round(world)
    assert state.is_completed() and state.message == NOTHING and len(world.charges()) == 6
    with world.ledger() as ledger:
        assert {name: ledger.batch_asked(name).get("budget_usd") for name in ledger.batches()} == {
            "first": None,
            "second": None,
        }


def test_prefect_hears_of_verdicts_and_of_the_batch_in_s3(world: World) -> None:
    world.csv(named("a", "b"), name="heard.csv")
    assert world.run().code == 0
    judge(world, "heard", "a,1,keep", "b,1,reject")
    with world.ledger() as ledger:
        keys = {row.id: row.clip_key for row in ledger.rows("heard")}
    (kept,) = heard(world, "dailies.clip.kept", f"dailies.clip.{keys['a']}", "heard")
    assert kept["payload"]["by"] and "note" not in kept["payload"]
    assert heard(world, "dailies.clip.rejected", f"dailies.clip.{keys['b']}", "heard")
    asset = f"s3://{world.bucket}/clips/heard"
    assert heard(world, "prefect.asset.materialization.succeeded", asset)
    artifact = (
        httpx.get(f"{world.environ['PREFECT_API_URL']}/artifacts/verdicts-heard/latest").raise_for_status().json()
    )
    assert artifact["description"] == "2 of 2 decided · 1 keep · 1 reject"


def test_an_unknown_batch_is_refused(world: World) -> None:
    state = a_round(world, batch="nowhere")
    assert state.is_failed() and "knows no batch" in str(state.message)


@pytest.mark.parametrize(
    ("ends", "name", "failed"),
    [
        ([], "Completed", False),
        ([Completed(message="1 of 1 delivered")], "Completed", False),
        ([Completed(), Completed(name="PartialSuccess")], "PartialSuccess", False),
        ([Completed(), Failed(message="no key")], "Failed", True),
        ([Failed(), Failed(name="MoneyAtRisk"), Completed()], "MoneyAtRisk", True),
    ],
)
def test_a_round_ends_as_its_worst_batch(ends: list[State[Any]], name: str, failed: bool) -> None:
    state = round_state({str(number): end for number, end in enumerate(ends)})
    assert (state.name, state.is_failed()) == (name, failed)
