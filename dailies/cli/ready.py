"""`dailies doctor --ready`: whether work could begin here, for a probe that asks every few seconds.

It answers within a second, changes nothing anywhere, and asks no provider and no store. So the ledger is read with its own
driver: SQLAlchemy alone takes half a second to load.
"""

from __future__ import annotations

import json as jsonlib
import os
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from threading import Thread
from urllib.parse import quote, unquote

from dailies.errors import Misconfigured
from dailies.prefect_api.address import configured_api_url
from dailies.settings import SECRET_BLOCKS, load_settings, without_password

PATIENCE_S = 0.5
"""How long one question may take: half of what the whole answer may."""
META = "SELECT name, value FROM meta"


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether a run could begin now. `ledger` is its address without a password, `detail` what was found there."""

    ready: bool
    ledger: str | None
    detail: str


def run_ready(json: bool) -> int:
    """Print whether work could begin here. Exit code 0 when it could, else 1."""
    found = readiness()
    if json:
        print(jsonlib.dumps({"ready": found.ready, "ledger": found.ledger, "detail": found.detail}, ensure_ascii=False))
    else:
        print(f"{'ready' if found.ready else 'not ready'}: {found.detail}")
    return 0 if found.ready else 1


def readiness() -> Readiness:
    """Ask the ledger, and where only a Prefect API knows its address, that API. Never raises, never writes."""
    try:
        settings = load_settings()
        url = settings.dailies_ledger_url or _kept_by_prefect() or settings.ledger_url
    except Misconfigured as error:
        return Readiness(False, None, str(error))
    where = without_password(url)
    asked = Thread(target=lambda: found.append(_ask(url)), daemon=True)  # left behind by a host that is silent
    found: list[Readiness] = []
    asked.start()
    asked.join(PATIENCE_S)
    return found[0] if found else Readiness(False, where, f"the ledger at {where} does not answer")


def _ask(url: str) -> Readiness:
    where = without_password(url)
    try:
        return Readiness(True, where, _sqlite(url) if url.startswith("sqlite") else _postgres(url))
    except Misconfigured as error:
        return Readiness(False, where, str(error))


def _sqlite(url: str) -> str:
    path = Path(unquote(url.partition(":///")[2]))
    if not path.exists():
        return _could_be_made(path)
    if not os.access(path, os.R_OK | os.W_OK) or not os.access(path.parent, os.W_OK):
        raise Misconfigured(f"the ledger {path} can't be written", trouble="ledger")
    # without a `-wal` beside it nobody has it open; then SQLite is told to make none, and no `-shm`
    beside = path.with_name(f"{path.name}-wal").exists()
    address = f"file:{quote(str(path))}?mode=ro{'' if beside else '&immutable=1'}"
    try:
        with closing(sqlite3.connect(address, uri=True, timeout=PATIENCE_S)) as connection:
            if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'meta'").fetchone():
                return f"{path} holds no ledger yet, and one could be made"
            return _of_this_version(str(path), dict(connection.execute(META)))
    except sqlite3.Error as error:
        raise Misconfigured(f"the ledger {path} can't be read: {error}", trouble="ledger") from None


def _could_be_made(path: Path) -> str:
    folder = path.parent
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        raise Misconfigured(f"there is no ledger {path}, and {folder} can't be written", trouble="ledger")
    return f"there is no ledger {path} yet, and one could be made"


def _postgres(url: str) -> str:
    import psycopg

    scheme, _, rest = url.partition("://")
    if scheme.partition("+")[0] not in ("postgres", "postgresql"):
        raise Misconfigured(
            "DAILIES_LEDGER_URL is not a database URL, such as postgresql+psycopg://host/db", trouble="ledger"
        )
    user, at, place = rest.rpartition("@")
    name, colon, password = user.partition(":")
    address = f"postgresql://{name}{colon}{quote(password, safe='%')}{at}{place}"
    where = without_password(url)
    try:
        with psycopg.connect(address, connect_timeout=1, prepare_threshold=None) as connection:
            connection.read_only = True
            connection.execute("SET LOCAL statement_timeout = '500ms'")
            there = connection.execute("SELECT to_regclass('meta')").fetchone()
            if not there or there[0] is None:
                return f"{where} holds no ledger yet, and one could be made"
            return _of_this_version(where, dict(connection.execute(META).fetchall()))
    except psycopg.Error as error:
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise Misconfigured(f"the ledger at {where} can't be reached: {reason}", trouble="ledger") from None


def _of_this_version(where: str, meta: dict[str, str]) -> str:
    """Raises Misconfigured for a ledger that this version would refuse to open."""
    if "sealed" in meta:
        raise Misconfigured(
            f"the ledger {where} was copied to {meta['sealed']} and is sealed", trouble="ledger-elsewhere"
        )
    if "incoming" in meta:
        raise Misconfigured(f"the ledger {where} is a copy that was not finished", trouble="ledger-elsewhere")
    schema, known = int(meta.get("schema", "0")), newest_schema()
    if schema > known and int(meta.get("oldest_that_may_open", schema)) > known:
        raise Misconfigured(
            f"the ledger {where} has schema {schema}, and this version knows schema {known}", trouble="ledger-newer"
        )
    older = f", which the next run brings up to {known}" if schema < known else ""
    return f"the ledger {where} answers (schema {schema}{older})"


def newest_schema() -> int:
    """The schema that this version of dailies writes, read off its migrations without loading them."""
    versions = files("dailies") / "ledger" / "migrations" / "versions"
    return max(int(file.name[1:5]) for file in versions.iterdir() if file.name.startswith("v0"))


def _kept_by_prefect() -> str | None:
    """The ledger's address as a configured Prefect API keeps it; None where there is no such API, or it keeps none."""
    api_url = configured_api_url()
    if not api_url:
        return None
    import httpx

    from dailies.prefect_api.access import ask_api

    block = f"block_types/slug/secret/block_documents/name/{SECRET_BLOCKS['DAILIES_LEDGER_URL']}"
    try:
        answer = ask_api(api_url, block, PATIENCE_S, {"include_secrets": "true"})
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        return str(answer.raise_for_status().json()["data"]["value"])
    except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
        raise Misconfigured(
            f"the Prefect API at {api_url} does not tell the ledger's address ({error})", trouble="prefect"
        ) from None
