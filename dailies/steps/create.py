"""Buys a clip: has its create claimed, sent once and recorded by the sender, and decides when it is worth sending again.

The sender is a process of its own (`dailies.sender`): nothing that ends this one comes between the request and its record.
"""

from __future__ import annotations

import logging
import time
from math import inf

import anyio

from dailies.domain.brake import GivenUp, Hold
from dailies.domain.clips import Row
from dailies.domain.commands import COLLECT, STATUS, resolve
from dailies.domain.outcomes import Meaning
from dailies.domain.records import Attempt
from dailies.domain.states import Failure, State
from dailies.errors import (
    Busy,
    DailiesError,
    MaybeCharged,
    Misconfigured,
    NotCharged,
    NotSent,
    Refused,
    Stopped,
    Trouble,
)
from dailies.ledger import Unclaimed
from dailies.ledger.calling import LEDGER_AWAY, ledger_call, name_of
from dailies.ledger.file import LedgerVanished
from dailies.logs import about
from dailies.planning.batch import Batch
from dailies.runtime import Runtime
from dailies.runtime.limiter import CreateRequest
from dailies.sender.line import PendingCreate, SenderEnded
from dailies.sender.protocol import Ended, NotClaimed, NotTaken, Parked, Result, Sold
from dailies.steps.forgotten import remember, remember_doubt
from dailies.steps.prepare import Prepared, prepare, purchase

logger = logging.getLogger("dailies.create")
outcomes = logging.getLogger("dailies.create.outcome")
"""What the progress of a run on a terminal tells by itself."""

SEND_TRIES = 4  # a create that was never sent is tried so often
SEND_PAUSES_S = (0.5, 2.0, 5.0)
BUSY_FOR_S = 1800.0  # a provider that answers 429 for so long is too busy: the clip stays planned
BUSY_BEFORE_MOVING_ON_S = 120.0  # where the row names another provider, it is asked sooner
SENDERS_TRIED = 2  # a create that no sender has claimed is ordered of one more


async def create_clip(runtime: Runtime, batch: Batch, row: Row, provider: str) -> Attempt:
    """Buy one row's clip for a batch, at one of the row's providers. Returns the attempt, submitted (or completed).

    Raises NotCharged in its kinds, MaybeCharged, or AlreadyTaken when somebody else was faster.
    """
    async with runtime.creating(provider):
        with runtime.limiter(provider).create(row.clip.key) as request:
            await _room(row, provider, request)
            refuse_stopped(runtime, row, provider)
            return await _buy(runtime, await prepare(runtime, batch, row, provider), request)


async def repeat_create(runtime: Runtime, prepared: Prepared) -> Attempt:
    """Send the request of an attempt in doubt once more, in turn and under the brake like any other create.

    Returns the attempt once it is accepted. Raises MaybeCharged while it stays in doubt, AlreadyTaken when it may not be
    repeated any more.
    """
    async with runtime.creating(prepared.provider):
        with runtime.limiter(prepared.provider).create(prepared.row.clip.key) as request:
            refuse_stopped(runtime, prepared.row, prepared.provider)
            return await _buy(runtime, prepared, request)


async def _room(row: Row, provider: str, request: CreateRequest) -> None:
    """Wait for room at the provider, before the image is in memory. Raises Busy where the row's next provider is asked sooner."""
    with anyio.move_on_after(inf if provider == row.providers[-1] else BUSY_BEFORE_MOVING_ON_S) as waited:
        await request.room()
    if waited.cancelled_caught:
        raise _busy(row, provider)


async def _buy(runtime: Runtime, prepared: Prepared, request: CreateRequest) -> Attempt:
    """Order the create, and again while the provider's brake is on. From the order to the answer on record Ctrl-C and
    SIGTERM are waited out."""
    bought: Attempt | None = None
    limiter, senders_lost = runtime.limiter(prepared.provider), 0
    while bought is None:
        await request.room()
        await limiter.take_turn()
        with anyio.CancelScope(shield=True):
            try:
                create = await order_in_turn(runtime, prepared)
                bought = await _outcome(runtime, prepared, create, request) if create else None
            except SenderEnded as ended:
                bought = await _left_by(runtime, prepared, ended)
                senders_lost += bought is None
                if senders_lost == SENDERS_TRIED:
                    raise NotSent(
                        f"{prepared.row.id}: {ended} before it claimed the clip. Not charged; run it again"
                    ) from None
    remember(runtime, prepared.batch, prepared.row, bought)
    return bought


class AlreadyTaken(DailiesError):
    """The clip was claimed, delivered or refused by somebody else since we looked."""


class BudgetReached(Stopped):
    """A hard budget leaves no room for this clip."""

    trouble: Trouble = "budget"


async def order_in_turn(runtime: Runtime, prepared: Prepared) -> PendingCreate | None:
    """Have it claimed, in a turn that was taken and is passed on. None: to be ordered again, as while the brake is on.

    Raises AlreadyTaken, BudgetReached, Stopped when the provider's brake has given up, SenderEnded.
    """
    limiter = runtime.limiter(prepared.provider)
    hold: Hold | None = None
    try:
        refuse_stopped(runtime, prepared.row, prepared.provider)
        runtime.ledger.require_at_its_path()
        create = await runtime.sender.order(purchase(prepared, limiter.creates_at_once()))
        refused = await create.claimed()
        match refused:
            case NotClaimed(refusal=Hold() as hold):
                pass
            case NotClaimed(refusal=str()):
                runtime.ledger.require_at_its_path()
    except LedgerVanished as error:
        await runtime.give_up_buying(error)
        raise Stopped(f"{prepared.row.id}: not started; {error}") from error
    finally:
        earlier = limiter.held
        limiter.pass_turn(hold)
    if limiter.held and not earlier:
        logger.warning("%s", limiter.held.describe(prepared.provider))
    if refused is None:
        return create
    _raise_refusal(runtime, prepared, refused)
    return None


def refuse_stopped(runtime: Runtime, row: Row, provider: str) -> None:
    """Raise Stopped where nothing more is bought at a provider in this run."""
    if provider in runtime.halted_providers:
        raise Stopped(f"{row.id}: not started; {provider} was stopped: {runtime.halted_providers[provider]}")


def _raise_refusal(runtime: Runtime, prepared: Prepared, refused: Result) -> None:
    """Raise why a claim was not granted, unless it is only to be asked for again."""
    who = prepared.row.id
    match refused:
        case NotTaken() | NotClaimed(refusal=Hold()):
            return
        case NotClaimed(refusal=GivenUp() as given_up):
            runtime.halted_providers.setdefault(prepared.provider, given_up.detail)
            refuse_stopped(runtime, prepared.row, prepared.provider)
        case NotClaimed(refusal=Unclaimed.TAKEN):
            raise AlreadyTaken(f"{who}: somebody else was faster")
        case NotClaimed(refusal=Unclaimed.COLUMN_BUDGET):
            caps = prepared.batch.caps.for_row(prepared.row.labels)
            names = " or ".join(cap.name for cap in caps) or "its row"
            raise BudgetReached(f"{who}: the budget of {names} is used up; nothing more is bought for it")
        case NotClaimed(refusal=Unclaimed.BATCH_BUDGET | Unclaimed.DAY_BUDGET | Unclaimed.MONTH_BUDGET as budget):
            raise BudgetReached(f"{who}: the {budget} is used up; nothing more is bought")
        case NotClaimed(refusal=words):
            raise NotSent(f"{who}: not claimed, so nothing was sent: {words}")
        case _:
            raise MaybeCharged(f"{who}: the process that sends broke off ({refused}); see {STATUS}")


async def _outcome(runtime: Runtime, prepared: Prepared, create: PendingCreate, request: CreateRequest) -> Attempt:
    """The attempt that was bought. Raises what else became of it."""
    who, limiter = prepared.row.id, runtime.limiter(prepared.provider)
    match await _final(runtime, prepared, create, request):
        case Sold(attempt=attempt):
            request.accepted()
            logger.info("%s · attempt %d accepted as %s", who, attempt.no, attempt.generation_id, extra=about(attempt))
            return attempt
        case Ended(attempt_id=attempt_id, verdict=verdict):
            ids = {"clip": prepared.row.clip.key, "attempt": attempt_id}
            outcomes.warning(
                "%s · attempt %s: %s (%s)", who, attempt_id[:8], verdict.detail, verdict.meaning, extra=ids
            )
            if verdict.meaning is Meaning.IN_DOUBT:
                limiter.doubted()
                if verdict.failure is Failure.STOPPED:
                    runtime.halted_providers.setdefault(prepared.provider, verdict.detail)
                await remember_doubt(runtime, prepared.batch, prepared.row, attempt_id)
                raise _in_doubt(prepared, attempt_id, verdict.detail)
            raise _as_error(runtime, prepared, verdict.detail, verdict.failure or Failure.REFUSED)
        case result:
            raise MaybeCharged(f"{who}: the process that sends broke off ({result}); see {STATUS}")


async def _final(runtime: Runtime, prepared: Prepared, create: PendingCreate, request: CreateRequest) -> Result:
    """What became of a create in the end: one that surely cost nothing is sent again while there is patience left."""
    started, tries = time.monotonic(), 0
    patience_s = BUSY_FOR_S if prepared.provider == prepared.row.providers[-1] else BUSY_BEFORE_MOVING_ON_S
    result = await create.result()
    while isinstance(result, Parked):
        tries += result.verdict.meaning is Meaning.TRY_AGAIN
        if tries >= SEND_TRIES or time.monotonic() - started > patience_s or runtime.shutdown.is_set():
            return await create.give_up()
        waits = result.verdict.meaning is Meaning.WAIT
        if waits:
            request.refused(result.verdict.wait_s)
        left_s = patience_s - (time.monotonic() - started)
        if not await _paused(runtime, request, 0 if waits else SEND_PAUSES_S[tries - 1], left_s):
            return await create.give_up()
        result = await create.send_again()
    return result


async def _paused(runtime: Runtime, request: CreateRequest, seconds: float, patience_s: float) -> bool:
    """Wait so long, and for room at the provider. False when the run is being stopped, or patience is at its end."""
    there_is_room = False
    async with anyio.create_task_group() as either:

        async def watch() -> None:
            await runtime.shutdown.wait()
            either.cancel_scope.cancel()

        either.start_soon(watch)
        with anyio.move_on_after(patience_s):
            await anyio.sleep(seconds)
            await request.room()
            there_is_room = True
        either.cancel_scope.cancel()
    return there_is_room and not runtime.shutdown.is_set()


async def _left_by(runtime: Runtime, prepared: Prepared, ended: SenderEnded) -> Attempt | None:
    """What the ledger says of a create whose sender has ended. None: it was never claimed. Raises MaybeCharged."""
    clip_key = prepared.row.clip.key
    try:
        await ledger_call(runtime.ledger.reap)
        attempts = await ledger_call(runtime.ledger.attempts, clip_key)
    except LEDGER_AWAY as error:
        raise MaybeCharged(
            f"{prepared.row.id}: the process that sent it has ended, and the ledger can't be asked what became of it "
            f"({name_of(error)}). It is not bought again; see {STATUS}"
        ) from error
    ours = [a for a in attempts if a.id == ended.attempt_id or a.owner == ended.owner]
    return _settled(runtime, prepared, ours[-1]) if ours else None


def _settled(runtime: Runtime, prepared: Prepared, attempt: Attempt) -> Attempt:
    """An attempt as its sender left it: bought, or the error that it is."""
    if attempt.generation_id:
        return attempt
    words = attempt.error or "the process that sent it has ended"
    if attempt.state is State.FAILED:
        raise _as_error(runtime, prepared, words, attempt.failure or Failure.REFUSED)
    raise _in_doubt(prepared, attempt.id, words)


def _busy(row: Row, provider: str) -> Busy:
    return Busy(f"{row.id}: {provider} was too busy for too long. Not charged; run again later")


def _in_doubt(prepared: Prepared, attempt_id: str, words: str) -> MaybeCharged:
    return MaybeCharged(
        f"{prepared.row.id}: {words}. It may have cost ${prepared.usd_quoted:.2f} and is not bought again; "
        f"`{COLLECT}` looks for it, `{resolve(attempt_id)}` settles it"
    )


def _as_error(runtime: Runtime, prepared: Prepared, words: str, failure: Failure) -> DailiesError:
    who = prepared.row.id
    match failure:
        case Failure.STOPPED:
            runtime.halted_providers.setdefault(prepared.provider, words)
            return Stopped(
                f"{prepared.provider} refuses every clip: {words}. {who} was not charged; the rest is not started"
            )
        case Failure.BUSY:
            return _busy(prepared.row, prepared.provider)
        case Failure.NOT_SENT:
            return NotSent(f"{who}: {words}. Not charged; run again when {prepared.provider} can be reached")
        case Failure.MISCONFIGURED:
            return Misconfigured(f"{who}: {words}. Not charged")
        case Failure.REFUSED | Failure.GENERATION | Failure.SETTLED_FREE | Failure.CANCELLED:
            return Refused(f"{who}: refused by {prepared.provider}: {words}. Not charged; change the row to try again")


__all__ = ["AlreadyTaken", "BudgetReached", "NotCharged", "create_clip"]
