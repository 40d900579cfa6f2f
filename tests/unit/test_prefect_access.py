"""The configured Prefect API: asked with its password or key, by its own authority, below a path; and what ails it is named."""

from __future__ import annotations

import json
import os
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import anyio
import anyio.to_thread
import httpx
import pytest

from dailies.cli.command_settings import settings_here
from dailies.cli.ready import _kept_by_prefect
from dailies.errors import Misconfigured
from dailies.prefect_api.access import api_trouble, ask_api
from dailies.prefect_api.check import judge_settings
from deployments.deploy import NOTIFY_BLOCK, notify_block
from tests.unit.certificate import Authority
from tests.unit.loopback import Loopback, reply, serve

BASIC = "authorization: basic ywrtaw46c2vjcmv0"  # admin:secret
ROUTES = {"/api/health": reply(b"true"), "/team/prefect/api/health": reply(b"true")}


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No Prefect of anybody's, no proxy, and nothing but the usual authorities."""
    monkeypatch.chdir(tmp_path)
    others = ("PREFECT_", "DAILIES_", "SSL_", "REQUESTS_", "AWS_")
    for name in [n for n in os.environ if n.startswith(others) or n.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))


def seen(path: str, ask: Callable[[str], object]) -> str:
    """The head of the one request that a server gets when its API at a path is asked."""

    async def served() -> str:
        async with serve(ROUTES) as here:
            await anyio.to_thread.run_sync(ask, here.url(path))
            return here.heads[0].lower()

    return anyio.run(served)


def health(url: str) -> httpx.Response:
    return ask_api(url, "health", 10)


def test_the_password_is_shown_wherever_prefect_reads_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """In the environment, in `.env`, in prefect.toml, in the active profile: the first of them."""
    assert "authorization" not in seen("/api", health)
    (tmp_path / "profiles.toml").write_text('active = "us"\n[profiles.us]\nPREFECT_API_AUTH_STRING = "admin:secret"\n')
    monkeypatch.setenv("PREFECT_PROFILES_PATH", str(tmp_path / "profiles.toml"))
    assert BASIC in seen("/api", health)
    (tmp_path / "prefect.toml").write_text('[api]\nauth_string = "other:one"\n')
    assert BASIC not in seen("/api", health)
    (tmp_path / ".env").write_text("PREFECT_API_AUTH_STRING=admin:secret\n")
    assert BASIC in seen("/api", health)
    monkeypatch.setenv("PREFECT_API_AUTH_STRING", "other:one")
    assert BASIC not in seen("/api", health)


def test_a_key_is_a_bearer_and_a_password_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """As Prefect's own client has it."""
    monkeypatch.setenv("PREFECT_API_KEY", "pnu_123")
    assert "authorization: bearer pnu_123" in seen("/api", health)
    monkeypatch.setenv("PREFECT_API_AUTH_STRING", "admin:secret")
    assert BASIC in seen("/api", health)


def test_a_gateway_s_header_is_shown_too_and_wins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As Prefect's own client has it: from the environment as JSON, from prefect.toml as a table."""
    monkeypatch.setenv("PREFECT_API_AUTH_STRING", "admin:secret")
    (tmp_path / "prefect.toml").write_text('[client.custom_headers]\nX-Gateway = "open"\n')
    head = seen("/api", health)
    assert "x-gateway: open" in head and BASIC in head
    monkeypatch.setenv("PREFECT_CLIENT_CUSTOM_HEADERS", '{"Authorization": "Bearer of-the-gateway"}')
    head = seen("/api", health)
    assert "authorization: bearer of-the-gateway" in head and BASIC not in head and "x-gateway" not in head


def test_headers_that_can_not_be_read_refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_CLIENT_CUSTOM_HEADERS", "X-Gateway: s3cr3t")
    with pytest.raises(Misconfigured, match="PREFECT_CLIENT_CUSTOM_HEADERS") as told:
        health("http://127.0.0.1:1/api")
    assert "s3cr3t" not in str(told.value)


def test_the_path_that_a_proxy_gives_the_api_is_kept() -> None:
    assert seen("/team/prefect/api/", health).startswith("get /team/prefect/api/health ")


@pytest.mark.parametrize(
    ("name", "value", "accepted"),
    [
        pytest.param("PREFECT_API_SSL_CERT_FILE", "authority", True, id="its authority"),
        pytest.param("SSL_CERT_FILE", "authority", True, id="everybody's"),
        pytest.param("PREFECT_API_TLS_INSECURE_SKIP_VERIFY", "true", True, id="not looked at"),
        pytest.param("PREFECT_API_TLS_INSECURE_SKIP_VERIFY", "false", False, id="looked at"),
    ],
)
def test_an_authority_of_one_s_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, value: str, accepted: bool
) -> None:
    """Accepted where it is named; where it isn't, that is what is said."""
    authority = Authority.made(tmp_path)
    monkeypatch.setenv(name, str(authority.file) if value == "authority" else value)

    async def asked() -> int | str:
        async with serve(ROUTES, authority.server(tmp_path, "localhost")) as here:
            url = here.url("/api", "localhost")
            try:
                return (await anyio.to_thread.run_sync(health, url)).status_code
            except httpx.HTTPError as error:
                return api_trouble(url, error)

    found = anyio.run(asked)
    if accepted:
        assert found == 200
    else:
        assert "certificate is not accepted (self" in str(found) and "PREFECT_API_SSL_CERT_FILE" in str(found)


def answered(status: int) -> httpx.HTTPStatusError:
    request = httpx.Request("GET", "http://prefect.internal/api")
    return httpx.HTTPStatusError("no", request=request, response=httpx.Response(status, request=request))


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (answered(401), "PREFECT_API_AUTH_STRING=user:password, or PREFECT_API_KEY"),
        (answered(403), "does not let us in (403)"),
        (answered(407), "the proxy"),
        (answered(404), "ends in /api"),
        (answered(405), "ends in /api"),
        (json.JSONDecodeError("a page", "<html>", 0), "ends in /api"),
        (answered(503), "can't answer now (503)"),
        (httpx.ConnectError("refused"), "does not answer (ConnectError)"),
    ],
)
def test_what_ails_it_is_named_and_nobody_is_sent_to_another_ledger(
    monkeypatch: pytest.MonkeyPatch, error: Exception, says: str
) -> None:
    """Without PREFECT_API_URL a command would read another ledger: that is never the advice."""

    async def blocks() -> dict[str, str]:
        raise error

    monkeypatch.setattr("dailies.prefect_api.blocks.read_blocks", blocks)

    async def served(check: Callable[[Loopback], Awaitable[None]]) -> None:
        async with serve(ROUTES) as here:
            await check(here)

    async def refused(here: Loopback) -> None:
        monkeypatch.setenv("PREFECT_API_URL", here.url("/api"))
        with pytest.raises(Misconfigured) as told:
            await anyio.to_thread.run_sync(settings_here)
        assert says in str(told.value) and "Nothing was bought" in str(told.value)
        assert "unset" not in str(told.value)

    anyio.run(partial(served, refused))


def test_a_probe_shows_the_same_password(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`doctor --ready` asks where the ledger is, without loading Prefect."""
    (tmp_path / ".env").write_text("PREFECT_API_AUTH_STRING=admin:secret\n")

    def probe(url: str) -> None:
        monkeypatch.setenv("PREFECT_API_URL", url)
        assert _kept_by_prefect() is None

    assert BASIC in seen("/api", probe)


def test_the_block_that_tells_people_is_asked_for_by_its_name() -> None:
    """Of two hundred blocks and more a page holds not all."""
    blocks = {f"block-{number}": str(UUID(int=number)) for number in range(300)} | {NOTIFY_BLOCK: str(UUID(int=999))}

    class Client:
        async def request(self, method: str, path: str, json: dict[str, Any]) -> httpx.Response:
            assert (method, path) == ("POST", "/block_documents/filter")
            wanted = json["block_documents"].get("name", {}).get("any_", blocks)
            return httpx.Response(200, json=[{"id": blocks[name]} for name in blocks if name in wanted][:200])

    client: Any = Client()
    assert anyio.run(notify_block, client) == UUID(int=999)


@pytest.mark.parametrize(("remembers", "grade"), [("PT1M", "warning"), ("P1D", "ok"), (None, "ok")])
def test_a_server_that_forgets_whose_heartbeat_it_awaits_is_said(remembers: str | None, grade: str) -> None:
    told = {"server": {"events": {"expired_bucket_buffer": remembers}}}
    found, says = judge_settings(told, "http://prefect/api")
    assert found == grade and ("PREFECT_SERVER_EVENTS_EXPIRED_BUCKET_BUFFER=P1D" in says) == (grade == "warning")
