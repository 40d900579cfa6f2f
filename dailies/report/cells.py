"""Columns as the text of files, a whole column at a time: of a hundred thousand clips each cell is touched a few times."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import lru_cache
from json.encoder import encode_basestring
from types import NoneType
from typing import Any

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def safe_cell(value: object) -> str:
    """A value as CSV text that no spreadsheet takes for a formula. Numbers of our own stay numbers."""
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return f"{value.normalize():f}" if value else "0"
    text = str(value)
    return "'" + text if isinstance(value, str) and text.startswith(FORMULA_STARTS) else text


def csv_cells(values: Sequence[Any]) -> Sequence[str]:
    """A column as it stands in a CSV file, each cell by `safe_cell`, and quoted as `csv` does it."""
    kinds = {*map(type, values)}
    if kinds <= {str}:
        cells = [f"'{text}" if text[:1] in FORMULA_STARTS else text for text in values]
    elif kinds <= {Decimal, NoneType}:
        cells = [*map(_safe_number, values)]
    elif kinds <= {int, float}:
        return [*map(str, values)]
    else:
        cells = [*map(safe_cell, values)]
    together = "".join(cells)
    if any(letter in together for letter in SPECIAL):
        return [_quoted(cell) if any(letter in cell for letter in SPECIAL) else cell for cell in cells]
    return cells


_safe_number = lru_cache(10_000)(safe_cell)


def _quotes(letter: str) -> bool:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow([f"a{letter}b"])
    return out.getvalue().startswith('"')


SPECIAL = tuple(filter(_quotes, ',"\n\r'))
"""What a cell can hold that `csv` quotes it for: not the same in all versions of Python."""


def _quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"'


def json_texts(values: Sequence[Any], number: Callable[[Decimal], str]) -> Sequence[str]:
    """A column as JSON, value by value; `number` writes amounts of money."""
    kinds = {*map(type, values)}
    if kinds == {str}:
        return [*map(encode_basestring, values)]
    if kinds == {int} or kinds == {float}:
        return [*map(repr, values)]
    if kinds <= {str, NoneType}:
        return ["null" if text is None else encode_basestring(text) for text in values]
    if kinds <= {int, NoneType} or kinds <= {float, NoneType}:
        return ["null" if one is None else repr(one) for one in values]
    if kinds <= {Decimal, NoneType}:
        return ["null" if usd is None else number(usd) for usd in values]
    return [*map(_to_json, values)]


_to_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=str).encode


@lru_cache(10_000)
def as_float(usd: Decimal) -> str:
    """Money as a JSON number."""
    return repr(float(usd))
