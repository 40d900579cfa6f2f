"""Traces and metrics by OpenTelemetry: where OTEL_EXPORTER_OTLP_ENDPOINT says where to, and the extra `otel` is installed.

Without both nothing is imported and nothing done. Spans carry ids (clip, attempt, generation, batch, provider), never a prompt, a
key, or the words of an error. The endpoint and all else is set by OpenTelemetry's own variables.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from dailies.environment import variables
from dailies.errors import describe_error

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

logger = logging.getLogger("dailies.telemetry")
ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_{}_ENDPOINT")
SERVICE = {"service.name": "dailies"}
FLUSH_MS = 3000
"""A collector that is away holds no run up for longer."""


def wanted(signal: str) -> bool:
    """Whether this process is asked to send `traces` or `metrics`, and can."""
    named = any(variables().get(name.format(signal.upper())) for name in ENDPOINTS)
    if not named or variables().get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    return _installed()


@cache
def _installed() -> bool:
    here = "opentelemetry" in sys.modules or find_spec("opentelemetry") is not None
    if here and find_spec("opentelemetry.sdk") and find_spec("opentelemetry.exporter"):
        return True
    logger.warning(
        "OTEL_EXPORTER_OTLP_ENDPOINT is set and the extra is not installed: pip install 'dailies-video[otel]'"
    )
    return False


class Span:
    """One step under way; ids that are learned on the way are added. A step without a trace ignores them."""

    def __init__(self, under: Any = None) -> None:
        self._under = under

    def add(self, **ids: str | None) -> None:
        """Say more of what it is about; what is None is left out."""
        if self._under is not None:
            self._under.set_attributes({f"dailies.{name}": text for name, text in ids.items() if text})

    @property
    def traceparent(self) -> str | None:
        """The W3C name of this span, by which another process goes on under it; None without a trace."""
        if self._under is None:
            return None
        context = self._under.get_span_context()
        return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


@contextmanager
def span(name: str, **ids: str | None) -> Iterator[Span]:
    """A span around the block, below the one that is under way. An error shows by its class alone."""
    provider = _provider() if wanted("traces") else None
    if provider is None:
        yield Span()
        return
    from opentelemetry.trace import StatusCode

    tracer = provider.get_tracer("dailies")
    with tracer.start_as_current_span(
        f"dailies.{name}", record_exception=False, set_status_on_exception=False
    ) as under:
        here = Span(under)
        here.add(**ids)
        try:
            yield here
        except BaseException as error:
            under.set_status(StatusCode.ERROR, type(error).__name__)
            raise


@cache
def _provider() -> TracerProvider | None:
    """A provider of our own and not the process's: what else makes spans there (Prefect) records the words of errors. None
    where OpenTelemetry refuses its own variables: nothing that is paid for ends by that."""
    try:
        return _made()
    except Exception as error:  # noqa: BLE001 - whatever it is, a run goes on without traces
        logger.warning("no traces: %s", describe_error(error))
        return None


def _made() -> TracerProvider:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=Resource.create(_service()))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider


def flush() -> None:
    """Send what is still here. Blocks, for a few seconds at most."""
    provider = _provider() if wanted("traces") else None
    if provider:
        provider.force_flush(FLUSH_MS)


Sample = tuple[Mapping[str, str], float]
"""Labels and a value."""


@contextmanager
def metrics_sent(names: Mapping[str, bool], read: Callable[[], Mapping[str, Iterable[Sample]]]) -> Iterator[None]:
    """While the block runs, send these metrics at OpenTelemetry's interval. `names`: whether each one only ever grows.

    `read` is asked once an interval; what it raises is logged, and nothing is sent that time.
    """
    if not wanted("metrics"):
        yield
        return
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.metrics import Observation
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
    from opentelemetry.sdk.resources import Resource

    latest = _Latest(read)
    reader = PeriodicExportingMetricReader(OTLPMetricExporter())
    provider = MeterProvider([reader], Resource.create(_service()))
    meter = provider.get_meter("dailies")
    for name, grows in names.items():

        def observe(_: Any, name: str = name) -> list[Observation]:
            return [Observation(value, dict(labels)) for labels, value in latest.samples(name)]

        make = meter.create_observable_counter if grows else meter.create_observable_gauge
        make(name, [observe])
    try:
        yield
    finally:
        provider.shutdown()


def _service() -> dict[str, str]:
    """The usual name, unless OpenTelemetry's own variables say another."""
    said = "OTEL_SERVICE_NAME" in variables() or "service.name" in variables().get("OTEL_RESOURCE_ATTRIBUTES", "")
    return {} if said else SERVICE


class _Latest:
    """One reading for all instruments of an interval."""

    FRESH_S = 1.0

    def __init__(self, read: Callable[[], Mapping[str, Iterable[Sample]]]) -> None:
        self._read, self._at = read, -self.FRESH_S
        self._found: Mapping[str, Iterable[Sample]] = {}

    def samples(self, name: str) -> Iterable[Sample]:
        if time.monotonic() - self._at >= self.FRESH_S:
            self._at = time.monotonic()
            self._found = {}
            try:
                self._found = self._read()
            except Exception as error:  # noqa: BLE001 - a ledger that is away must not end what sends the rest
                logger.warning("no metrics this time: %s", type(error).__name__)
        return self._found.get(name, ())
