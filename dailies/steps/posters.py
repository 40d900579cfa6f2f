"""A small still beside each clip, cut from the download before it is tidied away. Its failure is a log line."""

from __future__ import annotations

import logging
from pathlib import Path

from dailies.domain.clips import clip_name
from dailies.domain.records import Attempt, BatchRow
from dailies.media.posters import poster
from dailies.report.links import POSTERS, poster_key
from dailies.report.write import replace, report_folder
from dailies.runtime import Runtime
from dailies.storage.abilities import StoreAbilities
from dailies.storage.s3 import USUAL, parse_s3_uri

logger = logging.getLogger("dailies.posters")


def keep_poster(runtime: Runtime, attempt: Attempt, row: BatchRow, file: Path, ways: StoreAbilities = USUAL) -> None:
    """Put the poster of a stored clip beside it in S3 and into the batch's report folder. Blocks; never raises."""
    try:
        picture = poster(file)
        folder = posters_folder(runtime, row.batch)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        replace(folder / f"{clip_name(row.id, row.clip_key)}.webp", picture)
        bucket, key = parse_s3_uri(attempt.s3_uri or "")
        runtime.s3().put_bytes(bucket, poster_key(key), picture, "image/webp", ways)
    except Exception as error:  # noqa: BLE001 - the clip is paid for and stored: no still is worth failing its delivery
        logger.info("%s · no poster: %s", row.id, error)


def posters_folder(runtime: Runtime, batch: str) -> Path:
    """Where the report of a batch looks for posters: the folder of the run in hand, else the one in DAILIES_HOME."""
    job = runtime.job
    chosen = job.order.report_dir if job and job.plan.batch == batch else None
    return report_folder(runtime.home, batch, chosen) / POSTERS
