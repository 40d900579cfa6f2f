"""A small still beside each clip, of the pictures that its check has decoded. Its failure is a log line."""

from __future__ import annotations

import logging
from pathlib import Path

from dailies.domain.clips import clip_name
from dailies.domain.records import Attempt, BatchRow
from dailies.media.posters import Still
from dailies.planning.request import BatchRequest
from dailies.report.links import POSTERS, poster_key
from dailies.report.write import Places, replace
from dailies.storage.abilities import StoreAbilities
from dailies.storage.s3 import S3, USUAL, parse_s3_uri

logger = logging.getLogger("dailies.posters")


def keep_poster(
    s3: S3, attempt: Attempt, row: BatchRow, still: Still, folder: Path, ways: StoreAbilities = USUAL
) -> None:
    """Put the poster of a stored clip beside it in S3 and into a folder. Blocks; never raises."""
    try:
        picture = still.webp()
        bucket, key = parse_s3_uri(attempt.s3_uri or "")
        s3.put_bytes(bucket, poster_key(key), picture, "image/webp", ways)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        replace(folder / f"{clip_name(row.id, row.clip_key)}.webp", picture)
    except Exception as error:  # noqa: BLE001 - the clip is paid for and stored: no still is worth failing its delivery
        logger.info("%s · no poster: %s", row.id, error)


def posters_folder(places: Places, batch: str, request: BatchRequest | None) -> Path:
    """Where the report of a batch looks for posters: in the folder that it was asked to go to, else in DAILIES_HOME."""
    return places.here(batch, request.report_dir if request else None) / POSTERS
