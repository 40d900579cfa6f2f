"""Delivered footage is looked at in a run, and its report says what was found; `quick` doesn't look."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from dailies.sandbox.pictures import test_image as sandbox_image
from tests.e2e.harness import World
from tests.unit.footage_files import png, scene


def test_clips_of_a_run_are_looked_at_once_and_told_apart(world: World) -> None:
    """Here the sandbox shows its test image whatever was sent: fine where that was sent, no other mark but `first_frame` where
    it was not; in the answer, the report, credits.csv and the log. A second run looks at nothing again, and nothing is left of
    the downloads."""
    (world.folder / "test.png").write_bytes(sandbox_image((1280, 720), "png"))
    (world.folder / "scene.png").write_bytes(png(scene(1, 1280, 720)))
    world.csv([{"id": "a", "prompt": "One", "image": "test.png"}, {"id": "b", "prompt": "Two", "image": "scene.png"}])
    first = world.run(DAILIES_LOOK="full")
    assert first.code == 0, first.stderr
    fine, other = (clip["marks"] for clip in first.json["clips"])
    assert fine == [] and [mark["kind"] for mark in other] == ["first_frame"]
    assert not list((world.home / "downloads").iterdir())
    with (Path(first.json["report_dir"]) / "credits.csv").open(encoding="utf-8") as file:
        assert [row["marks"] for row in csv.DictReader(file)] == ["fine", "first_frame 0.0-0.0 s"]
    second = world.run(DAILIES_LOOK="quick")
    assert second.json["already_delivered"] == 2
    assert [clip["marks"] for clip in second.json["clips"]] == [fine, other]


def test_quick_looks_at_nothing(world: World) -> None:
    """`null` is not `[]`: nobody may take it for fine."""
    world.csv(1)
    answer = world.run(DAILIES_LOOK="quick").json
    assert [clip["marks"] for clip in answer["clips"]] == [None]
    report = world.command("report", "--batch", "batch", "--json")
    assert [clip["marks"] for clip in json.loads(report.stdout)["clips"]] == [None]
