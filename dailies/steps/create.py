"""Buys a clip: claim, one POST, and the record of what became of it. The only place where money is spent.

Between T1 and T2 nothing may raise past us, cancel us or be retried by anybody else.
"""

from __future__ import annotations

import hashlib
import json
import logging
import time
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import anyio
import anyio.to_thread
from sqlalchemy.exc import SQLAlchemyError

from dailies.catalog import Settled, request_body
from dailies.domain.brake import CreateResult, GivenUp, Hold
from dailies.domain.clips import Row
from dailies.domain.creates import Accepted, Doubtful, Free, KnownAttempt
from dailies.domain.outcomes import Answer, Meaning, Verdict
from dailies.domain.records import Attempt
from dailies.domain.states import Failure
from dailies.errors import (
    BadInput,
    Busy,
    DailiesError,
    MaybeCharged,
    Misconfigured,
    NotCharged,
    NotSent,
    Refused,
    Stopped,
)
from dailies.failpoints import hit
from dailies.ledger import Unclaimed
from dailies.ledger.file import LedgerVanished
from dailies.providers import Created
from dailies.providers.refusals import weighed
from dailies.steps.adopt import adopt_stored
from dailies.steps.image import image_url
from dailies.steps.record import record_outcome
from dailies.studio import Studio

logger = logging.getLogger("dailies.create")

SEND_TRIES = 4  # a create that was never sent is tried so often
SEND_PAUSES_S = (0.5, 2.0, 5.0)
BUSY_FOR_S = 1800.0  # a provider that answers 429 for so long is too busy: the clip stays planned
BUSY_BEFORE_MOVING_ON_S = 120.0  # where the row names another provider, it is asked sooner
PAUSE_THAT_NEEDS_A_LOOK_S = 20.0
"""After a longer time between T1 and the POST somebody may have taken us for dead: the ledger is asked before sending."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """Everything of a create that can fail for free, done before the claim."""

    row: Row
    provider: str
    body: dict[str, Any]
    digest: str
    usd_quoted: Decimal


async def create_clip(studio: Studio, clip_key: str, provider: str) -> Attempt:
    """Buy one clip at one of its row's providers. Returns the attempt, submitted (or completed, or adopted from S3).

    Raises NotCharged in its kinds, MaybeCharged, or AlreadyTaken when somebody else was faster.
    """
    row = studio.the_job.rows[clip_key]
    async with studio.creating(provider):
        refuse_stopped(studio, row, provider)
        adopted = await adopt_stored(studio, row)
        if adopted:
            return adopted
        prepared = await prepare(studio, row, provider)
        hit("before-claim")
        return await _buy(studio, prepared)


async def _buy(studio: Studio, prepared: Prepared) -> Attempt:
    """T1, the POST, T2: shielded, so that Ctrl-C and SIGTERM wait until an answer is on record."""
    bought: Attempt | None = None
    while bought is None:
        await studio.pace(prepared.provider).take_turn()
        with anyio.CancelScope(shield=True):
            claimed = await claim_in_turn(studio, prepared)
            if claimed:
                hit("after-claim")
                bought = await _send(studio, prepared, claimed)
    return bought


class AlreadyTaken(DailiesError):
    """The clip was claimed, delivered or refused by somebody else since we looked."""


class BudgetReached(Stopped):
    """A hard budget leaves no room for this clip."""


async def prepare(studio: Studio, row: Row, provider: str) -> Prepared:
    """Build the request. Raises Refused when the image can no longer be sent as it was planned."""
    clip = row.clip
    model = studio.catalog.find(clip.model)
    settled = Settled(clip.resolution, clip.aspect_ratio, clip.duration_s, dict(clip.options))  # type: ignore[arg-type]
    try:
        url = await image_url(studio, row, model.offer_at(provider).takes_data_uri)
    except BadInput as error:
        raise Refused(f"{row.id}: {error}. Nothing was sent, nothing was charged") from error
    body = request_body(model, provider, settled, prompt=clip.prompt, image_url=url)
    named = request_body(model, provider, settled, prompt=clip.prompt, image_url=clip.image.identity)
    digest = hashlib.sha256(json.dumps([provider, named], sort_keys=True).encode()).hexdigest()
    usd = studio.the_job.plan.quote_at(clip.key, provider)
    if usd is None and not studio.the_job.order.allow_unpriced:
        raise Refused(
            f"{row.id}: no price is known at {provider}; nothing was sent (--allow-unpriced buys without a quote)"
        )
    return Prepared(row, provider, body, digest, usd if usd is not None else Decimal(0))


async def claim_in_turn(studio: Studio, prepared: Prepared) -> Attempt | None:
    """T1, in a turn that was taken and is passed on. None while the provider's brake is on: to be asked again."""
    provider, hold = prepared.provider, None
    pace = studio.pace(provider)
    try:
        refuse_stopped(studio, prepared.row, provider)
        claimed = await claim(studio, prepared, pace.creates_at_once())
        hold = claimed if isinstance(claimed, Hold) else None
    finally:
        earlier = pace.held
        pace.pass_turn(hold)
    if pace.held and not earlier:
        logger.warning("%s", pace.held.words(provider))
    return claimed if isinstance(claimed, Attempt) else None


def refuse_stopped(studio: Studio, row: Row, provider: str) -> None:
    """Raise Stopped where nothing more is bought at a provider in this run."""
    if provider in studio.stopped:
        raise Stopped(f"{row.id}: not started; {provider} was stopped: {studio.stopped[provider]}")


async def claim(studio: Studio, prepared: Prepared, at_once: int | None = None) -> Attempt | Hold:
    """T1. Raises AlreadyTaken, BudgetReached, or Stopped when the brake has given up or the ledger vanished."""
    job, clip = studio.the_job, prepared.row.clip
    try:
        claimed = await anyio.to_thread.run_sync(
            studio.ledger.claim, clip.key, job.plan.batch, prepared.provider, prepared.usd_quoted, job.caps, prepared.digest,
            clip.image.sha256, at_once,
        )  # fmt: skip
    except LedgerVanished as error:
        await studio.give_up_buying(error)
        raise Stopped(f"{prepared.row.id}: not started; {error}") from error
    match claimed:
        case GivenUp():
            studio.stopped.setdefault(prepared.provider, claimed.words)
            refuse_stopped(studio, prepared.row, prepared.provider)
        case Unclaimed.TAKEN:
            raise AlreadyTaken(f"{prepared.row.id}: somebody else was faster")
        case Unclaimed.BATCH_BUDGET | Unclaimed.DAY_BUDGET:
            raise BudgetReached(f"{prepared.row.id}: the {claimed} is used up; nothing more is bought")
        case Attempt() | Hold():
            return claimed
    raise AssertionError(claimed)


async def _send(studio: Studio, prepared: Prepared, attempt: Attempt) -> Attempt:
    pace = studio.pace(prepared.provider)
    started, tries = time.monotonic(), 0
    asked = started
    while True:
        await pace.clear()
        if time.monotonic() - asked > PAUSE_THAT_NEEDS_A_LOOK_S and not await _still_mine(studio, attempt):
            raise MaybeCharged(f"{prepared.row.id}: paused for too long before sending; see dailies status")
        hit("before-post")
        created = await studio.provider(prepared.provider).create(prepared.body, attempt.id)
        hit("after-post")
        asked = time.monotonic()
        verdict = await _weighed(studio, prepared, created)
        match verdict.meaning:
            case Meaning.ACCEPTED:
                pace.speed_up()
                return await _accepted(studio, prepared, attempt, created)
            case Meaning.TRY_AGAIN:
                tries += 1
                if tries < SEND_TRIES and not studio.stopping.is_set():
                    await _count(studio, prepared.provider, CreateResult.NOT_SENT)
                    await anyio.sleep(SEND_PAUSES_S[tries - 1])
                    continue
            case Meaning.WAIT:
                pace.slow_down(verdict.wait_s)
                patience_s = BUSY_FOR_S if prepared.provider == prepared.row.providers[-1] else BUSY_BEFORE_MOVING_ON_S
                if time.monotonic() - started < patience_s and not studio.stopping.is_set():
                    await _count(studio, prepared.provider, CreateResult.BUSY)
                    continue
            case _:
                pass
        return await _not_accepted(studio, prepared, attempt, created, verdict)


async def _count(studio: Studio, provider: str, result: CreateResult) -> None:
    """Count a request that is sent once more; a count is worth no clip."""
    with suppress(SQLAlchemyError, OSError):
        await anyio.to_thread.run_sync(studio.ledger.count_create, provider, result)


async def _weighed(studio: Studio, prepared: Prepared, created: Created) -> Verdict:
    async def needed() -> Decimal:
        return await anyio.to_thread.run_sync(studio.ledger.usd_in_flight, prepared.provider)

    provider = studio.provider(prepared.provider)
    return await weighed(provider, created.outcome, studio.streak(prepared.provider), needed)


async def _still_mine(studio: Studio, attempt: Attempt) -> bool:
    try:
        return await anyio.to_thread.run_sync(studio.ledger.still_mine, attempt)
    except (SQLAlchemyError, OSError):
        return False


async def _accepted(studio: Studio, prepared: Prepared, attempt: Attempt, created: Created) -> Attempt:
    answer = created.outcome
    assert isinstance(answer, Answer) and answer.generation_id
    told = Accepted(answer.generation_id, answer.url, answer.usd_charged, answer.credits_used)
    recorded = await record_outcome(studio.ledger, studio.spool, _known(studio, prepared, attempt), told)
    if recorded is None:
        await _doubt(studio, attempt, f"accepted as {answer.generation_id}, and the ledger did not take the id")
        raise MaybeCharged(
            f"{prepared.row.id}: accepted as {answer.generation_id}, and the ledger has not taken it yet; "
            "the next run or `dailies collect` goes on from the spool"
        )
    logger.info("%s · attempt %d accepted as %s", prepared.row.id, attempt.no, answer.generation_id)
    return recorded


def _known(studio: Studio, prepared: Prepared, attempt: Attempt) -> KnownAttempt:
    job = studio.the_job
    return KnownAttempt(attempt, prepared.row, job.plan.source, f"s3://{job.bucket}/{job.prefix}".rstrip("/"))


async def _doubt(studio: Studio, attempt: Attempt, words: str) -> None:
    """In doubt for everybody, where the ledger takes at least that; else the next run finds our claim abandoned."""
    with suppress(SQLAlchemyError, OSError):
        await anyio.to_thread.run_sync(studio.ledger.doubt, attempt.id, words)


async def _not_accepted(
    studio: Studio, prepared: Prepared, attempt: Attempt, created: Created, verdict: Verdict
) -> Attempt:
    who, words = prepared.row.id, verdict.words
    known = _known(studio, prepared, attempt)
    if verdict.meaning is Meaning.IN_DOUBT:
        studio.pace(prepared.provider).doubted()
        raw = created.outcome.raw if isinstance(created.outcome, Answer) else b""
        recorded = await record_outcome(studio.ledger, studio.spool, known, Doubtful(words, raw, verdict.wait_s))
        words = (recorded and recorded.error) or words
        logger.warning("%s · attempt %d: %s (%s)", who, attempt.no, words, verdict.meaning)
        raise MaybeCharged(
            f"{who}: {words}. It may have cost ${prepared.usd_quoted:.2f} and is not bought again; "
            f"`dailies collect` looks for it, `dailies resolve {attempt.id[:8]}` settles it"
        )
    failure = verdict.failure or Failure.REFUSED
    await record_outcome(studio.ledger, studio.spool, known, Free(failure, words))
    logger.warning("%s · attempt %d: %s (%s)", who, attempt.no, words, verdict.meaning)
    raise _as_error(studio, prepared, verdict, failure)


def _as_error(studio: Studio, prepared: Prepared, verdict: Verdict, failure: Failure) -> DailiesError:
    who, words = prepared.row.id, verdict.words
    match failure:
        case Failure.STOPPED:
            studio.stopped.setdefault(prepared.provider, words)
            return Stopped(
                f"{prepared.provider} refuses every clip: {words}. {who} was not charged; the rest is not started"
            )
        case Failure.BUSY:
            return Busy(f"{who}: {prepared.provider} was too busy for too long. Not charged; run again later")
        case Failure.NOT_SENT:
            return NotSent(f"{who}: {words}. Not charged; run again when {prepared.provider} can be reached")
        case Failure.MISCONFIGURED:
            return Misconfigured(f"{who}: {words}. Not charged")
        case Failure.REFUSED | Failure.GENERATION | Failure.SETTLED_FREE:
            return Refused(f"{who}: refused by {prepared.provider}: {words}. Not charged; change the row to try again")


__all__ = ["AlreadyTaken", "BudgetReached", "NotCharged", "create_clip"]
