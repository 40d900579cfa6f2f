"""Every automation that tells people is fired on a real Prefect server, and what it says is received."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from uuid import UUID, uuid4

import pytest
import yaml
from prefect.blocks.notifications import CustomWebhookNotificationBlock
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterId
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.events.schemas.automations import AutomationCore, EventTrigger
from prefect.states import Failed, Pending, Running, Scheduled, Suspended

from deployments.deploy import HERE, NOTIFY_BLOCK, POOL, ensure_automations, ensure_pool
from tests.flows.factory import Api, prefect_server, wait_for

IMPATIENT = {
    "PREFECT_SERVER_SERVICES_LATE_RUNS_AFTER_SECONDS": "1",
    "PREFECT_SERVER_SERVICES_LATE_RUNS_LOOP_SECONDS": "1",
    "PREFECT_SERVER_SERVICES_FOREMAN_LOOP_SECONDS": "1",
    "PREFECT_SERVER_SERVICES_FOREMAN_INACTIVITY_HEARTBEAT_MULTIPLE": "1",
    "PREFECT_SERVER_SERVICES_TRIGGERS_ENABLED": "true",
}
NOTHING_FOR_S = 20
RETAKES = "dailies · retakes after a review"
SILENT = "dailies · a run without a heartbeat"

SAID = {
    "dailies · a run failed": "dailies: broken Failed",
    "dailies · a run is not complete": "dailies: partly",
    "dailies · money in doubt": "dailies: money in doubt",
    "dailies · a clip is overdue": "dailies: sunrise is overdue",
    "dailies · a result is about to end": "dailies: sunset: its result ends soon",
    "dailies · runs are late": "dailies: waiting is late",
    "dailies · no worker is there": "dailies: no worker",
    "dailies · nothing is collected": "dailies: nothing is collected",
    "dailies · a budget is nearly spent": "dailies: dailies.budget.nearly-spent · smiles",
}
"""What each says in its subject when it is fired below."""


@contextmanager
def a_pager() -> Iterator[tuple[str, list[str]]]:
    """Something that is told by webhook: its address, and the subjects so far."""
    said: list[str] = []

    class Pager(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            said.append(json.loads(body)["subject"])
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing on stderr."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Pager)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/page", said
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


async def _installed(client: PrefectClient, pager: str) -> None:
    """What `make deploy` makes that automations need, with a pager; an hour without a collect is ten seconds here."""
    block = CustomWebhookNotificationBlock(
        name="pager", url=pager, secrets={}, json_data={"subject": "{{subject}}", "body": "{{body}}"}
    )
    await block.asave(NOTIFY_BLOCK, client=client)
    await ensure_pool(client, "process", False, print)
    flow = await client.create_flow_from_name("collect-clips")
    await client.create_deployment(flow, "collect", work_pool_name=POOL, tags=["dailies"], entrypoint="x:y")
    retakes = await client.create_flow_from_name("retakes")
    await client.create_deployment(retakes, "retakes", work_pool_name=POOL, tags=["dailies"], entrypoint="x:y")
    await ensure_automations(client, print)
    for name in ("dailies · nothing is collected", RETAKES, SILENT):
        (found,) = await client.read_automations_by_name(name)
        assert isinstance(found.trigger, EventTrigger) and found.enabled is (name != RETAKES)
        found.trigger.within = timedelta(seconds=NOTHING_FOR_S)
        changed = {**found.model_dump(exclude={"id", "owner_resource"}), "enabled": True}
        await client.update_automation(found.id, AutomationCore.model_validate(changed))


async def _troubles(client: PrefectClient) -> None:
    """A worker that comes and goes, a run that nobody takes, one that fails, and one that ends in part."""
    await client.send_worker_heartbeat(POOL, "gone", heartbeat_interval_seconds=1)
    deployment = await client.read_deployment_by_name("collect-clips/collect")
    earlier = datetime.now(UTC) - timedelta(seconds=30)

    async def run(name: str, *states: State[Any]) -> None:
        made: FlowRun = await client.create_flow_run_from_deployment(
            deployment.id, name=name, state=Scheduled(scheduled_time=earlier)
        )
        for state in states:
            await client.set_flow_run_state(made.id, state, force=True)

    partly = State[Any](type=StateType.COMPLETED, name="PartialSuccess", message="3 of 4")
    await run("waiting")
    await run("broken", Running(), Failed(message="no store"))
    await run("partly", Running(), partly)


def _events() -> list[dict[str, Any]]:
    """What runs say of clips and budgets."""
    told = [
        ("dailies.clip.in-doubt", "dailies.clip.a", "doubt"),
        ("dailies.clip.overdue", "dailies.clip.b", "sunrise"),
        ("dailies.clip.expiring", "dailies.clip.c", "sunset"),
        ("dailies.budget.nearly-spent", "dailies.budget.smiles", "smiles"),
        ("dailies.clip.retake", "dailies.clip.d", "dawn"),
        ("dailies.clip.kept", "dailies.clip.e", "noon"),
    ]
    now = datetime.now(UTC).isoformat()
    return [
        {
            "event": event, "id": str(uuid4()), "occurred": now, "payload": {"error": "so it is", "batch": "smiles"},
            "resource": {"prefect.resource.id": resource, "prefect.resource.name": name},
            "related": [{"prefect.resource.id": "dailies.batch.smiles", "prefect.resource.role": "batch",
                         "prefect.resource.name": "smiles"}],
        }
        for event, resource, name in told
    ]  # fmt: skip


async def _waiting(client: PrefectClient) -> dict[str, UUID]:
    """Two runs that wait for a yes. A last heartbeat of each comes after the server's note of it; one says that this was all.
    And one whose machine died while it started it."""
    deployment = await client.read_deployment_by_name("collect-clips/collect")
    runs = {}
    for name in ("said so", "said nothing"):
        made = await client.create_flow_run_from_deployment(deployment.id, name=name, state=Running())
        await client.set_flow_run_state(made.id, Suspended(timeout_seconds=600), force=True)
        runs[name] = made.id
    made = await client.create_flow_run_from_deployment(deployment.id, name="never begun")
    for state in (Pending(), State[Any](type=StateType.PENDING, name="Submitting")):
        await client.set_flow_run_state(made.id, state, force=True)
    return {**runs, "never begun": made.id}


def _last_words(runs: dict[str, UUID]) -> list[dict[str, Any]]:
    beat = str(uuid4())
    said = [
        ("prefect.flow-run.heartbeat", runs["said so"], beat, None),
        ("dailies.run.suspended", runs["said so"], str(uuid4()), beat),  # else the server may take in both at once
        ("prefect.flow-run.heartbeat", runs["said nothing"], str(uuid4()), None),
        ("prefect.flow-run.pull-step.executed", runs["never begun"], str(uuid4()), None),
    ]
    return [
        {
            "event": event, "id": known_as, "follows": follows, "occurred": (datetime.now(UTC) + timedelta(seconds=2)).isoformat(),
            "resource": {"prefect.resource.id": f"prefect.flow-run.{run}"},
            "related": [{"prefect.resource.id": "prefect.tag.dailies", "prefect.resource.role": "tag"}],
        }
        for event, run, known_as, follows in said
    ]  # fmt: skip


@pytest.mark.production
@pytest.mark.slow
def test_each_automation_is_fired_and_its_message_arrives(tmp_path: Path) -> None:
    with a_pager() as (address, said), prefect_server(tmp_path / "prefect", **IMPATIENT) as url:
        api = Api(url)
        try:
            api.ask(lambda client: _installed(client, address))
            api.ask(_troubles)
            waiting = api.ask(_waiting)
            api.post("/events", [*_events(), *_last_words(waiting)])  # type: ignore[arg-type]
            wait_for(
                lambda: all(any(text in subject for subject in said) for text in SAID.values()),
                400,
                lambda: f"said: {said}, not: {[text for text in SAID.values() if not any(text in s for s in said)]}",
            )
            wait_for(lambda: api.ask(_rounds), 200, lambda: "no round of retakes was started")
            silent = [waiting["said nothing"], waiting["never begun"]]
            wait_for(lambda: [_state(api, run) for run in silent] == ["Crashed"] * 2, 200)
            assert _state(api, waiting["said so"]) == "Suspended", "it was looked at first, and left alone"
            assert api.ask(_rounds) == [{"batch": "smiles", "budget_usd": 10, "approve_above_usd": None}]
        finally:
            api.loop.close()


def _state(api: Api, run: UUID) -> str | None:
    state = api.run(run).state
    return state.name if state else None


async def _rounds(client: PrefectClient) -> list[dict[str, Any]]:
    """What rounds of retakes were started with."""
    deployment = await client.read_deployment_by_name("retakes/retakes")
    only = DeploymentFilter(id=DeploymentFilterId(any_=[deployment.id]))
    return [run.parameters for run in await client.read_flow_runs(deployment_filter=only)]


def test_no_automation_that_tells_people_is_left_out_here() -> None:
    texts = yaml.safe_load((HERE / "automations.yaml").read_text())
    telling = {text["name"] for text in texts if any("notify" in action for action in text["actions"])}
    assert telling == SAID.keys()
