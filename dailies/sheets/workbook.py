"""Excel workbooks: the first sheet, as text. Needs the optional extra `excel`, by which pandas reads them."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from datetime import date, datetime, time
from decimal import Decimal

from dailies.sheets.table import Line, Table, bad_file

MAGIC = b"PK\x03\x04"
"""A workbook is a ZIP."""
OLD_MAGIC = b"\xd0\xcf\x11\xe0"
"""What Excel wrote until 2003."""
HOW = 'pip install "dailies[excel]" lets dailies read workbooks; or save it as CSV UTF-8'


def is_workbook(content: bytes) -> bool:
    """Whether the bytes are an Excel workbook rather than text."""
    return content.startswith((MAGIC, OLD_MAGIC))


def read_workbook(content: bytes, source: str) -> Table:
    """Header and rows of a workbook's first sheet. Raises BadRows when it can't be read, and says how it could."""
    if content.startswith(OLD_MAGIC):
        raise bad_file(source, "is an Excel workbook of the old kind (.xls)", "save it as .xlsx or as CSV UTF-8")
    try:
        shown, formulas = _cells(content, values=True), _cells(content, values=False)
    except ImportError:
        raise bad_file(source, "is an Excel workbook", HOW) from None
    except Exception as error:  # whatever a broken ZIP or XML raises: it is no workbook that can be read
        reason = f"is an Excel workbook that can't be read ({type(error).__name__})"
        raise bad_file(source, reason, "save it again, or as CSV UTF-8") from error
    rows = [
        [text_of_cell(formula if value is None else value) for value, formula in zip(*pair, strict=True)]
        for pair in zip(shown, formulas, strict=True)
    ]
    first = next((at for at, cells in enumerate(rows) if any(cells)), None)
    if first is None:
        raise bad_file(source, "is a workbook whose first sheet is empty")
    size = _used(rows[first:])
    below = [(at + 1, cells) for at, cells in enumerate(rows) if at > first and any(cells)]
    lines = (Line(index, row, 0, tuple(cells[:size])) for index, (row, cells) in enumerate(below, start=1))
    return Table(tuple(rows[first][:size]), tuple(lines))


def _cells(content: bytes, *, values: bool) -> list[tuple[object, ...]]:
    """The first sheet's cells: their values as they were saved, or their formulas.

    pandas opens the book; its own frame would show an error as an empty cell, and a formula that was never calculated too.
    """
    import pandas as pd

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # openpyxl's, about styles and extensions that hold no cells
        with pd.ExcelFile(io.BytesIO(content), engine="openpyxl", engine_kwargs={"data_only": values}) as opened:
            sheet = opened.book.worksheets[0]
            sheet.reset_dimensions()  # what other programs write there is often wrong
            rows = [tuple(row) for row in sheet.iter_rows(values_only=True)]
    width = max(map(len, rows), default=0)
    return [(*row, *[None] * (width - len(row))) for row in rows]


def text_of_cell(value: object) -> str:
    """A cell as the sheet shows it: `5` for 5.0, `2026-11-26` for a day, `TRUE`, and nothing for an empty one."""
    match value:
        case None:
            return ""
        case bool():
            return "TRUE" if value else "FALSE"
        case float() if value.is_integer():
            return str(int(value))
        case float():
            return "" if value != value else format(Decimal(repr(value)), "f")
        case datetime() if (value.hour, value.minute, value.second) == (0, 0, 0):
            return value.date().isoformat()
        case datetime():
            return value.isoformat(" ", "seconds")
        case date() | time():
            return value.isoformat()
        case _:
            return str(value)


def _used(rows: Sequence[Sequence[str]]) -> int:
    """How many columns there are up to the last that holds anything."""
    return max((at + 1 for cells in rows for at, cell in enumerate(cells) if cell.strip()), default=0)
