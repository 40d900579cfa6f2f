"""A sandbox in another process can be driven over HTTP, and ends cleanly."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal

import httpx
import pytest

from dailies.sandbox import Sandbox, SandboxConfig
from tests.contract.sandbox_calls import KEY, SORA, aiml_body, create


@pytest.fixture
def process() -> Iterator[tuple[subprocess.Popen[str], httpx.Client]]:
    """`python -m dailies.sandbox` on a free port, and a client for it."""
    command = [sys.executable, "-m", "dailies.sandbox", "--port", "0", "--time-scale", "0", "--render", "quick"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        url = running.stdout.readline().strip()
        with httpx.Client(base_url=url, headers={"authorization": f"Bearer {KEY}"}, trust_env=False) as client:
            yield running, client
        running.kill()


def test_faults_charges_and_requests_are_there_over_http(
    process: tuple[subprocess.Popen[str], httpx.Client],
) -> None:
    _, client = process
    assert client.get("/sandbox/health").json()["status"] == "ok"
    fault = {"where": "create", "kind": "charged_status", "status": 500, "match": "smiles"}
    assert client.post("/sandbox/faults", json=fault).status_code == 201
    assert client.post("/v2/video/generations", json=aiml_body()).status_code == 500
    (charge,) = client.get("/sandbox/charges").json()
    (generation,) = client.get("/sandbox/generations").json()
    assert charge["generation_id"] == generation["id"]
    assert (generation["status"], generation["width"], generation["duration_s"]) == ("completed", 1280, 4)
    assert [seen["path"] for seen in client.get("/sandbox/requests").json()] == ["/v2/video/generations"]
    client.post("/sandbox/faults", json=fault | {"times": None})
    assert client.delete("/sandbox/faults").status_code == 204
    assert client.get("/sandbox/faults").json() == []
    assert client.post("/sandbox/reset").status_code == 204
    assert client.get("/sandbox/charges").json() == []


def test_models_are_withdrawn_deprecated_and_repriced_over_http(
    process: tuple[subprocess.Popen[str], httpx.Client],
) -> None:
    _, client = process
    assert client.post("/sandbox/price", json={"id": SORA, "usd_per_s": "0.5"}).status_code == 204
    assert client.post("/sandbox/deprecate", json={"id": SORA, "shutdown_at": "2027-01-01"}).status_code == 204
    assert client.post("/v2/video/generations", json=aiml_body()).status_code == 200
    assert Decimal(client.get("/sandbox/charges").json()[0]["usd"]) == 2
    gone = {"id": SORA, "shutdown_at": "2026-09-24", "replaced_by": "google/veo-3.1-i2v"}
    assert client.post("/sandbox/withdraw", json=gone).status_code == 204
    assert client.post("/v2/video/generations", json=aiml_body()).status_code == 404


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("faults", {"where": "create", "kind": "nonsense"}),
        ("faults", {"where": "nowhere", "kind": "lost"}),
        ("faults", {"where": "create", "kind": "lost", "colour": "red"}),
        ("price", {"id": "nobody/nothing", "usd_per_s": "1"}),
        ("withdraw", {}),
    ],
)
def test_a_wish_the_sandbox_does_not_understand_is_400(path: str, body: dict[str, str]) -> None:
    with Sandbox() as sandbox:
        answer = httpx.post(f"{sandbox.url}/sandbox/{path}", json=body)
        assert answer.status_code == 400
        assert answer.json()["error"]


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_cleanly_and_it_says_nothing(
    process: tuple[subprocess.Popen[str], httpx.Client], stop: signal.Signals
) -> None:
    running, client = process
    assert client.get("/sandbox/health").status_code == 200
    running.send_signal(stop)
    out, err = running.communicate(timeout=10)
    assert (running.returncode, out, err) == (0, "", "")


def test_a_stopped_sandbox_refuses_connections_and_can_start_again_on_its_port() -> None:
    sandbox = Sandbox(SandboxConfig(time_scale=0))
    sandbox.start()
    url = sandbox.url
    assert create(sandbox).status_code == 200
    sandbox.stop()
    sandbox.stop()
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{url}/sandbox/health")
    with sandbox:
        assert sandbox.url == url
        assert len(sandbox.charges()) == 1, "what was charged stays charged"
        assert create(sandbox).status_code == 200


def test_two_sandboxes_run_side_by_side_and_never_share_an_id() -> None:
    with Sandbox(SandboxConfig(time_scale=0)) as one, Sandbox(SandboxConfig(time_scale=0)) as other:
        assert one.url != other.url
        assert create(one).json()["id"] != create(other).json()["id"]
        assert len(one.charges()) == len(other.charges()) == 1


def test_a_taken_port_is_an_error_at_the_start() -> None:
    with Sandbox() as sandbox, pytest.raises(OSError, match="in use"):
        Sandbox(port=int(sandbox.url.rpartition(":")[2])).start()
