"""docs/operations.md as a team lives through it: an upgrade, a dead machine, a dead dispatch, a server restart, in one batch.

Not part of the usual suite: `make rehearsal`; DAILIES_REHEARSAL_ROWS (default 60) says how large. In a fresh HOME, with Postgres for
Prefect and for the ledger, Redis where one is installed, three workers with homes of their own. The ledger is begun by the first
version; the oracle is the provider's own list of charges.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from tests.e2e.harness import LATER_SETTINGS
from tests.flows.factory import Process, base_environ, descendants, free_port, process, wait_for
from tests.flows.production import Production, in_production
from tests.flows.test_operations_page import exports
from tests.flows.test_production import (
    _at_work,
    _settle_what_was_never_sent,
    at_a_desk,
    charges_of,
    clips_of,
)
from tests.ledger.earlier import code_of_the_first_version

ROWS = int(os.environ.get("DAILIES_REHEARSAL_ROWS", "60"))
BATCH = "rehearsal"
PATIENCE_S = 300 + 6 * ROWS
WITHOUT = ("PREFECT_SERVER_API_AUTH_STRING", "PREFECT_SERVER_UI_API_URL")
"""Of the page's exports: what every client would need as well, and where browsers look."""

pytestmark = [pytest.mark.soak, pytest.mark.timeout(0)]


@contextmanager
def redis(folder: Path) -> Iterator[dict[str, str]]:
    """A Redis of its own. Yields the settings by which compose's servers share their events; nothing where none is installed."""
    program = shutil.which("redis-server")
    if program is None:
        yield {}
        return
    port = free_port()
    folder.mkdir()
    command = [program, "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--dir", str(folder)]
    with process(command, base_environ(folder), folder, folder / "redis.log"):
        yield {
            "PREFECT_MESSAGING_BROKER": "prefect_redis.messaging",
            "PREFECT_MESSAGING_CACHE": "prefect_redis.messaging",
            "PREFECT_SERVER_EVENTS_CAUSAL_ORDERING": "prefect_redis.ordering",
            "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect_redis.lease_storage",
            "PREFECT_REDIS_MESSAGING_HOST": "127.0.0.1",
            "PREFECT_REDIS_MESSAGING_PORT": str(port),
            "PREFECT_SERVER_DOCKET_URL": f"redis://127.0.0.1:{port}/1",
        }


@pytest.fixture
def production(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ledger_database: str
) -> Iterator[tuple[Production, bool]]:
    """Steps 2 to 5 of the page, and whether Redis carries the events."""
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    (tmp_path / "user").mkdir()
    page = {name: value for name, value in exports().items() if name not in WITHOUT}
    with ExitStack() as stack:
        events = stack.enter_context(redis(tmp_path / "redis"))
        running = stack.enter_context(in_production(tmp_path, ledger_database, server_settings={**page, **events}))
        yield running, bool(events)


def begun_by_the_first_version(production: Production, prompts: Path) -> int:
    """It makes a part of the batch and is told to end in the middle. Returns how many clips it was charged for."""
    world, code = production.world, code_of_the_first_version()
    known = {name: value for name, value in world.environ.items() if name not in LATER_SETTINGS}
    environ = {
        **known, **base_environ(production.folder / "first-prefect"), "PREFECT_API_URL": production.api.url,
        "PYTHONPATH": str(code), "PYTHONDONTWRITEBYTECODE": "1", "DAILIES_HOME": str(production.folder / "first-home"),
    }  # fmt: skip
    command = [sys.executable, "-m", "dailies", "run", str(prompts), "--json", "--in-flight", "6"]
    with process(command, environ, production.folder, production.folder / "first.log") as first:

        def some_are_bought() -> bool:
            assert first.popen.poll() is None, first.text()[-3000:]
            return len(world.charges()) >= max(ROWS // 6, 2)

        wait_for(some_are_bought, PATIENCE_S, first.text)
        first.popen.send_signal(signal.SIGTERM)
        first.popen.wait(180)
    return len(world.charges())


def process_of(run: UUID, workers: Mapping[str, Process]) -> int | None:
    """The process in which a worker executes a run."""
    wanted = f"PREFECT__FLOW_RUN_ID={run}".encode()
    for worker in workers.values():
        for pid in descendants(worker.popen.pid):
            try:
                if wanted in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
                    return pid
            except OSError:
                continue
    return None


def wait_for_clips(production: Production, share: float) -> None:
    """Return when so much of the batch is in S3."""
    wait_for(lambda: len(clips_of(production, BATCH)) >= share * ROWS, PATIENCE_S, production.logs, every_s=1)


def one_worker_the_dispatch_and_the_server(production: Production, run: UUID) -> None:
    """A machine dies with all it runs; the dispatch's own process is killed; the server is restarted: one after the other."""
    two = production.workers["two"]
    wait_for(lambda: _at_work(production, two.popen.pid), PATIENCE_S, production.logs)
    two.kill()
    wait_for_clips(production, 0.4)
    if pid := process_of(run, {name: worker for name, worker in production.workers.items() if name != "two"}):
        os.kill(pid, signal.SIGKILL)  # else it died with the machine
    wait_for_clips(production, 0.5)
    production.restart_server()


def until_all_is_home(production: Production, wanted: dict[str, Any]) -> int:
    """Dispatch until every clip is in S3; what was cut off before it was sent is settled by a person. Returns how often."""
    for times in range(1, 6):
        production.generate("generate-large/generate-large", PATIENCE_S, **wanted)
        if len(clips_of(production, BATCH)) == ROWS:
            return times
        production.generate("collect-clips/collect", PATIENCE_S)
        _settle_what_was_never_sent(production, BATCH)
    raise AssertionError(f"{len(clips_of(production, BATCH))} of {ROWS}\n{production.logs()}")


def test_a_batch_goes_on_through_all_of_it_and_every_clip_is_charged_once(
    production: tuple[Production, bool],
) -> None:
    team, by_redis = production
    begun = time.monotonic()
    prompts = team.world.csv(ROWS, name=f"{BATCH}.csv")
    before = begun_by_the_first_version(team, prompts)
    assert 0 < before < ROWS, "it was the middle of the batch"
    upgraded = json.loads(_at_desk(team, "ledger", "upgrade", "--json").stdout)
    assert upgraded["before"] == 1 < upgraded["schema"]

    for name in ("one", "two", "three"):
        team.worker(name, limit=2)
    wanted = {
        "prompts": str(prompts), "batch": BATCH, "shard_rows": max(ROWS // 12, 5), "shards_at_once": 4, "in_flight": 40,
    }  # fmt: skip
    run = team.api.start("generate-large/generate-large", wanted)
    one_worker_the_dispatch_and_the_server(team, run.id)
    dispatches = 1 + until_all_is_home(team, wanted)

    assert charges_of(team, BATCH) == Counter({f"clip-{number}": 1 for number in range(1, ROWS + 1)})
    assert len(team.world.charges()) == len(clips_of(team, BATCH)) == ROWS
    reports = [key for key in team.world.object_keys() if key.endswith("credits.csv")]
    assert reports == [f"clips/{BATCH}/credits.csv"]
    report = json.loads(_at_desk(team, "report", "--batch", BATCH, "--json").stdout)
    assert {clip["state"] for clip in report["clips"]} == {"stored"} and len(report["clips"]) == ROWS
    assert json.loads(_at_desk(team, "ledger", "check", "--json").stdout) == []
    took = time.monotonic() - begun
    print(
        f"\n{ROWS} rows, {before} of them charged by the first version; redis: {by_redis}; schema 1 to {upgraded['schema']}; a worker "
        f"and the dispatch killed, the server restarted; {dispatches} dispatches; {len(team.world.charges())} charges, "
        f"{len(clips_of(team, BATCH))} clips, {len(reports)} report; {took:.0f} s"
    )


def _at_desk(team: Production, *arguments: str) -> subprocess.CompletedProcess[str]:
    done = at_a_desk(team, *arguments)
    assert done.returncode == 0, (arguments, done.stdout[-2000:], done.stderr[-2000:])
    return done
