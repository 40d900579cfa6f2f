"""Takes in one call to our webhook: T2 and T3, no more. What is not the provider's own word leads to a question first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import anyio

from dailies.domain.creates import Accepted
from dailies.domain.money import ZERO
from dailies.domain.records import Attempt
from dailies.domain.states import State
from dailies.ledger import DuplicateGeneration, Ledger, LostOwnership
from dailies.ledger.calling import ledger_call
from dailies.providers.base import LogUnavailable, Look, LookKind, Provider, doubt_of
from dailies.providers.webhooks import Told

NOTE = "told by the provider's webhook"
MOST_ASKED = 20
"""Of the other creates without an id, so many are asked for before a call is believed."""


class UnknownAttempt(Exception):
    """Nobody here is meant."""


class NotOnRecord(Exception):
    """It could not be put on record now: the provider calls again, and polling goes on beside."""


@dataclass
class CallRecorder:
    """Takes calls in one after another, for a ledger whose paid attempts are left to whoever comes first."""

    ledger: Ledger
    model_of: Callable[[Attempt], str]
    """What the attempt's provider calls the model that was bought."""
    _one: anyio.Lock = field(default_factory=anyio.Lock)

    async def record(self, provider: Provider, attempt_id: str | None, told: Told) -> str:
        """What is on record now, in a few words. Raises UnknownAttempt or NotOnRecord. The same call again changes nothing."""
        async with self._one:
            attempt = await self._meant(provider, attempt_id, told)
            fresh = attempt.generation_id is None
            if fresh:
                attempt = await self._with_id(provider, attempt, told)
            elif attempt.generation_id != told.generation_id:
                raise UnknownAttempt("another generation is on record for this attempt")
            if attempt.state not in (State.SUBMITTED, State.ORPHANED) or attempt.delivered or attempt.result_url:
                return f"on record already: {attempt.state}"
            look = await self._look(provider, attempt, told)
            if look.transient and not fresh:
                raise NotOnRecord(f"{provider.name} could not be asked: {look.detail}")
            return await self._with_end(attempt, look)

    async def _meant(self, provider: Provider, attempt_id: str | None, told: Told) -> Attempt:
        """The attempt of our reference; of a signed call also the one that has the id on record."""
        if attempt_id is not None:
            attempt = await ledger_call(self.ledger.attempt, attempt_id)
        elif told.signed:
            query = self.ledger.attempt_of_generation
            attempt = await ledger_call(query, provider.name, told.generation_id)
        else:
            attempt = None
        if attempt is None or attempt.provider != provider.name:
            raise UnknownAttempt("no attempt has this reference")
        return attempt

    async def _with_id(self, provider: Provider, attempt: Attempt, told: Told) -> Attempt:
        """T2, for an attempt whose answer was lost or has not come yet. A create that is on its way keeps its owner."""
        await self._refuse_anothers(provider, attempt, told.generation_id)
        handle = provider.handle_of(told.generation_id, self.model_of(attempt))
        if not told.signed:
            look = await provider.look(handle or told.generation_id)
            if look.transient:
                raise NotOnRecord(f"{provider.name} does not confirm {told.generation_id}: {look.detail}")
        accepted = Accepted(told.generation_id, handle=handle)
        self.ledger.heir = attempt.owner if attempt.state is State.SUBMITTING else None
        try:
            return await ledger_call(self.ledger.mark_submitted, attempt.id, accepted, NOTE)
        except DuplicateGeneration as error:
            raise UnknownAttempt("this generation belongs to another attempt") from error

    async def _refuse_anothers(self, provider: Provider, attempt: Attempt, generation_id: str) -> None:
        """No signature covers the address that a call comes to: with the reference of another attempt it would be a valid call.
        What the ledger or the provider knows to be another attempt's is refused; where neither knows, the reference counts.
        A provider that shows another one for this attempt may not list both yet, where two asked for the same: call again."""
        query = self.ledger.attempt_of_generation
        if await ledger_call(query, provider.name, generation_id):
            raise UnknownAttempt("this generation belongs to another attempt")
        own = await self._shown(provider, attempt)
        if own == generation_id:
            return
        if own is not None:
            raise NotOnRecord(f"{provider.name} has another generation for this attempt")
        for other in await ledger_call(self._others, attempt):
            if await self._shown(provider, other) == generation_id:
                raise UnknownAttempt("the provider has this generation for another attempt")

    async def _shown(self, provider: Provider, attempt: Attempt) -> str | None:
        """The generation that the provider itself has for a create, where it can be asked and tells one."""
        kept = await ledger_call(self.ledger.kept_request, attempt.id)
        try:
            found = await provider.find(doubt_of(attempt, self.ledger.now(), kept)) if kept else None
        except LogUnavailable:
            return None
        return found.generation_id if found else None

    def _others(self, attempt: Attempt) -> list[Attempt]:
        """Creates at the same provider whose answers are lost or have not come yet, the latest first."""
        every = {one.id: one for one in [*self.ledger.unfinished(), *self.ledger.unsettled()]}
        known = (one for one in every.values() if one.provider == attempt.provider and one.id != attempt.id)
        nameless = [one for one in known if one.generation_id is None]
        return sorted(nameless, key=lambda one: one.created_at, reverse=True)[:MOST_ASKED]

    async def _look(self, provider: Provider, attempt: Attempt, told: Told) -> Look:
        """A signed result is taken at its word; a failure, and whatever is only a hint, is asked of the provider."""
        if told.signed and told.look is not None and told.look.kind is LookKind.READY and told.look.url:
            return told.look
        return await provider.look(attempt.asked_by)

    async def _with_end(self, attempt: Attempt, look: Look) -> str:
        """T3 by the epoch that is on record: it takes the work from nobody."""
        ledger = self.ledger
        try:
            match look.kind:
                case LookKind.READY:
                    assert look.url
                    await ledger_call(ledger.record_completed, attempt, look.url, look.usd_charged, look.credits_used)
                    return "ready"
                case LookKind.FAILED:
                    charged = look.usd_charged if look.usd_charged is not None else ZERO
                    await ledger_call(ledger.generation_failed, attempt, look.detail, charged)
                    return "failed"
                case LookKind.GENERATING:
                    return "going on"
        except LostOwnership as error:
            raise NotOnRecord("somebody took it over in this moment") from error
