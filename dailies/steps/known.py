"""How the clips of a plan stand by the ledger: read thinly, because ten thousand may be asked for several times."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import anyio.to_thread

from dailies.domain.records import Brief
from dailies.domain.states import current, may_claim
from dailies.planning import Plan
from dailies.studio import Studio


async def delivered_clips(studio: Studio, plan: Plan) -> frozenset[str]:
    """The clip_keys of a plan that are in S3."""

    def delivered(attempts: Sequence[Brief]) -> bool:
        attempt = current(attempts)
        return attempt is not None and attempt.delivered

    return await _clips_with(studio, plan, delivered)


async def taken_clips(studio: Studio, plan: Plan) -> frozenset[str]:
    """The clip_keys of a plan that may not be bought: bought already, maybe bought, or refused for good."""
    return await _clips_with(studio, plan, lambda attempts: not may_claim(attempts))


async def _clips_with(studio: Studio, plan: Plan, wanted: Callable[[Sequence[Brief]], bool]) -> frozenset[str]:
    def found() -> frozenset[str]:
        known = studio.ledger.briefs_of([row.clip.key for row in plan.rows])
        return frozenset(key for key, attempts in known if wanted(attempts))

    return await anyio.to_thread.run_sync(found)
