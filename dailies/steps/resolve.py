"""What a person decides about an attempt: checked against the ledger and the provider first, then put on record as a move."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from dailies.domain.commands import COLLECT, STATUS
from dailies.domain.creates import Accepted
from dailies.domain.money import show_usd
from dailies.domain.records import Attempt
from dailies.domain.states import IllegalMove, State
from dailies.errors import BadInput, ResultLost
from dailies.ledger import BoughtAgain, DuplicateGeneration, Ledger, MovedMeanwhile
from dailies.ledger.calling import ledger_call
from dailies.providers.base import LOG_MARGIN, LogUnavailable, LookKind
from dailies.runtime import Runtime
from dailies.steps.recover import reopen_attempt

FEWEST_DIGITS = 6


class Word(StrEnum):
    """What a person may say of an attempt."""

    CHARGED = "charged"
    NOT_CHARGED = "not_charged"
    RESUBMIT = "resubmit"
    TAKE_BACK = "take_back"
    ASK_AGAIN = "ask_again"


@dataclass(frozen=True, slots=True)
class Doubts:
    """The attempts in doubt that may be settled together, and how many are left alone."""

    old: tuple[Attempt, ...]
    younger: int
    sender_lives: int


def attempt_named(ledger: Ledger, name: str) -> Attempt:
    """The one attempt whose id begins so, in doubt where its owner died over the create. Raises BadInput, with the
    candidates where there are several."""
    ledger.reap()
    found = ledger.like(name) if len(name) >= FEWEST_DIGITS else []
    exact = [attempt for attempt in found if attempt.id == name]
    if len(exact or found) == 1:
        return (exact or found)[0]
    if not found:
        few = "" if len(name) >= FEWEST_DIGITS else f" (say at least its first {FEWEST_DIGITS} digits)"
        raise BadInput(f"no attempt {name!r}{few}: {STATUS} shows them. Nothing was changed", trouble="which-one")
    each = "\n".join(f"  {attempt.id}  {attempt.batch}  {attempt.state}" for attempt in found)
    raise BadInput(
        f"{name!r} begins several attempts. Nothing was changed. Say more of one:\n{each}", trouble="which-one"
    )


def doubts(ledger: Ledger, older_than: timedelta, batch: str | None) -> Doubts:
    """What is in doubt for so long; never what a living sender may yet hold the answer to."""
    ledger.reap()
    since = ledger.now() - older_than
    asked = [a for a in ledger.unsettled() if a.state is State.IN_DOUBT and batch in (None, a.batch)]
    old = [a for a in asked if a.created_at <= since]
    free = tuple(a for a in old if not ledger.sender_lives(a))
    return Doubts(free, len(asked) - len(old), len(old) - len(free))


def settle_all(ledger: Ledger, attempts: tuple[Attempt, ...], word: Word) -> list[Attempt]:
    """Settle many by one word. What was found, settled, sent again or bought by somebody else meanwhile is left out."""
    settled = []
    for attempt in attempts:
        with suppress(MovedMeanwhile, KeyError):
            if not ledger.sender_lives(attempt):
                settled.append(_move(ledger, attempt, word))
    return settled


def _move(ledger: Ledger, seen: Attempt, word: Word) -> Attempt:
    if word is Word.NOT_CHARGED:
        return ledger.resolve_free(seen.id, "a person says that it was never charged", seen)
    return ledger.resubmit(seen.id, "a person accepts the risk and lets it be bought again", seen)


def settle_one(ledger: Ledger, attempt: Attempt, word: Word) -> tuple[Attempt, str]:
    """`not_charged`, `resubmit`, or taking `not_charged` back: the attempt as it is now, and a sentence for the person.

    Raises BadInput where there is nothing to settle, or somebody else may yet hold the answer.
    """
    who, again = _who(attempt), f"the next run of batch {attempt.batch}"
    refuse_while_its_sender_lives(ledger, attempt)
    try:
        if word is Word.TAKE_BACK:
            taken = ledger.take_back(attempt.id, "a person takes back that it was never charged")
            return taken, f"{who} is in doubt again; {show_usd(taken.usd_at_risk)} at risk"
        moved = _move(ledger, attempt, word)
    except MovedMeanwhile as error:
        raise _moved(attempt, error) from None
    except IllegalMove:
        raise _refused(f"{who} is {attempt.state}: there is nothing to resolve") from None
    except BoughtAgain as error:
        raise _refused(
            f"{who} can't be taken back: its clip was bought again since, and {_who(error.attempt)} is {error.attempt.state}"
        ) from None
    if word is Word.NOT_CHARGED:
        return moved, f"{who} was not charged; {again} may buy the clip again"
    risk = f"; {show_usd(moved.usd_at_risk)} stays at risk" if moved.usd_at_risk else ""
    return moved, f"{who} is given up{risk}; {again} buys the clip again"


async def settle_charged(runtime: Runtime, attempt: Attempt, generation_id: str) -> tuple[Attempt, str]:
    """A person has found its generation id. The provider is asked first; an id that it does not show, that is on record
    already, or that its log shows for another request, is refused. Raises BadInput."""
    who, ledger = _who(attempt), runtime.ledger
    told = generation_id.strip()
    if not told:
        raise _refused("--charged needs the generation id that the provider shows for it")
    if attempt.state not in (State.IN_DOUBT, State.SUPERSEDED, State.FAILED) or attempt.generation_id:
        raise _refused(f"{who} is {attempt.state}: there is nothing to resolve")
    await ledger_call(refuse_while_its_sender_lives, ledger, attempt)
    holder = await ledger_call(ledger.attempt_of_generation, attempt.provider, told)
    if holder:
        raise _refused(f"generation {told} is on record already: it is {_who(holder)} ({holder.state})")
    shown = await _shown_in_the_log(runtime, attempt, told) or await _shown_by_a_look(runtime, attempt, told)
    try:
        note = "a person says that it was charged, and the provider shows it"
        settled = await ledger_call(ledger.resolve_found, attempt.id, shown, note, attempt)
    except MovedMeanwhile as error:
        raise _moved(attempt, error) from None
    except DuplicateGeneration:
        raise _refused(f"generation {told} already belongs to another attempt") from None
    return settled, f"{who} is {settled.state} as {told}: {COLLECT} brings it home"


async def _shown_in_the_log(runtime: Runtime, attempt: Attempt, told: str) -> Accepted | None:
    """What the provider's log says, where it has one that can be read now. Raises BadInput where it contradicts."""
    since, until = attempt.created_at - LOG_MARGIN, runtime.ledger.now() + LOG_MARGIN
    try:
        log = await runtime.provider(attempt.provider).finished(since, until)
    except LogUnavailable:
        return None
    for entry in log:
        ours, same = entry.reference == attempt.id, entry.found.generation_id == told
        if same and not ours:
            raise _refused(
                f"{attempt.provider}'s log shows generation {told} for another request ({entry.reference}), not for "
                f"{_who(attempt)}"
            )
        if ours and not same:
            raise BadInput(
                f"{attempt.provider}'s log shows {_who(attempt)} as generation {entry.found.generation_id}, not {told}. "
                f"Nothing was changed; {COLLECT} takes it from there",
                trouble="not-in-doubt",
            )
        if ours and entry.found.succeeded:
            return Accepted(told, None, entry.found.usd_charged, entry.found.credits_used)
    return None


async def _shown_by_a_look(runtime: Runtime, attempt: Attempt, told: str) -> Accepted:
    look = await runtime.provider(attempt.provider).look(told)
    if look.transient:
        raise _refused(
            f"{attempt.provider} does not show generation {told} ({look.detail}), so it can't be {_who(attempt)}'s as far as "
            "anybody can tell now"
        )
    return Accepted(told, look.url if look.kind is LookKind.READY else None, look.usd_charged, look.credits_used)


async def reopen_lost(runtime: Runtime, attempt: Attempt) -> tuple[Attempt, str]:
    """A lost clip: the provider is asked whether it shows it again. Raises BadInput while it does not."""
    try:
        ready = await reopen_attempt(runtime, attempt.id)
    except ResultLost as error:
        raise _refused(str(error)) from None
    return ready, f"{_who(attempt)} is {ready.state} again: {COLLECT} brings it home"


def refuse_while_its_sender_lives(ledger: Ledger, attempt: Attempt) -> None:
    """Raise BadInput while the process that sent an attempt may hold its answer."""
    if ledger.sender_lives(attempt):
        raise _refused(f"{_who(attempt)} is not settled yet: the process that sent it is there and may hold its answer")


def _refused(words: str) -> BadInput:
    return BadInput(f"{words}. Nothing was changed", trouble="not-in-doubt")


def _moved(seen: Attempt, error: MovedMeanwhile) -> BadInput:
    now = "in doubt for another reason" if error.attempt.state is seen.state else str(error.attempt.state)
    return BadInput(
        f"{_who(seen)} was {seen.state} and is {now} by now: it moved in this moment. Nothing was changed. {STATUS} shows it"
    )


def _who(attempt: Attempt) -> str:
    return f"attempt {attempt.id[:8]}"
