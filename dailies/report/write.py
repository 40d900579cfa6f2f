"""Writes a report to disk and beside the clips in S3. The figures come first; the page is drawn from the same lines."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from dailies.domain.clips import slug
from dailies.errors import Misconfigured
from dailies.failpoints import hit
from dailies.report.credits import Credits, answer_json, credits_csv, dump
from dailies.report.links import Linker, beside, on_disk, report_key
from dailies.report.page import Drawing, PageFacts
from dailies.storage.s3 import S3, StoreRefused, StoreTrouble

logger = logging.getLogger("dailies.report")
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
    """Put the files into S3 under `prefix`/batch and on disk. A store that refuses is a warning: the figures are here.

    Raises Misconfigured when the folder can't be written (what S3 takes, it has by then).
    """
    hit("before-report")
    extras = extras or Extras()
    figures = {**figure_files(credits, folder), **extras.files}
    key = report_key(prefix, slug(credits.batch, "batch"))
    links = {"disk": extras.link or on_disk(folder, None)} | ({"s3": beside(bucket, key)} if s3 else {})
    pages = page_files(credits, links, extras.facts)
    uri = to_s3(s3, bucket, key, {**figures, **pages["s3"]}) if s3 else None
    to_disk(folder, {**figures, **pages["disk"]})
    hit("after-report")
    return Written(folder, uri)


def figure_files(credits: Credits, folder: Path | None) -> dict[str, bytes]:
    """`credits.csv`, `summary.json` and `credits.parquet`."""
    files = {
        FIGURES: credits_csv(credits).encode(),
        "summary.json": (dump(answer_json(credits, str(folder) if folder else None)) + "\n").encode(),
    }
    parquet = _guarded("credits.parquet", lambda: _parquet(credits))
    return files | ({"credits.parquet": parquet} if parquet else {})


def _parquet(credits: Credits) -> bytes:
    from dailies.report.tables import parquet_bytes  # pandas and pyarrow take half a second to load

    return parquet_bytes(credits)


def page_files(credits: Credits, links: Mapping[str, Linker], facts: PageFacts) -> dict[str, dict[str, bytes]]:
    """`report.html` for each place that shows it; nothing where it can't be drawn."""
    try:
        drawing = Drawing(credits, facts)
        return {place: {PAGE: drawing.page(link).encode("utf-8", "replace")} for place, link in links.items()}
    except Exception:  # a page must not fail the run whose clips it shows
        logger.exception("%s could not be made; the figures are in %s", PAGE, FIGURES)
        return {place: {} for place in links}


def _guarded(name: str, make: Callable[[], bytes]) -> bytes | None:
    try:
        return make()
    except Exception:  # the clips are paid for and stored: a picture of them must not fail the run that made them
        logger.exception("%s could not be made; the figures are in %s", name, FIGURES)
        return None


def to_disk(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write each file whole, readable by its owner alone. Raises Misconfigured."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for name, content in files.items():
            (folder / name).parent.mkdir(exist_ok=True, mode=0o700)
            replace(folder / name, content)
    except OSError as error:
        raise Misconfigured(
            f"the report can't be written to {folder}: {error.strerror}. The ledger holds all figures"
        ) from error


def replace(path: Path, content: bytes) -> None:
    """Write a file whole: who reads it sees the old or the new one. Raises OSError."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    with open(os.open(part, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
    part.replace(path)


def to_s3(s3: S3, bucket: str, folder: str, files: Mapping[str, bytes]) -> str | None:
    """Put the files into `s3://bucket/folder`. Returns the URI of the page (else of the figures); None when refused."""
    try:
        uris = {
            name: s3.put_bytes(bucket, report_key(folder, name), content, KINDS[Path(name).suffix])
            for name, content in files.items()
        }
    except (StoreRefused, StoreTrouble) as error:
        logger.warning("the report is not in S3: %s", error)
        return None
    return uris.get(PAGE) or uris.get(FIGURES)
