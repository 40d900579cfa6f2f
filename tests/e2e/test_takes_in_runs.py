"""`--takes`, `--only retake` and `--stop-when-kept`: every take is bought once, and what was sent back is made once more."""

from __future__ import annotations

import shlex
from pathlib import Path

from dailies.domain.takes import take_seed
from tests.e2e.harness import Result, World, named


def made(result: Result) -> list[tuple[str, str]]:
    return sorted((clip["id"], clip["take"]) for clip in result.json["clips"])


def prompts(world: World, result: Result) -> list[str]:
    with world.ledger() as ledger:
        clips = ledger.clips_of([clip["clip_key"] for clip in result.json["clips"]])
    return [clips[clip["clip_key"]].prompt for clip in result.json["clips"]]


def judge(world: World, *lines: str) -> None:
    file = Path(world.folder) / "verdicts.csv"
    file.write_text("\n".join(["batch,id,take,verdict,prompt", *lines]))
    result = world.command("review", "--import", str(file))
    assert result.code == 0, result.stderr


def test_takes_are_bought_once_and_more_of_them_only_when_more_are_wanted(world: World) -> None:
    world.csv(named("a"))
    first = world.run()
    assert first.code == 0 and len(world.charges()) == 1
    two = world.run("--takes", "2")
    assert two.code == 0, two.stderr
    assert made(two) == [("a", ""), ("a", "2")] and len(world.charges()) == 2
    assert "takes: 1 row of the file make 2 clips" in two.stderr
    looked = world.command("check", str(world.prompts), "--takes", "3", "--json").json
    assert (looked["to_buy"], looked["rows"]) == (1, 3)
    for _ in range(2):
        three = world.run("--takes", "3")
        assert three.code == 0 and made(three) == [("a", ""), ("a", "2"), ("a", "3")] and len(world.charges()) == 3
    assert len({clip["clip_key"] for clip in three.json["clips"]}) == 3 and len(world.clips()) == 3
    assert made(world.run()) == made(three) and len(world.charges()) == 3


def test_a_column_says_it_for_its_row_and_a_wrong_one_is_a_bad_row(world: World) -> None:
    rows = named("a", "b")
    world.csv([{**rows[0], "takes": "2", "take": "warm"}, {**rows[1], "takes": ""}])
    done = world.run("--budget", "3.79")
    assert done.code == 0 and made(done) == [("a", "warm"), ("a", "warm-2"), ("b", "")]
    world.csv([{**rows[0], "takes": "two"}])
    refused = world.run()
    assert refused.code == 2 and "takes" in refused.stderr and len(world.charges()) == 3


def test_takes_are_capped_as_so_many_clips(world: World) -> None:
    world.csv(named("a"))
    assert world.run("--takes", "3", "--budget", "3.70").code == 2 and not world.charges()


def test_what_was_sent_back_is_made_once_more(world: World) -> None:
    world.csv(named("a", "b"))
    assert world.run("--takes", "1").code == 0
    assert world.run("--only", "retake").code == 0 and len(world.charges()) == 2, "nothing was sent back"
    judge(world, "batch,a,1,retake,<a> at dawn")
    again = world.run("--only", "retake")
    assert again.code == 0 and made(again) == [("a", "2")], again.stderr
    assert prompts(world, again) == ["<a> at dawn"] and len(world.charges()) == 3
    nothing = world.run("--only", "retake")
    assert nothing.code == 0 and nothing.json["clips"] == [] and len(world.charges()) == 3
    judge(world, "batch,a,2,retake,")
    world.prompts.unlink()  # without the CSV the ledger's rows are used
    looked = world.command("check", "--only", "retake", "--json")
    assert looked.code == 0 and (looked.json["to_buy"], looked.json["usd_to_buy"]) == (1, 1.26), looked.stderr
    told = world.command("report", "--batch", "batch", "--json").json["retake_round"]
    assert told == {"clips": 1, "usd_quoted": 1.26, "unpriced": 0}
    said = world.command("report", "--batch", "batch")
    program, *words = shlex.split((said.stdout + said.stderr).split("comes to $1.26: ")[1].splitlines()[0])
    assert program == "dailies"
    third = world.command(*words, "--json")
    assert third.code == 0, third.stderr
    assert made(third) == [("a", "3")] and prompts(world, third) == ["<a> at dawn"]
    assert len(world.charges()) == 4
    named_batch = world.command("run", "--only", "retake", "--batch", "batch", "--json")
    assert named_batch.code == 0 and named_batch.json["clips"] == [] and len(world.charges()) == 4
    report = world.command("report", "--batch", "batch", "--json").json
    assert made_in(report) == [("a", ""), ("a", "2"), ("a", "3"), ("b", "")]
    world.csv(named("a", "b"))
    whole = world.run("--takes", "3", "--rows", "a")
    assert whole.code == 0 and len(world.charges()) == 4, "retakes count"


def test_drafts_are_looked_at_and_what_was_kept_is_made_in_full(world: World) -> None:
    """`check` says the same before each, and no run of either buys anything twice."""
    world.csv([{**row, "duration": "12"} for row in named("a", "b", "c")])
    for asked, clips, usd in (("--draft", 3, 3.78), ("--final", 0, 0.0)):
        looked = world.command("check", str(world.prompts), asked, "--json")
        assert looked.code == 0, looked.stderr
        assert asked == "--final" or (looked.json["to_buy"], looked.json["usd_to_buy"]) == (clips, usd)
    none = world.run("--final")
    assert none.code == 0 and none.json["clips"] == [] and not world.charges() and "dailies review" in none.stderr
    for _ in range(2):
        drafts = world.run("--draft")
        assert drafts.code == 0 and {clip["duration_s"] for clip in drafts.json["clips"]} == {4}
        assert len(world.charges()) == 3
    judge(world, "batch,a,1,keep,", "batch,b,1,reject,", "batch,c,1,retake,<c> at dawn")
    again = world.command("run", "--only", "retake", "--batch", "batch", "--json")
    assert again.code == 0 and [clip["duration_s"] for clip in again.json["clips"]] == [4] and len(world.charges()) == 4
    judge(world, "batch,c,2,keep,", "batch,c,1,keep,")
    looked = world.command("check", str(world.prompts), "--final", "--json").json
    assert (looked["to_buy"], looked["usd_to_buy"]) == (3, 11.34)
    for _ in range(2):
        final = world.run("--final")
        assert final.code == 0 and made(final) == [("a", ""), ("c", ""), ("c", "2")], final.stderr
        assert {clip["duration_s"] for clip in final.json["clips"]} == {12} and len(world.charges()) == 7
        assert prompts(world, final) == ["<a>", "<c>", "<c> at dawn"]
    report = world.command("report", "--batch", "batch", "--json").json
    assert round(report["usd_charged"], 2) == 3.78 + 1.26 + 11.34, "what the drafts cost stays on record"
    assert made_in(report) == [("a", ""), ("b", ""), ("c", ""), ("c", "2")], "finals took their drafts' place"
    judge(world, "batch,c,2,retake,")
    third = world.command("run", "--only", "retake", "--batch", "batch", "--json")
    assert third.code == 0 and [clip["duration_s"] for clip in third.json["clips"]] == [12], third.stderr
    assert made(third) == [("c", "3")] and len(world.charges()) == 8


def made_in(report: dict[str, list[dict[str, str]]]) -> list[tuple[str, str]]:
    return sorted((clip["id"], clip["take"]) for clip in report["clips"])


def test_the_exit_code_is_that_of_the_clips_that_were_picked(world: World) -> None:
    world.csv(named("a", "bad"))
    world.sandbox.fault("create", "status", times=None, status=400, match="<bad>")
    assert world.run().code == 1
    judge(world, "batch,a,,retake,")
    assert world.run("--only", "retake").code == 0
    judge(world, "batch,a,2,retake,<bad> again")
    failed = world.run("--only", "retake")
    assert failed.code == 1 and made(failed) == [("a", "3")]


def test_a_row_with_a_keeper_gets_no_further_take(world: World) -> None:
    world.csv(named("a", "b"))
    assert world.run().code == 0
    judge(world, "batch,a,,keep,")
    done = world.run("--takes", "2", "--stop-when-kept")
    assert done.code == 0 and made(done) == [("a", ""), ("b", ""), ("b", "2")] and len(world.charges()) == 3


def test_each_batch_with_retakes_is_named_with_its_command(world: World) -> None:
    """And each of these makes its own, as it stands."""
    for name in ("batch", "a second one"):
        world.csv([{"id": "a", "prompt": f"a of {name}"}], name=f"{name}.csv")
        assert world.run("--batch", name).code == 0
    judge(world, "batch,a,,retake,", "a second one,a,,retake,")
    asked = world.command("run", "--only", "retake", "--yes")
    said = [line for line in asked.stderr.splitlines() if line.strip().startswith("dailies run")]
    assert asked.code == 2 and len(said) == 2 and len(world.charges()) == 2
    for line in said:
        done = world.command(*shlex.split(line)[1:], "--json")
        assert done.code == 0 and [clip["take"] for clip in done.json["clips"]] == ["2"]
    assert len(world.charges()) == 4


def test_without_a_csv_a_run_says_what_it_needs(world: World) -> None:
    asked = world.command("run", "--json")
    assert asked.code == 2 and "name the CSV" in asked.stderr
    assert world.command("check", "--json").code == 2
    nothing = world.command("run", "--only", "retake", "--json")
    assert nothing.code == 0 and nothing.json["clips"] == []


def test_takes_of_a_model_with_a_seed_have_different_ones(world: World) -> None:
    world.csv(named("a"), model="alibaba/happyhorse-1.1", provider="aiml")
    done = world.run("--takes", "3")
    assert done.code == 0, done.stderr
    with world.ledger() as ledger:
        clips = ledger.clips_of([clip["clip_key"] for clip in done.json["clips"]])
    base = next(clip.key for clip in clips.values() if not clip.take)
    seeds = {clip.take: clip.options.get("seed") for clip in clips.values()}
    assert seeds == {"": None, "2": take_seed(base, 2), "3": take_seed(base, 3)}


def test_a_prompt_is_filled_from_its_row_and_what_was_bought_with_braces_stays(world: World) -> None:
    row = {"id": "a", "prompt": "{{animal}} runs"}
    world.csv([row])
    assert prompts(world, world.run()) == ["{animal} runs"]
    world.csv([{**row, "prompt": "{animal} runs"}])
    assert world.run().code == 0 and len(world.charges()) == 1, "no column, but it is bought as it stands"
    world.csv([{**row, "prompt": "{animal} runs", "animal": "a cat"}])
    kept = world.run()
    assert kept.code == 0 and len(world.charges()) == 1 and "give the row another take" in kept.stderr
    filled = world.run("--take", "b")
    assert prompts(world, filled) == ["a cat runs"] and len(world.charges()) == 2
    world.csv([{**row, "prompt": "{colour} sky"}])
    refused = world.run()
    assert refused.code == 2 and "{colour}" in refused.stderr and len(world.charges()) == 2


def test_a_matrix_is_counted_and_priced_before_it_is_bought(world: World) -> None:
    world.csv([{"id": "a", "prompt": "a {mood} sea"}, {"id": "b", "prompt": "a {mood} wood"}])
    matrix = ("--matrix", "mood=calm,wild", "--matrix", "duration=4,8")
    looked = world.command("check", str(world.prompts), *matrix, "--json").json
    assert (looked["to_buy"], looked["rows"]) == (8, 8)
    assert "matrix: 2 rows of the file, with 4 combinations each: 8 rows" in looked["notes"]
    assert world.run(*matrix, "--budget", "5").code == 2 and not world.charges()


def test_check_tells_takes_of_one_row_apart(world: World) -> None:
    world.csv(named("a", "b"))
    shown = world.command("check", str(world.prompts), "--takes", "2").stdout
    assert "a · take 2" in shown and "--takes 2" in shown
    nothing = world.command("check", str(world.prompts), "--only", "retake")
    assert nothing.code == 0, nothing.stderr
