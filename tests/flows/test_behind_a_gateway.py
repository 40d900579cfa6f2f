"""A Prefect server with a password, behind TLS by an authority of its own, below a path, and behind a header: clips are made.

Not part of the usual suite: `make rehearsal`. Deployed, worked and looked at through the gateway alone, websockets included, as a
team does it that was given nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from anyio.from_thread import start_blocking_portal

from tests.flows.factory import wait_for
from tests.flows.gateway import Gateway, gateway
from tests.flows.production import Front, Production, in_production
from tests.flows.test_production import at_a_desk, ledger_database
from tests.unit.certificate import Authority

__all__ = ["ledger_database"]
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


def ledger_known(production: Production) -> bool:
    """Whether a probe learns from Prefect where the ledger is; how fast that answers is not asked here."""
    told = json.loads(at_a_desk(production, "doctor", "--ready", "--json").stdout)
    return str(told["ledger"]).startswith("postgresql")


def desk(production: Production, *arguments: str) -> str:
    """What a command says that ends well."""
    done = at_a_desk(production, *arguments)
    assert done.returncode == 0, (arguments, done.stdout[-2000:], done.stderr[-2000:])
    return done.stdout
