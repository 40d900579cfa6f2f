"""Excel workbooks: the first sheet that is shown, as text. Needs the optional extra `excel`, by which pandas reads them."""

from __future__ import annotations

import io
import re
import warnings
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from dailies.sheets.table import Line, Table, bad_file

MAGIC = b"PK\x03\x04"
"""A workbook is a ZIP."""
OLD_MAGIC = b"\xd0\xcf\x11\xe0"
"""What Excel wrote until 2003, and what it wraps a workbook in that has a password."""
HOW = 'pip install "dailies-video[excel]" lets dailies read workbooks; or save it as CSV UTF-8'
_OTHERS = {
    "content.xml": "an OpenDocument spreadsheet (.ods)",
    "xl/workbook.bin": "a binary Excel workbook (.xlsb)",
    "Index/Document.iwa": "a Numbers document",
    "Index.zip": "a Numbers document",
}
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")
"""How Excel writes what XML can't hold: `_x000D_` for the CR of a line break."""
INEXACT = 10**15
"""From here on a workbook has lost a number's last digits, and an id or a seed would be bought with others in their place."""
FEW = 5


@dataclass(frozen=True, slots=True)
class _Sheet:
    """A sheet's cells as text, by the numbers of their rows; which of these, and which columns, a filter or a hand has hidden."""

    name: str
    rows: dict[int, list[str]]
    hidden: list[int]
    hidden_columns: list[str]
    beside: list[str]


def is_workbook(content: bytes) -> bool:
    """Whether the bytes are an Excel workbook rather than text."""
    return content.startswith((MAGIC, OLD_MAGIC))


def read_workbook(content: bytes, source: str) -> Table:
    """Header and rows of a workbook's first shown sheet. Raises BadRows when it can't be read, and says how it could."""
    if content.startswith(OLD_MAGIC):
        locked = "EncryptedPackage".encode("utf-16-le") in content
        kind = "is locked with a password" if locked else "is an Excel workbook of the old kind (.xls)"
        raise bad_file(source, kind, "save it as .xlsx or as CSV UTF-8, without a password")
    try:
        sheet = _read(content)
    except ImportError:
        raise bad_file(source, "is an Excel workbook", HOW) from None
    except Exception as error:  # whatever a broken ZIP or XML raises: it is no workbook that can be read
        kind = _what_it_is(content) or f"an Excel workbook that can't be read ({type(error).__name__})"
        raise bad_file(source, f"is {kind}", "save it as .xlsx, or as CSV UTF-8") from error
    if not sheet.rows:
        raise bad_file(source, f"is a workbook whose first sheet ({sheet.name}) is empty")
    first, *below = sorted(sheet.rows)
    size = _used(sheet.rows.values())
    lines = (Line(index, row, 0, tuple(sheet.rows[row][:size])) for index, row in enumerate(below, start=1))
    return Table(tuple(sheet.rows[first][:size]), tuple(lines), _notes(sheet, set(below)))


def _notes(sheet: _Sheet, read: set[int]) -> tuple[str, ...]:
    """What a person should know of what was read: another sheet may be meant, and a filter hides rows from eyes only."""
    hidden = {"rows": [str(row) for row in sheet.hidden if row in read], "columns": sheet.hidden_columns}
    notes = []
    if sheet.beside:
        notes.append(f"the sheet {sheet.name!r} is read; not read: {', '.join(sheet.beside)}")
    for what, names in hidden.items():
        if names:
            few = ", ".join(names[:FEW]) + (", …" if len(names) > FEW else "")
            notes.append(
                f"{len(names)} hidden {what} are read like the others ({few}); delete those that are not meant"
            )
    return tuple(notes)


def _what_it_is(content: bytes) -> str | None:
    """What else a ZIP may be."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = set(archive.namelist())
    except zipfile.BadZipFile:
        return None
    return next((kind for name, kind in _OTHERS.items() if name in names), None)


def _read(content: bytes) -> _Sheet:
    """The first shown sheet: values as they were saved, and formulas where none was."""
    shown, beside = _opened(content, values=True)
    formulas = _opened(content, values=False)[0] if _has_formulas(content) else shown
    rows = _rows(shown, formulas)
    for merged in shown.merged_cells.ranges:  # the sheet shows the one value beside all of these rows
        value = rows[merged.min_row][merged.min_col - 1] if merged.min_row in rows else ""
        for row in rows.keys() & range(merged.min_row + 1, merged.max_row + 1):
            rows[row][merged.min_col - 1] = value
    hidden = [number for number, row in shown.row_dimensions.items() if row.hidden]
    return _Sheet(shown.title, rows, sorted(hidden), _hidden_columns(shown, rows), beside)


def _hidden_columns(shown: Any, rows: dict[int, list[str]]) -> list[str]:
    """The letters of the hidden columns that hold anything; those that were hidden together are one entry of the sheet's."""
    from openpyxl.utils import get_column_letter

    hidden = {
        column
        for group in shown.column_dimensions.values()
        if group.hidden
        for column in range(group.min, group.max + 1)
    }
    used = range(1, _used(rows.values()) + 1)
    return [
        get_column_letter(column)
        for column in used
        if column in hidden and any(cells[column - 1].strip() for cells in rows.values())
    ]


def _rows(shown: Any, formulas: Any) -> dict[int, list[str]]:
    """The rows that hold anything. Only cells that are there are looked at: a sheet that somebody formatted down to its last
    row says that it has a million rows."""
    texts = {}
    for (row, column), other in formulas._cells.items():  # noqa: SLF001 - what is public makes every cell in between
        if text := text_of_cell(*_pair(shown.cell(row, column), other)):
            texts[row, column] = text
    width = max((column for _, column in texts), default=0)
    return {
        row: [texts.get((row, column), "") for column in range(1, width + 1)]
        for row in sorted({row for row, _ in texts})
    }


def _opened(content: bytes, *, values: bool) -> tuple[Any, list[str]]:
    """The first sheet that is not hidden, and the names of the others that are shown and hold anything.

    pandas opens the book; its own frame would show an error as an empty cell, and a formula that was never calculated too.
    """
    import pandas as pd

    options = {"data_only": values, "read_only": False}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # openpyxl's, about styles and extensions that hold no cells
        with pd.ExcelFile(io.BytesIO(content), engine="openpyxl", engine_kwargs=options) as opened:
            sheets = opened.book.worksheets
    seen = [sheet for sheet in sheets if sheet.sheet_state == "visible"] or sheets
    return seen[0], [sheet.title for sheet in seen[1:] if sheet.max_row > 1]


def _has_formulas(content: bytes) -> bool:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return any(b"<f" in archive.read(name) for name in archive.namelist() if name.startswith("xl/worksheets/"))


def _pair(cell: Any, other: Any) -> tuple[object, str]:
    """A cell's value, or its formula where it was never calculated; and the format in which it is shown.

    A formula that gave no text (`=IF(Z2="","",Z2)`) was calculated: its type is that of a text, and it is empty.
    """
    value = cell.value
    if value is None and other.data_type == "f" and cell.data_type != "str":
        value = str(getattr(other.value, "text", other.value))
    if isinstance(value, int | float) and abs(value) >= INEXACT:
        value = f"{value:.5E}"  # as it is shown, and saved in a CSV: a cell of ours is refused as it is there
    return value, cell.number_format


def text_of_cell(value: object, form: str = "") -> str:
    """A cell as the sheet shows it: `5` for 5.0, `007` in the form 000, `2026-11-26` for a day, `TRUE`, nothing for none."""
    match value:
        case None:
            return ""
        case bool():
            return "TRUE" if value else "FALSE"
        case int() | float() if float(value).is_integer():
            return str(int(value)).zfill(len(form) if form.strip("0") == "" else 0)
        case float():
            return "" if value != value else format(Decimal(repr(value)), "f")
        case datetime() if (value.hour, value.minute, value.second) == (0, 0, 0):
            return value.date().isoformat()
        case datetime():
            return value.isoformat(" ", "seconds")
        case date() | time():
            return value.isoformat()
        case _:
            return _without_lone_halves(_ESCAPED.sub(lambda found: chr(int(found[1], 16)), str(value)))


def _without_lone_halves(text: str) -> str:
    """Halves of a letter (surrogates) joined, and a \ufffd for one that is alone: no file and no database can hold it."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _used(rows: Iterable[Sequence[str]]) -> int:
    """How many columns there are up to the last that holds anything."""
    return max((at + 1 for cells in rows for at, cell in enumerate(cells) if cell.strip()), default=0)
