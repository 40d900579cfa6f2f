"""Reads the CSV: pandas does the parsing, and every way in which a file can be no CSV gets one clear message."""

from __future__ import annotations

import csv
import io
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from dailies.domain.clips import slug
from dailies.errors import BadInput, BadRow, BadRows

REQUIRED = ("prompt", "image")
KNOWN = ("id", "prompt", "image", "model", "provider", "resolution", "aspect_ratio", "duration", "take")
MAX_BYTES = 200 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class RawRow:
    """One data row as it was written: known columns stripped, empty cells as ''; the others are the team's own."""

    number: int
    cells: Mapping[str, str]
    labels: Mapping[str, str] = field(default_factory=dict)

    def get(self, column: str) -> str | None:
        """A known column's text, None when it is absent or empty."""
        return self.cells.get(column) or None


def read_local(path: Path) -> bytes:
    """The bytes of a CSV on disk. Raises BadInput."""
    try:
        if path.is_dir():
            raise BadInput(f"{path} is a folder; name the CSV file in it. Nothing was bought.")
        if path.stat().st_size > MAX_BYTES:
            raise BadInput(f"{path} is larger than {MAX_BYTES // 2**20} MiB; split it. Nothing was bought.")
        return path.read_bytes()
    except FileNotFoundError:
        raise BadInput(f"{path}: there is no such file. Nothing was bought.") from None
    except OSError as error:
        raise BadInput(f"{path} can't be read: {error.strerror}. Nothing was bought.") from error


def parse_csv(content: bytes, source: str) -> list[RawRow]:
    """The rows of a CSV. Raises BadRows for what is no CSV with at least a prompt and an image."""
    text = _decode(content, source)
    frame = _parse(text, source)
    columns = _columns(list(frame.columns), source, text)
    frame.columns = pd.Index(columns)
    own = [name for name in columns if name not in KNOWN]
    known = [name for name in columns if name in KNOWN]
    rows = []
    for number, record in enumerate(frame.to_dict("records"), start=1):
        cells = {name: str(record[name]).strip() for name in known}
        if any(cells.values()) or any(str(record[name]).strip() for name in own):
            rows.append(RawRow(number, cells, {name: str(record[name]) for name in own}))
    if not rows:
        raise _bad(source, "there are no rows below the header")
    return rows


def with_ids(rows: list[RawRow]) -> tuple[dict[int, str], list[BadRow]]:
    """Each row's id: its own, or one made from its number; ids that would share an S3 name are bad rows."""
    ids: dict[int, str] = {}
    seen: dict[str, int] = {}
    bad = []
    width = max(2, len(str(rows[-1].number)))
    for row in rows:
        label = row.get("id") or f"row-{row.number:0{width}d}"
        earlier = seen.setdefault(label.casefold(), row.number)
        if earlier != row.number:
            bad.append(BadRow(row.number, "id", f"{label!r} is already the id of row {earlier}"))
        elif len(label) > 200:
            bad.append(BadRow(row.number, "id", f"has {len(label)} characters; at most 200 are allowed"))
        ids[row.number] = label
    return ids, bad


def default_batch(source: str) -> str:
    """The batch's name where none is given: the file's stem."""
    return slug(Path(source.rstrip("/").rsplit("/", 1)[-1]).stem, "batch")


def _decode(content: bytes, source: str) -> str:
    if not content.strip():
        raise _bad(source, "is empty")
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise _bad(source, "is UTF-16; save it as CSV UTF-8")
    if content[:4] == b"PK\x03\x04":
        raise _bad(source, "is an Excel workbook or a ZIP; save it as CSV UTF-8")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise _bad(source, f"is not UTF-8 (line {line}, byte {error.start}); save it as CSV UTF-8") from None
    if "\0" in text:
        raise _bad(source, f"has a NUL character in line {text[: text.index(chr(0))].count(chr(10)) + 1}")
    return text


def _parse(text: str, source: str) -> pd.DataFrame:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            frame = pd.read_csv(
                io.StringIO(text), dtype=str, keep_default_na=False, na_values=[], index_col=False, header=None,
                skip_blank_lines=True, engine="c", names=None,
            )  # fmt: skip
    except (pd.errors.ParserError, pd.errors.ParserWarning) as error:
        reason = str(error).replace("Error tokenizing data. C error: ", "").strip().rstrip(".")
        raise _bad(source, f"is not a well-formed CSV: {reason}. Quote cells that hold commas or line breaks") from None
    except pd.errors.EmptyDataError:
        raise _bad(source, "is empty") from None
    frame = frame.fillna("")
    header = [str(name) for name in frame.iloc[0]]
    frame = frame.iloc[1:].reset_index(drop=True)
    frame.columns = pd.Index(header)
    return frame


def _columns(names: list[str], source: str, text: str) -> list[str]:
    cleaned = [_column(name) for name in names]
    missing = [name for name in REQUIRED if name not in cleaned]
    if missing:
        first = text.lstrip().splitlines()[0]
        hint = ""
        for separator, word in ((";", "semicolons"), ("\t", "tabs")):
            if separator in first and len(next(csv.reader([first], delimiter=separator))) > len(names):
                hint = f"; its columns seem to be separated by {word}: save it with commas"
        listed = ", ".join(name for name in cleaned if name) or "none"
        raise BadRows(
            source, [BadRow(0, name, f"this column is missing (there are: {listed}){hint}") for name in missing]
        )
    twice = sorted({name for name in cleaned if name and cleaned.count(name) > 1})
    if twice:
        raise BadRows(source, [BadRow(0, name, "this column is there twice") for name in twice])
    return [name or f"column_{number}" for number, name in enumerate(cleaned, start=1)]


def _column(name: str) -> str:
    plain = name.strip()
    known = plain.lower().replace(" ", "_").replace("-", "_")
    return known if known in KNOWN else plain


def _bad(source: str, reason: str) -> BadRows:
    return BadRows(source, [BadRow(0, "", reason)])
