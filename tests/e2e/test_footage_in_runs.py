"""Delivered footage is looked at in a run, and its report says what was found; `quick` doesn't look."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from tests.e2e.harness import World
from tests.unit.footage_files import png, scene


def test_clips_of_a_run_are_looked_at_once_and_are_fine(world: World) -> None:
    """The sandbox moves the very image that was sent: no mark, in the answer, the report and credits.csv. A second run of them
    looks at nothing again, and nothing is left of the downloads."""
    (world.folder / "scene.png").write_bytes(png(scene(1, 1280, 720)))
    rows = ({"id": "a", "prompt": "One"}, {"id": "b", "prompt": "Another", "provider": "onerouter"})
    world.csv(rows, image="scene.png")
    first = world.run(DAILIES_LOOK="full")
    assert first.code == 0, first.stderr
    assert [clip["marks"] for clip in first.json["clips"]] == [[], []]
    assert not list((world.home / "downloads").iterdir())
    with (Path(first.json["report_dir"]) / "credits.csv").open(encoding="utf-8") as file:
        assert [row["marks"] for row in csv.DictReader(file)] == ["fine", "fine"]
    second = world.run(DAILIES_LOOK="quick")
    assert second.json["already_delivered"] == 2
    assert [clip["marks"] for clip in second.json["clips"]] == [[], []]


def test_quick_looks_at_nothing(world: World) -> None:
    """`null` is not `[]`: nobody may take it for fine."""
    world.csv(1)
    answer = world.run(DAILIES_LOOK="quick").json
    assert [clip["marks"] for clip in answer["clips"]] == [None]
    report = world.command("report", "--batch", "batch", "--json")
    assert [clip["marks"] for clip in json.loads(report.stdout)["clips"]] == [None]
