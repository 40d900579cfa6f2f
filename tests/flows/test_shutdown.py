"""How runs end under a real worker while a synchronous provider still owes an answer: none of it costs a clip."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import pytest
from prefect.client.orchestration import PrefectClient
from prefect.states import Cancelled, Cancelling

from dailies.domain.records import Attempt
from dailies.domain.states import State
from tests.crash.test_first_process import INIT
from tests.flows.factory import Process, descendants, process, wait_for
from tests.flows.production import Production, in_production

pytestmark = [
    pytest.mark.production,
    pytest.mark.slow,
    pytest.mark.timeout(1500),
    pytest.mark.xdist_group("production"),
]
PREFECT = [sys.executable, "-m", "prefect"]
ANSWER_AFTER_S = 25.0


@pytest.fixture(scope="module")
def production(tmp_path_factory: pytest.TempPathFactory, ledger_database: str) -> Iterator[Production]:
    """A server and deployments; each test starts the worker that it ends."""
    with in_production(tmp_path_factory.mktemp("shutdown"), ledger_database) as running:
        yield running


@contextmanager
def a_worker(production: Production, name: str, above: list[str] | None = None) -> Iterator[Process]:
    """A worker whose first process is what the test ends: the worker itself, or what stands `above` it."""
    environ = production.environ | {"PREFECT_WORKER_QUERY_SECONDS": "2", "DAILIES_HOME": str(production.folder / name)}
    command = [*(above or []), *PREFECT, "worker", "start", "--pool", "dailies", "--name", name, "--type", "process"]
    with process(command, environ, production.folder, production.folder / f"{name}.log") as worker:
        production.workers[name] = worker
        yield worker


def ordered(production: Production, name: str) -> UUID:
    """A run of one clip at the synchronous provider is asked for; those that were ended before it no longer hold its place."""
    production.api.ask(_end_all)
    prompts = production.world.csv([{"id": name, "prompt": name}], name=f"{name}.csv", provider="onerouter")
    production.world.sandbox.fault("create", "late", delay_s=ANSWER_AFTER_S, times=1, match=name)
    return production.api.start("generate-clips/generate-clips", {"prompts": str(prompts), "batch": name}).id


def attempt_of(production: Production, name: str) -> Attempt | None:
    """The one attempt of a batch."""
    with production.world.ledger() as ledger:
        found = [attempt for row in ledger.rows(name) for attempt in row.attempts]
    assert len(found) <= 1
    return found[0] if found else None


def under_way(production: Production, name: str) -> None:
    """Return when the provider has the request and owes the answer."""
    prompts = {charge.client_request_id for charge in production.world.charges()}
    wait_for(lambda: (a := attempt_of(production, name)) and a.state is State.SUBMITTING, 240, production.logs)
    wait_for(lambda: len(production.world.charges()) > len(prompts), 60, production.logs)


def recorded(production: Production, name: str) -> None:
    """Return when the answer is on record; it never was in doubt."""

    def told() -> bool:
        attempt = attempt_of(production, name)
        assert attempt and attempt.state is not State.IN_DOUBT, attempt
        return attempt.state in (
            State.COMPLETED,
            State.STORED,
        )  # a run that lives on without its console delivers it, too

    wait_for(told, ANSWER_AFTER_S + 60, production.logs)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_worker_that_is_ended_costs_no_clip(production: Production, number: signal.Signals) -> None:
    """Its runs are killed within seconds, or live on without a console until they lose heart; the sender records."""
    name = f"worker-{number.name.lower()}"
    with a_worker(production, name) as worker:
        ordered(production, name)
        under_way(production, name)
        os.kill(worker.popen.pid, number)
        worker.popen.wait(60)
        recorded(production, name)


def test_a_run_that_is_cancelled_in_the_ui_costs_no_clip(production: Production) -> None:
    """SIGTERM, and SIGKILL half a minute later."""
    with a_worker(production, "cancelled"):
        run = ordered(production, "cancelled")
        under_way(production, "cancelled")
        production.api.ask(lambda client: _cancel(client, run))
        recorded(production, "cancelled")


async def _end_all(client: PrefectClient) -> None:
    for run in await client.read_flow_runs():
        if run.state and not run.state.is_final():
            await client.set_flow_run_state(run.id, Cancelled(), force=True)


async def _cancel(client: PrefectClient, run: UUID) -> None:
    await client.set_flow_run_state(run, Cancelling())


def test_a_unit_whose_main_process_is_told_to_stop_ends_when_the_answer_is_recorded(production: Production) -> None:
    """As `systemctl stop` with KillMode=mixed, and `docker stop`: SIGTERM to our init alone, which stays."""
    with a_worker(production, "unit", INIT) as unit:
        ordered(production, "unit")
        under_way(production, "unit")
        unit.popen.send_signal(signal.SIGTERM)
        unit.popen.wait(ANSWER_AFTER_S + 90)
        attempt = attempt_of(production, "unit")
        assert attempt and attempt.state is State.COMPLETED, attempt
        assert not descendants(unit.popen.pid)


def test_a_container_of_one_run_that_is_stopped_ends_when_the_answer_is_recorded(production: Production) -> None:
    """`prefect flow-run execute` below the image's init as PID 1: its end would take every other process along."""
    run = ordered(production, "container")
    environ = production.environ | {"DAILIES_HOME": str(production.folder / "container")}
    execute = [*INIT, *PREFECT, "flow-run", "execute", str(run)]
    command = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", *execute]
    with process(command, environ, production.folder, production.folder / "container.log") as container:
        production.workers["container"] = container
        under_way(production, "container")
        os.kill(first_process(container), signal.SIGTERM)
        container.popen.wait(ANSWER_AFTER_S + 90)
        attempt = attempt_of(production, "container")
        assert attempt and attempt.state is State.COMPLETED, (attempt, container.text()[-3000:])


def first_process(container: Process) -> int:
    """The process that is PID 1 in there."""
    children = Path(f"/proc/{container.popen.pid}/task/{container.popen.pid}/children").read_text().split()
    return int(children[0])


def test_collect_brings_all_of_them_home_and_buys_nothing(production: Production) -> None:
    """At the end: one charge and one clip for each."""
    charges = len(production.world.charges())
    done = subprocess.run(
        [sys.executable, "-m", "dailies", "collect"], cwd=production.folder, capture_output=True, text=True, check=False,
        env=production.environ | {"DAILIES_HOME": str(production.folder / "desk")},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(production.world.charges()) == charges == len(production.world.clips())
