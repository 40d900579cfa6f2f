"""`DAILIES_LOG=json` in a whole run: every line of stderr is an object, and none holds what is secret."""

from __future__ import annotations

import json
from typing import Any

from tests.e2e.harness import Result, World, secrets_in

PROMPT = "a planted prompt that no line may hold"


def _lines(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stderr.splitlines()]


def test_each_create_and_each_clip_that_comes_home_is_a_line_with_its_ids(world: World) -> None:
    world.csv([{"id": "good", "prompt": PROMPT}, {"id": "bad", "prompt": f"{PROMPT}, refused"}])
    world.sandbox.fault("create", "status", status=400, match="refused")
    made = world.run(fresh=True, DAILIES_LOG="json")
    assert made.code == 1 and made.json["delivered"] == 1
    lines = _lines(made)
    assert all({"time", "level", "logger", "message"} <= line.keys() for line in lines)
    (attempt,) = [a for a in world.attempts() if a.delivered]
    ids = {"batch": "batch", "clip": attempt.clip_key, "attempt": attempt.id, "generation": attempt.generation_id}
    about_it = [line for line in lines if ids.items() <= line.items()]
    assert any("accepted" in line["message"] for line in about_it)
    assert any("stored" in line["message"] for line in about_it)
    assert all(line.get("flow_run") for line in about_it)
    assert any(line["level"] == "WARNING" and line.get("clip") for line in lines)
    assert not secrets_in(made.stderr.encode()) and PROMPT not in made.stderr and "planted prompt" not in made.stderr


def test_a_refusal_is_an_object_too(world: World) -> None:
    world.csv(1)
    refused = world.run(fresh=True, DAILIES_LOG="json", DAILIES_IN_FLIGHT="many")
    assert refused.code == 2
    first = _lines(refused)[0]
    assert first["level"] == "ERROR" and "DAILIES_IN_FLIGHT" in first["message"]
