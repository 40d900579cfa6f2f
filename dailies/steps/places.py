"""Exit 0 means S3: a run over delivered clips asks the store whether they are there, by listing, and puts that right.

A clip that lies elsewhere, for another batch or an earlier destination, is copied inside S3. One that is gone is fetched
from the provider again, while that has it; nothing is bought for either.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import anyio.to_thread

from dailies.domain.clips import Row, object_key, slug
from dailies.domain.records import Attempt, Copy
from dailies.domain.states import current
from dailies.errors import Misconfigured
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


async def settle_places(runtime: Runtime, batch: Batch) -> Placed:
    """See that every delivered clip of the batch lies where the batch wants it. Raises Misconfigured when S3 can't be asked.

    Clips that are gone are reopened in the ledger: this run, or `dailies collect`, fetches them again.
    """
    rows = [batch.rows[key] for key in batch.delivered_before]
    if not rows:
        return Placed((), ())
    try:
        placed = await anyio.to_thread.run_sync(_settle, runtime, batch, rows)
    except StoreTrouble as error:
        raise Misconfigured(
            f"S3 can't be asked whether the clips are there: {error}. Nothing was bought.", trouble="store"
        ) from error
    if placed.copied:
        logger.warning(
            "%d clips that were bought earlier were copied inside S3; nothing was charged", len(placed.copied)
        )
    if placed.gone:
        logger.warning("%d delivered clips are no longer in S3: they are fetched again", len(placed.gone))
    return placed


def _settle(runtime: Runtime, batch: Batch, rows: Sequence[Row]) -> Placed:
    keys, ledger = [row.clip.key for row in rows], runtime.ledger
    stored = {key: found for key, some in ledger.attempts_of(keys).items() if (found := current(some)) and found.s3_uri}
    copies = ledger.copies_of(keys)
    store = Listings(runtime.s3())
    wanted = {row.clip.key: (batch.bucket, object_key(batch.prefix, batch.name, row.id, row.clip.key)) for row in rows}
    known = {key: [*copies.get(key, ()), str(attempt.s3_uri)] for key, attempt in stored.items()}
    here = f"s3://{batch.bucket}/{_folder(batch)}"
    to_copy: dict[str, tuple[str, str]] = {}
    gone: list[str] = []
    for key, attempt in stored.items():
        places = [uri for uri in known[key] if store.holds(uri, attempt.size_bytes)]
        if not places:
            gone.append(key)
        elif not any(uri.startswith(here) for uri in places):
            to_copy[key] = parse_s3_uri(places[0])
    made = _copy(runtime.s3(), {key: (source, wanted[key]) for key, source in to_copy.items()}, stored)
    new = tuple(Copy(batch.name, key, f"s3://{bucket}/{name}") for key, (bucket, name) in made.items())
    ledger.copied(new)
    keep_all_sidecars(ledger, runtime.s3(), made)
    for key in gone:
        ledger.gone_from_store(stored[key].id, GONE)
    return Placed(new, tuple(gone))


def _folder(batch: Batch) -> str:
    return "/".join(part for part in (batch.prefix, slug(batch.name, "batch")) if part) + "/"


def _copy(
    s3: S3, moves: Mapping[str, tuple[tuple[str, str], tuple[str, str]]], stored: Mapping[str, Attempt]
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
