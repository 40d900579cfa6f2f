"""The engine dies first: the clips are made all the same, and the command ends with its own words, exit code and JSON."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.harness import CREATES, World, until
from tests.e2e.invariants import assert_stored

ENDS_WITHIN_S = 60


def started(world: World, *arguments: str) -> subprocess.Popen[bytes]:
    """A command in an interpreter of its own, with a Prefect server of its own."""
    prefects = {name: "" for name in world.environ if name.startswith("PREFECT_")}
    environ = {**{k: v for k, v in world.environ.items() if k not in prefects}, "DAILIES_POLL_FIRST_S": "5"}
    with open(world.folder / "stdout", "wb") as out, open(world.folder / "stderr", "wb") as err:
        return subprocess.Popen(
            [sys.executable, "-m", "dailies", *arguments], cwd=world.folder, env=environ, stdout=out, stderr=err
        )


def clip_names(world: World) -> list[str]:
    """The clips that are in the bucket: their names alone, since other objects come and go."""
    found = world.s3().list_objects_v2(Bucket=world.bucket).get("Contents", [])
    return [item["Key"] for item in found if item["Key"].endswith(".mp4")]


def kill_the_server(world: World) -> None:
    """The local Prefect server, as the kernel would when memory runs out."""
    note = json.loads((world.home / "prefect" / "server.json").read_text())
    os.kill(note["pid"], signal.SIGKILL)


@pytest.mark.production
@pytest.mark.slow
def test_a_run_whose_server_is_killed_ends_within_a_minute_of_its_last_clip(world: World) -> None:
    world.csv([{"id": f"clip-{n}", "prompt": "forbidden" if n == 2 else f"clip {n}"} for n in range(3)])
    child = started(world, "run", str(world.prompts), "--json")
    try:
        until(world.charges, 120)
        kill_the_server(world)
        until(lambda: len(clip_names(world)) == 2, 120)
        assert child.wait(ENDS_WITHIN_S) == 1
    finally:
        child.kill()
    answer = json.loads(Path(world.folder / "stdout").read_text())
    assert (answer["delivered"], answer["failed"]) == (2, 1)
    said = Path(world.folder / "stderr").read_text()
    assert "Prefect's server is away" in said and "2 of 3 delivered" in said
    assert_stored(world, world.attempts())


@pytest.mark.production
@pytest.mark.slow
def test_collect_ends_too(world: World) -> None:
    world.csv(2)
    left = world.start(DAILIES_FAILPOINTS="before-poll=kill")
    assert left.wait() == -signal.SIGKILL
    world.sandbox.fault("poll", "never", times=20)
    child = started(world, "collect", "--json")
    try:
        until(lambda: any(seen.method == "GET" and seen.path in CREATES for seen in world.sandbox.requests()), 120)
        kill_the_server(world)
        world.sandbox.clear_faults()
        until(lambda: len(clip_names(world)) == 2, 120)
        assert child.wait(ENDS_WITHIN_S) == 0
    finally:
        child.kill()
    assert json.loads(Path(world.folder / "stdout").read_text())["remaining"] == 0


@pytest.mark.production
@pytest.mark.slow
def test_the_demo_ends_too(world: World) -> None:
    output = world.folder / "demo"
    child = started(world, "demo", "--output", str(output))
    try:
        until(lambda: list((output / "clips").glob("*.mp4")) or child.poll() is not None, 240)
        note = json.loads((output / "home" / "prefect" / "server.json").read_text())
        os.kill(note["pid"], signal.SIGKILL)
        assert child.wait(240) == 0, (world.folder / "stderr").read_text()
    finally:
        child.kill()
    assert "Prefect's server is away" in (world.folder / "stderr").read_text()
    assert "It would have cost" in (world.folder / "stdout").read_text()
