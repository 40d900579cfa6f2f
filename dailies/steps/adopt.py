"""A ledger that knows less than the store, the spool or the provider's log: what they show under a clip's key is taken in, not
bought again, whatever the row, the batch or the file is called."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from types import MappingProxyType

import anyio
import anyio.to_thread

from dailies.domain.clips import Row, batch_folder, object_key
from dailies.domain.commands import ADOPT
from dailies.domain.earlier_keys import earlier_keys
from dailies.domain.provider import SettledBy
from dailies.domain.records import Attempt
from dailies.errors import Misconfigured
from dailies.ledger import Adopted
from dailies.ledger.calling import ledger_call
from dailies.ledger.record import drain_spool, on_record
from dailies.patience import tried_again
from dailies.planning.batch import Batch
from dailies.planning.fitting import earlier_digests
from dailies.providers.base import LogUnavailable
from dailies.registry import declaration
from dailies.runtime import Runtime
from dailies.steps.clips_on_record import OnRecord, clips_on_record
from dailies.steps.store import abilities_at
from dailies.steps.stored_purchase import read_purchase
from dailies.storage.metadata import cut
from dailies.storage.s3 import StoreRefused, StoreTrouble, parse_s3_uri

logger = logging.getLogger("dailies.adopt")
CLIP_NAME = re.compile(r"-([0-9a-f]{12})(-[0-9a-f]{8})?\.mp4$")
LOOK_BACK = timedelta(days=7)  # a clip that nobody fetched for longer is gone at every provider
LOG_PAUSES_S = (0.3, 1.0)
"""After a momentary no of a log: what only it knows would be bought a second time."""
HEADS_AT_ONCE = 16
LOOK_AT_IT = "Where a later version of dailies wrote it, run that one; else look at it, and move it out of that folder"


async def adopt_known(runtime: Runtime, batch: Batch) -> OnRecord:
    """Before anything is bought: take in what spool, store and log know of clips that are not home by the ledger.

    One listing where a clip is not home, and one query of each provider's log where one is to be bought. Returns how the
    batch's clips stand then. Raises Misconfigured when they can't be asked, or when the spool holds what the ledger does not take.
    """
    await _adopt_spooled(runtime)
    known = await clips_on_record(runtime, batch.plan)
    away = _without(batch.rows, known.settled)
    if not away:
        return known
    keys = await anyio.to_thread.run_sync(keys_of, batch, away)
    if await _adopt_stored(runtime, batch, keys):
        known = await clips_on_record(runtime, batch.plan)
    if await _adopt_logged(runtime, batch, _without(away, known.taken), keys):
        known = await clips_on_record(runtime, batch.plan)
    return known


def keys_of(batch: Batch, rows: Mapping[str, Row]) -> dict[str, str]:
    """Every key under which these clips may lie somewhere, today's and those of earlier versions, with the key of today."""
    found = {key: key for key in rows}
    for key, row in rows.items():
        sent, made = batch.plan.files.get(key), row.clip.image.made
        fitted = earlier_digests(sent.path, sent.sha256, made, sent.fitted_of) if sent else []
        for earlier in earlier_keys(row.clip, fitted):
            found.setdefault(earlier, key)
    return found


def _without(rows: Mapping[str, Row], keys: frozenset[str]) -> Mapping[str, Row]:
    return {key: row for key, row in rows.items() if key not in keys}


async def _adopt_spooled(runtime: Runtime) -> None:
    await drain_spool(runtime.ledger, runtime.spool)
    unclear = _not_taken(runtime)
    if unclear:
        raise Misconfigured(
            f"the ledger does not take what waits in {unclear[0]}: buying now could pay twice. Nothing was bought. "
            f"See what {ADOPT} says of it",
            trouble="spool",
        )
    garbled = runtime.spool.unreadable()
    if garbled:
        raise Misconfigured(
            f"{garbled[0]} can't be read, and it may hold a clip that was paid for: buying now could pay twice. Nothing was "
            f"bought. {LOOK_AT_IT}",
            trouble="spool",
        )


def _not_taken(runtime: Runtime) -> list[Path]:
    """Files of the spool that can be read, and that the ledger still does not know."""
    return [path for path, spooled in runtime.spool if not on_record(runtime.ledger, spooled)]


async def _adopt_stored(runtime: Runtime, batch: Batch, keys: Mapping[str, str]) -> bool:
    """Adopt the clips of a plan that lie anywhere below its destination, and all that its own folder holds of lost rows.
    Whether there were any."""
    try:
        names = await _names_to_look_at(runtime, batch, keys)
        adopted = await _adopt_objects(runtime, batch, names, keys)
    except (StoreTrouble, StoreRefused) as error:
        raise Misconfigured(
            f"S3 can't be asked whether clips are there already ({error}). Nothing was bought.", trouble="store"
        ) from error
    for attempt in adopted:
        logger.warning("found in S3 and adopted, not bought again: %s", attempt.s3_uri)
    return bool(adopted)


async def _names_to_look_at(runtime: Runtime, batch: Batch, keys: Mapping[str, str]) -> list[str]:
    """The names in one listing that hold a clip's digits; for a key that may not list, the names that clips would take."""
    ways = await abilities_at(runtime, batch.bucket, batch.prefix)
    if ways.may_list:
        try:
            return await ledger_call(_listed, runtime, batch, keys)
        except StoreRefused as error:
            if not error.denied:
                raise
            runtime.stores[batch.place] = replace(ways, may_list=False)
    return [object_key(batch.prefix, batch.name, batch.rows[today].id, key) for key, today in keys.items()]


def _listed(runtime: Runtime, batch: Batch, keys: Iterable[str]) -> list[str]:
    wanted = {key[:12] for key in keys}
    known = {key[:12] for key in runtime.ledger.known_clips(batch.name)} | {key[:12] for key in batch.rows}
    below = f"{batch.prefix}/" if batch.prefix else ""
    own = f"{below}{batch_folder(batch.name)}/"
    found = ((name, CLIP_NAME.search(name)) for name in runtime.s3().names(batch.bucket, below))
    return [
        name
        for name, match in found
        if match and (match[1] in wanted or (match[1] not in known and name.startswith(own)))
    ]


async def _adopt_objects(
    runtime: Runtime, batch: Batch, names: Iterable[str], keys: Mapping[str, str]
) -> list[Attempt]:
    """Adopt what these objects' metadata tell of, a few at a time. Raises the first StoreTrouble or StoreRefused."""
    blind = not runtime.stores[batch.place].may_list
    waiting, adopted, troubles = iter(names), list[Attempt](), list[Exception]()

    async def work() -> None:
        for name in waiting:
            try:
                taken = await ledger_call(adopt_object, runtime, batch.bucket, name, batch.name, blind, keys)
            except (StoreTrouble, StoreRefused) as error:
                troubles.append(error)
            else:
                adopted.extend([taken] if taken else [])
            if troubles:
                return

    async with anyio.create_task_group() as group:
        for _ in range(HEADS_AT_ONCE):
            group.start_soon(work)
    if troubles:
        raise troubles[0]
    return adopted


def adopt_object(
    runtime: Runtime,
    bucket: str,
    name: str,
    batch: str | None = None,
    blind: bool = False,
    keys: Mapping[str, str] = MappingProxyType({}),
) -> Attempt | None:
    """Take in the purchase that an object's metadata tells of, as a clip that lies there. None when there is nothing to take.

    `batch` is the whole name of the batch in hand, which is cut in the metadata where it is long; `keys` are its clips' keys of
    today by those of earlier versions, under which they may have been stored.
    """
    digits, found = CLIP_NAME.search(name), runtime.s3().head(bucket, name, blind=blind)
    purchase = read_purchase(runtime.s3(), bucket, found) if found and digits else None
    if purchase is None or digits is None or purchase.clip_key[:12] != digits[1]:
        return None
    if batch is not None and purchase.batch == cut(batch):
        purchase = replace(purchase, batch=batch)
    return runtime.ledger.adopt(replace(purchase, clip_key=keys.get(purchase.clip_key, purchase.clip_key)))


async def _adopt_logged(runtime: Runtime, batch: Batch, to_buy: Mapping[str, Row], keys: Mapping[str, str]) -> bool:
    """Adopt the clips of a plan that a provider's log shows as bought by us, to be polled and delivered. Whether there were any.

    Our reference ends in the clip's key, or in that of its time. Finished requests only; what is still generating is not in the log.
    """
    by_reference = {key[:24]: to_buy[today] for key, today in keys.items() if today in to_buy}
    now, found = runtime.ledger.now(), False
    for name in dict.fromkeys(provider for row in to_buy.values() for provider in row.providers):
        ask = partial(runtime.provider(name).finished, now - LOOK_BACK, now + timedelta(hours=1))
        keeps_log = (one := declaration(name)) is not None and SettledBy.LOG in one.settling.by
        try:
            log = await tried_again(ask, LOG_PAUSES_S if keeps_log else (), LogUnavailable)
        except LogUnavailable as error:
            level = logging.WARNING if keeps_log else logging.INFO
            logger.log(level, "what %s knows of earlier purchases can't be asked: %s", name, error)
            continue
        for entry in log:
            row = by_reference.get(entry.reference.rpartition(".")[2]) if entry.found.succeeded else None
            if row is None:
                continue
            adopted = Adopted(
                attempt_id=entry.reference, clip_key=row.clip.key, batch=batch.name, row_id=row.id, model=row.clip.model,
                provider=name, generation_id=entry.found.generation_id, usd_quoted=entry.found.usd_charged,
                created_at=entry.created_at, note="adopted from the provider's log", usd_charged=entry.found.usd_charged,
                credits_used=entry.found.credits_used,
            )  # fmt: skip
            if await ledger_call(runtime.ledger.adopt, adopted):
                logger.warning("%s: the provider's log shows that it was bought already; adopted", row.id)
                found = True
    return found


async def adopt_everything(runtime: Runtime) -> list[str]:
    """`dailies doctor --adopt`: take in every purchase that spool and store know and the ledger does not, and say what stays
    in the spool."""
    said: list[str] = []
    await drain_spool(
        runtime.ledger, runtime.spool, lambda spooled: said.append(f"adopted {spooled.detail}, from the spool")
    )
    said += [
        f"{path} stays: the ledger does not take what it holds, a clip that was paid for"
        for path in _not_taken(runtime)
    ]
    said += [f"{path} stays, for it can't be read. {LOOK_AT_IT}" for path in runtime.spool.unreadable()]
    to = runtime.settings.dailies_to
    for uri in {to, *(runtime.ledger.batch_destination(name) for name in runtime.ledger.batches())} - {None, ""}:
        bucket, prefix = parse_s3_uri(str(uri))
        for name in runtime.s3().names(bucket, f"{prefix}/" if prefix else ""):
            taken = adopt_object(runtime, bucket, name) if CLIP_NAME.search(name) else None
            if taken:
                said.append(f"adopted {taken.s3_uri}")
    return said
