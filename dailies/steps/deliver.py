"""Brings a paid clip home: download, check, put, HEAD, T4. Every part may be repeated; none leads back to create."""

from __future__ import annotations

import logging
import shutil
from dataclasses import asdict
from functools import partial
from pathlib import Path

import anyio
import anyio.to_thread

from dailies.catalog import ResolvedOptions, expected_video
from dailies.domain.clips import Clip, clip_name, object_key
from dailies.domain.commands import COLLECT
from dailies.domain.origin import Origin
from dailies.domain.records import Attempt, BatchRow
from dailies.domain.standing import NOT_STORED
from dailies.domain.states import State
from dailies.errors import BadInput, DeliveryDelayed, Misconfigured, Trouble, describe_error
from dailies.failpoints import hit
from dailies.ledger.calling import LEDGER_AWAY, ledger_call
from dailies.logs import about
from dailies.media.origin import origin_of
from dailies.media.posters import Still
from dailies.media.video import BadVideo, Wanted, inspect, mismatches
from dailies.patience import tried_again
from dailies.report.sidecars import keep_sidecars
from dailies.runtime import Runtime
from dailies.steps.fetch import Fetched, delayed, fetch
from dailies.steps.forgotten import attempt_on_record
from dailies.steps.look import start_look
from dailies.steps.posters import keep_poster, posters_folder
from dailies.steps.report_places import report_places
from dailies.steps.requests import request_of
from dailies.steps.store import abilities_at
from dailies.storage.abilities import StoreAbilities
from dailies.storage.download import Download, flush
from dailies.storage.parcel import Parcel, look_at, pack, put_where_nothing_is
from dailies.storage.s3 import StoreRefused, StoreTrouble, parse_s3_uri

logger = logging.getLogger("dailies.deliver")
PAUSES_S = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Between tries within one delivery; after them the clip waits for the next run, paid and on record."""


class NoDestination(Misconfigured):
    """Nothing says where in S3 the clip should go."""

    trouble: Trouble = "no-destination"


async def deliver_clip(runtime: Runtime, attempt_id: str, batch: str) -> Attempt:
    """Store one completed clip, for a batch that wants it: its own, or another one that asks for the same clip.

    Raises ResultLost, or DeliveryDelayed when it has to wait (the clip stays paid and safe).
    """
    attempt = await attempt_on_record(runtime, attempt_id)
    if attempt.delivered:
        return attempt
    async with runtime.deliveries.slot(runtime.result_ends(attempt)):
        row = await _row_of(runtime, attempt)
        fetched = await fetch(runtime, attempt)
        file, still = fetched.file, Still()
        compared = await anyio.to_thread.run_sync(_compare, runtime, row, file.path, still, limiter=runtime.decoders)
        mismatch = "; ".join(filter(None, (fetched.odd, compared))) or None
        place = await ledger_call(destination, runtime, attempt)
        try:
            ways = await abilities_at(runtime, *place)
            uri = await _store(runtime, place, attempt, row, fetched, ways)
        except (StoreRefused, StoreTrouble) as error:
            if isinstance(error, StoreRefused):
                stop_for_the_store(runtime, place, error)
            reason = f"{NOT_STORED}: {error}. The clip is paid for and kept as {file.path}"
            await anyio.to_thread.run_sync(flush, file.path)
            raise await delayed(runtime, attempt, reason) from error
        hit("before-stored")
        stored = await _told(runtime, attempt, uri, file, mismatch)
        hit("after-stored")
        runtime.bought.pop(attempt.id, None)  # from now on the store's metadata remembers it as well
        bought_for = await request_of(runtime, row.batch)
        wanted_by = bought_for if batch == row.batch else await request_of(runtime, batch)
        posters = posters_folder(await report_places(runtime, row.batch), row.batch, bought_for)
        await anyio.to_thread.run_sync(
            keep_poster, runtime.s3(), stored, row, still, posters, ways, limiter=runtime.decoders
        )
        await ledger_call(keep_sidecars, runtime.ledger, runtime.s3(), stored.clip_key, ways, uri)
        await anyio.to_thread.run_sync(start_look, runtime, stored, row, file.path, _wanted(runtime, row.clip).audio)
        await anyio.to_thread.run_sync(_tidy, row, file.path, wanted_by.keep_local if wanted_by else None)
        logger.info("%s · stored as %s%s", row.id, uri, f" ({mismatch})" if mismatch else "", extra=about(stored))
        return stored


def stop_for_the_store(runtime: Runtime, place: tuple[str, str], refused: StoreRefused) -> None:
    """Buy nothing more for batches whose clips go to this bucket and prefix, where none can be stored."""
    for batch in runtime.batches:
        if batch.place == place:
            for provider in batch.plan.providers:
                runtime.halted_providers.setdefault(provider, f"the store refuses clips: {refused}")


async def _row_of(runtime: Runtime, attempt: Attempt) -> BatchRow:
    rows = await ledger_call(runtime.ledger.rows_of_clips, [attempt.clip_key])
    return next((row for row in rows if row.batch == attempt.batch), rows[0])


def _compare(runtime: Runtime, row: BatchRow, path: Path, still: Still) -> str | None:
    """In which ways the clip is not what was bought; it is stored all the same, marked, as evidence for a refund.

    `still` gets the pictures that are decoded. Nothing that goes wrong here keeps a paid clip from being stored.
    """
    try:
        return "; ".join(mismatches(inspect(path, still.take), _wanted(runtime, row.clip))) or None
    except BadVideo as error:
        return f"it does not decode: {error}"
    except Exception as error:  # a defect in our check, or a file made to break it
        logger.exception("%s can't be checked", path)
        return f"it could not be checked: {describe_error(error)}"


def _origin(path: Path) -> Origin | None:
    """What the file says of itself; None where it can't be asked."""
    try:
        return origin_of(path)
    except Exception as error:  # noqa: BLE001 - a defect in our reading keeps no paid clip from being on record
        logger.info("%s can't be asked where it comes from: %s", path.name, describe_error(error))
        return None


def _wanted(runtime: Runtime, clip: Clip) -> Wanted:
    """What was bought, as far as the catalog still knows the model."""
    try:
        model = runtime.catalog.find(clip.model)
    except BadInput:
        return Wanted()
    resolved = ResolvedOptions(clip.resolution, clip.aspect_ratio, clip.duration_s, dict(clip.options))  # type: ignore[arg-type]
    return Wanted(**asdict(expected_video(model, resolved)))


async def _store(
    runtime: Runtime, place: tuple[str, str], attempt: Attempt, row: BatchRow, fetched: Fetched, ways: StoreAbilities
) -> str:
    """Put the clip under its key and see that it is there. Returns its URI."""
    (bucket, prefix), file = place, fetched.file
    parcel = await anyio.to_thread.run_sync(pack, attempt, row, file, ways, fetched.content_type)
    key = object_key(prefix, row.batch, row.id, attempt.clip_key)
    beside = key.removesuffix(".mp4") + f"-{file.sha256[:8]}.mp4"
    if attempt.state is State.ORPHANED and any(a.delivered for a in row.attempts):
        key = key.removesuffix(".mp4") + f"-{attempt.id[:8]}.mp4"  # a second clip, which was paid for too
    for candidate in (key, beside):
        if await _put(runtime, bucket, candidate, parcel):
            return f"s3://{bucket}/{candidate}"
        logger.warning("%s: s3://%s/%s holds another object; it is not overwritten", row.id, bucket, candidate)
    raise StoreTrouble(f"s3://{bucket}/{key} and {beside} are both taken by other objects")


async def _put(runtime: Runtime, bucket: str, key: str, parcel: Parcel) -> bool:
    """One put where nothing is yet, and the look that proves it. False when another object has the key."""
    s3 = runtime.s3()

    async def put() -> bool:
        hit("before-put")
        taken = await anyio.to_thread.run_sync(put_where_nothing_is, s3, bucket, key, parcel)
        hit("after-put")
        if taken is False:
            return False
        hit("before-head")
        found = await anyio.to_thread.run_sync(look_at, s3, bucket, key, parcel)
        hit("after-head")
        if found is None:
            raise StoreTrouble(f"s3://{bucket}/{key}: put, and not found afterwards")
        return found

    return await tried_again(put, PAUSES_S[:4], StoreTrouble)


def destination(runtime: Runtime, attempt: Attempt) -> tuple[str, str]:
    """Bucket and prefix for a clip: where its own batch goes by the record, as it was planned last, whatever batch is in
    hand; the setting's only for a batch that was never planned here. Blocks."""
    uri = runtime.ledger.batch_destination(attempt.batch) or runtime.settings.dailies_to
    if not uri:
        raise NoDestination(f"nothing says where the clips of batch {attempt.batch} go: set DAILIES_TO or pass --to")
    return parse_s3_uri(uri)


async def _told(runtime: Runtime, attempt: Attempt, uri: str, file: Download, mismatch: str | None) -> Attempt:
    """T4, patient with a ledger that is away: the object is safe, so a later run would only find it again."""
    origin = await anyio.to_thread.run_sync(_origin, file.path)
    stored = (attempt.id, uri, file.sha256, file.size_bytes, mismatch, origin)
    tell = partial(ledger_call, runtime.ledger.record_stored, *stored)
    try:
        return await tried_again(tell, PAUSES_S, *LEDGER_AWAY)
    except LEDGER_AWAY as error:
        raise DeliveryDelayed(f"stored as {uri}, but the ledger can't be told: run {COLLECT}") from error


def _tidy(row: BatchRow, path: Path, keep_local: str | None) -> None:
    """Delete the download, or move it to where `--keep-local` wants it. A folder that can't be written is a log line."""
    hit("before-cleanup")
    if keep_local:
        target = Path(keep_local).expanduser() / f"{clip_name(row.id, row.clip_key)}.mp4"
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(path, target)
        except OSError as error:
            logger.error("%s · stored in S3, and not kept in %s: %s", row.id, target.parent, error)
    path.unlink(missing_ok=True)
    hit("after-cleanup")
