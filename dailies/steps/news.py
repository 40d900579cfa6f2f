"""What people have to be told of paid clips that nobody watches, and that they were told: the record knows both."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from dailies.domain.aging import Told, left_in_words, to_tell
from dailies.domain.commands import COLLECT, STATUS
from dailies.domain.records import Attempt
from dailies.domain.states import State
from dailies.ledger.calling import ledger_call
from dailies.runtime import Runtime


@dataclass(frozen=True, slots=True)
class News:
    """One thing to tell of an attempt; `label` names its clip for people."""

    what: Told
    attempt: Attempt
    label: str
    ends: datetime
    sentence: str


async def untold(runtime: Runtime) -> list[News]:
    """What nobody was told yet: doubts whose owner died, and what has grown old against its result's life."""
    return await ledger_call(_untold, runtime)


def _untold(runtime: Runtime) -> list[News]:
    ledger, now = runtime.ledger, runtime.ledger.now()
    unfinished = ledger.unfinished()
    told = ledger.told(attempt.id for attempt in unfinished)
    found = [
        (what, attempt, ends)
        for attempt in unfinished
        for ends in (runtime.result_ends(attempt),)
        for what in to_tell(attempt, ends, now, ledger.is_dead(attempt), told.get(attempt.id, frozenset()))
    ]
    labels = {row.clip_key: row.id for row in ledger.rows_of_clips(attempt.clip_key for _, attempt, _ in found)}
    return [
        News(what, a, labels.get(a.clip_key, a.clip_key[:12]), ends, _sentence(what, a, left_in_words(ends, now)))
        for what, a, ends in found
    ]


def _sentence(what: Told, attempt: Attempt, left: str) -> str:
    if what is Told.IN_DOUBT:
        return f"{attempt.error or 'its answer was lost'}; {STATUS} shows what it may have cost"
    how = "in doubt" if attempt.state is State.IN_DOUBT else "paid for and not home"
    end = "may be gone by now" if left == "over" else f"may end {left}"
    return f"{how}, and its result at {attempt.provider} {end}: {COLLECT}"


async def note_told(runtime: Runtime, told: Iterable[News]) -> None:
    """Put on record that it was told. Who dies before tells it once more."""
    for news in told:
        await ledger_call(runtime.ledger.noted, news.attempt.id, news.what)


async def note_doubt_told(runtime: Runtime, clip_key: str) -> None:
    """Put on record that the run which met a doubt has told it."""
    for attempt in await ledger_call(runtime.ledger.attempts, clip_key):
        if attempt.state is State.IN_DOUBT and attempt.owner in runtime.owners:
            await ledger_call(runtime.ledger.noted, attempt.id, Told.IN_DOUBT)
