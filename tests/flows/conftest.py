"""The fixtures of `tests.e2e.fixtures`, here, and a ledger for a whole production."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.databases import database_on
from tests.e2e.fixtures import engine, make_world, services, world

__all__ = ["engine", "make_world", "services", "world"]


@pytest.fixture(scope="module")
def ledger_database(postgres_server: str) -> Iterator[str]:
    """A database on the wheel's Postgres, for where no other is installed."""
    with database_on(postgres_server) as url:
        yield url
