"""Fixtures of the end-to-end and the crash tests. The services start once per session, when first asked for."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import timedelta
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

import certifi
import pytest
from moto.server import ThreadedMotoServer
from prefect.settings import (
    PREFECT_API_SSL_CERT_FILE,
    PREFECT_API_URL,
    PREFECT_CLIENT_RETRY_EXTRA_CODES,
    temporary_settings,
)

import tasks
from dailies.prefect_api.server import local_server
from dailies.sandbox import Sandbox, SandboxConfig
from tests.e2e.forks import Forks
from tests.e2e.harness import AIML_KEY, JOB_KEYS, ONEROUTER_KEY, Prefect, Services, World, s3_client, secrets_in
from tests.e2e.s3_proxy import FaultyStore

NUMBERS = count(1)
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "alone")
STARTED = pytest.StashKey[Services]()
MakeWorld = Callable[..., World]


@pytest.fixture(scope="session")
def services(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Services:
    """An S3 server, a Prefect server and a fork server; shared by all folders that import this fixture. The Prefect server
    is shared by all workers as well: no test may leave, or change for a while, what another one's runs would read there."""
    stash = request.config.stash
    if STARTED not in stash:
        stack = ExitStack()
        base = tmp_path_factory.getbasetemp()
        stash[STARTED] = stack.enter_context(_serving(base if WORKER == "alone" else base.parent))
        request.config.add_cleanup(stack.close)
    return stash[STARTED]


@contextmanager
def _serving(shared: Path) -> Iterator[Services]:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    with ExitStack() as stack:  # most tests need neither a Prefect server nor children
        authority = str(_one_authority(Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dailies-e2e-")))))
        authorities = {"SSL_CERT_FILE": authority, "PREFECT_API_SSL_CERT_FILE": authority}
        server = cache(lambda: stack.enter_context(_prefect(shared, authority)))
        forks = cache(lambda: stack.enter_context(Forks()))
        store = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        store.start()
        stack.callback(store.stop)
        host, port = store.get_host_and_port()
        yield Services(f"http://{host}:{port}", server, forks, authorities)


@contextmanager
def _prefect(home: Path, authority: str) -> Iterator[Prefect]:
    """Whoever comes first starts it; it ends after its last user."""
    with local_server(home, startup_timeout_s=300) as server:
        here = {
            PREFECT_API_URL: server.api_url,
            PREFECT_API_SSL_CERT_FILE: authority,
            PREFECT_CLIENT_RETRY_EXTRA_CODES: {500},  # what a server answers whose database is busy
        }
        with temporary_settings(here):  # for runs in this process
            yield Prefect(server.environment({}), server.folder)
        _no_secret_in(server.folder)


def _one_authority(folder: Path) -> Path:
    """A file with one certificate."""
    end = "-----END CERTIFICATE-----\n"
    file = folder / "authority.pem"
    file.write_text(Path(certifi.where()).read_text(encoding="utf-8").split(end)[0] + end)
    return file


def _no_secret_in(folder: Path) -> None:
    """Everything that any test made Prefect store: no key, and no signed URL."""
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError, IsADirectoryError):  # where other workers use it, its journals come and go
            assert not (found := secrets_in(path.read_bytes())), f"(f) {found} in {path}"


@pytest.fixture
def engine(request: pytest.FixtureRequest) -> bool:
    """Whether runs of this test are Prefect's, as they are where it is marked so, and in `make production`."""
    return any(request.node.get_closest_marker(name) for name in ("engine", "production", "soak"))


@pytest.fixture
def make_world(services: Services, engine: bool, tmp_path: Path) -> Iterator[MakeWorld]:
    """Worlds of the test's own: `make_world(ledger_url=…, time_scale=…)`."""
    with ExitStack() as stack:

        def make(ledger_url: str | None = None, **config: Any) -> World:
            number = next(NUMBERS)
            folder = tmp_path / f"world-{number}"
            folder.mkdir()
            options: dict[str, Any] = {
                "time_scale": 0.0,
                "render": "quick",
                "api_keys": frozenset({AIML_KEY, ONEROUTER_KEY, *JOB_KEYS.values()}),
            } | config
            sandbox = stack.enter_context(Sandbox(SandboxConfig(**options)))
            proxy = stack.enter_context(FaultyStore(services.s3_url))
            bucket = f"bucket-{WORKER}-{number}"  # the names that tests of all workers leave in one Prefect server
            s3_client(services.s3_url).create_bucket(Bucket=bucket)
            url = ledger_url or f"sqlite:///{folder / 'home' / 'ledger.db'}"
            return World(folder, services, sandbox, proxy, bucket, url, engine)

        yield make


@pytest.fixture
def world(make_world: MakeWorld) -> World:
    """A world whose ledger is SQLite."""
    return make_world()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.production)])
def each_world(request: pytest.FixtureRequest, make_world: MakeWorld) -> World:
    """A world on each kind of ledger. What the two databases do differently the ledger's own tests show within the quick
    suite; that a whole run does the same on both is shown by `make production`."""
    return make_world(request.getfixturevalue("postgres_url") if request.param == "postgres" else None)


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short pauses between tries, for runs in this process that shall use all their tries up."""
    monkeypatch.setattr("dailies.steps.deliver.PAUSES_S", (0.01,) * 5)
    monkeypatch.setattr("dailies.steps.fetch.PAUSES_S", (0.01,) * 5)
    monkeypatch.setattr("dailies.steps.fetch.PATIENCE", timedelta(0))
    monkeypatch.setattr("dailies.net.reaching.PAUSES_S", (0.01, 0.01))
    monkeypatch.setattr("dailies.steps.create.SEND_PAUSES_S", (0.01, 0.01, 0.01))
    monkeypatch.setattr("dailies.ledger.record.RETRY_S", (0.01, 0.02, 0.03))


@pytest.fixture
def short_visits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Visits to a result follow one another at once, for runs in this process; the run's patience is the real one."""
    monkeypatch.setattr("dailies.steps.fetch.PAUSES_S", (0.01,) * 5)
    monkeypatch.setattr(tasks.deliver.task, "retry_delay_seconds", [0.1])
