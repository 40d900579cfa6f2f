"""Posters for a report that is made later or elsewhere: from the reports on this disk, else from beside the clips."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from dailies.domain.figures import Line
from dailies.report.links import POSTERS, poster_file, poster_key
from dailies.report.write import replace, report_folder
from dailies.storage.s3 import S3, StoreRefused, StoreTrouble, parse_s3_uri

logger = logging.getLogger("dailies.report")
AT_ONCE = 16
MOST_BYTES = 1_000_000
"""A poster has some ten kilobytes; whatever is larger is something else."""


def gather_posters(lines: Iterable[Line], folder: Path, home: Path, s3: S3 | None) -> int:
    """Bring posters into `folder/posters`. Returns how many are there; a poster that can't be had is left out."""
    target = folder / POSTERS
    delivered = [line for line in lines if line.s3_uri]
    target.mkdir(parents=True, exist_ok=True, mode=0o700)
    missing = [line for line in delivered if not _here(line, target, home)]
    found = _from_s3(missing, target, s3) if s3 and missing else 0
    return len(delivered) - len(missing) + found


def _here(line: Line, target: Path, home: Path) -> bool:
    name = poster_file(line)
    if (target / name).exists():
        return True
    try:
        shutil.copyfile(report_folder(home, line.batch, None) / POSTERS / name, target / name)
    except OSError:
        return False
    return True


def _from_s3(lines: list[Line], target: Path, s3: S3) -> int:
    refused = False

    def fetch(line: Line) -> bool:
        nonlocal refused
        if refused or not line.s3_uri:
            return False
        bucket, key = parse_s3_uri(line.s3_uri)
        try:
            replace(target / poster_file(line), s3.read(bucket, poster_key(key), MOST_BYTES))
        except StoreRefused as error:
            refused = True
            logger.info("no posters from S3: %s", error)
        except (StoreTrouble, KeyError, OSError):
            return False
        return not refused

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return sum(pool.map(fetch, lines))
