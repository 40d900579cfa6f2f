"""A real Prometheus asks a real `dailies hooks`, with the rules that are shipped: it takes every rule and every query of the dashboard."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from dailies.domain.brake import DOUBTS_IN_A_ROW
from dailies.domain.states import State
from dailies.ledger import Ledger, Owner, open_engine
from tests.e2e.forks import ROOT
from tests.flows.factory import free_port, process, wait_for
from tests.flows.pictures import KEEP, picture_of_alerts
from tests.ledger.factories import bring_to, plan

MONITORING = ROOT / "deployments" / "monitoring"
PATIENCE_S = 120


def in_trouble(ledger_url: str) -> None:
    """Two hours ago: a clip came home, one is under way, and so many answers in a row were lost that nothing more is bought."""
    ledger = Ledger(open_engine(ledger_url), Owner.this_process(), clock=lambda: datetime.now(UTC) - timedelta(hours=2))
    keys = plan(ledger, 2 + DOUBTS_IN_A_ROW)
    bring_to(ledger, State.STORED, keys[0])
    bring_to(ledger, State.SUBMITTED, keys[1])
    for key in keys[2:]:
        bring_to(ledger, State.IN_DOUBT, key)
    ledger.close()


@contextmanager
def hooks(folder: Path, ledger_url: str) -> Iterator[str]:
    """`dailies hooks` on a ledger. Yields its address."""
    environ = {name: os.environ[name] for name in ("PATH", "TMPDIR") if name in os.environ}
    environ |= {"HOME": str(folder), "DAILIES_HOME": str(folder / "home"), "DAILIES_LEDGER_URL": ledger_url}
    command = [sys.executable, "-m", "dailies", "hooks", "--port", "0"]
    with process(command, environ, folder, folder / "hooks.log") as running:
        yield wait_for(
            lambda: next((line for line in running.text().splitlines() if line.startswith("http://")), ""),
            PATIENCE_S,
            running.text,
        )


@contextmanager
def prometheus(folder: Path, target: str) -> Iterator[str]:
    """One that asks the target each second. Yields its address."""
    program = shutil.which("prometheus")
    if program is None:
        pytest.skip("prometheus is not installed")
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": ["alerts.yaml"],
        "scrape_configs": [
            {"job_name": "dailies", "static_configs": [{"targets": [target.removeprefix("http://")]}]},
        ],
    }
    shutil.copy(MONITORING / "alerts.yaml", folder)
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    here = f"127.0.0.1:{free_port()}"
    command = [program, "--config.file=prometheus.yml", "--storage.tsdb.path=tsdb"]
    command.append(f"--web.listen-address={here}")
    assets = Path(program).parents[1] / "share" / "prometheus" / "web"
    if assets.is_dir():  # Debian's has its pages beside it
        command.append(f"--web.local-assets={assets}")
    with process(command, {"PATH": os.environ["PATH"]}, folder, folder / "prometheus.log") as running:
        asked = f"http://{here}"
        wait_for(lambda: _query(asked, 'up{job="dailies"} == 1'), PATIENCE_S, running.text)
        yield asked


def _query(prometheus_url: str, expression: str, *, over_time: bool = False) -> list[Any]:
    """The series that an expression has now, or over the last minutes. Raises where Prometheus can't answer it."""
    now = time.time()
    span = {"start": now - 300, "end": now, "step": 5} if over_time else {}
    try:
        answer = httpx.get(
            f"{prometheus_url}/api/v1/query{'_range' if over_time else ''}",
            params={"query": expression, **span}, timeout=30, trust_env=False,
        )  # fmt: skip
    except httpx.TransportError:
        return []  # it is not there yet
    if answer.status_code == 503:
        return []
    told = answer.json()
    assert told["status"] == "success", told
    series: list[Any] = told["data"]["result"]
    return series


def _alerts(prometheus_url: str) -> dict[str, dict[str, Any]]:
    groups = httpx.get(f"{prometheus_url}/api/v1/rules", timeout=30, trust_env=False).json()["data"]["groups"]
    return {rule["name"]: rule for group in groups for rule in group["rules"]}


def test_it_answers_every_query_and_holds_every_alert(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    in_trouble(url)
    dashboard = json.loads((MONITORING / "grafana.json").read_text())
    queries = {target["expr"] for panel in dashboard["panels"] for target in panel["targets"]}
    with hooks(tmp_path, url) as target, prometheus(tmp_path, target) as asked:
        wait_for(lambda: _query(asked, "rate(dailies_polls_total[5m])"), PATIENCE_S)  # two looks make a rate
        assert {query for query in queries if not _query(asked, query, over_time=True)} == set()
        assert {query for query in queries if not _query(asked, query)} == set()
        wait_for(lambda: all(rule["health"] == "ok" for rule in _alerts(asked).values()), PATIENCE_S)
        told = {name: rule["state"] for name, rule in _alerts(asked).items() if rule["state"] != "inactive"}
        assert told.keys() == {"DailiesMoneyAtRisk", "DailiesNotHome", "DailiesProviderHalted"}
        if os.environ.get(KEEP):
            wait_for(lambda: _alerts(asked)["DailiesProviderHalted"]["state"] == "firing", PATIENCE_S)
            picture_of_alerts(asked)
