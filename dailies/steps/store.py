"""Whether clips can be stored where they shall go: tried before the first cent, and handed on to delivery as a value."""

from __future__ import annotations

import logging
from contextlib import suppress
from datetime import timedelta

import anyio
import anyio.to_thread

from dailies.errors import Misconfigured
from dailies.ledger.calling import LEDGER_AWAY, ledger_call
from dailies.patience import tried_again
from dailies.runtime import Runtime
from dailies.storage.abilities import StoreAbilities
from dailies.storage.probe import try_store
from dailies.storage.s3 import StoreTrouble

logger = logging.getLogger("dailies.store")
PAUSES_S = (0.5, 2.0, 5.0)
DAY = timedelta(days=1)


async def tried_before_buying(runtime: Runtime, bucket: str, prefix: str, dispatched: bool = False) -> StoreAbilities:
    """What the store takes, before anything is bought for it. Raises Misconfigured, in its own words, when it can't be used.

    `dispatched`: a shard goes by what the dispatch of its batch has found.
    """
    try:
        return await abilities_at(runtime, bucket, prefix, dispatched)
    except StoreTrouble as error:
        raise Misconfigured(f"the bucket can't be reached: {error}. Nothing was bought.", trouble="store") from error
    except Misconfigured as error:
        raise Misconfigured(f"{error}. Nothing was bought.", trouble="store") from error


def store_notes(runtime: Runtime) -> tuple[str, ...]:
    """In which ways the stores that this process has tried are not as usual, for people."""
    return tuple(
        f"the store at s3://{bucket}: {words}"
        for (bucket, _), found in runtime.stores.items()
        for words in found.sentences()
    )


async def abilities_at(runtime: Runtime, bucket: str, prefix: str, dispatched: bool = False) -> StoreAbilities:
    """What the store takes: as this process, else another one of the batch, has found; else it is tried now.

    Raises StoreRefused, or StoreTrouble after a few tries.
    """
    async with runtime.trying:
        known = runtime.stores.get((bucket, prefix))
        if known is None:
            known = await ledger_call(_on_record, runtime, bucket, prefix, dispatched)
        if known is None:
            known = await _tried(runtime, bucket, prefix)
            with suppress(*LEDGER_AWAY):  # a reading role may ask, too
                await ledger_call(runtime.ledger.note_store, _place(runtime, bucket, prefix), known.record())
        runtime.stores[bucket, prefix] = known
        return known


async def _tried(runtime: Runtime, bucket: str, prefix: str) -> StoreAbilities:
    async def tried() -> StoreAbilities:
        try:
            return await anyio.to_thread.run_sync(try_store, runtime.s3(), bucket, prefix, runtime.ledger.now())
        except StoreTrouble as error:
            logger.info("the store could not be tried: %s", error)
            raise

    return await tried_again(tried, PAUSES_S, StoreTrouble)


def _on_record(runtime: Runtime, bucket: str, prefix: str, dispatched: bool) -> StoreAbilities | None:
    """What was found earlier, where that still counts: for shards, and for a day where each try leaves an object behind."""
    found = runtime.ledger.store_found(_place(runtime, bucket, prefix))
    if found is None:
        return None
    tried_at, record = found
    try:
        abilities = StoreAbilities.of_record(record)
    except (TypeError, ValueError):  # written by a later version, in words that this one does not know
        return None
    lasts = dispatched or (not abilities.may_delete and runtime.ledger.now() - tried_at < DAY)
    return abilities if lasts else None


def _place(runtime: Runtime, bucket: str, prefix: str) -> str:
    return f"{runtime.s3().endpoint} s3://{bucket}/{prefix}"
