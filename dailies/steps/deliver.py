"""Brings a paid clip home: download, check, put, HEAD, T4. Every part may be repeated; none leads back to create."""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
from dataclasses import asdict, replace
from pathlib import Path

import anyio
import anyio.to_thread
from sqlalchemy.exc import SQLAlchemyError

from dailies.catalog import Settled, expected_video
from dailies.domain.clips import clip_name, object_key
from dailies.domain.figures import NOT_STORED
from dailies.domain.records import Attempt, BatchRow
from dailies.domain.states import State
from dailies.errors import DeliveryDelayed, Misconfigured, ResultLost
from dailies.failpoints import hit
from dailies.media.video import BadVideo, CutShort, Wanted, check_boxes, inspect, mismatches
from dailies.net import UnsafeUrl
from dailies.providers import LookKind
from dailies.steps.posters import keep_poster
from dailies.steps.store import abilities_at
from dailies.storage.abilities import StoreAbilities
from dailies.storage.download import Download, DownloadFailed, UrlExpired, download, flush
from dailies.storage.parcel import Parcel, look_at, pack, put_where_nothing_is
from dailies.storage.s3 import StoreRefused, StoreTrouble, parse_s3_uri
from dailies.studio import Studio

logger = logging.getLogger("dailies.deliver")
PAUSES_S = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Between tries within one delivery; after them the clip waits for the next run, paid and on record."""


class NoDestination(Misconfigured):
    """Nothing says where in S3 the clip should go."""


async def deliver_clip(studio: Studio, attempt_id: str) -> Attempt:
    """Store one completed clip. Raises ResultLost, or DeliveryDelayed when it has to wait (the clip stays paid and safe)."""
    attempt = await anyio.to_thread.run_sync(studio.ledger.attempt, attempt_id)
    if attempt is None:
        raise KeyError(f"no attempt {attempt_id}")
    if attempt.delivered:
        return attempt
    async with studio.deliveries.slot(studio.result_ends(attempt)):
        row = await _row_of(studio, attempt)
        file = await _fetch(studio, attempt)
        mismatch = await anyio.to_thread.run_sync(_compare, studio, row, file.path, limiter=studio.decoders)
        try:
            ways = await abilities_at(studio, *destination(studio, attempt))
            uri = await _store(studio, attempt, row, file, ways)
        except (StoreRefused, StoreTrouble) as error:
            reason = f"{error}. The clip is paid for and kept as {file.path}"
            if isinstance(error, StoreRefused):
                stop_for_the_store(studio, attempt, error)
                reason = f"{NOT_STORED}: {reason}"
            await anyio.to_thread.run_sync(flush, file.path)
            raise await _delayed(studio, attempt, reason) from error
        hit("before-stored")
        stored = await _told(studio, attempt, uri, file, mismatch)
        hit("after-stored")
        await anyio.to_thread.run_sync(keep_poster, studio, stored, row, file.path, ways, limiter=studio.decoders)
        await anyio.to_thread.run_sync(_tidy, studio, attempt, row, file.path)
        logger.info("%s · stored as %s%s", row.id, uri, f" ({mismatch})" if mismatch else "")
        return stored


def stop_for_the_store(studio: Studio, attempt: Attempt, refused: StoreRefused) -> None:
    """Buy nothing more where clips can't be stored; a clip of another batch speaks for its own place only."""
    if studio.job and destination(studio, attempt) == (studio.job.bucket, studio.job.prefix):
        for provider in studio.job.plan.providers:
            studio.stopped.setdefault(provider, f"the store refuses clips: {refused}")


async def _row_of(studio: Studio, attempt: Attempt) -> BatchRow:
    rows = await anyio.to_thread.run_sync(studio.ledger.rows_of_clips, [attempt.clip_key])
    return next((row for row in rows if row.batch == attempt.batch), rows[0])


async def _fetch(studio: Studio, attempt: Attempt) -> Download:
    """The clip's file, from an earlier try's download if that is whole, else from the provider."""
    folder, name = studio.home / "downloads", f"{attempt.id}.mp4"
    kept = await anyio.to_thread.run_sync(_kept, folder, attempt.id)
    if kept:
        return kept
    url, reason, renewed = attempt.result_url, "", 0
    for pause_s in (*PAUSES_S, None):
        try:
            if url is None:
                url, renewed = await _fresh_url(studio, attempt), renewed + 1
            hit("before-download")
            file = await download(url, folder, name, client=studio.web, trust=studio.trust)
            file = await anyio.to_thread.run_sync(_whole, file)
            hit("after-download")
            return file
        except UrlExpired as error:
            reason, url = str(error), None
            if renewed >= 2:
                await anyio.to_thread.run_sync(studio.ledger.result_lost, attempt, reason)
                raise ResultLost(f"paid, and no URL leads to it any more: {reason}. See dailies status") from error
        except (DownloadFailed, BadVideo) as error:
            reason = str(error)
            (folder / name).unlink(missing_ok=True)
        except UnsafeUrl as error:
            raise await _delayed(studio, attempt, f"its address is refused: {error}") from error
        if pause_s is not None:
            await anyio.sleep(pause_s)
    raise await _delayed(studio, attempt, f"the download fails: {reason}")


async def _fresh_url(studio: Studio, attempt: Attempt) -> str:
    """Ask the provider for the job again. Raises UrlExpired when it has no URL for us."""
    if attempt.generation_id is None:
        raise UrlExpired("there is no generation to ask for")
    look = await studio.provider(attempt.provider).look(attempt.generation_id)
    if look.kind is LookKind.READY and look.url:
        return look.url
    if look.trouble and attempt.provider == "aiml":
        raise DownloadFailed(f"a fresh URL can't be asked for now: {look.words}")
    raise UrlExpired(f"a fresh look at {attempt.generation_id} gives no URL ({look.words})")


def _whole(file: Download) -> Download:
    """Give a download that is a whole MP4 the name under which a later try finds it. Raises BadVideo for any other.

    The name carries the digest. So nobody waits for the disk, which most clips never reach: a file that a power cut has
    garbled is not what its name says, and is fetched again.
    """
    check_boxes(file.path)
    return replace(file, path=file.path.rename(file.path.with_suffix(f".{file.sha256}.mp4")))


def _kept(folder: Path, attempt_id: str) -> Download | None:
    """A download that an earlier try finished."""
    length = len(f"{attempt_id}..mp4") + hashlib.sha256().digest_size * 2
    names = os.listdir(folder) if folder.is_dir() else []  # no glob: a pattern for each clip stays in memory
    for name in names:
        if not (name.startswith(f"{attempt_id}.") and name.endswith(".mp4") and len(name) == length):
            continue
        path = folder / name
        try:
            with path.open("rb") as file:
                sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            if path.name == f"{attempt_id}.{sha256}.mp4":
                return Download(path, path.stat().st_size, sha256)
        except OSError as error:
            logger.debug("%s can't be read: %s", path, error)
        path.unlink(missing_ok=True)
    return None


def _compare(studio: Studio, row: BatchRow, path: Path) -> str | None:
    """In which ways the clip is not what was bought; it is stored all the same, marked, as evidence for a refund."""
    clip = row.clip
    try:
        model = studio.catalog.find(clip.model)
        settled = Settled(clip.resolution, clip.aspect_ratio, clip.duration_s, dict(clip.options))  # type: ignore[arg-type]
        asked = Wanted(**asdict(expected_video(model, settled)))
        return "; ".join(mismatches(inspect(path), asked)) or None
    except (BadVideo, CutShort) as error:
        return f"it does not decode: {error}"


async def _store(studio: Studio, attempt: Attempt, row: BatchRow, file: Download, ways: StoreAbilities) -> str:
    """Put the clip under its key and see that it is there. Returns its URI."""
    bucket, prefix = destination(studio, attempt)
    parcel = await anyio.to_thread.run_sync(pack, attempt, row, file, ways)
    key = object_key(prefix, row.batch, row.id, attempt.clip_key)
    beside = key.removesuffix(".mp4") + f"-{file.sha256[:8]}.mp4"
    if attempt.state is State.ORPHANED and any(a.delivered for a in row.attempts):
        key = key.removesuffix(".mp4") + f"-{attempt.id[:8]}.mp4"  # a second clip, which was paid for too
    for candidate in (key, beside):
        if await _put(studio, bucket, candidate, parcel):
            return f"s3://{bucket}/{candidate}"
        logger.warning("%s: s3://%s/%s holds another object; it is not overwritten", row.id, bucket, candidate)
    raise StoreTrouble(f"s3://{bucket}/{key} and {beside} are both taken by other objects")


async def _put(studio: Studio, bucket: str, key: str, parcel: Parcel) -> bool:
    """One put where nothing is yet, and the look that proves it. False when another object has the key."""
    s3 = studio.s3()
    for pause_s in (*PAUSES_S[:4], None):
        try:
            hit("before-put")
            taken = await anyio.to_thread.run_sync(put_where_nothing_is, s3, bucket, key, parcel)
            hit("after-put")
            if taken is False:
                return False
            hit("before-head")
            found = await anyio.to_thread.run_sync(look_at, s3, bucket, key, parcel)
            hit("after-head")
            if found is not None:
                return found
        except StoreTrouble:
            if pause_s is None:
                raise
        if pause_s is not None:
            await anyio.sleep(pause_s)
    raise StoreTrouble(f"s3://{bucket}/{key}: put, and not found afterwards")


def destination(studio: Studio, attempt: Attempt) -> tuple[str, str]:
    """Bucket and prefix for a clip: where its own batch goes by the record, as it was planned last, whatever batch is in
    hand; the setting's only for a batch that was never planned here."""
    uri = studio.ledger.batch_destination(attempt.batch) or studio.settings.dailies_to
    if not uri:
        raise NoDestination(f"nothing says where the clips of batch {attempt.batch} go: set DAILIES_TO or pass --to")
    return parse_s3_uri(uri)


async def _told(studio: Studio, attempt: Attempt, uri: str, file: Download, mismatch: str | None) -> Attempt:
    """T4, patient with a ledger that is away: the object is safe, so a later run would only find it again."""
    for pause_s in (*PAUSES_S, None):
        try:
            return await anyio.to_thread.run_sync(
                studio.ledger.stored, attempt.id, uri, file.sha256, file.size_bytes, mismatch
            )
        except (SQLAlchemyError, OSError) as error:
            if pause_s is None:
                raise DeliveryDelayed(f"stored as {uri}, but the ledger can't be told: run dailies collect") from error
            await anyio.sleep(pause_s)
    raise AssertionError("unreachable")


async def _delayed(studio: Studio, attempt: Attempt, reason: str) -> DeliveryDelayed:
    """Keep the reason with the attempt, and make the error that says how to go on."""
    try:
        await anyio.to_thread.run_sync(studio.ledger.note_error, attempt.id, reason)
    except (SQLAlchemyError, OSError):
        logger.error("the ledger can't be told that %s is delayed: %s", attempt.id, reason)
    return DeliveryDelayed(f"{reason}. Nothing is lost: run again, or dailies collect")


def _tidy(studio: Studio, attempt: Attempt, row: BatchRow, path: Path) -> None:
    """Delete the download, or move it to where `--keep-local` wants the clips of the batch in hand, and no others."""
    hit("before-cleanup")
    keep = studio.job.order.keep_local if studio.job and attempt.clip_key in studio.job.rows else None
    if keep:
        target = Path(keep).expanduser() / f"{clip_name(row.id, row.clip_key)}.mp4"
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.replace(path, target)
        except OSError:
            shutil.copyfile(path, target)
            path.unlink(missing_ok=True)
    else:
        path.unlink(missing_ok=True)
    hit("after-cleanup")
