"""How the clips of a plan stand by the ledger: read thinly, because ten thousand may be asked for several times."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import anyio.to_thread

from dailies.domain.records import Brief
from dailies.domain.states import current, may_claim
from dailies.planning.plan import Plan
from dailies.runtime import Runtime


async def delivered_clips(runtime: Runtime, plan: Plan) -> frozenset[str]:
    """The clip_keys of a plan that are in S3."""

    def delivered(attempts: Sequence[Brief]) -> bool:
        attempt = current(attempts)
        return attempt is not None and attempt.delivered

    return await _clips_with(runtime, plan, delivered) - await forgotten_clips(runtime, plan)


async def taken_clips(runtime: Runtime, plan: Plan) -> frozenset[str]:
    """The clip_keys of a plan that may not be bought: bought already, maybe bought, refused for good, or forgotten."""
    taken = await _clips_with(runtime, plan, lambda attempts: not may_claim(attempts))
    return taken | await forgotten_clips(runtime, plan)


async def forgotten_clips(runtime: Runtime, plan: Plan) -> frozenset[str]:
    """The clip_keys of a plan that a person asked to forget: they are neither bought nor fetched again."""
    return await anyio.to_thread.run_sync(runtime.ledger.forgotten, [row.clip.key for row in plan.rows])


async def _clips_with(runtime: Runtime, plan: Plan, wanted: Callable[[Sequence[Brief]], bool]) -> frozenset[str]:
    def found() -> frozenset[str]:
        known = runtime.ledger.briefs_of([row.clip.key for row in plan.rows])
        return frozenset(key for key, attempts in known if wanted(attempts))

    return await anyio.to_thread.run_sync(found)
