"""How the clips of a plan stand by the ledger: read thinly, because ten thousand may be asked for several times."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from dailies.domain.records import Attempt, Brief
from dailies.domain.states import current, may_claim
from dailies.ledger.calling import ledger_call
from dailies.planning.plan import Plan
from dailies.runtime import Runtime


@dataclass(frozen=True, slots=True)
class OnRecord:
    """The clip_keys of a plan that are `delivered` (in S3), and those that are `taken`: they may not be bought, because they
    are bought already, maybe bought, refused for good, or `forgotten`, as a person asked."""

    delivered: frozenset[str]
    taken: frozenset[str]
    forgotten: frozenset[str]

    @property
    def settled(self) -> frozenset[str]:
        """Those that are neither bought nor fetched again."""
        return self.delivered | self.forgotten


async def clips_on_record(runtime: Runtime, plan: Plan) -> OnRecord:
    """How all clips of a plan stand, in one reading."""

    def read() -> OnRecord:
        briefs = runtime.ledger.briefs_of([row.clip.key for row in plan.rows])
        return on_record(briefs, _forgotten(runtime, plan))

    return await ledger_call(read)


def on_record(attempts: Iterable[tuple[str, tuple[Brief, ...]]], forgotten: frozenset[str]) -> OnRecord:
    """How clips stand by their attempts. Pure: of ten thousand clips most stand alike, and each way is looked at once."""
    ways: dict[tuple[Brief, ...], tuple[bool, bool]] = {}
    delivered, taken = set[str](), set[str]()
    for key, some in attempts:
        if some not in ways:
            ways[some] = ((one := current(some)) is not None and one.delivered, not may_claim(some))
        is_delivered, is_taken = ways[some]
        if is_delivered:
            delivered.add(key)
        if is_taken:
            taken.add(key)
    return OnRecord(frozenset(delivered - forgotten), frozenset(taken | forgotten), forgotten)


def standing_of(runtime: Runtime, plan: Plan, known: Mapping[str, Sequence[Attempt]]) -> OnRecord:
    """How the clips of a plan stand by all their attempts, where these were read already. Blocks."""
    briefs = ((key, tuple(attempt.brief for attempt in some)) for key, some in known.items())
    return on_record(briefs, _forgotten(runtime, plan))


async def taken_clips(runtime: Runtime, plan: Plan) -> frozenset[str]:
    """The clip_keys of a plan that may not be bought: bought already, maybe bought, refused for good, or forgotten."""
    return (await clips_on_record(runtime, plan)).taken


def _forgotten(runtime: Runtime, plan: Plan) -> frozenset[str]:
    return runtime.ledger.forgotten(row.clip.key for row in plan.rows)
