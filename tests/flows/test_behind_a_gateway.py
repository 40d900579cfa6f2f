"""A Prefect server with a password, behind TLS by an authority of its own, below a path, and behind a header: all of it works.

Not part of the usual suite: `make rehearsal`. Deployed, worked and looked at through the gateway alone, websockets included, as a
team does it that was given nothing else.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from anyio.from_thread import start_blocking_portal

from tests.flows.factory import process, wait_for
from tests.flows.gateway import Gateway, gateway
from tests.flows.production import Front, Production, in_production
from tests.flows.test_production import at_a_desk
from tests.unit.certificate import Authority

pytestmark = [pytest.mark.soak, pytest.mark.timeout(1500)]
PASSWORD, KEY = "admin:of the server", "k-0123456789"


@pytest.fixture
def team(tmp_path: Path, ledger_database: str) -> Iterator[tuple[Production, Gateway]]:
    """A production whose clients reach Prefect through the gateway only."""
    authority = Authority.made(tmp_path)
    gates: list[Gateway] = []

    @contextmanager
    def front(server: str) -> Iterator[tuple[str, dict[str, str]]]:
        context = authority.server(tmp_path, "localhost")
        with start_blocking_portal() as portal:
            running = gateway(server, "/team/prefect", ("X-Api-Key", KEY), context)
            with portal.wrap_async_context_manager(running) as here:
                gates.append(here)
                yield (
                    here.url,
                    {
                        "PREFECT_API_AUTH_STRING": PASSWORD,
                        "PREFECT_API_SSL_CERT_FILE": str(authority.file),
                        "PREFECT_CLIENT_CUSTOM_HEADERS": json.dumps({"X-Api-Key": KEY}),
                    },
                )

    opened: Front = front
    asked = {"PREFECT_SERVER_API_AUTH_STRING": PASSWORD}
    with in_production(tmp_path, ledger_database, server_settings=asked, front=opened) as running:
        yield running, gates[0]


def found(production: Production, path: str, **body: Any) -> Any:
    """What the API finds, asked through the gateway."""

    async def ask(client: Any) -> Any:
        return (await client.request("POST", path, json=body)).json()

    return production.api.ask(ask)


def events(production: Production, name: str) -> list[Any]:
    """The events of a name: what came over the websocket."""
    wanted = {"event": {"name": [name]}, "occurred": {"since": "2000-01-01T00:00:00Z"}}
    told: list[Any] = found(production, "/events/filter", filter=wanted, limit=50)["events"]
    return told


def without(production: Production, name: str) -> subprocess.CompletedProcess[str]:
    """`dailies status` of somebody who was not told one of the settings."""
    environ: Mapping[str, str] = {key: value for key, value in production.environ.items() if key != name}
    command = [sys.executable, "-m", "dailies", "status"]
    return subprocess.run(
        command, cwd=production.folder, env=environ, capture_output=True, text=True, timeout=300, check=False
    )


def test_a_batch_is_made_through_it_and_seen(team: tuple[Production, Gateway]) -> None:
    production, gate = team
    production.worker("one", limit=2)
    prompts = production.world.csv(2, name="two.csv")
    _, name, message = production.generate("generate-clips/generate-clips", 600, prompts=str(prompts), batch="two")
    assert name == "Completed", message
    assert len(production.world.charges()) == 2
    wait_for(lambda: len(events(production, "dailies.clip.delivered")) == 2, 120, lambda: str(gate.seen))
    assert gate.seen["websocket"] > 0

    assert json.loads(desk(production, "status", "--json"))["usd_at_risk"] == 0
    wait_for(lambda: ledger_known(production), 120)
    desk(production, "collect")
    command = [sys.executable, "-m", "dailies", "hooks", "--port", "0"]
    log = production.folder / "hooks.log"
    with process(command, production.environ, production.folder, log) as hooks:
        wait_for(lambda: "http://" in hooks.text(), 120, hooks.text)

    before = collects(production)
    doubt = {
        "event": "dailies.clip.in-doubt", "id": str(uuid4()), "occurred": datetime.now(UTC).isoformat(),
        "resource": {"prefect.resource.id": "dailies.clip.a", "prefect.resource.name": "a"}, "payload": {"error": "lost"},
    }  # fmt: skip
    production.api.ask(lambda client: client.request("POST", "/events", json=[doubt]))
    wait_for(lambda: collects(production) > before, 120, production.server.text)

    assert "does not let us in (401)" in refused(production, "PREFECT_API_AUTH_STRING")
    assert "does not let us in (403)" in refused(production, "PREFECT_CLIENT_CUSTOM_HEADERS")
    assert "its certificate is not accepted" in refused(production, "PREFECT_API_SSL_CERT_FILE")


def collects(production: Production) -> int:
    """How many runs of `collect` were asked for by an automation."""
    runs = found(production, "/flow_runs/filter", flows={"name": {"any_": ["collect-clips"]}})
    return sum(1 for run in runs if "automation" in str(run["created_by"]).lower())


def ledger_known(production: Production) -> bool:
    """Whether a probe learns from Prefect where the ledger is; how fast that answers is not asked here."""
    told = json.loads(at_a_desk(production, "doctor", "--ready", "--json").stdout)
    return str(told["ledger"]).startswith("postgresql")


def desk(production: Production, *arguments: str) -> str:
    """What a command says that ends well."""
    done = at_a_desk(production, *arguments)
    assert done.returncode == 0, (arguments, done.stdout[-2000:], done.stderr[-2000:])
    return done.stdout


def refused(production: Production, name: str) -> str:
    """What is said to whoever lacks one of the settings."""
    done = without(production, name)
    assert done.returncode == 2, (name, done.stdout, done.stderr)
    return done.stderr
