"""Production end to end: a Prefect server on Postgres, the real prefect.yaml, two workers with separate homes."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prefect.client.orchestration import PrefectClient
from prefect.states import Scheduled

from dailies.domain.states import State
from tests.flows.factory import descendants, wait_for
from tests.flows.production import Production, in_production

pytestmark = [
    pytest.mark.production,
    pytest.mark.slow,
    pytest.mark.timeout(1500),
    pytest.mark.xdist_group("production"),
]
BIG, SHARD = 200, 20


@pytest.fixture(scope="module")
def production(tmp_path_factory: pytest.TempPathFactory, ledger_database: str) -> Iterator[Production]:
    """One production for all tests here; each has a batch of its own."""
    with in_production(tmp_path_factory.mktemp("production"), ledger_database) as running:
        running.worker("here", limit=3)
        yield running


def charges_of(production: Production, batch: str) -> Counter[str]:
    """How often each attempt's clip was charged, by the provider's own list."""
    with production.world.ledger() as ledger:
        of_batch = {attempt.id: row.id for row in ledger.rows(batch) for attempt in row.attempts}
    references = [charge.client_request_id for charge in production.world.charges()]
    return Counter(of_batch[reference] for reference in references if reference in of_batch)


def clips_of(production: Production, batch: str) -> list[str]:
    """The clips of one batch in S3."""
    return [key for key in production.world.object_keys(f"clips/{batch}/") if key.endswith(".mp4")]


def test_two_hundred_clips_in_shards_survive_a_machine_and_are_charged_once_each(production: Production) -> None:
    """One of two workers is killed with all it runs; the batch ends whole, and a second dispatch adds nothing."""
    prompts = production.world.csv(BIG, name="big.csv")
    wanted: dict[str, Any] = {
        "prompts": str(prompts),
        "batch": "big",
        "shard_rows": SHARD,
        "shards_at_once": 4,
        "in_flight": 40,
    }
    run = production.api.start("generate-large/generate-large", wanted)
    wait_for(lambda: _running(production, run.id), 180, production.logs)
    other = production.worker("other", limit=2)
    wait_for(lambda: _at_work(production, other.popen.pid), 300, production.logs)
    other.kill()
    ended = production.api.ended(run.id, 900, production.logs)
    assert ended.state and (ended.state.type.value == "COMPLETED" or ended.state.name == "MoneyAtRisk"), ended.state
    if (
        len(clips_of(production, "big")) < BIG
    ):  # a create that was cut off waits for the provider's log, or for a person
        _settle_what_was_never_sent(production, "big")
        production.generate("generate-large/generate-large", **wanted)

    runs = [found for found in production.api.runs() if (found.idempotency_key or "").startswith("dailies · big")]
    assert any(found.state and found.state.name == "Crashed" for found in runs), "the heartbeat's automation saw it"
    assert len(clips_of(production, "big")) == BIG
    assert charges_of(production, "big") == Counter({f"clip-{number}": 1 for number in range(1, BIG + 1)})
    _one_report(production)

    _, _, message = production.generate("generate-large/generate-large", **wanted)
    assert f"{BIG} of {BIG} delivered ({BIG} earlier)" in message
    again = [found for found in production.api.runs() if (found.idempotency_key or "").startswith("dailies · big")]
    assert len(again) == len(runs) and sum(charges_of(production, "big").values()) == BIG


def _settle_what_was_never_sent(production: Production, batch: str) -> None:
    """Killed between the claim and the provider's acceptance, a create is in doubt: a person who finds it nowhere says so."""
    charged = {charge.client_request_id for charge in production.world.charges()}
    with production.world.ledger() as ledger:
        attempts = [attempt for row in ledger.rows(batch) for attempt in row.attempts]
    for attempt in attempts:
        if attempt.state is State.IN_DOUBT and attempt.id not in charged:
            assert at_a_desk(production, "resolve", attempt.id, "--not-charged").returncode == 0


def at_a_desk(production: Production, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command on a machine that knows nothing but the API's address."""
    environ = {**production.environ, "DAILIES_HOME": str(production.folder / "home-desk")}
    command = [sys.executable, "-m", "dailies", *arguments]
    return subprocess.run(command, cwd=production.folder, env=environ, capture_output=True, text=True, check=False)


def _running(production: Production, run_id: object) -> bool:
    state = production.api.run(run_id).state  # type: ignore[arg-type]
    return bool(state and state.type.value == "RUNNING")


def _at_work(production: Production, pid: int) -> bool:
    """Whether one machine's runs have generations under way."""
    pids = set(descendants(pid))
    with production.world.ledger() as ledger:
        live = [a for a in ledger.unfinished() if a.state in (State.SUBMITTED, State.COMPLETED)]
    return any(int(attempt.owner.rsplit("|", 3)[1]) in pids for attempt in live)


def _one_report(production: Production) -> None:
    reports = [key for key in production.world.objects() if key.startswith("clips/big") and key.endswith("credits.csv")]
    assert reports == ["clips/big/credits.csv"]
    lines = list(csv.DictReader(io.StringIO(production.world.objects()[reports[0]].decode())))
    assert len(lines) == BIG and {line["state"] for line in lines} == {"stored"}


def test_the_same_deployment_started_twice_at_once_makes_each_clip_once(production: Production) -> None:
    prompts = str(production.world.csv(8, name="twice.csv"))
    first, second = (production.api.start("generate-clips/generate-clips", {"prompts": prompts}) for _ in range(2))
    states = [production.api.ended(run.id, 400, production.logs).state for run in (first, second)]
    assert [state.name for state in states if state] == ["Completed", "Completed"]
    assert charges_of(production, "twice") == Counter({f"clip-{number}": 1 for number in range(1, 9)})


def test_a_crashed_run_that_is_retried_in_the_ui_goes_on_where_it_was(production: Production) -> None:
    prompts = str(production.world.csv(12, name="retried.csv"))
    run = production.api.start("generate-clips/generate-clips", {"prompts": prompts, "in_flight": 4})
    pid = wait_for(lambda: _process_of(production, "retried"), 240, production.logs)
    assert pid
    os.kill(pid, signal.SIGKILL)
    crashed = production.api.ended(run.id, 240, production.logs).state
    assert crashed and crashed.name == "Crashed"

    async def retry(client: PrefectClient) -> None:
        await client.set_flow_run_state(run.id, Scheduled(name="AwaitingRetry", message="retried in the UI"))

    def goes_on() -> bool:
        """Retried, and once more where the worker tells of the same crash after that."""
        if production.api.run(run.id).state_name == "Crashed":
            production.api.ask(retry)
        return _running(production, run.id)

    wait_for(goes_on, 180, production.logs)
    ended = production.api.ended(run.id, 400, production.logs).state
    assert ended and ended.type.value == "COMPLETED", ended
    if (
        len(clips_of(production, "retried")) < 12
    ):  # a create that was cut off waits for the provider's log, or for a person
        _settle_what_was_never_sent(production, "retried")
        production.generate("collect-clips/collect")
        production.generate("generate-clips/generate-clips", prompts=prompts, in_flight=4)
    assert len(clips_of(production, "retried")) == 12
    assert set(charges_of(production, "retried").values()) == {1}


def _process_of(production: Production, batch: str) -> int | None:
    """The process that works on a batch, once it has bought something."""
    with production.world.ledger() as ledger:
        live = [a for a in ledger.unfinished() if a.batch == batch and a.state is State.SUBMITTED]
    return int(live[0].owner.rsplit("|", 3)[1]) if live else None


def test_a_csv_in_the_inbox_is_made_once_however_often_it_is_looked_at_and_by_event(production: Production) -> None:
    world = production.world
    image, prompts = world.folder / "first-720.png", world.csv(2, name="parcel.csv")
    for name, path in (("first-720.png", image), ("parcel.csv", prompts)):
        world.s3().put_object(Bucket="studio", Key=f"clips/_inbox/week/{name}", Body=path.read_bytes())
    event = {
        "event": "dailies.inbox.changed",
        "resource": {"prefect.resource.id": "dailies.inbox.studio"},
        "occurred": "2026-01-01T00:00:00Z",
        "id": "00000000-0000-4000-8000-000000000001",
    }
    event["occurred"] = _now()
    production.api.post("/events", [event])  # type: ignore[arg-type]
    wait_for(lambda: len(clips_of(production, "week-parcel")) == 2, 400, production.logs, every_s=2)
    for _ in range(2):
        _, name, message = production.generate("inbox/inbox")
        assert name == "Completed" and message == "1 in the inbox · 0 new"
    assert sum(charges_of(production, "week-parcel").values()) == 2


def _now() -> str:
    from datetime import UTC, datetime

    return datetime.now(UTC).isoformat()


def test_deploying_again_changes_nothing(production: Production) -> None:
    def counted() -> dict[str, int]:
        return {
            what: production.api.post(f"/{what}/filter", {"limit": 200}).__len__()
            for what in ("deployments", "automations", "work_pools", "v2/concurrency_limits")
        }

    before = counted()
    said = production.deploy()
    assert counted() == before
    assert "work pool dailies (process): there already" in said and "created" not in said.replace(
        "successfully created", ""
    )


def test_a_schedule_that_is_switched_on_plans_its_runs(production: Production) -> None:
    """Prefect's scheduler works with the versions that are locked: it fails without a word with SQLAlchemy 2.1."""

    def planned() -> set[str]:
        runs = [run for run in production.api.runs() if run.auto_scheduled and run.state and run.state.is_scheduled()]
        ids = {run.deployment_id for run in runs}
        return {found.name for found in production.api.ask(lambda client: client.read_deployments()) if found.id in ids}

    wait_for(lambda: planned() == {"collect", "credits-report"}, 120, every_s=2)


def test_every_clip_tells_its_story_in_events_and_the_run_is_tagged_by_provider_and_model(
    production: Production,
) -> None:
    run_id, _, _ = production.generate(
        "generate-clips/generate-clips", prompts=str(production.world.csv(3, name="told.csv"))
    )
    run = production.api.run(run_id)
    assert {"dailies", "provider:aiml", "model:openai/sora-2-pro-i2v"} == set(run.tags)
    assert run.name == "told · 3 clips"

    def told(news: str) -> set[str]:
        ours = f"prefect.flow-run.{run_id}"
        found = [
            event for event in production.api.events(f"dailies.clip.{news}") if ours in json.dumps(event["related"])
        ]
        return {event["resource"]["prefect.resource.name"] for event in found}

    everyone = {"clip-1", "clip-2", "clip-3"}
    wait_for(lambda: told("bought") == told("delivered") == everyone, 60)


def test_no_task_run_hangs_in_a_state_that_is_over(production: Production) -> None:
    """After a run has ended, the server shows the end of each of its tasks."""
    run_id, _, _ = production.generate(
        "generate-clips/generate-clips", prompts=str(production.world.csv(20, name="seen.csv"))
    )
    body = {"flow_runs": {"id": {"any_": [str(run_id)]}}, "limit": 200}

    def all_over() -> bool:
        tasks = production.api.post("/task_runs/filter", body)
        creates = [task for task in tasks if task["name"].startswith("create · ")]
        return len(creates) == 20 and all(task["state_type"] == "COMPLETED" for task in tasks)

    wait_for(all_over, 60, every_s=1)


def test_a_command_finds_its_ledger_where_the_runs_do(production: Production) -> None:
    """`dailies report` says what the workers made."""
    production.generate(
        "generate-clips/generate-clips", prompts=str(production.world.csv(2, name="asked.csv")), budget_usd=100
    )
    done = at_a_desk(production, "report", "--batch", "asked", "--json")
    assert done.returncode == 0, done.stderr
    assert [clip["state"] for clip in json.loads(done.stdout)["clips"]] == ["stored", "stored"]
    assert not (production.folder / "home-desk" / "ledger.db").exists()


@pytest.mark.browser
def test_the_ui_tells_the_story(production: Production, tmp_path: Path) -> None:
    """The run's page, the artifacts and the deployment's form, as pictures; KEEP_SCREENSHOTS keeps them in docs."""
    from tests.flows.pictures import take_pictures

    run_id, _, _ = production.generate(
        "generate-large/generate-large", prompts=str(production.world.csv(12, name="monday.csv")), shard_rows=6
    )
    texts = take_pictures(production.api, run_id, tmp_path)
    assert "monday · 12 clips" in texts["run"] and "provider:aiml" in texts["run"]
    assert "clips-monday" in texts["artifacts"] and "totals-monday" in texts["artifacts"]
    assert "12 of 12 delivered" in texts["totals"]
    assert "Hard cap for this batch in US dollars" in texts["form"]
