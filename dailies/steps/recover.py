"""Puts right what a dead process, a lost answer or a full disk has left: before a run, and in `dailies collect`."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from dailies.domain.clips import Row
from dailies.domain.commands import COLLECT, resolve
from dailies.domain.creates import Accepted
from dailies.domain.money import show_usd
from dailies.domain.next_step import Step, attempt_step, next_step
from dailies.domain.records import Attempt, at_risk
from dailies.domain.states import State, current
from dailies.errors import DailiesError, MaybeCharged, ResultLost
from dailies.ledger import DuplicateGeneration
from dailies.ledger.calling import ledger_call
from dailies.ledger.record import drain_spool
from dailies.planning.batch import Batch
from dailies.providers.base import LogUnavailable, LookKind, doubt_of
from dailies.runtime import Runtime

logger = logging.getLogger("dailies.recover")
RECONSIDERED_FOR = timedelta(days=8)
"""After that a result is gone at every provider (the longest documented life is seven days)."""


@dataclass(frozen=True, slots=True)
class Recovered:
    """What recovery found: answers drained from the spool, and paid attempts that nobody watches."""

    drained: int
    left: tuple[Attempt, ...]


@dataclass(frozen=True, slots=True)
class LeftOver:
    """An attempt that is paid for, or may be: `label` names its clip for people, by its row in `batch`, which bought it."""

    attempt_id: str
    label: str
    batch: str


class Elsewhere(Exception):
    """Another owner, who lives, is at work on the clip: look again later."""


async def recover(runtime: Runtime) -> Recovered:
    """Drain the spool, put creates of dead owners in doubt, and list the paid attempts that can be taken over: those first
    whose results end first."""
    drained = await drain_spool(runtime.ledger, runtime.spool)
    left = sorted(await ledger_call(runtime.ledger.reap), key=runtime.result_ends)
    if drained or left:
        logger.warning("recovered: %d answers from the spool, %d paid clips without an owner", drained, len(left))
    return Recovered(drained, tuple(left))


async def nothing_to_collect(runtime: Runtime) -> bool:
    """Whether nothing is left to bring home, to settle or to ask for once more; what waited in the spool is taken in."""
    await recover(runtime)
    return not (await remaining(runtime)).attempts and not await reconsidered(runtime)


async def step_for(runtime: Runtime, clip_key: str, provider: str | None = None) -> Step:
    """What this clip needs now, by the ledger; `provider` is the one that would be asked to make it. A clip that a person
    asked to forget needs nothing."""
    if await ledger_call(runtime.ledger.forgotten, [clip_key]):
        return Step.NOTHING
    attempts = await ledger_call(runtime.ledger.attempts, clip_key)
    return next_step(attempts, runtime.owners, runtime.ledger.is_dead, provider)


async def speaking_attempt(runtime: Runtime, clip_key: str) -> str | None:
    """The id of the attempt that speaks for a clip, if it has any."""
    attempt = current(await ledger_call(runtime.ledger.attempts, clip_key))
    return attempt.id if attempt else None


async def step_once_free(runtime: Runtime, clip_key: str) -> Step:
    """What a clip needs once nobody else is at work on it. Raises Elsewhere while somebody is."""
    step = await step_for(runtime, clip_key)
    if step is Step.FOLLOW:
        await ledger_call(runtime.ledger.reap)
        step = await step_for(runtime, clip_key)
    if step is Step.FOLLOW:
        raise Elsewhere("another run is at work on this clip")
    return step


async def attempt_step_for(runtime: Runtime, attempt_id: str) -> Step:
    """What this attempt needs now, by the ledger, whichever attempt speaks for its clip."""
    attempt = await ledger_call(runtime.ledger.attempt, attempt_id)
    return attempt_step(attempt, runtime.owners, runtime.ledger.is_dead) if attempt else Step.NOTHING


async def take_attempt(runtime: Runtime, attempt_id: str) -> Attempt | None:
    """Become the owner of an attempt that is paid for and not delivered. None when somebody was faster."""
    attempt = await ledger_call(runtime.ledger.attempt, attempt_id)
    return await ledger_call(runtime.ledger.take_over, attempt) if attempt else None


async def reopen_attempt(runtime: Runtime, attempt_id: str) -> Attempt:
    """Ask the provider whether it shows a lost clip again. Raises ResultLost while it does not."""
    attempt = await ledger_call(runtime.ledger.attempt, attempt_id)
    if attempt is None or attempt.generation_id is None:
        raise DailiesError(f"no attempt {attempt_id} that was accepted")
    look = await runtime.provider(attempt.provider).look(attempt.asked_by)
    if look.kind is not LookKind.READY or not look.url:
        raise ResultLost(
            f"{attempt.provider} does not show {attempt.generation_id} again ({look.detail}): it stays lost"
        )
    shown = Accepted(attempt.generation_id, look.url, look.usd_charged, look.credits_used)
    note = f"{attempt.provider} shows it again"
    return await ledger_call(runtime.ledger.reopen, attempt.id, note, shown)


async def resolve_in_doubt(runtime: Runtime, attempt: Attempt) -> Attempt:
    """Ask the provider for an attempt in doubt, in the way that it declares. Raises MaybeCharged when it stays in doubt."""
    provider = runtime.provider(attempt.provider)
    words = "the provider does not show it yet"
    try:
        kept = await ledger_call(runtime.ledger.kept_request, attempt.id)
        found = await provider.find(doubt_of(attempt, runtime.ledger.now(), kept))
    except LogUnavailable as error:
        found, words = None, str(error)
    if found is None:
        raise MaybeCharged(
            f"attempt {attempt.id[:8]} stays in doubt ({words}); `{COLLECT}` asks again, a person may settle it: "
            f"`{resolve(attempt.id)}` shows how"
        )
    note = "found at the provider by our reference"
    charged = found.usd_charged if found.succeeded else None  # of a failed one the next look tells
    told = Accepted(found.generation_id, None, charged, found.credits_used if found.succeeded else None, found.handle)
    try:
        return await ledger_call(runtime.ledger.resolve_found, attempt.id, told, note)
    except DuplicateGeneration as error:
        raise MaybeCharged(f"attempt {attempt.id[:8]} stays in doubt: its id belongs to another attempt") from error


async def resolve_attempt(runtime: Runtime, attempt_id: str) -> Attempt:
    """Settle the doubt about one attempt. Raises MaybeCharged when it stays."""
    attempt = await ledger_call(runtime.ledger.attempt, attempt_id)
    if attempt is None or not attempt.unsettled:
        raise DailiesError(f"nothing is in doubt about attempt {attempt_id}")
    return await resolve_in_doubt(runtime, attempt)


async def rows_in_doubt(runtime: Runtime, batch: Batch) -> list[Row]:
    """The rows of a batch whose create is in doubt at this moment."""
    attempts = await ledger_call(runtime.ledger.unfinished)
    doubtful = {attempt.clip_key for attempt in attempts if attempt.state is State.IN_DOUBT}
    return [row for key, row in batch.rows.items() if key in doubtful]


async def left_over(runtime: Runtime, batch: Batch) -> list[LeftOver]:
    """Paid attempts that nobody brings home unless it is done for them: of clips that this batch does not want, and those
    that do not speak for their clip."""
    unfinished = sorted(await ledger_call(runtime.ledger.unfinished), key=runtime.result_ends)
    mine, is_dead = runtime.owners, runtime.ledger.is_dead
    paid = [a for a in unfinished if attempt_step(a, mine, is_dead) is Step.COLLECT]
    known = await ledger_call(runtime.ledger.attempts_of, sorted({a.clip_key for a in paid}))
    speak = {attempt.id for attempts in known.values() if (attempt := current(attempts))}
    return await _labelled(runtime, [a for a in paid if a.clip_key not in batch.rows or a.id not in speak])


async def reconsidered(runtime: Runtime) -> list[LeftOver]:
    """Attempts at an end that is not the last word: paid and lost, which the provider may show
    again, and given up in doubt, which its log may show yet. Those that are too old for either are left out."""
    since = runtime.ledger.now() - RECONSIDERED_FOR
    found = await ledger_call(runtime.ledger.lost, since)
    doubts = await ledger_call(runtime.ledger.unsettled)
    found += [a for a in doubts if a.state is State.SUPERSEDED and a.created_at >= since]
    return await _labelled(runtime, found)


async def _labelled(runtime: Runtime, attempts: Sequence[Attempt]) -> list[LeftOver]:
    rows = await ledger_call(runtime.ledger.rows_of_clips, [a.clip_key for a in attempts])
    anywhere = {row.clip_key: row.id for row in rows}
    own = {(row.batch, row.clip_key): row.id for row in rows}

    def label(a: Attempt) -> str:
        return own.get((a.batch, a.clip_key)) or anywhere.get(a.clip_key, a.clip_key[:12])

    return [LeftOver(a.id, label(a), a.batch) for a in attempts]


@dataclass(frozen=True, slots=True)
class Remaining:
    """Attempts that are not at an end, with a sentence that sums them up."""

    attempts: tuple[LeftOver, ...]
    sentence: str
    usd_at_risk: Decimal


async def remaining(runtime: Runtime) -> Remaining:
    """Every attempt in the ledger that is in flight, paid and not stored, or in doubt."""
    unfinished = sorted(await ledger_call(runtime.ledger.unfinished), key=runtime.result_ends)
    doubt = sum(a.state is State.IN_DOUBT for a in unfinished)
    risk = at_risk(await ledger_call(runtime.ledger.unsettled))
    words = f"{len(unfinished) - doubt} in flight or to be fetched · {doubt} in doubt · {show_usd(risk)} at risk"
    sentence = words if unfinished or risk else "nothing is left to collect"
    return Remaining(tuple(await _labelled(runtime, unfinished)), sentence, risk)
