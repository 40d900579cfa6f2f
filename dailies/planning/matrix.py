"""`--matrix seed=1,2,3 --matrix model=a,b`, or `--matrix looks.csv`: every row once with each combination of these values. Pure.

Each line of a file is one combination of all its columns; several options are combined with each other.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, product
from types import MappingProxyType
from typing import Final

from dailies.domain.clips import slug
from dailies.domain.text import clean_label, clean_prompt
from dailies.errors import BadInput
from dailies.prompts import RawRow, Sheet, with_ids
from dailies.sheets.columns import CORE, Names
from dailies.sheets.table import Table

NO_FILES: Final[Mapping[str, Table]] = MappingProxyType({})
MOST_ROWS: Final = 100_000
"""Rows that a matrix may make of a file: more is a slip of the finger."""


@dataclass(frozen=True, slots=True)
class Axis:
    """Columns, and the values that every row is made with: each of `values` has one for every column."""

    columns: tuple[str, ...]
    values: tuple[tuple[str, ...], ...]


def expanded(
    sheet: Sheet, matrix: Sequence[str], options: Iterable[str] = (), files: Mapping[str, Table] = NO_FILES
) -> Sheet:
    """The sheet with a row for each combination, named after its values; a row's own cell gives way. Raises BadInput.

    `options` are the columns that some model takes, `files` what the files among the matrices hold. Without a matrix the sheet
    is returned as it is.
    """
    if not matrix:
        return sheet
    axes = _axes(matrix, Names(options), files)
    each = [tuple(chain.from_iterable(values)) for values in product(*(axis.values for axis in axes))]
    if len(sheet.rows) * len(each) > MOST_ROWS:
        raise BadInput(f"--matrix makes {len(sheet.rows) * len(each)} rows, more than {MOST_ROWS}. Nothing was bought.")
    ids, _ = with_ids(sheet.rows)
    rows = tuple(row for raw in sheet.rows for row in _rows(raw, ids[raw.number], axes, each))
    own = (column for axis in axes for column in axis.columns if column not in Names(options).words)
    note = f"matrix: {_rows_of(len(sheet.rows))} of the file, with {_combinations_of(len(each))}: {_rows_of(len(rows))}"
    return replace(
        sheet, rows=rows, own_columns=tuple(dict.fromkeys((*sheet.own_columns, *own))), notes=(*sheet.notes, note)
    )


def _rows(raw: RawRow, label: str, axes: Sequence[Axis], each: Sequence[tuple[str, ...]]) -> Iterator[RawRow]:
    columns = [column for axis in axes for column in axis.columns]
    for at, values in enumerate(each, start=1):
        cells, labels = dict(raw.cells), dict(raw.labels)
        for column, value in zip(columns, values, strict=True):
            if column in CORE:
                cells[column] = value
            else:
                labels[column] = value
        cells["id"] = "-".join([label, *(slug(value, "none") for value in values)])
        yield replace(raw, number=(raw.number - 1) * len(each) + at, cells=cells, labels=labels)


def _axes(matrix: Sequence[str], names: Names, files: Mapping[str, Table]) -> list[Axis]:
    axes = [_of_file(text, files[text], names) if text in files else _axis(text, names) for text in matrix]
    columns = [column for axis in axes for column in axis.columns]
    twice = next((column for column in columns if columns.count(column) > 1), None)
    if twice:
        raise BadInput(f"--matrix names {twice} twice: say all its values in one. Nothing was bought.")
    return axes


def _axis(text: str, names: Names) -> Axis:
    name, equals, rest = text.partition("=")
    plain = clean_label(name)
    if not (equals and plain and rest.strip()):
        raise BadInput(f"--matrix {text}: say a column and its values, such as seed=1,2,3. Nothing was bought.")
    column = _column(text, plain, names)
    values = [_clean(column, value) for value in next(csv.reader([rest], skipinitialspace=True))]
    if len(set(values)) < len(values) or not all(values):
        raise BadInput(f"--matrix {text}: a value is there twice, or is empty. Nothing was bought.")
    return Axis((column,), tuple((value,) for value in values))


def _of_file(text: str, table: Table, names: Names) -> Axis:
    """Each line of a file is one combination; a column or a cell without text would leave open what is meant."""
    headers = [clean_label(name) for name in table.header]
    if not all(headers):
        raise BadInput(f"--matrix {text}: a column has no name. Nothing was bought.")
    columns = tuple(_column(text, name, names) for name in headers)
    lines = [
        tuple(_clean(column, cell) for column, cell in zip(columns, line.cells, strict=True)) for line in table.lines
    ]
    values = [line for line in lines if any(line)]
    if not values or len(set(values)) < len(values) or not all(map(all, values)):
        raise BadInput(
            f"--matrix {text}: a line is there twice, has an empty cell, or there is none. Nothing was bought."
        )
    return Axis(columns, tuple(values))


def _column(text: str, plain: str, names: Names) -> str:
    """The column that a name means."""
    column = names.find(plain)
    meant = None if column else names.nearly(plain, ())
    if meant or column == "id":
        reason = f"did you mean {meant!r}?" if meant else "ids follow from the values"
        raise BadInput(f"--matrix {text}: {reason} Nothing was bought.")
    return column or plain


def _clean(column: str, value: str) -> str:
    return clean_prompt(value) if column == "prompt" else clean_label(value)


def _rows_of(count: int) -> str:
    return "1 row" if count == 1 else f"{count} rows"


def _combinations_of(count: int) -> str:
    return "1 combination" if count == 1 else f"{count} combinations each"
