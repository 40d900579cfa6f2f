"""What a run of a plan would buy now: how many clips, for how much, and how long that will take."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from statistics import median

import anyio.to_thread

from dailies.catalog import Catalog
from dailies.domain.clips import Clip, Row
from dailies.domain.counting import how_many
from dailies.domain.estimate import makespan_s, show_time
from dailies.domain.money import show_usd, sum_usd
from dailies.errors import BadInput
from dailies.ledger import Ledger
from dailies.planning.plan import Plan
from dailies.runtime import Runtime
from dailies.steps.clips_on_record import OnRecord
from dailies.steps.schedule import USUAL_S

FEWEST = 5
"""From so many clips on their median says more than the catalog."""

Kind = tuple[str, str, str | None, int | None]
"""Provider, model, resolution and seconds: what clips have in common that take about as long."""


@dataclass(frozen=True, slots=True)
class Purchase:
    """The clips of a plan that would be bought, those that are in S3, and those that are paid for or settled otherwise."""

    rows: tuple[Row, ...]
    delivered: frozenset[str]
    usd: Decimal
    seconds: float
    learned: bool
    others: int

    def overview(self, clips: int) -> str:
        """`20 clips, 5 in S3 already, 3 bought or refused earlier and not bought again. To buy: 12 …`: it adds up."""
        others = f", {self.others} bought or refused earlier and not bought again" if self.others else ""
        return f"{how_many(clips, 'clip')}, {len(self.delivered)} in S3 already{others}. {self.sentence()}"

    def sentence(self) -> str:
        """`To buy: 12 for $15.12, in about 6 min.`"""
        if not self.rows:
            return f"To buy: 0 for {show_usd(self.usd)}."
        basis = "" if self.learned else " by typical times"
        return f"To buy: {len(self.rows)} for {show_usd(self.usd)}, in about {show_time(self.seconds)}{basis}."


async def purchase_of(runtime: Runtime, plan: Plan, in_flight: int, known: OnRecord) -> Purchase:
    """What this plan would buy, its clips standing as is `known`."""
    rows = tuple(row for row in plan.rows if row.clip.key not in known.taken)
    kinds: Counter[Kind] = Counter(_kind(row.providers[0], row.clip) for row in rows)
    times = await anyio.to_thread.run_sync(_times, runtime, [*kinds])
    by_provider = {row.providers[0]: list[float]() for row in rows}
    for kind, count in kinds.items():
        by_provider[kind[0]] += [times[kind][0]] * count
    return Purchase(
        rows, known.delivered, sum_usd(plan.quotes[row.clip.key] for row in rows),
        max((makespan_s(seconds, in_flight) for seconds in by_provider.values()), default=0.0),
        all(learned for _, learned in times.values()), len(known.taken - known.delivered),
    )  # fmt: skip


async def usual_seconds(runtime: Runtime, plan: Plan) -> dict[str, float]:
    """For each clip of a plan how long its like usually takes, by its clip_key."""
    kinds = {row.clip.key: _kind(row.providers[0], row.clip) for row in plan.rows}
    times = await anyio.to_thread.run_sync(_times, runtime, [*dict.fromkeys(kinds.values())])
    return {key: times[kind][0] for key, kind in kinds.items()}


def _kind(provider: str, clip: Clip) -> Kind:
    return provider, clip.model, clip.resolution, clip.duration_s


def _times(runtime: Runtime, kinds: Sequence[Kind]) -> dict[Kind, tuple[float, bool]]:
    return {kind: usual_of(runtime.ledger, runtime.catalog, kind) for kind in kinds}


def usual_of(ledger: Ledger, catalog: Catalog, kind: Kind) -> tuple[float, bool]:
    """The usual seconds of a kind of clip, and whether they were learned from clips of ours or are the catalog's."""
    ended = [bracket for bracket in ledger.generation_times(*kind) if math.isfinite(bracket.by_s)]
    if len(ended) >= FEWEST:
        return median((bracket.after_s + bracket.by_s) / 2 for bracket in ended), True
    try:
        return float(catalog.find(kind[1]).typical_s), False
    except BadInput:
        return USUAL_S[0], False
