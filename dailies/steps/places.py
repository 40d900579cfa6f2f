"""Exit 0 means S3: a run over delivered clips asks the store whether they are there, by listing, and puts that right.

A clip that lies elsewhere, for another batch or an earlier destination, is copied inside S3. One that is gone is fetched
from the provider again, while that has it; nothing is bought for either.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from dailies.domain.clips import batch_folder, object_key
from dailies.domain.records import Copy, Lying
from dailies.domain.states import current
from dailies.errors import Misconfigured
from dailies.ledger.calling import ledger_call
from dailies.planning.batch import Batch
from dailies.report.sidecars import keep_all_sidecars
from dailies.runtime import Runtime
from dailies.storage.s3 import S3, StoreRefused, StoreTrouble, parse_s3_uri

logger = logging.getLogger("dailies.places")
AT_ONCE = 16
GONE = "its object is no longer in S3"


@dataclass(frozen=True, slots=True)
class Placed:
    """Where the delivered clips of a batch were found: copied here now, or nowhere any more."""

    copied: tuple[Copy, ...]
    gone: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Seen:
    """What the store shows of a batch's delivered clips: those that lie only elsewhere, and where; those that are gone."""

    elsewhere: Mapping[str, tuple[str, str]]
    gone: tuple[str, ...]
    stored: Mapping[str, Lying]

    def sentences(self) -> tuple[str, ...]:
        """What a run is going to do about it."""
        return tuple(filter(None, (_copied(len(self.elsewhere)), _fetched_again(len(self.gone)))))


def _copied(count: int) -> str:
    if count == 1:
        return "1 clip that was bought earlier is copied inside S3; nothing is charged"
    return f"{count} clips that were bought earlier are copied inside S3; nothing is charged" if count else ""


def _fetched_again(count: int) -> str:
    if count == 1:
        return "1 delivered clip is no longer in S3: it is fetched again"
    return f"{count} delivered clips are no longer in S3: they are fetched again" if count else ""


async def look_for_delivered(runtime: Runtime, batch: Batch) -> Seen:
    """Ask the store, by listing, for every delivered clip of the batch. Raises Misconfigured when it can't be asked."""
    if not batch.delivered_before:
        return Seen({}, (), {})
    try:
        return await ledger_call(_seen, runtime, batch)
    except StoreTrouble as error:
        raise _not_asked(error) from error


async def settle_places(runtime: Runtime, batch: Batch) -> Placed:
    """See that every delivered clip of the batch lies where the batch wants it. Raises Misconfigured when S3 can't be asked.

    Clips that are gone are reopened in the ledger: this run, or `dailies collect`, fetches them again.
    """
    seen = await look_for_delivered(runtime, batch)
    try:
        placed = await ledger_call(_settle, runtime, batch, seen)
    except StoreTrouble as error:
        raise _not_asked(error) from error
    for words in seen.sentences():
        logger.warning(words)
    return placed


def _not_asked(error: StoreTrouble) -> Misconfigured:
    return Misconfigured(
        f"S3 can't be asked whether the clips are there: {error}. Nothing was bought.", trouble="store"
    )


def _seen(runtime: Runtime, batch: Batch) -> Seen:
    keys, ledger = [*batch.delivered_before], runtime.ledger
    stored = {key: found for key, some in ledger.lying(keys).items() if (found := current(some)) and found.s3_uri}
    copies = ledger.copies_of(keys)
    store = Listings(runtime.s3())
    here = f"s3://{batch.bucket}/{_folder(batch)}"
    elsewhere: dict[str, tuple[str, str]] = {}
    gone: list[str] = []
    for key, attempt in stored.items():
        known = [*copies.get(key, ()), str(attempt.s3_uri)]
        places = [uri for uri in known if store.holds(uri, attempt.size_bytes)]
        if not places:
            gone.append(key)
        elif not any(uri.startswith(here) for uri in places):
            elsewhere[key] = parse_s3_uri(places[0])
    return Seen(elsewhere, tuple(gone), stored)


def _settle(runtime: Runtime, batch: Batch, seen: Seen) -> Placed:
    rows, ledger, s3 = batch.rows, runtime.ledger, runtime.s3()
    moves = {
        key: (source, (batch.bucket, object_key(batch.prefix, batch.name, rows[key].id, key)))
        for key, source in seen.elsewhere.items()
    }
    made = {
        key: f"s3://{bucket}/{name}" for key, (bucket, name) in (_copy(s3, moves, seen.stored) if moves else {}).items()
    }
    new = tuple(Copy(batch.name, key, uri) for key, uri in made.items())
    ledger.copied(new)
    keep_all_sidecars(ledger, s3, made)
    for key in seen.gone:
        ledger.gone_from_store(seen.stored[key].id, GONE)
    return Placed(new, seen.gone)


def _folder(batch: Batch) -> str:
    return "/".join(part for part in (batch.prefix, batch_folder(batch.name)) if part) + "/"


def _copy(
    s3: S3, moves: Mapping[str, tuple[tuple[str, str], tuple[str, str]]], stored: Mapping[str, Lying]
) -> dict[str, tuple[str, str]]:
    """Copy objects, many at once, and see by a HEAD that they are there. Returns where each clip lies now."""

    def one(key: str) -> tuple[str, tuple[str, str]]:
        source, (bucket, name) = moves[key]
        there = s3.head(bucket, name)
        if there is None:
            s3.copy(source, bucket, name)
            there = s3.head(bucket, name)
        if there is None or there.size_bytes != stored[key].size_bytes:
            raise StoreTrouble(f"s3://{bucket}/{name} is not the clip that was to be copied there")
        return key, (bucket, name)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return dict(pool.map(one, moves))


class Listings:
    """What lies in the folders of a store, each folder listed once, when first asked for; a HEAD where nothing may be listed."""

    def __init__(self, s3: S3) -> None:
        self._s3 = s3
        self._sizes: dict[str, Mapping[str, int] | None] = {}

    def holds(self, uri: str, size_bytes: int | None) -> bool:
        """Whether an object of this size lies there."""
        bucket, key = parse_s3_uri(uri)
        folder = f"{bucket}/{key.rpartition('/')[0]}/"
        if folder not in self._sizes:
            self._sizes[folder] = self._listed(bucket, folder.partition("/")[2])
        sizes = self._sizes[folder]
        if sizes is not None:
            return sizes.get(key) == size_bytes
        found = self._s3.head(bucket, key, blind=True)
        return found is not None and found.size_bytes == size_bytes

    def _listed(self, bucket: str, prefix: str) -> Mapping[str, int] | None:
        try:
            return dict(self._clips(self._s3.sizes(bucket, prefix)))
        except StoreRefused:
            return None

    @staticmethod
    def _clips(entries: Iterable[tuple[str, int]]) -> Iterable[tuple[str, int]]:
        return (entry for entry in entries if not entry[0].endswith((".webp", ".json", ".html")))
