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
        found = self._metering
        clips = GaugeMetricFamily(
            "dailies_clips", "Clips by the attempt that speaks for each.", labels=("state", "provider")
        )
        for (state, provider), count in sorted(found.clips.items()):
            clips.add_metric((state, provider), count)
        usd = GaugeMetricFamily("dailies_usd", "US dollars, by what they are.", labels=("kind",))
        for kind, amount in found.usd.items():
            usd.add_metric((kind,), float(amount))
        creates = CounterMetricFamily(
            "dailies_creates", "Create requests sent, by what became of them.", labels=("provider", "outcome")
        )
        for (provider, outcome), count in sorted(found.creates.items()):
            creates.add_metric((provider, str(outcome)), count)
        brake = GaugeMetricFamily("dailies_brake", "0 open, 1 probing, 2 halted.", labels=("provider",))
        for provider, phase in sorted(found.brakes.items()):
            brake.add_metric((provider,), int(phase))
        polls = CounterMetricFamily("dailies_polls", "Times that a provider was asked how a clip stands.")
        polls.add_metric((), found.polls)
        yield from (clips, usd, creates, brake, polls)
