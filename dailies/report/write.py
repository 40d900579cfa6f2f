"""Writes a report to disk and beside the clips in S3. The figures come first; the page is drawn from the same lines."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from itertools import chain
from pathlib import Path

from dailies.domain.clips import batch_folder
from dailies.domain.text import as_utf8
from dailies.errors import Misconfigured
from dailies.failpoints import hit
from dailies.report.credits import Credits, answer_pieces, csv_pieces
from dailies.report.links import Linker, beside, on_disk, report_key
from dailies.report.page import Drawing, PageFacts
from dailies.storage.s3 import S3, Body, StoreRefused, StoreTrouble
from dailies.system import AS_IT_STANDS

logger = logging.getLogger("dailies.report")
KINDS = {
    ".csv": "text/csv; charset=utf-8", ".json": "application/json", ".html": "text/html; charset=utf-8",
    ".parquet": "application/vnd.apache.parquet", ".zip": "application/zip", ".txt": "text/plain; charset=utf-8",
    ".webp": "image/webp",
}  # fmt: skip
PAGE, FIGURES, TABLE = "report.html", "credits.csv", "credits.parquet"


@dataclass(frozen=True, slots=True)
class Written:
    """Where a report went; `uri` is None when S3 did not take it, `folder` when this machine's disk did not."""

    folder: Path | None
    uri: str | None


@dataclass(frozen=True, slots=True)
class Extras:
    """What a report may have beside its figures: links for the page on disk, facts to show, more files."""

    link: Linker | None = None
    facts: PageFacts = field(default_factory=lambda: PageFacts(datetime.now(UTC)))
    files: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Places:
    """Where reports lie: at `home`, and in S3 below a prefix, each in its batch's folder (`Ledger.report_folders`)."""

    home: Path
    folders: Mapping[str, str] = field(default_factory=dict)

    def here(self, batch: str, chosen: str | None = None) -> Path:
        """On this machine: `--report-dir`, else a folder per batch in DAILIES_HOME."""
        return Path(chosen).expanduser().absolute() if chosen else self.home / "reports" / self._folder(batch)

    def key(self, prefix: str, batch: str) -> str:
        """In a bucket."""
        return report_key(prefix, self._folder(batch))

    def written_with(self, batch: str) -> tuple[str, ...]:
        """The batches whose reports may tell of a batch's clips: its own, and that of the one in whose folder it wrote its
        report before each had its own."""
        shared = batch_folder(batch)
        owners = (name for name, folder in self.folders.items() if folder == shared and name != batch)
        return (batch, *owners)

    def _folder(self, batch: str) -> str:
        return self.folders.get(batch) or batch_folder(batch)


def write_report(
    credits: Credits, folder: Path, s3: S3 | None, bucket: str = "", key: str = "", extras: Extras | None = None
) -> Written:
    """Put the files into S3 below `key` and on disk, one after another: only one is in memory at a time.

    A store that refuses is a warning: the figures are here. Raises Misconfigured when the folder can't be written (what
    S3 takes, it has by then).
    """
    hit("before-report")
    extras = extras or Extras()
    store, disk = Store(s3, bucket, key), Disk(folder)
    figures = dict(figure_pieces(credits, folder))
    table = figures.pop(TABLE)
    for name, pieces in figures.items():
        _give(name, pieces, store, disk)
    for name, content in extras.files.items():
        store.take(name, content)
        disk.take(name, [content])
    _draw(credits, extras, store, disk, beside(bucket, key))
    _give(TABLE, table, store, disk)  # last, for pyarrow takes as much memory as the page of a hundred thousand clips
    disk.check()
    hit("after-report")
    return Written(folder, store.uri)


def _draw(credits: Credits, extras: Extras, store: Store, disk: Disk, link: Linker) -> None:
    """The page: in S3, where its clips are where `link` finds them, and on disk."""
    draw = drawing(credits, extras.facts)
    with suppress(NotMade):
        if store.open:
            store.take(PAGE, b"".join(draw(link)))
        disk.take(PAGE, draw(extras.link or on_disk(disk.folder, None)))


Pieces = Callable[[], Iterator[bytes]]
"""Makes the content of a file, piece by piece, each time anew."""


class NotMade(Exception):
    """A file can't be made; that is logged."""


def _give(name: str, pieces: Pieces, store: Store, disk: Disk) -> None:
    """Write a file as it is made, and put it into S3 from there; where the disk does not take it, from memory."""
    try:
        path = disk.take(name, pieces())
        if store.open:
            store.take(name, path or b"".join(pieces()))
    except NotMade:
        return


def figure_pieces(credits: Credits, folder: Path | None) -> Mapping[str, Pieces]:
    """`credits.csv`, `summary.json` and `credits.parquet`, by their names."""

    def summary() -> Iterator[bytes]:
        return map(as_utf8, chain(answer_pieces(credits, str(folder) if folder else None), ["\n"]))

    return {
        FIGURES: lambda: csv_pieces(credits),
        "summary.json": summary,
        TABLE: lambda: _guarded(TABLE, lambda: _parquet(credits)),
    }


def figure_files(credits: Credits, folder: Path | None) -> Iterator[tuple[str, bytes | None]]:
    """The same as whole contents, each made when it is asked for; None where it can't be made."""
    return ((name, whole(pieces())) for name, pieces in figure_pieces(credits, folder).items())


def _parquet(credits: Credits) -> Iterator[bytes]:
    from dailies.report.tables import parquet_pieces  # pyarrow takes a while to load

    return parquet_pieces(credits)


def drawing(credits: Credits, facts: PageFacts) -> Callable[[Linker], Iterator[bytes]]:
    """Draws `report.html` for a place whose links it is given, piece by piece. Raises NotMade with the first of them."""
    drawn = cache(lambda: Drawing(credits, facts))

    def draw(link: Linker) -> Iterator[bytes]:
        return _guarded(PAGE, lambda: map(as_utf8, drawn().pieces(link)))

    return draw


def whole(pieces: Iterable[bytes]) -> bytes | None:
    """The content of a file; None where it can't be made."""
    try:
        return b"".join(pieces)
    except NotMade:
        return None


def _guarded(name: str, make: Pieces) -> Iterator[bytes]:
    try:
        yield from make()
    except (
        Exception
    ) as error:  # the clips are paid for and stored: a picture of them must not fail the run that made them
        logger.exception("%s could not be made; the figures are in %s", name, FIGURES)
        raise NotMade from error


class Store:
    """The report's place in S3, `s3://bucket/folder`. The first refusal is a warning and the end of it."""

    def __init__(self, s3: S3 | None, bucket: str, folder: str) -> None:
        self._s3, self._bucket, self._folder = s3, bucket, folder
        self._uris: dict[str, str] = {}

    @property
    def uri(self) -> str | None:
        """The address of the page (else of the figures) once all is there; None when S3 did not take it all."""
        return (self._uris.get(PAGE) or self._uris.get(FIGURES)) if self._s3 else None

    @property
    def open(self) -> bool:
        """Whether it takes anything (more)."""
        return self._s3 is not None

    def take(self, name: str, content: bytes | Path | None) -> None:
        """Put one file, if there is one."""
        if self._s3 is None or content is None:
            return
        key, put = report_key(self._folder, name), self._s3.put_small
        try:
            body = Body.of(content) if isinstance(content, bytes) else Body.in_file(content)
            self._uris[name] = put(self._bucket, key, body, KINDS[Path(name).suffix])
        except (StoreRefused, StoreTrouble) as error:
            logger.warning("the report is not in S3: %s", error)
            self._s3 = None


class Disk:
    """A folder, and files in it that are whole and readable by their owner alone. The first failure is the end of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._error: OSError | None = None
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            self._error = error

    def take(self, name: str, pieces: Iterable[bytes]) -> Path | None:
        """Write one file. Returns where it is; None where it can't be written. What making it raises comes out as it is."""
        if self._error:
            return None
        path = self.folder / name
        try:
            path.parent.mkdir(exist_ok=True, mode=0o700)
            replace_by(path, pieces)
        except OSError as error:
            self._error = error
            return None
        return path

    def check(self) -> None:
        """Raise Misconfigured if anything could not be written."""
        if self._error:
            raise Misconfigured(
                f"the report can't be written to {self.folder}: {self._error.strerror}. The ledger holds all figures",
                trouble="disk",
            ) from self._error


def to_disk(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write a few files, or only make the folder. Raises Misconfigured."""
    disk = Disk(folder)
    for name, content in files.items():
        disk.take(name, [content])
    disk.check()


def replace(path: Path, content: bytes) -> None:
    """Write a file whole: who reads it sees the old or the new one. Raises OSError."""
    replace_by(path, [content])


def replace_by(path: Path, pieces: Iterable[bytes]) -> None:
    """The same as its content comes. Raises what making it raises, too: then the old one stays."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(os.open(part, os.O_CREAT | os.O_WRONLY | os.O_TRUNC | AS_IT_STANDS, 0o600), "wb") as file:
            for piece in pieces:
                file.write(piece)
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
