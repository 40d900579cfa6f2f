"""What is suggested when spool or ledger are in trouble works in that trouble, as it stands."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from dailies.domain.states import State
from tests.e2e.fixtures import MakeWorld
from tests.e2e.harness import Result, World, named, until
from tests.e2e.test_faults_ledger import ANSWERS_AGAIN, NO_ANSWERS


def typed(world: World, text: str, pattern: str) -> Result:
    """The result of the command that the text suggests after these words, with whatever is set before it."""
    (line,) = re.findall(pattern + r"[ `]*((?:\w+='[^']*' )?dailies [a-z]+(?: copy| --adopt)?)", text)
    *settings, _ = line.split("dailies ")
    environ: dict[str, Any] = dict(pair.split("=", 1) for pair in shlex.split(" ".join(settings)))
    program, *words = shlex.split(line.removeprefix(" ".join(settings)))
    assert program == "dailies"
    return world.command(*words, **environ)


@pytest.fixture
def spooled(hasty: None, world: World) -> World:
    """A clip that is paid for; its id waits in the spool, for the ledger's disk is full."""
    world.csv(1)
    world.command("check", str(world.prompts))  # makes the tables
    world.sql(*NO_ANSWERS["sqlite"])
    world.run()
    assert waiting(world)
    return world


def waiting(world: World) -> list[Path]:
    return [*(world.home / "spool").glob("*.json")]


@pytest.mark.parametrize("teller", ["status", "doctor"])
def test_an_answer_in_the_spool_comes_home_by_the_command_that_is_named(spooled: World, teller: str) -> None:
    told = spooled.command(teller)
    spooled.sql(*ANSWERS_AGAIN["sqlite"])
    text = " ".join((told.stdout + told.stderr).split())
    assert typed(spooled, text, "answers (?:wait )?in the spool:").code == 0
    assert not waiting(spooled) and len(spooled.posts()) == 1
    assert spooled.attempts()[0].state is State.STORED


def test_a_ledger_in_use_is_copied_once_status_shows_none(make_world: MakeWorld, tmp_path: Path) -> None:
    """`status` shows the run that is at work, and then none, as the refusal says."""
    world, target = make_world(time_scale=0.05), f"sqlite:///{tmp_path / 'moved' / 'ledger.db'}"
    world.csv(named("a"))
    child = world.start()
    until(lambda: any(attempt.generation_id for attempt in world.attempts()), 120)
    refused = world.command("ledger", "copy", target)
    assert refused.code == 2 and "1 run is at work" in refused.stderr
    shown = typed(world, refused.stderr, "wait until")
    assert shown.code == 0
    assert child.wait(120) == 0, child.text("stderr")
    assert "nothing is in flight" in typed(world, refused.stderr, "wait until").stdout
    assert world.command("ledger", "copy", target).code == 0
