"""What is suggested when spool or ledger are in trouble works in that trouble, as it stands."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dailies.domain.states import State
from dailies.ledger import upgrade
from dailies.ledger.migrations import HEAD
from dailies.storage import download
from tests.e2e.fixtures import MakeWorld
from tests.e2e.harness import Result, World, named, until
from tests.e2e.test_faults_ledger import ANSWERS_AGAIN, NO_ANSWERS


def typed(world: World, text: str, pattern: str) -> Result:
    """The result of the command that the text suggests after these words, with whatever is set before it."""
    (line,) = re.findall(pattern + r"[ `]*((?:\w+=\S+ )?dailies [a-z]+(?: copy| --adopt)?)", text)
    *settings, _ = line.split("dailies ")
    environ: dict[str, Any] = dict(pair.split("=", 1) for pair in shlex.split(" ".join(settings)))
    program, *words = shlex.split(line.removeprefix(" ".join(settings)))
    assert program == "dailies"
    yes = ["--yes"] if words[0] == "tidy" else []  # it asks on a terminal; here nobody is there
    return world.command(*words, *yes, **environ)


@pytest.fixture
def spooled(hasty: None, world: World) -> World:
    """A clip that is paid for; its id waits in the spool, for the ledger's disk is full."""
    world.csv(named("in-the-spool"))
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


def test_a_ledger_is_copied_once_it_has_taken_what_waits_in_the_spool(spooled: World, tmp_path: Path) -> None:
    target = f"sqlite:///{tmp_path / 'moved' / 'ledger.db'}"
    refused = spooled.command("ledger", "copy", target)
    assert refused.code == 2 and "1 answers wait in" in refused.stderr
    spooled.sql(*ANSWERS_AGAIN["sqlite"])
    assert typed(spooled, refused.stderr, "Let it take them first:").code == 0
    assert not waiting(spooled) and spooled.command("ledger", "copy", target).code == 0


@pytest.mark.engine
def test_a_clip_whose_answer_waits_in_the_spool_says_what_goes_on_from_there(spooled: World) -> None:
    """In its state in the Prefect UI."""
    attempt = spooled.attempts()[0].id[:8]
    messages: list[str] = []

    def shown() -> bool:
        """The server takes states in a moment later."""
        runs = spooled.ask_prefect("task_runs/filter", task_runs={"name": {"like_": "create · in-the-spool"}})
        found = [str(run["state"]["message"]) for run in runs if run["state"]]
        messages[:] = [message for message in found if attempt in message and "the next run or" in message]
        return bool(messages)

    until(shown)
    said = messages[0]
    spooled.sql(*ANSWERS_AGAIN["sqlite"])
    assert typed(spooled, said, "the next run or").code == 0
    assert not waiting(spooled) and spooled.attempts()[0].state is State.STORED


def test_what_the_ledger_does_not_take_is_told_by_the_command_that_is_named(
    spooled: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says which file stays while that is so, and what it took in once the ledger is well."""
    spooled.sql(*ANSWERS_AGAIN["sqlite"])
    with monkeypatch.context() as deaf:
        deaf.setattr("dailies.ledger.record.on_record", lambda *_: False)
        deaf.setattr("dailies.steps.adopt.on_record", lambda *_: False)
        refused = spooled.run()
        assert refused.code == 2 and "the ledger does not take what waits in" in refused.json["error"]
        told = typed(spooled, refused.json["error"], "See what")
        assert f"{waiting(spooled)[0]} stays" in told.stderr and "nothing to adopt" not in told.stderr
    told = typed(spooled, refused.json["error"], "See what")
    assert told.code == 0 and "from the spool" in told.stderr and not waiting(spooled)
    assert spooled.run().code == 0 and len(spooled.posts()) == 1


def test_a_garbled_file_of_the_spool_is_not_passed_over_by_doctor(world: World) -> None:
    """`run` refuses to buy beside it; `doctor --adopt` says the same of it, instead of `nothing to adopt`."""
    world.csv(1)
    (world.home / "spool").mkdir(parents=True)
    garbled = world.home / "spool" / f"{'0a' * 16}.json"
    garbled.write_text('{"version"')
    cure = "move it out of that folder"
    assert cure in world.run().json["error"]
    told = world.command("doctor", "--adopt").stderr
    assert f"{garbled} stays" in told and cure in told and "nothing to adopt" not in told


def test_where_there_is_no_room_for_a_download_tidy_makes_some(
    hasty: None, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.csv(1)
    with monkeypatch.context() as full:
        full.setattr(download, "shutil", SimpleNamespace(disk_usage=lambda _: SimpleNamespace(free=0)))
        refused = world.run()
    said = refused.json["clips"][0]["error"]
    assert refused.code == 1 and "no room for a download" in said
    assert typed(world, said, "free some space;").code == 0
    assert typed(world, refused.stderr, "make room soon, then").code == 0 and len(world.clips()) == 1


def test_an_upgrade_that_has_to_wait_for_a_run_is_over_when_status_answers(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While that run lives `status` refuses in the same words; then it brings the ledger up and answers."""
    world.csv(1)
    world.sandbox.fault("poll", "never", times=None)
    assert world.run(DAILIES_CLIP_DEADLINE_S="0.2").code == 1
    monkeypatch.setattr(upgrade, "ALONE", frozenset({HEAD}))
    world.sql(f"UPDATE meta SET value = '{HEAD - 1}' WHERE name = 'schema'")
    with monkeypatch.context() as alive:
        alive.setattr(upgrade, "living_owners", lambda _: frozenset({"somebody"}))
        refused = world.command("status")
        assert refused.code == 2 and "1 run is still at work with it" in refused.stderr
        again = typed(world, refused.stderr, "wait until")
        assert again.code == 2 and again.stderr == refused.stderr
    assert typed(world, refused.stderr, "wait until").code == 0
