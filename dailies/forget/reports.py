"""Reports of batches whose clips were forgotten: written anew from the ledger, which no longer knows what they showed."""

from __future__ import annotations

import re
from pathlib import Path

from dailies.domain.clips import batch_folder
from dailies.domain.needles import Needles
from dailies.forget.store import remove_versions
from dailies.ledger import Ledger
from dailies.report.credits import credits_of
from dailies.report.links import report_key
from dailies.report.write import FIGURES, KINDS, PAGE, Places, write_report
from dailies.storage.s3 import S3, parse_s3_uri

LARGEST = 256 << 20
DRAWN = (FIGURES, "summary.json", "credits.parquet", PAGE)
"""The files that every report has; others are removed where they hold what is to be forgotten."""
SIDECAR = re.compile(r"-[0-9a-f]{12}(-[0-9a-f]{8})?\.json$")
"""The sidecar of a clip that stays tells of that clip alone; the others go with their clips."""


def other_files_with(s3: S3, uri: str, batch: str, places: Places, needles: Needles) -> set[tuple[str, str]]:
    """Bucket and key of what lies beside a batch's report below a destination, is not made anew, and holds one of the texts:
    in its folder, and in that of its clips, where it lay when it shared that with another batch's."""
    bucket, prefix = parse_s3_uri(uri)
    folders = {places.key(prefix, batch), report_key(prefix, batch_folder(batch))}
    return {found for folder in folders for found in _others_in(s3, bucket, f"{folder}/", needles)}


def left_behind(s3: S3, uri: str, batch: str, places: Places) -> set[tuple[str, str]]:
    """Bucket and key of a report that a batch wrote into the folder of its clips before it had one of its own, and that
    nobody else writes anew."""
    bucket, prefix = parse_s3_uri(uri)
    then = report_key(prefix, batch_folder(batch))
    if then == places.key(prefix, batch):
        return set()
    return {(bucket, key) for name in DRAWN if s3.head(bucket, key := f"{then}/{name}")}


def _others_in(s3: S3, bucket: str, folder: str, needles: Needles) -> set[tuple[str, str]]:
    names = [n for n in s3.names(bucket, folder) if Path(n).suffix in KINDS and Path(n).suffix != ".webp"]
    others = [name for name in names if name.removeprefix(folder) not in DRAWN and not SIDECAR.search(name)]
    return {
        (bucket, n)
        for n in others
        if needles.found_in(s3.read(bucket, n, LARGEST).decode("utf-8", "ignore")) or n.endswith(".zip")
    }


def write_anew(ledger: Ledger, s3: S3 | None, places: Places, batch: str) -> list[str]:
    """Write a batch's report again where it lies: on disk, in S3, or both. Returns what is to be told a person. Blocks."""
    folder = places.here(batch)
    destination = ledger.batch_destination(batch)
    credits = credits_of(batch, ledger.each_row_for_figures(batch))
    bucket, prefix = parse_s3_uri(destination) if destination else ("", "")
    place = places.key(prefix, batch)
    there = s3 if s3 and bucket and s3.head(bucket, f"{place}/{FIGURES}") else None
    if there is None and not folder.exists():
        return []
    write_report(credits, folder, there, bucket, place)
    notes = [remove_versions(there, bucket, f"{place}/{name}", keep_latest=True) for name in DRAWN] if there else []
    return [note for note in dict.fromkeys(notes) if note]
