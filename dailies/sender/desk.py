"""Carries out what a flow orders: claim, send once, record. The only place where money is spent.

Between T1 and T2 nothing here may be cancelled, retried by anybody else, or wait for who ordered it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal

import anyio
import anyio.to_thread

from dailies.domain.commands import COLLECT
from dailies.domain.creates import Accepted, CreateOutcome, Doubtful, Free, KnownAttempt
from dailies.domain.outcomes import Answer, Meaning, Streak, Verdict, unproven
from dailies.domain.pictures import pictures_in
from dailies.domain.records import Attempt
from dailies.domain.states import Failure
from dailies.errors import DailiesError, describe_error
from dailies.failpoints import hit
from dailies.ledger import Ledger, Spool
from dailies.ledger.brakes import result_of
from dailies.ledger.calling import LEDGER_AWAY, ledger_call
from dailies.ledger.record import record_outcome
from dailies.media.unchanged import PictureChanged
from dailies.providers.base import Created, Provider
from dailies.providers.open import open_providers
from dailies.providers.refusals import weighed
from dailies.sender.claims import ClaimedRequest, claim, claim_again
from dailies.sender.clock import Clock, SendWindow
from dailies.sender.flow import create_in_hand
from dailies.sender.protocol import (
    Broken,
    Buy,
    Claimed,
    Ended,
    GiveUp,
    NotClaimed,
    NotTaken,
    Parked,
    Purchase,
    Refusal,
    Repetition,
    Reply,
    SendAgain,
    Sold,
)
from dailies.sender.shelf import Hold, Shelf
from dailies.settings import Settings

logger = logging.getLogger("dailies.sender")


class Desk:
    """All creates of one flow. `tell` hands a reply to the flow; it neither waits nor fails, also when the flow is gone."""

    def __init__(
        self, settings: Settings, ledger: Ledger, spool: Spool, tell: Callable[[Reply], None], clock: Clock
    ) -> None:
        self._settings = settings
        self._ledger = ledger
        self._spool = spool
        self._tell = tell
        self._clock = clock
        self._providers: dict[str, Provider] = {}
        self._streaks: dict[str, Streak] = {}
        self._shelf = Shelf(settings.dailies_pictures_mb * 1_000_000)
        self._instructions: dict[int, asyncio.Queue[SendAgain | GiveUp]] = {}
        self._one_ended = anyio.Event()
        self._flow_gone = False
        self.closing = False

    async def idle(self) -> None:
        """Wait until no create is in hand."""
        while self._instructions:
            await self._one_ended.wait()

    def instruct(self, message: SendAgain | GiveUp) -> None:
        """Pass on what the flow wants of a parked create."""
        if message.create in self._instructions:
            self._instructions[message.create].put_nowait(message)

    def flow_ended(self) -> None:
        """Nobody orders any more: what is parked is set free, what is on its way is finished, for whoever comes first."""
        self._flow_gone = self.closing = True
        self._ledger.heir = None
        for create, instructions in self._instructions.items():
            instructions.put_nowait(GiveUp(create))

    async def buy(self, order: Buy) -> None:
        """One create, from its claim to its record. Whatever goes wrong with it ends no other."""
        if self.closing:
            self._tell(NotTaken(order.create))
            return
        create_in_hand.set(order.create)
        self._instructions[order.create] = asyncio.Queue()
        try:
            reply = await self._buy(order.create, order.purchase)
        except Exception as error:  # the edge: what is claimed and not recorded is in doubt once this process has ended
            logger.exception("create %d broke off", order.create)
            reply = Broken(order.create, describe_error(error))
        del self._instructions[order.create]
        self._tell(reply)
        self._one_ended.set()
        self._one_ended = anyio.Event()

    async def _buy(self, create: int, purchase: Purchase | Repetition) -> Reply:
        hold = Hold(self._shelf, pictures_in(purchase.body) if isinstance(purchase, Purchase) else ())
        try:
            return await self._buy_with(hold, create, purchase)
        finally:
            hold.drop()

    async def _buy_with(self, hold: Hold, create: int, purchase: Purchase | Repetition) -> Reply:
        hit("before-claim")
        try:
            await hold.take()
            claimed = await anyio.to_thread.run_sync(self._claim, purchase, hold)
        except (DailiesError, *LEDGER_AWAY) as error:
            return NotClaimed(create, describe_error(error))
        if not isinstance(claimed, ClaimedRequest):
            return NotClaimed(create, claimed)
        self._tell(Claimed(create, claimed.attempt.id))
        hit("after-claim")
        verdict, created = await self._send(create, claimed, hold)
        verdict = unproven(verdict) if claimed.repeat else verdict
        return await self._record(create, purchase, claimed.attempt, verdict, created)

    def _claim(self, purchase: Purchase | Repetition, hold: Hold) -> ClaimedRequest | Refusal:
        provider = self._provider(purchase.provider)  # what it needs is found before anything is claimed
        if isinstance(purchase, Purchase):
            return claim(self._ledger, provider, purchase, hold)
        base_url = self._settings.base_url(purchase.provider)
        return claim_again(self._ledger, purchase, base_url, self._clock())

    async def _send(self, create: int, claimed: ClaimedRequest, hold: Hold) -> tuple[Verdict, Created | None]:
        """Send until the answer is final, or nobody wants it sent again."""
        while not self._flow_gone:
            try:
                await hold.take()
            except PictureChanged as error:
                return Verdict(Meaning.FAILED, str(error), Failure.NOT_SENT), None
            verdict, created = await self._send_once(claimed)
            hold.drop()
            if verdict.meaning not in (Meaning.TRY_AGAIN, Meaning.WAIT) or not await self._again(create, verdict):
                return verdict, created
            await self._count(claimed.attempt.provider, verdict)
        return Verdict(Meaning.FAILED, "its flow ended before it was sent", Failure.NOT_SENT), None

    async def _again(self, create: int, verdict: Verdict) -> bool:
        if self._flow_gone:
            return False
        self._tell(Parked(create, verdict))
        return isinstance(await self._instructions[create].get(), SendAgain)

    async def _count(self, provider: str, verdict: Verdict) -> None:
        """Count a request that is sent once more; a count is worth no clip."""
        with suppress(*LEDGER_AWAY):
            result = result_of(verdict.failure or Failure.NOT_SENT)
            await ledger_call(self._ledger.count_create, provider, result)

    async def _send_once(self, claimed: ClaimedRequest) -> tuple[Verdict, Created | None]:
        window = await self._window(claimed)
        if window is None:
            return Verdict(Meaning.TRY_AGAIN, "the ledger could not be asked whose it is", Failure.NOT_SENT), None
        hit("before-post")
        provider = claimed.attempt.provider
        created = await self._provider(provider).create(claimed.request, window.open)
        hit("after-post")
        return await self._weighed(provider, created), created

    async def _weighed(self, provider: str, created: Created) -> Verdict:
        async def needed() -> Decimal:
            return await ledger_call(self._ledger.usd_in_flight, provider)

        streak = self._streaks.setdefault(provider, Streak())
        return await weighed(self._provider(provider), created.outcome, streak, needed)

    async def _window(self, claimed: ClaimedRequest) -> SendWindow | None:
        """What the ledger says of a claim just before its request is sent. None when it can't be asked."""
        asked_at = self._clock()
        try:
            ours_for_s = await ledger_call(self._ledger.ours_for_s, claimed.attempt)
        except LEDGER_AWAY:
            return None
        return SendWindow(claimed.may_go_for_s(ours_for_s, asked_at), asked_at, self._clock)

    async def _record(
        self, create: int, purchase: Purchase | Repetition, attempt: Attempt, verdict: Verdict, created: Created | None
    ) -> Reply:
        """T2: what became of it, in the ledger or the spool before anybody is told."""
        known = KnownAttempt(attempt, purchase.row, purchase.source, purchase.destination)
        recorded = await record_outcome(self._ledger, self._spool, known, outcome_of(verdict, created))
        if verdict.meaning is not Meaning.ACCEPTED:
            return Ended(create, attempt.id, replace(verdict, detail=(recorded and recorded.error) or verdict.detail))
        if recorded is None:
            return Ended(create, attempt.id, await self._accepted_and_not_on_record(attempt, created))
        return Sold(create, recorded)

    async def _accepted_and_not_on_record(self, attempt: Attempt, created: Created | None) -> Verdict:
        """In doubt for everybody, where the ledger takes at least that; else it is once this process has ended."""
        answer = created and created.outcome
        accepted = f"accepted as {answer.generation_id}" if isinstance(answer, Answer) else "accepted"
        with suppress(*LEDGER_AWAY):
            words = f"{accepted}, and the ledger did not take the id"
            await ledger_call(self._ledger.mark_in_doubt, attempt.id, words)
        going_on = f"the next run or `{COLLECT}` goes on from the spool"
        return Verdict(Meaning.IN_DOUBT, f"{accepted}, and the ledger has not taken it yet; {going_on}")

    def _provider(self, name: str) -> Provider:
        if name not in self._providers:
            self._providers.update(open_providers(self._settings, [name]))
        return self._providers[name]

    async def keep_leases(self) -> None:
        """Tell the others for ever that this process lives; trouble with the ledger is tried again."""
        while True:
            await anyio.sleep(self._settings.renewal_s)
            with suppress(*LEDGER_AWAY):
                await ledger_call(self._ledger.renew)

    async def close(self) -> None:
        """Close every client."""
        for provider in self._providers.values():
            await provider.close()
        with suppress(*LEDGER_AWAY):
            await ledger_call(self._ledger.close)


def outcome_of(verdict: Verdict, created: Created | None) -> CreateOutcome:
    """What the ledger is told of a create: all that an accepting answer said, or why it cost nothing, or the doubt."""
    answer = created.outcome if created and isinstance(created.outcome, Answer) else None
    match verdict.meaning:
        case Meaning.ACCEPTED if answer and answer.generation_id:
            return Accepted(answer.generation_id, answer.url, answer.usd_charged, answer.credits_used, answer.handle)
        case Meaning.IN_DOUBT | Meaning.ACCEPTED:
            return Doubtful(verdict.detail, answer.raw if answer else b"", verdict.wait_s)
        case Meaning.FAILED | Meaning.STOP | Meaning.TRY_AGAIN | Meaning.WAIT:
            return Free(verdict.failure or Failure.REFUSED, verdict.detail)
