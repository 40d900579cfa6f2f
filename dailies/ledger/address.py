"""The ledger's address as people write it: forgiving when it is read, silent about passwords when it is shown."""

from __future__ import annotations

import re
from urllib.parse import quote

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from dailies.errors import Misconfigured
from dailies.settings import without_password

DRIVER = "postgresql+psycopg"
USERINFO = re.compile(r"(?P<scheme>[\w+.-]+)://(?P<user>[^:/@]*):(?P<password>.*)@(?P<rest>[^@]*)")


def parse_address(text: str) -> URL:
    """A URL of SQLAlchemy's. `postgres://` and a password with a bare `@` are understood. Raises Misconfigured, and repeats
    nothing of what can't be read."""
    parsed = _parse(text)
    if parsed is None or "@" in f"{parsed.host}{parsed.database}":
        found = USERINFO.fullmatch(text)
        if found and not found["scheme"].startswith("sqlite"):
            password = quote(found["password"], safe="%")
            parsed = _parse(f"{found['scheme']}://{found['user']}:{password}@{found['rest']}")
    if parsed is None:
        raise Misconfigured(
            "DAILIES_LEDGER_URL is not a database URL, such as postgresql+psycopg://host/db", trouble="ledger"
        )
    scheme = parsed.drivername.split("+")[0]
    if scheme in ("postgres", "postgresql"):
        return parsed.set(drivername=DRIVER)
    if scheme == "sqlite":
        return parsed
    raise Misconfigured(f"the ledger needs SQLite or Postgres, not {scheme}", trouble="ledger")


def shown(url: URL) -> str:
    """An address without its password, wherever it stands in it."""
    return without_password(url.render_as_string(hide_password=False))


def _parse(text: str) -> URL | None:
    try:
        return make_url(text)
    except (ArgumentError, ValueError):
        return None
