"""The home is deleted, renamed or replaced under a run: it buys no more, and nothing that it bought is bought again."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.fixtures import MakeWorld
from tests.e2e.harness import World, until
from tests.e2e.invariants import assert_invariants

AT_ONCE = 2
ROWS = 8


def another_home(world: World) -> Path:
    """A home in which nothing was bought. Made before a run is under way: that buys on while this takes its time."""
    other = world.folder / "other"
    if not other.exists():
        world.command("status", DAILIES_HOME=str(other), DAILIES_LEDGER_URL="")
    return other


def deleted(world: World) -> None:
    shutil.rmtree(world.home)


def renamed(world: World) -> None:
    world.home.rename(world.folder / "home of last week")


def replaced_by_another_home(world: World) -> None:
    world.home.rename(world.folder / "home of last week")
    another_home(world).rename(world.home)


def only_the_ledger_deleted(world: World) -> None:
    for path in world.home.glob("ledger.db*"):
        path.unlink()


def ledger_put_back_from_a_copy(world: World) -> None:
    shutil.copy(world.home / "ledger.db", world.home / "restored")
    (world.home / "restored").rename(world.home / "ledger.db")
    for beside in ("ledger.db-wal", "ledger.db-shm"):
        (world.home / beside).unlink(missing_ok=True)


@pytest.mark.slow
@pytest.mark.parametrize(
    "hand", [deleted, renamed, replaced_by_another_home, only_the_ledger_deleted, ledger_put_back_from_a_copy]
)
def test_a_run_whose_ledger_is_gone_from_its_path_buys_no_more_and_the_next_one_goes_on(
    make_world: MakeWorld, hand: Callable[[World], None]
) -> None:
    world = make_world(time_scale=0.01)
    world.csv(ROWS)
    if hand is replaced_by_another_home:
        another_home(world)
    child = world.start(DAILIES_IN_FLIGHT=str(AT_ONCE))
    until(lambda: len(world.charges()) >= AT_ONCE)
    hand(world)
    code = child.wait(120)
    bought = len(world.charges())
    assert code != 0 and bought < ROWS, "it went on buying"
    assert "was deleted, renamed or replaced while it was in use: nothing more is bought" in child.text("stderr")
    world.command("doctor", "--adopt")  # what came home before, by the store's metadata
    again = assert_invariants(world)
    assert again and again.code == 0, again
    assert len(world.charges()) == ROWS and len(world.clips()) == ROWS, "each clip once"
