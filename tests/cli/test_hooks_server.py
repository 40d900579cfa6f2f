"""`dailies hooks` answers probes and Prometheus, from the ledger as it is at that moment."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

from dailies.domain.states import State
from dailies.hooks.app import MOST_BYTES, Answer, Call, create_app
from dailies.ledger import Ledger
from tests.ledger.factories import bring_to


def _ask(app: Starlette, method: str, path: str, content: bytes = b"") -> httpx.Response:
    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://here") as client:
            return await client.request(method, path, content=content)

    return asyncio.run(ask())


def test_metrics_are_read_at_each_request(ledger: Ledger) -> None:
    app = create_app(ledger)
    first = _ask(app, "GET", "/metrics")
    assert first.status_code == 200 and first.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert 'dailies_usd{kind="kept"} 0.0' in first.text
    bring_to(ledger, State.STORED)
    assert 'dailies_clips{provider="aiml",state="stored"} 1.0' in _ask(app, "GET", "/metrics").text
    assert _ask(app, "GET", "/healthz").status_code == 200


def test_a_ledger_that_is_away_is_not_healthy(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> None:
        raise OSError("away")

    monkeypatch.setattr(ledger, "brakes", away)
    assert _ask(create_app(ledger), "GET", "/healthz").status_code == 503


def test_a_call_reaches_who_receives_it_and_one_that_is_too_large_does_not(ledger: Ledger) -> None:
    calls: list[Call] = []

    async def receive(call: Call) -> Answer:
        calls.append(call)
        return Answer(202, "on record")

    app = create_app(ledger, receive)
    assert _ask(app, "POST", "/hooks/fal?ref=abc", b"{}").status_code == 202
    assert _ask(app, "POST", "/hooks/fal?ref=abc", b" " * (MOST_BYTES + 1)).status_code == 400
    assert [(call.provider, call.reference, call.body) for call in calls] == [("fal", "abc", b"{}")]
    assert _ask(app, "GET", "/hooks/fal").status_code == 405
    assert _ask(create_app(ledger), "POST", "/hooks/nobody").status_code == 404


@contextmanager
def _served(folder: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "DAILIES_"))}
    environ |= {"DAILIES_HOME": str(folder / "home"), "HOME": str(folder)}
    command = [sys.executable, "-m", "dailies", "hooks", "--port", "0"]
    with subprocess.Popen(command, cwd=folder, env=environ, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            yield process.stdout.readline().strip(), process
        finally:
            process.kill()


def test_the_command_says_where_and_ends_when_told(tmp_path: Path) -> None:
    with _served(tmp_path) as (address, process):
        assert httpx.get(f"{address}/healthz", timeout=30).text == "ok"
        assert "dailies_polls_total 0.0" in httpx.get(f"{address}/metrics", timeout=30).text
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0


def test_a_port_that_is_taken_is_said(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dailies.cli.app import main

    monkeypatch.setenv("DAILIES_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HOME", str(tmp_path))
    with _served(tmp_path) as (address, _):
        assert main(["hooks", "--port", address.rpartition(":")[2]]) == 2
    assert "in use" in capsys.readouterr().err
