"""Units, manifests, dashboard and alerts: what is shipped for others to run is checked by their own tools where these are here."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from dailies.cli.app import app
from dailies.report.prometheus import kinds
from tests.e2e.forks import ROOT

HERE = ROOT / "deployments"
UNITS = sorted(HERE.glob("*.service"))
MANIFESTS = sorted(path for path in (HERE / "kubernetes").glob("*.yaml") if path.name != "kustomization.yaml")
ALERTS = HERE / "monitoring" / "alerts.yaml"
DASHBOARD: dict[str, Any] = json.loads((HERE / "monitoring" / "grafana.json").read_text())
EXPOSURE = 30
"""The most that `systemd-analyze security` may find, of a hundred: what it calls OK."""


def run(*command: str) -> None:
    """A checker, which must be content."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def needs(program: str) -> str:
    """A program that is not from a Python package; without it the test is left out."""
    found = shutil.which(program)
    if not found:
        pytest.skip(f"{program} is not installed")
    return found


def exposed() -> set[str]:
    """The names that Prometheus sees."""
    return {f"{name}_total" if grows else name for name, grows in kinds().items()}


def asked(expression: str) -> set[str]:
    """The metrics that an expression reads."""
    return set(re.findall(r"\bdailies_\w+", expression))


def expressions() -> Iterator[str]:
    """Every expression of the alerts and of the dashboard."""
    for group in yaml.safe_load(ALERTS.read_text())["groups"]:
        yield from (rule["expr"] for rule in group["rules"])
    yield from (target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"])


@pytest.mark.parametrize("expression", sorted(set(expressions())))
def test_alerts_and_dashboard_read_only_metrics_that_there_are(expression: str) -> None:
    assert asked(expression) and asked(expression) <= exposed()


def test_the_dashboard_shows_every_metric() -> None:
    shown = {name for panel in DASHBOARD["panels"] for target in panel["targets"] for name in asked(target["expr"])}
    assert shown == exposed()
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))
    assert {panel["datasource"]["uid"] for panel in DASHBOARD["panels"]} == {"${datasource}"}


def test_the_alerts_pass_prometheus_own_checker_and_fire_on_what_they_are_for() -> None:
    promtool = needs("promtool")
    run(promtool, "check", "rules", str(ALERTS))
    run(promtool, "test", "rules", str(ALERTS.with_name("alerts_test.yaml")))


def test_every_alert_is_fired_in_the_test_of_the_rules() -> None:
    tests = yaml.safe_load(ALERTS.with_name("alerts_test.yaml").read_text())["tests"]
    fired = {one["alertname"] for test in tests for one in test["alert_rule_test"] if one["exp_alerts"]}
    rules = [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]
    assert fired == {rule["alert"] for rule in rules}


@pytest.mark.parametrize("path", MANIFESTS, ids=[path.name for path in MANIFESTS])
def test_a_manifest_is_one_that_kubernetes_takes(path: Path) -> None:
    run(sys.executable, "-c", "import kubernetes_validate.__main__ as m; m.main()", "--strict", str(path))


def pods() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every pod of the manifests."""
    for path in MANIFESTS:
        for text in yaml.safe_load_all(path.read_text()):
            if text["kind"] in ("Deployment", "Job"):
                yield f"{path.name}/{text['metadata']['name']}", text["spec"]["template"]["spec"]


@pytest.mark.parametrize(("name", "pod"), [*pods()], ids=[name for name, _ in pods()])
def test_a_pod_runs_as_nobody_keeps_its_entrypoint_and_is_told_of_no_services(name: str, pod: dict[str, Any]) -> None:
    assert pod["securityContext"]["runAsNonRoot"] and pod["securityContext"]["runAsUser"] == 10001
    assert pod["enableServiceLinks"] is False and pod["automountServiceAccountToken"] is False
    (container,) = pod["containers"]
    assert "command" not in container, "the image's entrypoint is the init that waits for the sender"
    assert container["securityContext"]["readOnlyRootFilesystem"] and container["image"] == "dailies"
    assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in pod["volumes"]}
    if container["args"][0] == "dailies":
        app.parse_args(container["args"][1:], exit_on_error=False, print_error=False)


def test_a_worker_s_pod_has_the_time_that_a_paid_request_takes() -> None:
    worker = dict(pods())["worker.yaml/worker"]
    assert worker["terminationGracePeriodSeconds"] >= 960
    assert worker["containers"][0]["readinessProbe"]["exec"]["command"] == ["dailies", "doctor", "--ready"]
    template = json.loads((HERE / "work-pools" / "kubernetes.json").read_text())
    assert template["job_configuration"]["job_manifest"]["spec"]["template"]["spec"]["enableServiceLinks"] is False


def test_the_base_holds_every_manifest_and_one_version() -> None:
    base = yaml.safe_load((HERE / "kubernetes" / "kustomization.yaml").read_text())
    assert sorted(base["resources"]) == [path.name for path in MANIFESTS]
    (image,) = base["images"]
    assert f"image: dailies:{image['newTag']}" in (HERE / "compose.yaml").read_text()


@pytest.fixture
def unit_here(tmp_path: Path, request: pytest.FixtureRequest) -> str:
    """A unit with this clone's paths, for systemd looks whether programs are there."""
    path: Path = request.param
    text = path.read_text().replace("/opt/dailies/.venv/bin", str(Path(sys.executable).parent))
    copy = tmp_path / path.name
    copy.write_text(text.replace("/opt/dailies", str(ROOT)))
    return str(copy)


@pytest.mark.parametrize("unit_here", UNITS, ids=[path.stem for path in UNITS], indirect=True)
def test_a_unit_is_one_that_systemd_takes_and_calls_safe(unit_here: str) -> None:
    analyze = needs("systemd-analyze")
    run(analyze, "verify", "--man=no", unit_here)
    run(analyze, "security", "--offline=true", f"--threshold={EXPOSURE}", unit_here)


@pytest.mark.parametrize("path", UNITS, ids=[path.stem for path in UNITS])
def test_a_unit_has_limits_and_a_time_to_stop_and_writes_to_its_home_alone(path: Path) -> None:
    text = path.read_text()
    for name in ("MemoryMax", "TasksMax", "LimitNOFILE", "TimeoutStopSec", "StateDirectory"):
        assert re.search(rf"^{name}=\S+", text, re.M), name
    assert "\nProtectSystem=strict\n" in text and "\nNoNewPrivileges=yes\n" in text


def test_the_server_s_unit_has_the_settings_that_keep_all_events() -> None:
    from tests.flows.factory import RECORDER

    text = (HERE / "dailies-server.service").read_text()
    assert [f"{name}={value}" for name, value in RECORDER.items() if f"{name}={value}" not in text] == []
    assert "--host 0.0.0.0" in text and "PREFECT_SERVER_API_AUTH_STRING" in text
