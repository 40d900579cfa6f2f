"""OneRouter's queue: a model that the catalog calls asynchronous is bought there, with nothing waiting on an open connection."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.e2e.harness import World, named
from tests.e2e.invariants import assert_invariants

PAGE = Path(__file__).resolve().parents[2] / "docs/models.md"
QUEUED = "seedance@onerouter"


@pytest.fixture
def queued(world: World) -> World:
    """A world whose catalog has the entry that docs/models.md shows."""
    [entry] = [
        block for block in re.findall(r"```json\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL) if QUEUED in block
    ]
    file = world.folder / "models.json"
    file.write_text(entry, encoding="utf-8")
    world.environ["DAILIES_MODELS"] = str(file)
    return world


ROWS = {"provider": "onerouter", "model": QUEUED, "aspect_ratio": "", "duration": "5"}


def test_the_entry_of_the_page_is_bought_in_the_queue_and_comes_home(queued: World) -> None:
    """With a time-out far below the clip's own time, for the create answers at once; beside a clip of the synchronous kind."""
    queued.csv([{**row, **ROWS} for row in named("one", "two")])
    result = queued.run("--allow-unpriced", DAILIES_CREATE_TIMEOUT_S="30")
    assert result.code == 0, result.stderr
    sent = [seen.path for seen in queued.sandbox.requests() if seen.method == "POST"]
    assert sent == ["/v1/images/generations"] * 2
    assert {charge.generation_id[:4] for charge in queued.charges()} == {"cgt-"}
    assert result.clip("one")["usd_charged"] == 0.5
    assert_invariants(queued)


def test_the_queue_s_refusals_failures_and_lost_answers_are_what_they_are_elsewhere(queued: World) -> None:
    """Moderated: that clip; failed: in its words; an answer without an id: in doubt, kept whole, bought no more."""
    names = ["good", "forbidden", "will-fail", "no id", "refused in a 200"]
    queued.csv([{**row, **ROWS} for row in named(*names)])
    queued.sandbox.fault("create", "charged_no_id", match="<no id>")
    queued.sandbox.fault("create", "error_in_200", status=400, match="<refused in a 200>")
    first = queued.run("--allow-unpriced", fork=True)
    counts = {name: first.json[name] for name in ("delivered", "failed", "in_doubt")}
    assert counts == {"delivered": 1, "failed": 3, "in_doubt": 1}, first.stderr
    assert "could not be generated" in first.clip("will-fail")["error"]
    assert "kept in" in first.clip("no id")["error"]
    sent = len(queued.sandbox.requests())
    assert queued.run("--allow-unpriced", fork=True).code == 1
    assert [seen for seen in queued.sandbox.requests()[sent:] if seen.method == "POST"] == []


def test_a_timeout_that_no_answer_can_meet_is_refused_before_anything_is_bought(world: World) -> None:
    """By `check` as by `run`, naming the setting and the least value; with that value it is bought. At a provider that
    answers at once any time-out may do."""
    world.csv(2, provider="onerouter")
    for command in ("check", "run"):
        refused = world.command(command, str(world.prompts), "--json", DAILIES_CREATE_TIMEOUT_S="10")
        assert refused.code == 2
        assert "DAILIES_CREATE_TIMEOUT_S=10" in refused.json["error"] and "at least 600" in refused.json["error"]
    assert not world.posts()
    assert world.run(DAILIES_CREATE_TIMEOUT_S="600").code == 0
    world.csv(2, name="other.csv", provider="aiml")
    assert world.run(DAILIES_CREATE_TIMEOUT_S="10").code == 0
