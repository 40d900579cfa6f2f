"""Posters for a report that is made later or elsewhere: from the reports on this disk, else from beside the clips."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

from dailies.domain.clip_line import Line
from dailies.report.links import POSTERS, poster_file, poster_key
from dailies.report.write import Places, replace
from dailies.storage.s3 import S3, StoreRefused, StoreTrouble, parse_s3_uri

logger = logging.getLogger("dailies.report")
AT_ONCE = 16
SOME = 1000
"""Clips that are looked at together."""
FEW = 50
"""So many posters are just asked for; of more the store is first asked which of them there are."""
MOST_BYTES = 1_000_000
"""A poster has some ten kilobytes; whatever is larger is something else."""


def gather_posters(lines: Iterable[Line], folder: Path, places: Places, s3: S3 | None) -> int:
    """Bring posters into `folder/posters`. Returns how many are there; a poster that can't be had is left out."""
    target = folder / POSTERS
    target.mkdir(parents=True, exist_ok=True, mode=0o700)
    near, far = _Near(target, places), _Far(target, s3) if s3 else None
    delivered, found = (line for line in lines if line.s3_uri), 0
    while some := [*islice(delivered, SOME)]:
        missing = [line for line in some if not near.has(line)]
        found += len(some) - len(missing) + (far.fetch(missing) if far and missing else 0)
    return found


class _Near:
    """Posters on this disk: in the folder itself, else in those of the batches' own reports."""

    def __init__(self, target: Path, places: Places) -> None:
        self._target, self._places = target, places
        self._here = _names(target)
        self._reports: dict[str, tuple[Path, frozenset[str]]] = {}

    def has(self, line: Line) -> bool:
        """Whether a clip's poster is in the folder now."""
        name = poster_file(line)
        if name in self._here:
            return True
        if line.batch not in self._reports:
            folder = self._places.here(line.batch) / POSTERS
            self._reports[line.batch] = (folder, _names(folder))
        folder, names = self._reports[line.batch]
        if name not in names:
            return False
        try:
            shutil.copyfile(folder / name, self._target / name)
        except OSError:
            return False
        return True


class _Far:
    """Posters in S3. The first refusal is the end of it."""

    def __init__(self, target: Path, s3: S3) -> None:
        self._target, self._s3 = target, s3
        self._refused = False
        self._listed: dict[tuple[str, str], frozenset[str] | None] = {}

    def fetch(self, lines: Sequence[Line]) -> int:
        """Bring those that are there. Returns how many."""
        wanted = [(poster_file(line), *parse_s3_uri(line.s3_uri)) for line in lines if line.s3_uri]
        if len(wanted) > FEW:
            wanted = [one for one in wanted if self._may_be_there(*one[1:])]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            return sum(pool.map(lambda one: self._fetch(*one), wanted))

    def _may_be_there(self, bucket: str, key: str) -> bool:
        folder = key.rpartition("/")[0] + "/"
        if (bucket, folder) not in self._listed:
            try:
                names = self._s3.names(bucket, folder)
                self._listed[bucket, folder] = frozenset(name for name in names if name.endswith(".webp"))
            except (StoreRefused, StoreTrouble, KeyError):
                self._listed[bucket, folder] = None  # a key that may read need not be one that may list
        there = self._listed[bucket, folder]
        return there is None or poster_key(key) in there

    def _fetch(self, name: str, bucket: str, key: str) -> bool:
        if self._refused:
            return False
        try:
            replace(self._target / name, self._s3.read(bucket, poster_key(key), MOST_BYTES))
        except StoreRefused as error:
            self._refused = True
            logger.info("no posters from S3: %s", error)
        except (StoreTrouble, KeyError, OSError):
            return False
        return not self._refused


def _names(folder: Path) -> frozenset[str]:
    try:
        return frozenset(entry.name for entry in os.scandir(folder))
    except OSError:
        return frozenset()
