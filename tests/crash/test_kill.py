"""Runs that are killed at the worst moment, and what the next run makes of it."""

from __future__ import annotations

import pytest

from dailies.domain.states import State
from dailies.failpoints import NAMES
from tests.e2e.forks import KILLED
from tests.e2e.harness import Result, World, named
from tests.e2e.invariants import assert_invariants
from tests.e2e.test_faults_ledger import full_disk_for_answers

SPOOL = ("before-spool", "after-spool", "before-drain", "after-drain")
PLANNING = ("before-plan", "after-plan")
SENDING = ("before-claim", "after-claim", "before-post", "after-post", "before-answer", "after-answer")
"""Passed by the sender, whose parent is the flow."""
WHO = {"flow": "kill-parent", "sender": "kill", "both": "kill-both"}
WAITING = ("before-poll", "after-poll", "before-completed", "after-completed", "before-download", "after-download")
STORING = ("before-put", "after-put", "before-head", "after-head", "before-stored", "after-stored", "before-cleanup",
           "after-cleanup", "before-report", "after-report")  # fmt: skip


def batch_of(world: World, name: str) -> list[dict[str, str]]:
    """Three clips of a batch of this name."""
    rows = [*named(f"{name} 1", f"{name} 2"), {"id": f"{name} 3", "prompt": f"<{name} 3>", "provider": "onerouter"}]
    world.csv(rows, name=f"{name}.csv")
    return rows


def killed_at(world: World, name: str, action: str = "kill") -> None:
    """One run in which somebody dies at this failpoint; never more than one charge per clip."""
    child = world.start(DAILIES_FAILPOINTS=f"{name}={action}")
    code = child.wait(120)
    if name in SENDING and action == "kill":
        assert code in (0, 1), f"a flow outlives its sender: {child.text('stderr')}"
        assert "Traceback" not in child.text("stderr"), child.text("stderr")
    else:
        assert code == KILLED, f"{name} was never passed: {child.text('stderr')}"
    references = [charge.client_request_id for charge in world.charges()]
    assert len(set(references)) == len(references)


def recovers(world: World, rows: list[dict[str, str]]) -> Result:
    """A run over the rows of all batches finishes what was paid and buys what was not; then nothing is left to buy."""
    world.csv(rows, name="all.csv")
    result = assert_invariants(world)
    assert result
    done = result.json["delivered"] + result.json["already_delivered"]
    assert done + result.json["in_doubt"] == len(rows), result.json
    charged = {charge.client_request_id for charge in world.charges() if charge.provider == "aiml"}
    doubted = {attempt.id for attempt in world.attempts() if attempt.state is State.IN_DOUBT}
    assert not charged & doubted, "what is in the provider's log is found there"
    return result


def test_every_failpoint_is_killed_at_below() -> None:
    """A new one needs its place in these lists."""
    assert {*SPOOL, *PLANNING, *SENDING, *WAITING, *STORING} == set(NAMES)


@pytest.mark.parametrize("names", [PLANNING, WAITING, STORING], ids=["planning", "waiting", "storing"])
def test_sigkill_at_every_step(each_world: World, names: tuple[str, ...]) -> None:
    """Run after run dies, one at each step, with three clips under way: nothing is bought twice, nothing paid is lost."""
    rows = []
    for name in names:
        rows += batch_of(each_world, name)
        killed_at(each_world, name)
    recovers(each_world, rows)


@pytest.mark.parametrize("who", WHO)
def test_sigkill_at_every_step_of_sending(each_world: World, who: str) -> None:
    """Of the flow, of its sender, of both: nothing is bought twice; what is lost was in a sender's hand, and is in doubt."""
    rows = []
    for name in SENDING:
        rows += batch_of(each_world, name)
        killed_at(each_world, name, WHO[who])
    result = recovers(each_world, rows)
    if who == "flow":
        assert result.json["in_doubt"] == 0, "the sender received and recorded every answer"


@pytest.mark.parametrize("how", ["by its id", "with all others"])
def test_what_the_dead_left_is_at_risk_and_can_be_settled_before_any_run(world: World, how: str) -> None:
    """Whoever looks first after a power cut is told what it may have cost, and may settle it at once."""
    world.csv(named("left"), provider="onerouter")
    killed_at(world, "after-post", "kill-both")
    (attempt,), (paid,) = world.attempts(), world.charges()
    assert attempt.state is State.SUBMITTING
    status = world.command("status", "--json").json
    assert [one["state"] for one in status["unfinished"]] == ["in_doubt"]
    assert status["usd_at_risk"] == float(attempt.usd_quoted)
    if how == "by its id":
        settled = world.command("resolve", attempt.id, f"--charged={paid.generation_id}", "--json")
    else:
        world.resubmits = 1
        settled = world.command("resolve", "--all-in-doubt", "--resubmit", "--older-than", "0h", "--yes", "--json")
    assert settled.code == 0 and len(settled.json) == 1, settled.stderr
    result = assert_invariants(world)
    assert result and result.code == 0, result and result.json


def test_sigkill_around_the_spool(each_world: World) -> None:
    """The ledger takes no answer, and the process dies as well: nothing is bought twice, nothing paid is lost."""
    rows = []
    for name in ("before-spool", "after-spool"):
        rows += batch_of(each_world, name)
        with full_disk_for_answers(each_world):
            killed_at(each_world, name, "kill-both")
    recovers(each_world, rows)


def test_sigkill_while_the_spool_is_drained(each_world: World) -> None:
    """Each answer in it reaches the ledger in the end, and leaves the spool only then."""
    rows = batch_of(each_world, "drained")
    with full_disk_for_answers(each_world):
        assert each_world.run(fork=True).code == 1
    assert len(list((each_world.home / "spool").glob("*.json"))) == 3
    for name in ("before-drain", "after-drain"):
        killed_at(each_world, name)
    assert recovers(each_world, rows).code == 0
    assert not list((each_world.home / "spool").glob("*.json"))
