"""How the clips of a plan stand by the ledger: read thinly, because ten thousand may be asked for several times."""

from __future__ import annotations

from dataclasses import dataclass

import anyio.to_thread

from dailies.domain.states import current, may_claim
from dailies.planning.plan import Plan
from dailies.runtime import Runtime


@dataclass(frozen=True, slots=True)
class OnRecord:
    """The clip_keys of a plan that are `delivered` (in S3), and those that are `taken`: they may not be bought, because they
    are bought already, maybe bought, refused for good, or forgotten."""

    delivered: frozenset[str]
    taken: frozenset[str]


async def clips_on_record(runtime: Runtime, plan: Plan) -> OnRecord:
    """How all clips of a plan stand, in one reading."""

    def read() -> OnRecord:
        delivered, taken = set[str](), set[str]()
        for key, attempts in runtime.ledger.briefs_of([row.clip.key for row in plan.rows]):
            attempt = current(attempts)
            if attempt is not None and attempt.delivered:
                delivered.add(key)
            if not may_claim(attempts):
                taken.add(key)
        forgotten = _forgotten(runtime, plan)
        return OnRecord(frozenset(delivered - forgotten), frozenset(taken | forgotten))

    return await anyio.to_thread.run_sync(read)


async def delivered_clips(runtime: Runtime, plan: Plan) -> frozenset[str]:
    """The clip_keys of a plan that are in S3."""
    return (await clips_on_record(runtime, plan)).delivered


async def taken_clips(runtime: Runtime, plan: Plan) -> frozenset[str]:
    """The clip_keys of a plan that may not be bought: bought already, maybe bought, refused for good, or forgotten."""
    return (await clips_on_record(runtime, plan)).taken


async def forgotten_clips(runtime: Runtime, plan: Plan) -> frozenset[str]:
    """The clip_keys of a plan that a person asked to forget: they are neither bought nor fetched again."""
    return await anyio.to_thread.run_sync(_forgotten, runtime, plan)


def _forgotten(runtime: Runtime, plan: Plan) -> frozenset[str]:
    return runtime.ledger.forgotten(row.clip.key for row in plan.rows)
