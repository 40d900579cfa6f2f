"""`dailies retry`: many clips again, shown and priced before anything is bought, as the batch was asked for."""

from __future__ import annotations

import shlex

import pytest

from tests.e2e.harness import World, named


@pytest.fixture
def half_made(world: World) -> World:
    """Four rows: one delivered, one refused, one that failed at the provider, one lost after it was paid for."""
    world.csv(named("good", "bad", "broken", "gone"))
    world.sandbox.fault("create", "status", status=400, match="<bad>")
    world.sandbox.fault("poll", "failed", match="<broken>")
    assert world.run("--take", "b", "--budget", "50").code == 1
    world.sql("UPDATE attempt SET state = 'result_lost', s3_uri = NULL, error = 'gone' WHERE clip_key IN "
              "(SELECT clip_key FROM batch_row WHERE row_id = 'gone')")  # fmt: skip
    return world


def test_it_shows_what_it_would_buy_and_touches_nothing(half_made: World) -> None:
    before, charges = half_made.dump(), len(half_made.charges())
    shown = half_made.command("retry", "--dry-run", "--json")
    assert shown.code == 0
    assert {entry["id"]: entry["kind"] for entry in shown.json} == {
        "bad": "refused",
        "broken": "failed",
        "gone": "lost",
    }
    assert all(entry["usd_quoted"] == pytest.approx(1.26) for entry in shown.json)
    assert half_made.command("retry", "--json").code == 2, "nobody was asked"
    assert half_made.dump() == before and len(half_made.charges()) == charges


@pytest.mark.parametrize(("flag", "names"), [
    ("--failed", {"broken"}), ("--refused", {"bad"}), ("--lost", {"gone"}), ("--cancelled", set()),
])  # fmt: skip
def test_one_kind_alone(half_made: World, flag: str, names: set[str]) -> None:
    shown = half_made.command("retry", flag, "--dry-run", "--json")
    assert {entry["id"] for entry in shown.json} == names


def test_it_buys_exactly_these_as_the_batch_was_asked_for(half_made: World) -> None:
    """With its take and its budget; the answer has the shape of a run's, and says that a lost clip is a second charge."""
    charges = len(half_made.charges())
    done = half_made.command("retry", "--yes", "--json")
    assert done.code == 0, done.stderr
    assert {clip["id"]: clip["state"] for clip in done.json["clips"]} == dict.fromkeys(
        ("bad", "broken", "gone"), "stored"
    )
    assert len(half_made.charges()) - charges == 3
    assert "$1.26 was charged for these already" in done.stderr
    again = half_made.command("retry", "--yes", "--json")
    assert again.code == 0 and again.json == []
    assert half_made.run("--take", "b").code == 0 and len(half_made.charges()) - charges == 3


def test_several_batches_are_asked_about(half_made: World) -> None:
    """Exit 2 with a command for each, which works as it stands."""
    half_made.csv(named("other"), name="second batch.csv")
    half_made.sandbox.fault("create", "status", status=400, match="<other>")
    assert half_made.run().code == 1
    asked = half_made.command("retry", "--yes")
    assert asked.code == 2
    commands = [line.split("    ")[0] for line in asked.stderr.splitlines() if line.strip().startswith("dailies retry")]
    assert len(commands) == 2
    for line in commands:
        assert half_made.command(*shlex.split(line)[1:], "--dry-run").code == 0
    unknown = half_made.command("retry", "--batch", "no-such", "--yes")
    assert unknown.code == 2 and "no-such" in unknown.stderr


def test_a_row_that_was_edited_since_is_not_what_was_shown(half_made: World) -> None:
    """Nothing is bought or released: the command that is named buys what the row asks for now."""
    half_made.csv([*named("good", "bad", "broken"), {"id": "gone", "prompt": "another"}])
    before, charges = half_made.dump(), len(half_made.charges())
    refused = half_made.command("retry", "--yes", "--json")
    assert refused.code == 2 and "gone asks for another clip" in refused.json["error"]
    assert half_made.dump() == before and len(half_made.charges()) == charges
    words = shlex.split(refused.json["error"].partition("is bought by ")[2])
    assert words[0] == "dailies" and half_made.command(*words[1:], "--json").code == 1, "the other two still fail"
    assert len(half_made.charges()) == charges + 1


def test_a_row_that_left_its_file_is_refused_before_anything_is_released(half_made: World) -> None:
    half_made.csv(named("good"))
    before = half_made.dump()
    assert half_made.command("retry", "--yes", "--json").code == 2
    assert half_made.dump() == before
