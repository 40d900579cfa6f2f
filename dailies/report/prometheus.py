"""The ledger's figures as Prometheus reads them."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from dailies.ledger.metering import Metering

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def metrics_text(metering: Metering) -> bytes:
    """The exposition text. What is there speaks for all processes that work with the ledger."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Once(metering))
    return bytes(generate_latest(registry))


class _Once(Collector):
    def __init__(self, metering: Metering) -> None:
        self._metering = metering

    def collect(self) -> Iterator[Metric]:
        """Every family, also those that have no series yet."""
        yield from families(self._metering)


def kinds() -> dict[str, bool]:
    """The name of every family, and whether it only ever grows."""
    return {family.name: family.type == "counter" for family in families(Metering.empty())}


def samples(metering: Metering) -> dict[str, list[tuple[dict[str, str], float]]]:
    """The same figures by family, for what is not Prometheus."""
    return {
        family.name: [(dict(one.labels), float(one.value)) for one in family.samples] for family in families(metering)
    }


def families(found: Metering) -> Iterator[Metric]:
    """Every family, also those that have no series yet."""
    yield from (*_money(found), *_work(found), *_time(found))


def _money(found: Metering) -> Iterator[Metric]:
    clips = GaugeMetricFamily(
        "dailies_clips", "Clips by the attempt that speaks for each.", labels=("state", "provider")
    )
    for (state, provider), count in sorted(found.clips.items()):
        clips.add_metric((state, provider), count)
    yield clips
    usd = GaugeMetricFamily("dailies_usd", "US dollars, by what they are.", labels=("kind",))
    for kind, amount in found.usd.items():
        usd.add_metric((kind,), float(amount))
    yield usd


def _work(found: Metering) -> Iterator[Metric]:
    creates = CounterMetricFamily(
        "dailies_creates", "Create requests sent, by what became of them.", labels=("provider", "outcome")
    )
    for (provider, outcome), count in sorted(found.creates.items()):
        creates.add_metric((provider, str(outcome)), count)
    yield creates
    brake = GaugeMetricFamily("dailies_brake", "0 open, 1 probing, 2 halted.", labels=("provider",))
    for provider, phase in sorted(found.brakes.items()):
        brake.add_metric((provider,), int(phase))
    yield brake
    yield _one(CounterMetricFamily, "dailies_polls", "Times that a provider was asked how a clip stands.", found.polls)
    words = "Bytes of the clips that were brought home."
    yield _one(CounterMetricFamily, "dailies_delivered_bytes", words, found.delivered_bytes)


def _time(found: Metering) -> Iterator[Metric]:
    words = "Age of the oldest clip that is paid for, or may be, and not home."
    yield _one(GaugeMetricFamily, "dailies_oldest_unfinished_seconds", words, found.oldest_s)
    yield _one(
        GaugeMetricFamily, "dailies_ledger_seconds", "How long the ledger took to answer just now.", found.read_s
    )


def _one(
    kind: type[GaugeMetricFamily] | type[CounterMetricFamily], name: str, words: str, value: float
) -> GaugeMetricFamily | CounterMetricFamily:
    family = kind(name, words)
    family.add_metric((), value)
    return family
