"""A production of a test's own: Prefect server, ledger, S3, provider, the real deployments, workers on "machines"."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from moto.server import ThreadedMotoServer
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import DeploymentUpdate, WorkPoolUpdate
from prefect.events.schemas.automations import AutomationCore, EventTrigger

from dailies.sandbox import Sandbox, SandboxConfig
from deployments.deploy import HEARTBEAT, POOL
from tests.e2e.forks import ROOT, Forks
from tests.e2e.harness import AIML_KEY, ONEROUTER_KEY, Prefect, Services, World, s3_client
from tests.e2e.s3_proxy import FaultyStore
from tests.flows.factory import Api, Process, answers, base_environ, process, server_process
from tests.flows.postgres import installed_postgres

IN_BLOCKS = {"AIML_API_KEY": "aiml-api-key", "DAILIES_LEDGER_URL": "dailies-ledger-url"}
"""Settings that the workers of these tests find in Secret blocks; DAILIES_TO is a Variable."""

HEARTBEAT_S, SILENT_S = 30, 75
Front = Callable[[str], AbstractContextManager[tuple[str, dict[str, str]]]]


@dataclass
class Production:
    """What a team runs, and what the test may look into."""

    folder: Path
    api: Api
    world: World
    environ: dict[str, str]
    stack: ExitStack
    server: Process
    workers: dict[str, Process] = field(default_factory=dict)

    def worker(self, name: str, limit: int) -> Process:
        """Start a worker with a home of its own, as another machine has, under something that starts it again."""
        environ = {
            **self.environ,
            "DAILIES_HOME": str(self.folder / f"home-{name}"),
            "PREFECT_HOME": str(self.folder / f"prefect-{name}"),
            "PREFECT_WORKER_QUERY_SECONDS": "2",
        }
        command = ["sh", "-c", 'while :; do "$@"; sleep 1; done', "supervisor"]
        command += [sys.executable, "-m", "prefect", "worker", "start", "--pool", "dailies", "--name", name]
        command += ["--type", "process", "--limit", str(limit)]
        log = self.folder / f"worker-{name}.log"
        self.workers[name] = self.stack.enter_context(process(command, environ, self.folder, log))
        return self.workers[name]

    def restart_server(self) -> None:
        """Prefect's server is ended and started anew; nobody's work waits for it."""
        self.server.restart()
        answers(self.api.url, self.server)

    def deploy(self) -> str:
        """`make deploy`, then without the limits that it ships, for nobody is here to say yes. Returns what it said."""
        command = [sys.executable, "deployments/deploy.py"]
        done = subprocess.run(
            command, cwd=ROOT, env=self.environ, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
        self.api.ask(_without_limits)
        return done.stdout

    def logs(self) -> str:
        """The end of what every worker said."""
        return "\n".join(f"--- {name}\n{worker.text()[-2500:]}" for name, worker in self.workers.items())

    def generate(self, deployment: str, timeout_s: float = 400, **parameters: Any) -> tuple[UUID, str, str]:
        """Run a deployment to its end. Returns the run's id, the name of its state and its message."""
        run = self.api.start(deployment, parameters)
        ended = self.api.ended(run.id, timeout_s, self.logs)
        assert ended.state and ended.state.name
        return run.id, ended.state.name, ended.state.message or ""


@contextmanager
def in_production(
    folder: Path,
    postgres_url: str,
    time_scale: float = 0.03,
    server_settings: Mapping[str, str] | None = None,
    front: Front | None = None,
) -> Iterator[Production]:
    """Everything but the workers, deployed. `postgres_url` is the ledger's where no Postgres is installed.

    `front` stands before Prefect's server: it is given the address, and yields what clients use, and their settings for it.
    """
    with ExitStack() as stack:
        databases = stack.enter_context(installed_postgres("prefect", "ledger"))
        store = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        store.start()
        stack.callback(store.stop)
        host, port = store.get_host_and_port()
        serving = server_process(folder / "prefect", databases.get("prefect"), **(server_settings or {}))
        url, server = stack.enter_context(serving)
        url, shown = stack.enter_context(front(url)) if front else (url, {})
        config = SandboxConfig(time_scale=time_scale, render="quick", api_keys=frozenset({AIML_KEY, ONEROUTER_KEY}))
        sandbox = stack.enter_context(Sandbox(config))
        proxy = stack.enter_context(FaultyStore(f"http://{host}:{port}"))
        s3_client(f"http://{host}:{port}").create_bucket(Bucket="studio")
        prefect = Prefect({"PREFECT_API_URL": url}, folder / "prefect")
        services = Services(f"http://{host}:{port}", lambda: prefect, Forks)
        world = World(folder, services, sandbox, proxy, "studio", databases.get("ledger", postgres_url))
        api = Api(url, shown)
        stack.callback(api.loop.close)
        secret = {block: world.environ[name] for name, block in IN_BLOCKS.items()}
        api.ask(lambda client: _keep_in_blocks(client, secret, {"dailies_to": "s3://studio/clips"}))
        environ = {**world.environ, **base_environ(folder / "client"), "PREFECT_API_URL": url, **shown}
        for name in (*IN_BLOCKS, "DAILIES_TO"):
            del environ[name]
        production = Production(folder, api, world, environ, stack, server)
        production.deploy()
        api.ask(_impatient)
        yield production


async def _keep_in_blocks(client: PrefectClient, secrets: dict[str, str], variables: dict[str, str]) -> None:
    from prefect.blocks.system import Secret
    from prefect.client.schemas.actions import VariableCreate

    for name, value in secrets.items():
        await Secret(value=value).asave(name, client=client)
    for name, value in variables.items():
        await client.create_variable(VariableCreate(name=name, value=value))


async def _without_limits(client: PrefectClient) -> None:
    for found in await client.read_deployments():
        if limits := {"budget_usd", "approve_above_usd"} & found.parameters.keys():
            parameters = {**found.parameters, **dict.fromkeys(limits)}
            await client.update_deployment(found.id, DeploymentUpdate(parameters=parameters))


async def _impatient(client: PrefectClient) -> None:
    """A test does not wait five minutes for a heartbeat: they come twice as often, and are missed sooner."""
    template = (await client.read_work_pool(POOL)).base_job_template
    template["variables"]["properties"]["env"]["default"][HEARTBEAT] = str(HEARTBEAT_S)
    await client.update_work_pool(POOL, WorkPoolUpdate(base_job_template=template))
    (found,) = await client.read_automations_by_name("dailies · a run without a heartbeat")
    assert isinstance(found.trigger, EventTrigger)
    found.trigger.within = timedelta(seconds=SILENT_S)
    changed = found.model_dump(exclude={"id", "owner_resource"})
    await client.update_automation(found.id, AutomationCore.model_validate(changed))
