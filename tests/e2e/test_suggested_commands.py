"""Every command that an output suggests works in its situation, as it stands: whole with its file, its batch and its place."""

from __future__ import annotations

import base64
import json
import re
import shlex
import zlib
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.harness import World, named

ASKS = {"run", "retry"}
"""They ask on a terminal; here nobody is there, so the yes is said with them."""


def suggested(text: str) -> list[str]:
    """The commands in the words of an output: between backquotes, or to the end of the line or sentence."""
    return [
        line.strip() for line in re.findall(r"dailies (?:run|retry|resolve|collect|status|report)\b[^`|,;\n]*", text)
    ]


def on_the_page(page: Path) -> dict[str, list[str]]:
    """Each clip's commands, as the page shows them with a button."""
    packed = re.search(r'id="data">([^<]*)</script>', page.read_text())
    assert packed
    data: dict[str, Any] = json.loads(zlib.decompress(base64.b64decode(packed[1])))
    at_id, at_commands = data["fields"].index("id"), data["fields"].index("commands")
    return {clip[at_id]: [text for _, text in clip[at_commands]] for clip in data["clips"]}


def typed(world: World, line: str, **environ: Any) -> int:
    """The exit code of a command line, in a shell that has no destination of its own."""
    program, *words = shlex.split(line)
    assert program == "dailies"
    yes = ["--yes"] if words[0] in ASKS else []
    return world.command(*words, *yes, **{"DAILIES_TO": "", **environ}).code


@pytest.fixture
def half_made(world: World) -> World:
    """One clip in S3, one refused, one failed, one in doubt, one paid and gone, one cut short."""
    world.csv(named("good", "bad", "broken", "doubt", "gone"), name="a batch of mine.csv")
    world.sandbox.fault("create", "status", status=400, match="<bad>")
    world.sandbox.fault("poll", "failed", match="<broken>")
    world.sandbox.fault("create", "lost", match="<doubt>")
    world.sandbox.fault("logs", "status", times=None, status=503)
    assert world.run("--batch", "it's mine", "--take", "b").code == 1
    world.sql("UPDATE attempt SET state = 'result_lost', s3_uri = NULL, error = 'gone' WHERE clip_key IN "
              "(SELECT clip_key FROM batch_row WHERE row_id = 'gone')")  # fmt: skip
    return world


def test_every_command_on_the_page_works_as_it_stands(half_made: World) -> None:
    """Written by the run, and by `report --out` from the ledger alone: the same commands, each one whole."""
    pages = []
    for out in ("one", "two"):
        assert half_made.command("report", "--batch", "it's mine", "--out", out).code == 0
        pages.append(on_the_page(half_made.folder / out / "report.html"))
    commands = pages[0]
    assert commands == pages[1] and commands["good"] == []
    assert commands["bad"][1] == "dailies retry --batch 'it'\"'\"'s mine' --refused"
    run = commands["bad"][0]
    assert {f"--to s3://{half_made.bucket}/clips", "--take b"} <= set(re.findall(r"--(?:to|take) \S+", run))
    assert Path(shlex.split(run)[2]).is_absolute()
    assert typed(half_made, run) == 1 and len(half_made.charges()) == 4, "nothing of it is bought by itself"
    for name, kind in (("bad", "--refused"), ("broken", "--failed"), ("gone", "--lost")):
        (again,) = [line for line in commands[name] if kind in line]
        assert typed(half_made, again) == 0, half_made.outputs[-1].stderr
    assert half_made.command("report", "--batch", "it's mine", "--json").json["delivered"] == 4


@pytest.mark.parametrize("word", ["--charged", "--not-charged", "--resubmit"])
def test_what_settles_a_doubt_is_shown_step_by_step_and_works(half_made: World, word: str) -> None:
    """`status` says collect, then `resolve ATTEMPT`; that shows three words, and each of them settles it."""
    half_made.sandbox.clear_faults()
    half_made.sandbox.fault("logs", "status", times=None, status=503)
    shown = half_made.command("status", "--json").json["unfinished"]
    (step,) = [one["next"] for one in shown if one["clip"] == "doubt"]
    collect, resolve = (line.strip() for line in step.split(", then "))
    assert typed(half_made, collect) == 1
    assert typed(half_made, resolve) == 0
    lines = suggested(half_made.outputs[-1].stdout)
    assert len(lines) == 4 and "--ask-again" in lines[0]
    (line,) = [line for line in lines if word in line]
    command = re.sub(r"\s{2,}.*", "", line)
    attempt = next(one["attempt"] for one in shown if one["clip"] == "doubt")
    generation = next(c.generation_id for c in half_made.charges() if c.client_request_id == attempt)
    assert typed(half_made, command.replace("GENERATION_ID", generation)) == 0, half_made.outputs[-1].stderr


def test_a_check_without_a_destination_says_so(world: World) -> None:
    """The command that it ends with is whole once the bucket's name is put into it."""
    world.csv(1)
    checked = world.command("check", "batch.csv", DAILIES_TO="")
    assert checked.code == 0 and "Nothing says yet where the clips go" in checked.stdout
    line = checked.stdout.splitlines()[-1].removeprefix("Go on with: ")
    assert line == "dailies run batch.csv --to s3://BUCKET/PREFIX --batch batch"
    assert typed(world, line.replace("BUCKET", world.bucket)) == 0
    with_one = world.command("check", "batch.csv").stdout.splitlines()[-1]
    assert with_one == f"Go on with: dailies run batch.csv --to s3://{world.bucket}/clips --batch batch"
