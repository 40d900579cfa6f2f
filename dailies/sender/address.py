"""The ledger's address as any process on this machine may use it."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy.engine import URL


def absolute_url(url: URL) -> str:
    """The address with its password, and without a working directory in it."""
    if url.get_backend_name() == "sqlite" and url.database and url.database != ":memory:":
        url = url.set(database=str(Path(url.database).absolute()))
    return url.render_as_string(hide_password=False)
