"""A create that was given up and turns out to be charged is brought home beside the clip that was bought instead, and the books
show both. Only what every version of the program shows is read here: exit codes, S3, `status` and `report`."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.e2e.harness import World
from tests.e2e.invariants import assert_invariants

PATIENCE_S = "20"


def given_up(world: World, provider: str = "aiml") -> tuple[str, str]:
    """A charged create whose answer was lost is given up, its clip bought again and stored. Its attempt's id, and the provider's."""
    world.csv(1, provider=provider)
    world.sandbox.fault("logs", "status", times=None, status=503)
    world.sandbox.fault("create", "lost")
    assert world.run().json["in_doubt"] == 1
    [lost] = world.charges()
    [entry] = world.command("status", "--json").json["unfinished"]
    assert world.command("resolve", entry["attempt"], "--resubmit").code == 0
    world.resubmits = 1
    assert world.run().json["delivered"] == 1
    assert len(world.charges()) == 2 and len(world.clips()) == 1
    return entry["attempt"], lost.generation_id


def by_a_person(world: World, attempt: str, generation: str) -> None:
    """Somebody reads the provider's page."""
    assert world.command("resolve", attempt, "--charged", generation).code == 0
    assert world.command("collect", DAILIES_CLIP_DEADLINE_S=PATIENCE_S).code == 0


def by_the_log(world: World, _attempt: str, _generation: str) -> None:
    """The provider's log can be read again."""
    world.sandbox.clear_faults()
    assert world.command("collect", DAILIES_CLIP_DEADLINE_S=PATIENCE_S).code == 0


def by_the_same_run_again(world: World, attempt: str, generation: str) -> None:
    """Nobody says `collect`: the batch is simply run once more."""
    assert world.command("resolve", attempt, "--charged", generation).code == 0
    assert world.run(DAILIES_CLIP_DEADLINE_S=PATIENCE_S).code == 0


def by_another_batch(world: World, attempt: str, generation: str) -> None:
    """Nobody says `collect`, and the next run is of something else."""
    assert world.command("resolve", attempt, "--charged", generation).code == 0
    world.csv(1, name="other.csv")
    assert world.run(DAILIES_CLIP_DEADLINE_S=PATIENCE_S).code == 0


FOUND = {
    "by a person": by_a_person,
    "by the provider's log": by_the_log,
    "by a person, and the batch is run again": by_the_same_run_again,
    "by a person, and another batch is run": by_another_batch,
}


@pytest.mark.parametrize("find", FOUND.values(), ids=list(FOUND))
def test_what_was_given_up_and_charged_comes_home_and_stands_in_the_books(
    world: World, find: Callable[[World, str, str], None]
) -> None:
    find(world, *given_up(world))
    assert len(world.clips()) == len(world.charges()), "each charge has its clip"
    assert world.command("status", "--json").json["unfinished"] == []
    charged = sum(float(charge.usd) for charge in world.charges())
    report = world.command("report", "--group-by", "batch", "--json").json
    assert float(report["usd_charged"]) == pytest.approx(charged)
    assert_invariants(world, rerun=False)
