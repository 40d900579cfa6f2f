"""Settles a create in doubt in the run that made it: by the provider's free question, else by the same request again."""

from __future__ import annotations

import logging

import anyio

from dailies.domain.clips import Row
from dailies.domain.kept_request import KeptRequest
from dailies.domain.records import Attempt
from dailies.domain.states import State, current
from dailies.errors import BadInput, DailiesError, MaybeCharged, NotCharged
from dailies.ledger.calling import ledger_call
from dailies.planning.batch import Batch
from dailies.registry import declaration
from dailies.runtime import Runtime
from dailies.steps.create import AlreadyTaken, create_clip, repeat_create
from dailies.steps.image import as_text, further_images, image_url
from dailies.steps.prepare import Prepared
from dailies.steps.recover import resolve_in_doubt

logger = logging.getLogger("dailies.settle")
PAUSES_S = (0.0, 2.0, 5.0)
"""Between the questions about a doubt that has just arisen: what was accepted a moment ago may not be listed yet."""


async def buy_clip(runtime: Runtime, batch: Batch, row: Row, provider: str) -> Attempt:
    """Buy a clip; what its lost answer leaves in doubt is settled at once where the provider allows it.

    Returns the attempt, submitted (or completed). Raises as `create_clip`.
    """
    try:
        return await create_clip(runtime, batch, row, provider)
    except MaybeCharged as error:
        known, doubt = declaration(provider), error
        if known is None or not known.settling.at_once or await _in_doubt(runtime, row.clip.key) is None:
            raise
    for pause_s in PAUSES_S:
        await anyio.sleep(pause_s)
        try:
            return await settle_clip(runtime, batch, row)
        except MaybeCharged as error:
            doubt = error
        if runtime.shutdown.is_set():
            break
    raise doubt


async def settle_clip(runtime: Runtime, batch: Batch, row: Row) -> Attempt:
    """Settle the doubt about a clip of a batch that is being made. Raises MaybeCharged when it stays."""
    attempt = await _in_doubt(runtime, row.clip.key)
    if attempt is None:
        raise DailiesError(f"nothing is in doubt about {row.id}")
    try:
        return await resolve_in_doubt(runtime, attempt)
    except MaybeCharged as stays:
        attempt = await _in_doubt(runtime, row.clip.key)
        if attempt is None or runtime.shutdown.is_set():
            raise
        prepared = await _prepared_again(runtime, batch, row, attempt)
        if prepared is None:
            raise
        logger.info("%s: its request is sent again with its own key", prepared.row.id)
        try:
            return await repeat_create(runtime, prepared)
        except (AlreadyTaken, NotCharged):  # of the repeat; what became of the first request is as unknown as before
            raise stays from None


async def _in_doubt(runtime: Runtime, clip_key: str) -> Attempt | None:
    attempt = current(await ledger_call(runtime.ledger.attempts, clip_key))
    return attempt if attempt and attempt.state is State.IN_DOUBT else None


async def _prepared_again(runtime: Runtime, batch: Batch, row: Row, attempt: Attempt) -> Prepared | None:
    """The request that was sent, to the byte; None where it may not, or can't, be sent again."""
    known = declaration(attempt.provider)
    kept = await ledger_call(runtime.ledger.kept_request, attempt.id)
    if kept is None or known is None or not known.settling.repeats:
        return None
    if not kept.is_young(runtime.ledger.now(), known.settling.key_life):
        return None
    request = kept.again(await _texts(runtime, batch, row, kept))
    if request is None:
        logger.warning("%s: its texts or images are not those that were sent, so it can't be asked for again", row.id)
        return None
    again = (attempt.id, request)
    return Prepared(batch, row, attempt.provider, {}, attempt.request_digest, attempt.usd_quoted, again)


async def _texts(runtime: Runtime, batch: Batch, row: Row, kept: KeptRequest) -> list[str]:
    """What may stand on record as a digest: the row's own texts, and its images as they were sent."""
    if not kept.needs_texts:
        return []
    own = [row.clip.prompt, *(value for value in row.clip.options.values() if isinstance(value, str))]
    try:
        model = runtime.catalog.find(row.clip.model)
        first = await image_url(runtime, batch, row, takes_data_uri=True)
        further = await further_images(runtime, batch, row, model, takes_data_uri=True)
        images = [image for value in further.values() for image in (value if isinstance(value, tuple) else (value,))]
        return own + [await as_text(image) for image in ([first, *images] if first else images)]
    except BadInput:
        return own
