"""Databases on a Postgres that the tests have started."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

import sqlalchemy as sa
from sqlalchemy.engine import URL, make_url

NUMBERS = count(1)


@contextmanager
def administration(server: URL | str) -> Iterator[sa.Connection]:
    """A connection that makes and drops databases and roles."""
    engine = sa.create_engine(server, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with engine.connect() as connection:
        yield connection


@contextmanager
def database_on(server: URL | str) -> Iterator[str]:
    """The URL of an empty database that nobody else has, dropped at the end whoever is still connected to it.

    Its name is new: another file's fixture may ask the same server, in the same process.
    """
    name = f"ledger_{next(NUMBERS)}"
    with administration(server) as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    try:
        yield make_url(server).set(database=name).render_as_string(hide_password=False)
    finally:
        with administration(server) as connection:
            connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
