"""The main job: a CSV of prompts and images becomes clips in S3, and every cent is on record. By the real command."""

from __future__ import annotations

import asyncio
import csv
import json
import sys
from typing import Any

import pytest

from dailies.domain.clips import slug
from dailies.prefect_api.blocks import read_blocks
from dailies.settings import load_settings
from tests.e2e.fixtures import MakeWorld
from tests.e2e.forks import ROOT
from tests.e2e.harness import Result, World, named, picture, until
from tests.e2e.invariants import assert_invariants

COUNTS = ("delivered", "already_delivered", "failed", "in_doubt", "overdue", "interrupted", "not_started")
ANSWER: dict[str, type | tuple[type, ...]] = {
    "batch": str, "rows": int, **dict.fromkeys(COUNTS, int), "usd_quoted": float, "usd_charged": float, "usd_at_risk": float,
    "unreported": int, "usd_unreported_quoted": float, "credits_used": (int, type(None)), "report_dir": str, "clips": list,
    "kept": int, "usd_rejected": float, "usd_per_kept_second": (float, type(None)),
}  # fmt: skip
CLIP: dict[str, type | tuple[type, ...]] = {
    "id": str, "clip_key": str, "state": str, "provider": str, "model": str, "generation_id": str, "s3_uri": str,
    "sha256": str, "size_bytes": int, "usd_quoted": float, "usd_charged": (float, type(None)),
    "credits_used": (int, type(None)), "polls": int, "seconds": float, "duration_s": int,
    "error": type(None), "take": str, "verdict": type(None), "marks": list,
}  # fmt: skip


def demo_rows(world: World) -> list[dict[str, str]]:
    """Rows like those of the demo: both providers, both formats, a team's own column."""
    for name, size in (("tall-720.png", (720, 1280)), ("wide-1080.png", (1792, 1024))):
        (world.folder / name).write_bytes(picture(*size))
    return [
        {"id": "sunrise", "prompt": "The sun climbs, slowly", "campaign": "spring"},
        {"id": "tower", "prompt": "A tilt up", "image": "tall-720.png", "aspect_ratio": "9:16", "campaign": "autumn"},
        {"id": "forest", "prompt": "Mist", "image": "wide-1080.png", "resolution": "1080p", "duration": "8", "campaign": "autumn"},
        {"id": "night", "prompt": "Stars — «fallen»", "provider": "onerouter", "campaign": "spring"},
        {"id": "gulls", "prompt": "A gull", "model": "google/veo-3.1-i2v-fast", "campaign": "=spring"},
    ]  # fmt: skip


def assert_shape(answer: dict[str, Any]) -> None:
    """Exactly the documented fields, in their types, and `rows` is the sum of the counts."""
    assert set(answer) == set(ANSWER), set(answer) ^ set(ANSWER)
    for name, kind in ANSWER.items():
        assert isinstance(answer[name], kind), (name, answer[name])
    assert answer["rows"] == sum(answer[name] for name in COUNTS) == len(answer["clips"])


@pytest.mark.engine
def test_a_csv_on_both_providers_is_delivered_and_a_second_run_buys_nothing(each_world: World) -> None:
    """Through a fresh interpreter, as from a shell: exit 0, one JSON object, true figures; then `already_delivered`."""
    world = each_world
    world.csv(demo_rows(world))
    first = world.run(fresh=True, DAILIES_LOOK="full")
    assert first.code == 0, first.stderr
    answer = first.json
    assert_shape(answer)
    assert answer["delivered"] == answer["rows"] == 5 and answer["usd_at_risk"] == 0
    for clip in answer["clips"]:
        assert set(clip) == set(CLIP)
        for name, kind in CLIP.items():
            assert isinstance(clip[name], kind), (name, clip[name])
        assert clip["marks"] == []
        assert clip["s3_uri"].startswith(f"s3://{world.bucket}/clips/batch/{slug(clip['id'])}-")
    at_aiml = [charge for charge in world.charges() if charge.provider == "aiml"]
    assert round(answer["usd_charged"], 6) == round(float(sum(charge.usd for charge in at_aiml)), 6)
    assert answer["credits_used"] == sum(charge.credits for charge in at_aiml)
    second = world.run()
    assert_shape(second.json)
    assert (second.code, second.json["already_delivered"], second.json["delivered"]) == (0, 5, 0)
    assert len(world.posts()) == 5
    assert_invariants(world)


def test_another_csv_with_the_same_clips_buys_nothing(world: World) -> None:
    """A clip's identity is not of its batch or row."""
    world.csv(named("a", "b"))
    world.run()
    world.csv([{**row, "id": f"other {row['id']}"} for row in named("b", "a")], name="again.csv")
    result = world.run()
    assert (result.code, result.json["already_delivered"]) == (0, 2) and len(world.posts()) == 2


def test_another_take_is_another_clip_bought_on_purpose(world: World) -> None:
    """`--take` changes the identity."""
    world.csv(named("a"))
    assert world.run().code == world.run("--take", "two").code == 0
    assert len(world.charges()) == len(world.clips()) == 2


def test_the_report_lies_beside_the_clips_and_on_disk_with_the_teams_own_columns(world: World) -> None:
    """`credits.csv` in both places, the same; formula-safe; `--report-dir` and `--keep-local` are obeyed."""
    world.csv(demo_rows(world))
    result = world.run("--report-dir", "figures", "--keep-local", "films", "--batch", "Märchen 1")
    assert result.code == 0, result.stderr
    assert result.json["report_dir"] == str(world.folder / "figures")
    on_disk = (world.folder / "figures" / "credits.csv").read_bytes()
    beside = [key for key in world.objects() if key.endswith("credits.csv")]
    assert beside == ["clips/marchen-1/credits.csv"] and world.objects()[beside[0]] == on_disk
    lines = list(csv.DictReader(on_disk.decode().splitlines()))
    assert [line["campaign"] for line in lines] == ["spring", "autumn", "autumn", "spring", "'=spring"]
    assert sum(float(line["usd_charged"] or 0) for line in lines) == pytest.approx(result.json["usd_charged"])
    local = {path.read_bytes() for path in (world.folder / "films").glob("*.mp4")}
    assert local == set(world.clips().values()) and len(local) == 5
    assert_invariants(world)


def test_the_report_command_groups_by_the_teams_column(world: World) -> None:
    """Its sums are those of the run."""
    world.csv(demo_rows(world))
    run = world.run()
    answer = world.command("report", "--batch", "batch", "--json")
    assert answer.code == 0 and answer.json["usd_charged"] == run.json["usd_charged"]
    grouped = world.command("report", "--group-by", "campaign")
    assert grouped.code == 0 and "autumn" in grouped.stdout
    assert world.command("report", "--group-by", "nothing-such").code == 2


def test_check_spends_nothing_and_quotes_without_a_key(world: World) -> None:
    """Rows, verdicts and the quote, as JSON in the same shape; that a run would refuse for the key is said, and exit 2."""
    world.csv(demo_rows(world))
    world.environ.pop("AIML_API_KEY")
    world.environ.pop("ONEROUTER_API_KEY")
    answer = world.command("check", str(world.prompts), "--json")
    assert answer.code == 2 and "AIML_API_KEY" in answer.json["error"]
    assert (
        {clip["verdict"] for clip in answer.json["clips"]} == {clip["check"] for clip in answer.json["clips"]} == {"ok"}
    )
    assert answer.json["usd_quoted"] > 0 and not world.posts() and not world.objects()


def test_a_csv_and_its_image_in_s3_are_read_from_there(world: World) -> None:
    """`dailies run s3://…`; a relative image lies beside the CSV."""
    path = world.csv(named("a", "b"))
    for file in (path, world.folder / "first-720.png"):
        world.s3().put_object(Bucket=world.bucket, Key=f"in/{file.name}", Body=file.read_bytes())
    result = world.command("run", f"s3://{world.bucket}/in/batch.csv", "--json")
    assert result.code == 0, result.stderr
    assert result.json["delivered"] == 2
    missing = world.command("run", f"s3://{world.bucket}/in/none.csv", "--json")
    assert missing.code == 2 and "no such object" in missing.stderr


def refused(world: World, result: Result, *words: str) -> None:
    """Exit 2, one clear message, no traceback, nothing bought."""
    assert result.code == 2, result.stdout + result.stderr
    assert "Traceback" not in result.stderr and not world.posts()
    for word in words:
        assert word.lower() in result.stderr.lower(), f"{word!r} not in {result.stderr!r}"


def test_what_is_missing_is_said_before_anything_is_bought(world: World) -> None:
    """No key, no bucket named, no such file, an unknown model or option, a budget too small: exit 2 and what to do."""
    world.csv(named("a", "b"))
    refused(world, world.run(AIML_API_KEY=""), "AIML_API_KEY", "no key")
    refused(world, world.run(DAILIES_TO=""), "--to", "DAILIES_TO")
    refused(world, world.command("run", "nowhere.csv", "--json"), "no such file")
    refused(world, world.run("--model", "openai/sora-3"), "openai/sora-3")
    refused(world, world.run("--provider", "somebody"), "aiml", "onerouter")
    refused(world, world.run("--duration", "5", "--batch", "x y", "--no-such-option"), "no-such-option")
    refused(world, world.run("--budget", "2.51"), "budget", "$2.52", "$0.01 missing")
    refused(world, world.run("--budget", "much"), "--budget")
    refused(world, world.run("--to", "bucket/prefix"), "s3://")
    refused(world, world.run(DAILIES_IN_FLIHGT="3"), "DAILIES_IN_FLIHGT", "DAILIES_IN_FLIGHT")
    refused(world, world.run(DAILIES_IN_FLIGHT="many"), "DAILIES_IN_FLIGHT")
    refused(world, world.run(AIML_API_KEY="two words"), "AIML_API_KEY")
    refused(world, world.run(DAILIES_LEDGER_URL="mysql://host/db"), "SQLite or Postgres", "mysql")
    refused(world, world.run(DAILIES_MODELS="nowhere.yaml"), "nowhere.yaml")
    refused(world, world.run(AIML_BASE_URL="http://provider.example"), "AIML_BASE_URL", "https")
    refused(world, world.run("--to", "s3://no-such-bucket/clips"), "no-such-bucket")
    refused(world, world.run("--in-flight", "0"), "--in-flight")
    assert world.run("--budget", "2.52").code == 0, "a budget that fits to the cent is enough"
    assert world.run("--budget", "1").code == 0, "nothing is left to buy, so a budget that was lowered refuses nothing"
    world.csv(named("a", "b", "c"))
    assert world.run("--budget", "3.78").code == 0, "of a batch that is half made, only the rest is to be paid"


@pytest.mark.engine
def test_a_prefect_api_that_does_not_answer_is_said_before_anything_is_bought(world: World) -> None:
    """By a run, and by a command that only reads its settings there."""
    world.csv(named("a", "b"))
    away = "http://127.0.0.1:9/api"
    refused(world, world.run(PREFECT_API_URL=away), "Prefect API", "does not answer")
    refused(world, world.command("status", fresh=True, PREFECT_API_URL=away), "Prefect API", "does not answer")


@pytest.mark.engine
def test_a_variable_on_the_prefect_server_is_a_setting_where_the_environment_has_none(world: World) -> None:
    """Every world has this one in its environment: whoever shares the server reads nothing of it."""
    world.ask_prefect("variables/", name="dailies_poll_cap_s", value="0.7")

    def cap_s() -> float:
        with world.here():
            return load_settings(blocks=asyncio.run(read_blocks())).dailies_poll_cap_s

    assert cap_s() == float(world.environ.pop("DAILIES_POLL_CAP_S"))
    assert cap_s() == 0.7


def test_a_key_that_is_refused_buys_nothing(world: World) -> None:
    """In the provider's words, and the run goes on when the key is right."""
    world.csv(named("a", "b", "c"))
    result = world.run(AIML_API_KEY="sk-wrong")
    assert result.code in (1, 2) and not world.charges() and "Traceback" not in result.stderr
    assert "key" in (result.stderr + result.stdout).lower() and "sk-wrong" not in result.stderr + result.stdout
    again = assert_invariants(world)
    assert again and again.code == 0


def test_a_store_that_is_not_there_is_one_clear_message(world: World) -> None:
    """Nothing bought, no traceback."""
    world.csv(named("a"))
    refused(world, world.run(AWS_ENDPOINT_URL_S3="http://127.0.0.1:9"), "bucket can't be reached")


@pytest.mark.production
def test_the_flow_module_is_a_command_too(world: World) -> None:
    """`python -m flows.generate PROMPTS.csv` is `dailies run`."""
    world.csv(named("a"))
    result = world.shell(sys.executable, "-m", "flows.generate", str(world.prompts), "--json")
    assert result.code == 0, result.stderr
    assert json.loads(result.stdout)["delivered"] == 1
    assert_invariants(world)


@pytest.mark.engine
def test_the_prefect_server_shows_names_states_and_artifacts_of_the_team(world: World) -> None:
    """Task runs `create · sunrise`, a flow run named after its batch, a table, totals and a progress bar."""
    name = f"spring {world.bucket}"
    world.csv(demo_rows(world))
    assert world.run("--batch", name, fork=True).code == 0
    key = slug(name)
    runs = world.ask_prefect("flow_runs/filter", flow_runs={"name": {"like_": name}})
    assert [run["state"]["type"] for run in runs] == ["COMPLETED"] and "5 clips" in runs[0]["name"]
    assert "5 of 5 delivered" in runs[0]["state"]["message"]

    def task_names() -> set[str]:
        found = world.ask_prefect("task_runs/filter", task_runs={"flow_run_id": {"any_": [runs[0]["id"]]}})
        return {run["name"] for run in found if run["state_type"] == "COMPLETED"}

    wanted = {f"{step} · {row}" for step in ("create", "poll", "deliver") for row in ("sunrise", "tower", "night")}
    until(lambda: wanted <= task_names())
    artifacts = world.ask_prefect(
        "artifacts/filter", artifacts={"key": {"any_": [f"{a}-{key}" for a in ("clips", "totals", "progress")]}}
    )
    kinds = {artifact["type"]: artifact["data"] for artifact in artifacts}
    assert set(kinds) == {"table", "markdown", "progress"} and kinds["progress"] == 100
    assert len(json.loads(kinds["table"])) == 5


@pytest.mark.production
@pytest.mark.slow
def test_a_deployment_on_a_process_work_pool_runs_with_parameters(make_world: MakeWorld, postgres_url: str) -> None:
    """`prefect deploy` reads prefect.yaml, and a process worker runs the flow from this folder."""
    world = make_world(postgres_url)  # a worker may run in a container, where SQLite is refused
    world.csv(named("a", "b"))
    world.environ["PREFECT_WORKER_QUERY_SECONDS"] = "1"
    program = [sys.executable, "-m", "prefect", "--no-prompt"]
    world.ask_prefect("work_pools/", name="dailies", type="process")
    deployed = world.shell(
        *program, "deploy", "--prefect-file", str(ROOT / "prefect.yaml"), "--name", "generate-clips", cwd=ROOT
    )
    assert deployed.code == 0, deployed.stderr + deployed.stdout
    found = world.ask_prefect("deployments/filter", deployments={"name": {"any_": ["generate-clips"]}})
    parameters = {
        "prompts": str(world.prompts),
        "batch": "from-the-worker",
        "budget_usd": 2.52,
        "approve_above_usd": None,
    }
    run = world.ask_prefect(f"deployments/{found[0]['id']}/create_flow_run", parameters=parameters)
    worked = world.shell(*program, "worker", "start", "--pool", "dailies", "--type", "process", "--run-once", cwd=ROOT)
    assert worked.code == 0, worked.stderr
    [ended] = world.ask_prefect("flow_runs/filter", flow_runs={"id": {"any_": [run["id"]]}})
    assert ended["state"]["type"] == "COMPLETED", ended["state"]["message"] + worked.stderr[-1500:]
    assert len(world.clips()) == 2 and all("/from-the-worker/" in f"/{key}" for key in world.clips())
    assert_invariants(world)


def test_a_report_that_no_folder_takes_is_said_to_be_nowhere(world: World) -> None:
    """The clips are delivered, so the run is a success; the answer names no folder in which nothing lies."""
    world.csv([{"id": "dawn", "prompt": "a smile"}])
    result = world.run("--report-dir", "/proc/nowhere/below")
    assert result.code == 0 and result.json["report_dir"] is None and result.json["delivered"] == 1
    assert "the report can't be written to" in result.stderr
