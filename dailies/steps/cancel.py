"""Cancels clips: what was not sent is put on record as not wanted, what only waits at its provider is asked to stop there.

A provider's yes changes no state: the job's own end does, which is looked for here a few times and by every later look.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

import anyio

from dailies.domain.money import ZERO
from dailies.domain.records import Attempt, BatchRow
from dailies.domain.states import State, may_claim
from dailies.ledger import Ledger, LostOwnership
from dailies.ledger.calling import ledger_call
from dailies.providers.base import LookKind, Provider
from dailies.registry import declaration

LOOKS_AFTER_S = (0.1, 0.5, 1.0, 2.0, 4.0)
NOTE = "cancelled before it was sent"


@dataclass(frozen=True, slots=True)
class Wish:
    """One clip to be cancelled. `attempt` is None for what was not sent."""

    row: BatchRow
    attempt: Attempt | None

    @property
    def usd_quoted(self) -> Decimal | None:
        """What it would cost, or was quoted at."""
        return self.attempt.usd_quoted if self.attempt else self.row.usd_quoted


@dataclass(frozen=True, slots=True)
class Cancelled:
    """What became of a wish: how the clip stands now, and whether its provider agreed (None: it was not asked)."""

    wish: Wish
    state: State
    agreed: bool | None
    detail: str
    usd_charged: Decimal | None = None


def wishes(rows: Iterable[BatchRow]) -> list[Wish]:
    """The clips that can be cancelled: those that no run has sent, and those at a provider that stops what waits there."""
    found: dict[str, Wish] = {}
    for row in rows:
        attempt = row.attempt
        if row.retired or row.forgotten or row.clip_key in found:
            continue
        if may_claim(row.attempts):
            found[row.clip_key] = Wish(row, None)
        elif attempt and attempt.state is State.SUBMITTED and cancels(attempt.provider):
            found[row.clip_key] = Wish(row, attempt)
    return list(found.values())


def cancels(provider: str) -> bool:
    """Whether a provider has anything like it."""
    known = declaration(provider)
    return known is not None and known.cancels


def rules(asked: Iterable[Wish]) -> list[str]:
    """What cancelling means at each provider that will be asked."""
    names = dict.fromkeys(wish.attempt.provider for wish in asked if wish.attempt)
    return [f"{one.title}: {one.cancel_rule}" for name in names if (one := declaration(name))]


async def cancel_all(ledger: Ledger, provider: Callable[[str], Provider], wanted: Iterable[Wish]) -> list[Cancelled]:
    """Cancel one after another. What can't be asked now is told, and stays as it is."""
    return [await _cancel(ledger, provider, wish) for wish in wanted]


async def _cancel(ledger: Ledger, provider: Callable[[str], Provider], wish: Wish) -> Cancelled:
    if wish.attempt is None:
        row = wish.row
        first = row.providers[0] if row.providers else ""
        ended = await ledger_call(ledger.cancel_unsent, row.clip_key, row.batch, first, NOTE)
        if ended is None:
            return Cancelled(wish, State.SUBMITTING, None, "it was sent in this moment")
        return Cancelled(wish, ended.state, None, NOTE, ZERO)
    client = provider(wish.attempt.provider)
    agreed = bool(await client.cancel(wish.attempt.asked_by))
    said = "agreed to cancel it" if agreed else "does not cancel it"
    await ledger_call(ledger.noted, wish.attempt.id, f"cancel: {wish.attempt.provider} {said}")
    if not agreed:
        return Cancelled(
            wish, wish.attempt.state, False, f"{wish.attempt.provider} {said}: it runs or has ended, and comes home"
        )
    return await _until_ended(ledger, client, wish, wish.attempt)


async def _until_ended(ledger: Ledger, client: Provider, wish: Wish, attempt: Attempt) -> Cancelled:
    """A few looks; what has not ended by then is looked at by runs and by `collect`."""
    for pause_s in LOOKS_AFTER_S:
        await anyio.sleep(pause_s)
        look = await client.look(attempt.asked_by)
        found = await ledger_call(ledger.attempt, attempt.id)
        if found is None or found.state is not State.SUBMITTED:
            break
        try:
            if look.kind is LookKind.FAILED:
                charged = look.usd_charged if look.usd_charged is not None else ZERO
                ended = await ledger_call(ledger.generation_failed, found, look.detail, charged)
                return Cancelled(wish, ended.state, True, look.detail, charged)
            if look.kind is LookKind.READY and look.url:
                done = await ledger_call(ledger.record_completed, found, look.url, look.usd_charged, look.credits_used)
                return Cancelled(wish, done.state, True, "it was made all the same, and comes home", look.usd_charged)
        except LostOwnership:
            continue
    found = await ledger_call(ledger.attempt, attempt.id)
    state = found.state if found else attempt.state
    return Cancelled(
        wish, state, True, "agreed; it is looked at until it has ended", found.usd_charged if found else None
    )


def entry(one: Cancelled) -> Mapping[str, object]:
    """One line of the answer in JSON."""
    quoted, attempt = one.wish.usd_quoted, one.wish.attempt
    return {
        "id": one.wish.row.id,
        "batch": one.wish.row.batch,
        "take": one.wish.row.clip.take,
        "clip_key": one.wish.row.clip_key,
        "attempt": attempt.id if attempt else None,
        "provider": attempt.provider if attempt else None,
        "state": str(one.state),
        "agreed": one.agreed,
        "detail": one.detail,
        "usd_quoted": None if quoted is None else float(quoted),
        "usd_charged": None if one.usd_charged is None else float(one.usd_charged),
    }
