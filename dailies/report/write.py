"""Writes a report to disk and beside the clips in S3. The figures come first; the page is drawn from the same lines."""

from __future__ import annotations

import io
import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import TypeVar

from dailies.domain.clips import slug
from dailies.errors import Misconfigured
from dailies.failpoints import hit
from dailies.report.credits import Credits, answer_pieces, credits_csv_bytes
from dailies.report.links import Linker, beside, on_disk, report_key
from dailies.report.page import Drawing, PageFacts
from dailies.storage.s3 import S3, StoreRefused, StoreTrouble
from dailies.system import AS_IT_STANDS

logger = logging.getLogger("dailies.report")
T = TypeVar("T")
KINDS = {
    ".csv": "text/csv; charset=utf-8", ".json": "application/json", ".html": "text/html; charset=utf-8",
    ".parquet": "application/vnd.apache.parquet", ".zip": "application/zip", ".txt": "text/plain; charset=utf-8",
    ".webp": "image/webp",
}  # fmt: skip
PAGE, FIGURES = "report.html", "credits.csv"


@dataclass(frozen=True, slots=True)
class Written:
    """Where a report went; `uri` is None when S3 did not take it (the files on disk are there)."""

    folder: Path
    uri: str | None


@dataclass(frozen=True, slots=True)
class Extras:
    """What a report may have beside its figures: links for the page on disk, facts to show, more files."""

    link: Linker | None = None
    facts: PageFacts = field(default_factory=lambda: PageFacts(datetime.now(UTC)))
    files: Mapping[str, bytes] = field(default_factory=dict)


def report_folder(home: Path, batch: str, chosen: str | None) -> Path:
    """`--report-dir`, else a folder per batch in DAILIES_HOME."""
    return Path(chosen).expanduser().absolute() if chosen else home / "reports" / slug(batch, "batch")


def write_report(
    credits: Credits, folder: Path, s3: S3 | None, bucket: str = "", prefix: str = "", extras: Extras | None = None
) -> Written:
    """Put the files into S3 under `prefix`/batch and on disk, one after another: only one is in memory at a time.

    A store that refuses is a warning: the figures are here. Raises Misconfigured when the folder can't be written (what
    S3 takes, it has by then).
    """
    hit("before-report")
    extras = extras or Extras()
    key = report_key(prefix, slug(credits.batch, "batch"))
    store, disk = Store(s3, bucket, key), Disk(folder)
    for name, content in chain(figure_files(credits, folder), extras.files.items()):
        store.take(name, content)
        disk.take(name, content)
    draw = drawing(credits, extras.facts)
    if s3:
        store.take(PAGE, draw(beside(bucket, key)))
    disk.take(PAGE, draw(extras.link or on_disk(folder, None)))
    disk.check()
    hit("after-report")
    return Written(folder, store.uri)


def figure_files(credits: Credits, folder: Path | None) -> Iterator[tuple[str, bytes | None]]:
    """`credits.csv`, `summary.json` and `credits.parquet`, each made when it is asked for; None where it can't be made."""
    yield FIGURES, credits_csv_bytes(credits)
    yield "summary.json", joined(chain(answer_pieces(credits, str(folder) if folder else None), ["\n"]))
    yield "credits.parquet", _guarded("credits.parquet", lambda: _parquet(credits))


def _parquet(credits: Credits) -> bytes:
    from dailies.report.tables import parquet_bytes  # pyarrow takes a while to load

    return parquet_bytes(credits)


def drawing(credits: Credits, facts: PageFacts) -> Callable[[Linker], bytes | None]:
    """Draws `report.html` for a place whose links it is given; None where it can't be drawn."""
    made = _guarded(PAGE, lambda: Drawing(credits, facts))

    def draw(link: Linker) -> bytes | None:
        return None if made is None else _guarded(PAGE, lambda: joined(made.pieces(link), "replace"))

    return draw


def joined(pieces: Iterable[str], errors: str = "strict") -> bytes:
    """Text in pieces as UTF-8, never all of it as text and as bytes at once."""
    out = io.BytesIO()
    for piece in pieces:
        out.write(piece.encode("utf-8", errors))
    return out.getvalue()


def _guarded(name: str, make: Callable[[], T]) -> T | None:
    try:
        return make()
    except Exception:  # the clips are paid for and stored: a picture of them must not fail the run that made them
        logger.exception("%s could not be made; the figures are in %s", name, FIGURES)
        return None


class Store:
    """The report's place in S3, `s3://bucket/folder`. The first refusal is a warning and the end of it."""

    def __init__(self, s3: S3 | None, bucket: str, folder: str) -> None:
        self._s3, self._bucket, self._folder = s3, bucket, folder
        self._uris: dict[str, str] = {}

    @property
    def uri(self) -> str | None:
        """The address of the page (else of the figures) once all is there; None when S3 did not take it all."""
        return (self._uris.get(PAGE) or self._uris.get(FIGURES)) if self._s3 else None

    def take(self, name: str, content: bytes | None) -> None:
        """Put one file, if there is one."""
        if self._s3 is None or content is None:
            return
        key = report_key(self._folder, name)
        try:
            self._uris[name] = self._s3.put_bytes(self._bucket, key, content, KINDS[Path(name).suffix])
        except (StoreRefused, StoreTrouble) as error:
            logger.warning("the report is not in S3: %s", error)
            self._s3 = None


class Disk:
    """A folder, and files in it that are whole and readable by their owner alone. The first failure is the end of it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._error: OSError | None = None
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            self._error = error

    def take(self, name: str, content: bytes | None) -> None:
        """Write one file, if there is one."""
        if self._error or content is None:
            return
        try:
            (self._folder / name).parent.mkdir(exist_ok=True, mode=0o700)
            replace(self._folder / name, content)
        except OSError as error:
            self._error = error

    def check(self) -> None:
        """Raise Misconfigured if anything could not be written."""
        if self._error:
            raise Misconfigured(
                f"the report can't be written to {self._folder}: {self._error.strerror}. The ledger holds all figures",
                trouble="disk",
            ) from self._error


def to_disk(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write a few files, or only make the folder. Raises Misconfigured."""
    disk = Disk(folder)
    for name, content in files.items():
        disk.take(name, content)
    disk.check()


def replace(path: Path, content: bytes) -> None:
    """Write a file whole: who reads it sees the old or the new one. Raises OSError."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    with open(os.open(part, os.O_CREAT | os.O_WRONLY | os.O_TRUNC | AS_IT_STANDS, 0o600), "wb") as file:
        file.write(content)
    part.replace(path)
