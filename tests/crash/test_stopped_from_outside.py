"""systemd's and a container's way of stopping, while a synchronous provider owes an answer: below our init, with time enough,
nothing is lost; where either is missing, what was under way is in doubt, and is not bought again."""

from __future__ import annotations

import signal
import subprocess
from contextlib import suppress

import pytest

from dailies.domain.states import State
from tests.crash.stoppers import INIT, a_container, a_unit
from tests.e2e.harness import World, named, until
from tests.e2e.invariants import assert_invariants

ANSWER_AFTER_S = 5
NO_TIME_S = 1
LIKE_A_WORKER = """
trap 'kill -KILL $run; exit 143' TERM
{python} -m dailies run {prompts} --json > run.out 2>&1 &
run=$!
wait
"""
"""Told to end it kills its run at once, and ends, as Prefect's process worker does."""


def ordered(world: World) -> list[str]:
    """A clip whose answer takes its time, and the command that orders it."""
    world.csv(named("a"), provider="onerouter")
    world.sandbox.fault("create", "late", delay_s=ANSWER_AFTER_S, times=1)
    script = world.folder / "worker.sh"
    script.write_text(LIKE_A_WORKER.format(python=INIT[0], prompts=world.prompts))
    return ["sh", str(script)]


def under_way(world: World) -> None:
    """Return when the provider has the request and owes the answer."""
    until(world.charges, 150)


def nothing_was_lost(world: World) -> None:
    """Its answer was recorded before the stop was over; the next run brings the clip home."""
    assert [attempt.state for attempt in world.attempts()] == [State.COMPLETED]
    result = assert_invariants(world)
    assert result and result.code == 0 and len(world.charges()) == 1


def it_is_in_doubt(world: World) -> None:
    """Nobody could record the answer. Once its lease is over that is said, as money at risk, and nothing is bought again."""
    assert [attempt.state for attempt in world.attempts()] == [State.SUBMITTING]
    world.sql("UPDATE attempt SET lease_until = '2000-01-01 00:00:00.000000'")
    result = assert_invariants(world)
    assert result and result.code == 1 and result.json["in_doubt"] == 1 and result.json["usd_at_risk"] > 0
    assert len(world.charges()) == 1


@pytest.mark.production
@pytest.mark.parametrize("how", ["it alone", "its process group"])
def test_a_worker_that_is_told_to_end_and_kills_its_run_costs_no_clip(world: World, how: str) -> None:
    """Only what every version of the program shows is looked at: the next run's answer, charges and S3."""
    command = ordered(world)
    if how == "its process group":
        script = world.folder / "worker.sh"
        own_group = script.read_text().replace("kill -KILL $run", "kill -KILL -$run")
        script.write_text(own_group.replace(INIT[0], f"setsid {INIT[0]}", 1))
    worker = subprocess.Popen(command, cwd=world.folder, env=world.outside)
    under_way(world)
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(60) == 143
    with suppress(TimeoutError):  # where nobody is left who would record it, the next run says so
        until(lambda: world.attempts()[0].state is not State.SUBMITTING, ANSWER_AFTER_S + 30)
    result = world.run()
    assert (result.json["delivered"], result.json["in_doubt"], result.code) == (1, 0, 0)
    assert len(world.charges()) == len(world.clips()) == 1


@pytest.mark.production
@pytest.mark.parametrize(
    "changed", [(), ("KillMode=control-group",)], ids=["the unit as it is shipped", "systemd's own KillMode"]
)
def test_systemctl_stop_waits_for_the_answer(world: World, changed: tuple[str, ...]) -> None:
    """SIGTERM to the main process, or to all of them: the sender takes none, and the unit stays until it has ended."""
    command = ordered(world)
    with a_unit(world.folder, world.outside, [*INIT, *command], *changed) as unit:
        under_way(world)
        unit.stop()
        nothing_was_lost(world)


@pytest.mark.production
@pytest.mark.parametrize(
    ("below", "changed"),
    [([], ()), (INIT, (f"TimeoutStopSec={NO_TIME_S}",))],
    ids=["without our init", "with less time than the provider takes"],
)
def test_where_a_unit_gives_no_init_or_no_time_it_is_in_doubt(
    world: World, below: list[str], changed: tuple[str, ...]
) -> None:
    """systemd kills whatever is left of the unit once its main process has ended, or its time is over."""
    command = ordered(world)
    with a_unit(world.folder, world.outside, [*below, *command], *changed) as unit:
        under_way(world)
        unit.stop()
        it_is_in_doubt(world)


@pytest.mark.production
def test_docker_stop_waits_for_the_answer(world: World) -> None:
    """SIGTERM to PID 1, and its grace; the run is gone at once, PID 1 stays for the sender."""
    command = ordered(world)
    with a_container(world.folder, world.outside, [*INIT, *command]) as container:
        under_way(world)
        container.stop(grace_s=90)
        nothing_was_lost(world)


@pytest.mark.production
@pytest.mark.parametrize(
    ("below", "grace_s"), [([], 90), (INIT, NO_TIME_S)], ids=["without our init", "with less grace than it takes"]
)
def test_where_a_container_gives_no_init_or_no_grace_it_is_in_doubt(
    world: World, below: list[str], grace_s: float
) -> None:
    """A container ends with its first process, and that one with its grace."""
    command = ordered(world)
    with a_container(world.folder, world.outside, [*below, *command]) as container:
        under_way(world)
        container.stop(grace_s)
        it_is_in_doubt(world)
