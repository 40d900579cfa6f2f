"""Traces and metrics leave by OTLP where that is asked for, hold ids alone, and cost nothing where it is not."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import anyio
import pytest
from opentelemetry import trace
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from prefect.context import FlowRunContext
from prefect.telemetry.run_telemetry import LABELS_TRACEPARENT_KEY, RunTelemetry

from dailies import telemetry
from dailies.errors import MaybeCharged
from dailies.ledger.metering import Metering
from dailies.report.prometheus import kinds, samples
from tasks.engine.run import traced_run

PROMPT = "a secret prompt"


@contextmanager
def a_collector() -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
    """An OTLP receiver: its address, and what was posted there."""
    posted: list[tuple[str, bytes]] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            posted.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing on stderr."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Collector)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", posted
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, bytes]]]:
    """What this process has sent to a collector that it was told of."""
    with a_collector() as (address, posted):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", address)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "none")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        telemetry._provider.cache_clear()
        yield posted
        provider = telemetry._provider()
        assert provider
        provider.shutdown()
        telemetry._provider.cache_clear()


def spans(posted: list[tuple[str, bytes]]) -> list[Any]:
    """All spans that arrived, in the order in which they ended."""
    telemetry.flush()
    bodies = [ExportTraceServiceRequest.FromString(body) for path, body in posted if path == "/v1/traces"]
    return [s for body in bodies for r in body.resource_spans for scope in r.scope_spans for s in scope.spans]


def attributes(span: Any) -> dict[str, str]:
    """A span's ids."""
    return {one.key: one.value.string_value for one in span.attributes}


def test_steps_are_spans_below_their_run_with_ids_and_no_words(collector: list[tuple[str, bytes]]) -> None:
    with telemetry.span("run"):
        with telemetry.span("create", clip="c" * 64, batch="smiles", generation=None) as step:
            step.add(attempt="a1", generation="g1")
        with pytest.raises(MaybeCharged), telemetry.span("create", clip="d" * 64):
            raise MaybeCharged(f"refused: {PROMPT}")
    created, lost, run = spans(collector)
    assert [created.name, lost.name, run.name] == ["dailies.create", "dailies.create", "dailies.run"]
    assert attributes(created) == {
        "dailies.clip": "c" * 64, "dailies.batch": "smiles", "dailies.attempt": "a1", "dailies.generation": "g1",
    }  # fmt: skip
    assert created.parent_span_id == lost.parent_span_id == run.span_id
    assert (lost.status.code, lost.status.message) == (2, "MaybeCharged")
    assert all(PROMPT.encode() not in body for _, body in collector)


class _Run:
    def __init__(self, **labels: str) -> None:
        self.labels, self.name, self.tags, self.id = dict(labels), "run", ["dailies"], "1"


def test_a_shard_goes_on_below_the_run_that_dispatched_it(
    collector: list[tuple[str, bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By Prefect's own code: it hands the label on to the runs that a run starts, and makes it the context there."""
    dispatch = _Run()
    context = type("Context", (), {"flow_run": dispatch})()
    monkeypatch.setattr(FlowRunContext, "get", lambda: context)

    async def run() -> None:
        async with traced_run():
            pass

    anyio.run(run)
    monkeypatch.setattr(FlowRunContext, "get", lambda: None)
    shard = _Run(**dispatch.labels)
    _, engine_s = RunTelemetry()._start_span(shard)  # type: ignore[arg-type]
    with trace.use_span(engine_s):
        anyio.run(run)
    above, below = spans(collector)
    assert below.trace_id == above.trace_id and below.parent_span_id == above.span_id
    assert dispatch.labels[LABELS_TRACEPARENT_KEY].startswith(f"00-{above.trace_id.hex()}-{above.span_id.hex()}-")


def test_the_ledger_s_figures_arrive_as_metrics(collector: list[tuple[str, bytes]]) -> None:
    metering = Metering.empty()
    metering.clips["stored", "aiml"] = 3
    with telemetry.metrics_sent(kinds(), lambda: samples(metering)):
        pass  # what is left is sent at the end
    with telemetry.span("run"):
        pass
    bodies = [ExportMetricsServiceRequest.FromString(body) for path, body in collector if path == "/v1/metrics"]
    found = {m.name: m for b in bodies for r in b.resource_metrics for scope in r.scope_metrics for m in scope.metrics}
    (clips,) = found["dailies_clips"].gauge.data_points
    assert clips.as_double == 3 and {a.key: a.value.string_value for a in clips.attributes} == {
        "state": "stored",
        "provider": "aiml",
    }
    assert found["dailies_polls"].HasField("sum") and len(found["dailies_usd"].gauge.data_points) == 4


def test_a_ledger_that_is_away_ends_nothing(collector: list[tuple[str, bytes]]) -> None:
    def away() -> dict[str, list[telemetry.Sample]]:
        raise OSError("away")

    with telemetry.metrics_sent({"dailies_polls": True}, away), telemetry.span("run"):
        pass


def test_variables_that_opentelemetry_refuses_end_no_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused() -> None:
        raise ValueError("OTEL_EXPORTER_OTLP_TIMEOUT")

    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(telemetry, "_made", refused)
    telemetry._provider.cache_clear()
    try:
        with telemetry.span("run") as step:
            step.add(clip="c")
            assert step.traceparent is None
        telemetry.flush()
    finally:
        telemetry._provider.cache_clear()


NOTHING = """
import sys
from dailies import telemetry
with telemetry.span("run", clip="c") as step, telemetry.metrics_sent({"x": True}, dict):
    step.add(attempt="a")
telemetry.flush()
print([name for name in sys.modules if name.startswith("opentelemetry")])
"""


@pytest.mark.parametrize(
    "environ", [{}, {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_SDK_DISABLED": "true"}]
)
def test_where_nobody_asks_for_it_nothing_is_imported(environ: dict[str, str]) -> None:
    done = subprocess.run([sys.executable, "-c", NOTHING], env=environ, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]" and done.stderr == ""


WITHOUT = """
import sys
sys.modules["opentelemetry.sdk"] = None
import importlib.util as u
found = u.find_spec
u.find_spec = lambda name, *a: None if name.startswith("opentelemetry.") else found(name, *a)
"""


def test_without_the_extra_it_is_said_once_what_to_install_and_nothing_is_imported() -> None:
    code = WITHOUT + NOTHING.replace('name.startswith("opentelemetry")', 'name == "opentelemetry"')
    environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
    done = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]" and done.stderr.count("dailies-video[otel]") == 1
