"""What a team keeps on its Prefect server is read whole, however much of it there is, or refused."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from uuid import uuid4

import pytest
from prefect.blocks.system import Secret
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.actions import VariableCreate
from prefect.settings import PREFECT_API_URL, PREFECT_CLIENT_RETRY_EXTRA_CODES, temporary_settings

from dailies.errors import Misconfigured
from dailies.prefect_api.blocks import read_blocks
from dailies.prefect_api.server import local_server
from dailies.settings import load_settings
from tasks.engine.run import settings_for_run

pytestmark = pytest.mark.production  # what it keeps on a server, every run on that server would read

OTHERS = 250
"""More than the two hundred that a page of Prefect's holds; their names look like ours, and come before them."""
PATIENT = {PREFECT_CLIENT_RETRY_EXTRA_CODES: {500}}
"""A server whose database is busy is asked again, as every run of ours asks it again."""


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Prefect server, with more Variables of other people than a page holds."""
    with local_server(tmp_path_factory.mktemp("prefect")) as server:
        with temporary_settings({PREFECT_API_URL: server.api_url, **PATIENT}):
            keep(another=1)  # the server answers before its tables are there
        with closing(sqlite3.connect(server.folder / "prefect.db", timeout=60)) as database, database:
            database.executemany(  # over the API they take minutes
                "INSERT INTO variable (id, name, value, tags) VALUES (?, ?, '1', '[]')",
                [(str(uuid4()), f"a_dailies_{number}") for number in range(OTHERS)],
            )
        yield server.api_url


@pytest.fixture(autouse=True)
def here(api: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A worker without settings of its own that asks this server."""
    for name in os.environ:
        if name.startswith(("DAILIES_", "AWS_", "AIML_", "ONEROUTER_")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    before = dict(os.environ)
    with temporary_settings({PREFECT_API_URL: api, **PATIENT}):
        yield
    os.environ.clear()
    os.environ.update(before)


def asked(question: Callable[[PrefectClient], Awaitable[object]]) -> None:
    """Say something to the server."""

    async def ask() -> None:
        async with get_client() as client:
            await question(client)

    asyncio.run(ask())


def keep(**variables: object) -> None:
    """Variables with these names and values."""

    async def create(client: PrefectClient) -> None:
        for name, value in variables.items():
            await client.create_variable(VariableCreate.model_validate({"name": name, "value": value}))

    asked(create)


@pytest.fixture
def variables() -> Iterator[Callable[..., None]]:
    """Variables for the length of a test."""
    names: list[str] = []

    def create(**wanted: object) -> None:
        names.extend(wanted)
        keep(**wanted)

    yield create
    for name in names:
        asked(lambda client, name=name: client.delete_variable_by_name(name))  # type: ignore[misc]


def test_a_cap_is_seen_among_hundreds_of_variables_and_every_documented_name_is_read(
    variables: Callable[..., None],
) -> None:
    variables(
        dailies_daily_budget_usd=100,
        dailies_in_flight="7",
        aiml_base_url="https://aiml.example",
        aws_endpoint_url_s3="https://store.example",
    )
    settings = load_settings(blocks=asyncio.run(read_blocks()))
    assert (settings.dailies_daily_budget_usd, settings.dailies_in_flight) == (Decimal(100), 7)
    assert settings.base_url("aiml") == "https://aiml.example"
    assert os.environ["AWS_ENDPOINT_URL_S3"] == "https://store.example"


@pytest.mark.parametrize("value", [None, "", " ", True, [100], {"usd": 100}])
def test_a_cap_that_can_not_be_read_refuses(variables: Callable[..., None], value: object) -> None:
    variables(dailies_budget_usd=value)
    with pytest.raises(Misconfigured, match=r"Variable dailies_budget_usd .* Nothing was bought"):
        asyncio.run(read_blocks())


def test_a_key_in_a_variable_is_refused_with_the_place_where_it_belongs(variables: Callable[..., None]) -> None:
    variables(aiml_api_key="sk-0123456789")
    with pytest.raises(Misconfigured, match="Secret block aiml-api-key") as raised:
        asyncio.run(read_blocks())
    assert "sk-" not in str(raised.value)


def test_a_variable_that_is_no_setting_is_refused(variables: Callable[..., None]) -> None:
    variables(dailies_daily_bugdet_usd=100)
    with pytest.raises(Misconfigured, match="Did you mean DAILIES_DAILY_BUDGET_USD"):
        load_settings(blocks=asyncio.run(read_blocks()))


def test_an_empty_secret_block_is_refused() -> None:
    async def save(_: PrefectClient) -> None:
        await Secret(value="").save("dailies-ledger-url", overwrite=True)

    asked(save)
    with pytest.raises(Misconfigured, match="Secret block dailies-ledger-url holds no text"):
        asyncio.run(read_blocks())


def test_a_run_without_an_answer_about_its_settings_buys_nothing() -> None:
    with (
        temporary_settings({PREFECT_API_URL: "http://127.0.0.1:1/api"}),
        pytest.raises(Misconfigured, match="did not tell the settings"),
    ):
        asyncio.run(settings_for_run())
