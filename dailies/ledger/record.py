"""T2, and what happens when the ledger can't take it: no outcome of a create is forgotten, and no id thrown away."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import anyio
import anyio.to_thread

from dailies.domain.commands import resolve
from dailies.domain.creates import Accepted, CreateOutcome, Doubtful, KnownAttempt
from dailies.domain.records import Attempt
from dailies.domain.states import State
from dailies.failpoints import hit
from dailies.ledger import DuplicateGeneration, Ledger
from dailies.ledger.calling import LEDGER_AWAY, ledger_call, name_of
from dailies.ledger.spool import Spool, Spooled

logger = logging.getLogger("dailies.record")
RETRY_S = (0.2, 1.0, 3.0)


async def record_outcome(ledger: Ledger, spool: Spool, known: KnownAttempt, outcome: CreateOutcome) -> Attempt | None:
    """T2 with its safety net: the ledger; if that fails the spool at once, and then the ledger again.

    Returns the attempt as recorded; None when the ledger has not taken it yet (it waits in the spool, safe), or when the id
    belongs to another attempt (this one is then in doubt). Nothing is logged before the outcome is safe: a console that is
    gone must not come between.
    """
    hit("before-answer")
    outcome = await _kept(spool, known, outcome)
    try:
        return await _tell(ledger, known, outcome)
    except Exception as error:  # noqa: BLE001 - whatever it was, what is in hand must reach the disk before anything else
        trouble = error
    spooled = Spooled(known, outcome)
    path = await _spooled(spool, spooled, trouble)
    for pause_s in RETRY_S:
        await anyio.sleep(pause_s)
        try:
            recorded = await _tell(ledger, known, outcome)
        except LEDGER_AWAY as error:
            path = path or await _spooled(spool, spooled, error)  # the folder may have been moved away at that moment
            continue
        if path:
            await _forget(ledger, path, spooled)
        return recorded
    return None


async def _kept(spool: Spool, known: KnownAttempt, outcome: CreateOutcome) -> CreateOutcome:
    """An answer that nobody could read is kept in a file, whole, and its words name that file."""
    if not isinstance(outcome, Doubtful) or not outcome.raw:
        return outcome
    try:
        path = await anyio.to_thread.run_sync(spool.keep_answer, known.attempt.id, outcome.raw)
    except OSError as error:
        return replace(outcome, raw=b"", words=f"{outcome.words} (the answer could not be kept: {error.strerror})")
    return replace(outcome, raw=b"", words=f"{outcome.words}; the whole answer is kept in {path}")


async def _tell(ledger: Ledger, known: KnownAttempt, outcome: CreateOutcome) -> Attempt | None:
    try:
        recorded = await ledger_call(ledger.tell, known, outcome)
    except DuplicateGeneration as error:
        logger.error("generation %s already belongs to another attempt; %s is in doubt", error, known.attempt.id)
        return None
    hit("after-answer")
    return recorded


async def _spooled(spool: Spool, spooled: Spooled, trouble: Exception) -> Path | None:
    """Put it on disk. None when even that is impossible; then an id is printed, for a person to keep."""
    attempt_id, outcome = spooled.attempt_id, spooled.outcome
    try:
        hit("before-spool")
        path = await anyio.to_thread.run_sync(spool.put, spooled)
        hit("after-spool")
    except OSError as error:
        if isinstance(outcome, Accepted):
            logger.critical(
                "PAID AND NOT ON DISK: attempt %s is generation %s (%s). Keep this line; %s",
                attempt_id, outcome.generation_id, error.strerror,
                resolve(attempt_id, f"--charged={outcome.generation_id}"),
            )  # fmt: skip
        else:
            logger.error("neither ledger nor spool took this, so it is in doubt: %s", spooled.detail)
        return None
    logger.error("the ledger did not take this (%s), it is in the spool: %s", name_of(trouble), spooled.detail)
    return path


async def drain_spool(ledger: Ledger, spool: Spool, note: Callable[[Spooled], None] = lambda _: None) -> int:
    """Tell the ledger every outcome that waits in the spool, before all else; each is handed to `note`. An attempt that the
    ledger has forgotten is written anew. Returns how many it took: those, read back, that stand in the ledger now."""
    taken = 0
    for path, spooled in list(spool):
        hit("before-drain")
        tell = partial(ledger.tell, spooled.known, spooled.outcome, "from the spool")
        try:
            await ledger_call(tell)
        except DuplicateGeneration as error:
            logger.error("spooled generation %s already belongs to another attempt", error)
        hit("after-drain")
        if await _forget(ledger, path, spooled):
            note(spooled)
            taken += 1
    return taken


async def _forget(ledger: Ledger, path: Path, spooled: Spooled) -> bool:
    """Delete a file of the spool, once what it holds is read back from the ledger."""
    if await ledger_call(on_record, ledger, spooled):
        path.unlink(missing_ok=True)
        return True
    logger.error("%s stays: what it holds is not on record", path)
    return False


def on_record(ledger: Ledger, spooled: Spooled) -> bool:
    """Whether the ledger holds what a file of the spool says: the id, at whichever attempt, or that the create is settled."""
    attempt, outcome = spooled.known.attempt, spooled.outcome
    found = ledger.attempt(attempt.id)
    if not isinstance(outcome, Accepted):
        return found is not None and found.state is not State.SUBMITTING
    if found is not None and found.generation_id == outcome.generation_id:
        return True
    if ledger.attempt_of_generation(attempt.provider, outcome.generation_id) is not None:
        return True
    if found is None or found.generation_id is None:
        return False  # words of the doubt may name the id: nobody follows it by them
    return any(outcome.generation_id in event.note for event in ledger.history(attempt.id))
