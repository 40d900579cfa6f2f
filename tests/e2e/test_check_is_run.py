"""What `check` says is what `run` does: the same counts, the same refusals, and a command that works as it stands."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.harness import Result, World, named


def check(world: World, *options: str) -> Result:
    return world.command("check", str(world.prompts), "--json", *options)


def suggested(result: Result) -> list[str]:
    """The words of the `run` that a check ends with, without the program's name."""
    line = next(line for line in result.stdout.splitlines() if line.startswith("Go on with: "))
    program, *words = shlex.split(line.removeprefix("Go on with: "))
    assert program == "dailies"
    return words


def test_check_counts_what_the_same_run_buys(world: World) -> None:
    world.csv(named("a", "b"))
    assert world.run().code == 0
    world.csv(named("a", "b", "c", "d"))
    answer = check(world).json
    assert answer["beyond_approval"] == "4 clips for $5.04, beyond the 2 clips for $2.52 that were approved"
    assert (answer["to_buy"], answer["usd_to_buy"]) == (2, pytest.approx(2.52)) and answer["seconds_expected"] > 0
    before = len(world.charges())
    run = world.run()
    assert run.code == 0 and len(world.charges()) - before == 2 and answer["beyond_approval"] in run.stderr
    done = check(world).json
    assert (done["to_buy"], done["beyond_approval"]) == (0, None)


def test_a_clip_in_doubt_or_refused_is_not_counted_as_to_buy(world: World) -> None:
    world.csv(named("lost", "bad", "good"))
    world.sandbox.fault("create", "lost", match="<lost>")
    world.sandbox.fault("logs", "status", times=None, status=503)
    world.sandbox.fault("create", "status", status=400, match="<bad>")
    assert world.run().code == 1
    answer = check(world)
    assert answer.code == 0 and answer.json["to_buy"] == 0
    assert "in doubt" in world.command("check", str(world.prompts)).stdout


def test_the_command_that_a_check_suggests_runs_as_it_stands(world: World) -> None:
    world.csv(named("it's", "b"), name="a batch; of mine.csv")
    result = world.command(
        "check", str(world.prompts), "--budget", "9.50", "--batch", "my batch", "--take", "b", "--limit", "1"
    )
    assert result.code == 0, result.stderr
    words = suggested(result)
    assert words[:1] == ["run"] and {"--budget", "--batch", "--take", "--limit"} <= {*words}
    done = world.command(*words, "--json")
    assert done.code == 0 and done.json["batch"] == "my batch" and done.json["rows"] == 1


@pytest.mark.parametrize(("options", "environ", "words"), [
    (("--budget", "1"), {}, "does not cover"),
    ((), {"AIML_API_KEY": "wrong"}, "refuses the key"),
    (("--to", "s3://no-such-bucket-of-ours/x"), {}, "no-such-bucket-of-ours"),
    ((), {"DAILIES_DAILY_BUDGET_USD": "0.5"}, "daily budget"),
    ((), {"DAILIES_MONTHLY_BUDGET_USD": "0.5"}, "monthly budget"),
])  # fmt: skip
def test_check_refuses_where_run_refuses(
    world: World, options: tuple[str, ...], environ: dict[str, Any], words: str
) -> None:
    world.csv(2)
    checked = world.command("check", str(world.prompts), "--json", *options, **environ)
    assert checked.code == 2 and words in checked.json["error"] and checked.json["to_buy"] == 2
    run = world.run(*options, **environ)
    assert run.code == 2 and run.json["error"] == checked.json["error"] and not world.posts()


def test_check_refuses_where_run_can_not_ask_for_what_is_delivered(world: World) -> None:
    """Nothing is to be bought, and still the run would end with exit 2: exit 0 means S3."""
    world.csv(1)
    assert world.run().code == 0
    away: dict[str, Any] = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9"}
    checked = world.command("check", str(world.prompts), "--json", **away)
    run = world.run(**away)
    assert (checked.code, run.code) == (2, 2) and "S3 can't be asked" in checked.json["error"] == run.json["error"]


def test_a_client_has_a_cap_over_all_batches(world: World) -> None:
    """Held back by the column's value; its other spelling is refused; `status` shows what is left."""
    world.csv(
        [{"id": name, "prompt": f"<{name}>", "client": client} for name, client in (("a", "acme"), ("z", "zeta"))]
    )
    assert world.run(DAILIES_COLUMN_BUDGETS="client=acme:2,client=zeta:2").code == 0
    world.csv([{"id": "b", "prompt": "<b>", "client": "acme"}], name="more.csv")
    more = world.run(DAILIES_COLUMN_BUDGETS="client=acme:2,client=zeta:2")
    assert more.code == 2 and "the budget of client=acme of $2.00 does not cover this batch" in more.json["error"]
    near = world.run(DAILIES_COLUMN_BUDGETS="Client=acme:200")
    assert near.code == 2 and "write both alike" in near.json["error"]
    shown = world.command("status", "--json", DAILIES_COLUMN_BUDGETS="client=acme:2", DAILIES_MONTHLY_BUDGET_USD="9")
    spent = sum(clip["usd_charged"] or 0 for clip in world.command("report", "--json").json["clips"])
    assert [(one["name"], one["usd_cap"]) for one in shown.json["budgets"]] == [("month", 9), ("client=acme", 2)]
    assert [one["usd_counted"] for one in shown.json["budgets"]] == [spent, spent / 2]
    assert "budgets" not in world.command("status", "--json").json and len(world.charges()) == 2


def test_a_few_rows_first(world: World) -> None:
    """The same few however often it is said; the others stay planned and are no part of the exit code."""
    world.csv(named("a", "b", "c", "d"))
    for _ in range(2):
        few = world.run("--limit", "2")
        assert few.code == 0 and [clip["id"] for clip in few.json["clips"]] == ["a", "b"]
        assert (Path(few.json["report_dir"]) / "report.html").exists(), "where the answer says, for a part too"
    assert len(world.charges()) == 2
    chosen = world.run("--rows", "d, b")
    assert chosen.code == 0 and [clip["id"] for clip in chosen.json["clips"]] == ["b", "d"]
    assert len(world.charges()) == 3
    assert world.run().code == 0 and len(world.charges()) == 4


def test_rows_that_are_not_there_are_refused_by_name(world: World) -> None:
    world.csv(named("a", "b"))
    for options, words in (
        (("--rows", "a,zebra"), "zebra"),
        (("--limit", "0"), "--limit"),
        (("--rows", " "), "--rows"),
    ):
        result = world.run(*options)
        assert result.code == 2 and words in result.json["error"] and not world.posts()


MANY = [
    ("--takes", "3"),
    ("--takes", "2", "--matrix", "duration=4,8"),
    ("--matrix", "duration=4,8,12", "--limit", "3"),
    ("--only", "retake"),
    ("--takes", "5", "--stop-when-kept"),
]


def test_what_makes_more_clips_of_a_row_is_counted_as_it_is_bought(world: World) -> None:
    """Takes, matrices, retakes and rows that have a keeper: a check before each run says its clips and its dollars."""
    world.csv(named("a", "b"))
    assert world.run().code == 0
    for number, options in enumerate(MANY):
        if "--only" in options:
            verdicts = world.folder / "verdicts.csv"
            verdicts.write_text("batch,id,take,verdict\nbatch,a,,keep\nbatch,b,,retake\n", encoding="utf-8")
            assert world.command("review", "--import", str(verdicts)).code == 0
        name = () if "--only" in options or "--stop-when-kept" in options else ("--batch", f"many-{number}")
        said = check(world, *options, *name).json
        before = {attempt.id for attempt in world.attempts()}
        run = world.run(*options, *name)
        assert run.code == 0, run.stderr
        bought = [attempt for attempt in world.attempts() if attempt.id not in before]
        assert said["to_buy"] == len(bought) > 0, options
        assert said["usd_to_buy"] == pytest.approx(float(sum(attempt.usd_quoted or 0 for attempt in bought)))
        assert check(world, *options, *name).json["to_buy"] == 0, options
