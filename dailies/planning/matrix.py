"""`--matrix seed=1,2,3 --matrix model=a,b`: every row once with each combination of these values. Pure."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Final

from dailies.domain.clips import slug
from dailies.domain.text import clean_label, clean_prompt
from dailies.errors import BadInput
from dailies.prompts import RawRow, Sheet, with_ids
from dailies.sheets.columns import CORE, Names

MOST_ROWS: Final = 100_000
"""Rows that a matrix may make of a file: more is a slip of the finger."""


@dataclass(frozen=True, slots=True)
class Axis:
    """One column and the values that every row is made with."""

    column: str
    values: tuple[str, ...]


def expanded(sheet: Sheet, matrix: Sequence[str], options: Iterable[str] = ()) -> Sheet:
    """The sheet with a row for each combination, named after its values; a row's own cell gives way. Raises BadInput.

    `options` are the columns that some model takes. Without a matrix the sheet is returned as it is.
    """
    if not matrix:
        return sheet
    axes = _axes(matrix, Names(options))
    each = list(product(*(axis.values for axis in axes)))
    if len(sheet.rows) * len(each) > MOST_ROWS:
        raise BadInput(f"--matrix makes {len(sheet.rows) * len(each)} rows, more than {MOST_ROWS}. Nothing was bought.")
    ids, _ = with_ids(sheet.rows)
    rows = tuple(row for raw in sheet.rows for row in _rows(raw, ids[raw.number], axes, each))
    own = (axis.column for axis in axes if axis.column not in Names(options).words)
    note = f"matrix: {_rows_of(len(sheet.rows))} of the file become {len(rows)}, {len(each)} of each"
    return replace(
        sheet, rows=rows, own_columns=tuple(dict.fromkeys((*sheet.own_columns, *own))), notes=(*sheet.notes, note)
    )


def _rows(raw: RawRow, label: str, axes: Sequence[Axis], each: Sequence[tuple[str, ...]]) -> Iterator[RawRow]:
    for at, values in enumerate(each, start=1):
        cells, labels = dict(raw.cells), dict(raw.labels)
        for axis, value in zip(axes, values, strict=True):
            if axis.column in CORE:
                cells[axis.column] = value
            else:
                labels[axis.column] = value
        cells["id"] = "-".join([label, *(slug(value, "none") for value in values)])
        yield replace(raw, number=(raw.number - 1) * len(each) + at, cells=cells, labels=labels)


def _axes(matrix: Sequence[str], names: Names) -> list[Axis]:
    axes = [_axis(text, names) for text in matrix]
    columns = [axis.column for axis in axes]
    twice = next((column for column in columns if columns.count(column) > 1), None)
    if twice:
        raise BadInput(f"--matrix names {twice} twice: say all its values in one. Nothing was bought.")
    return axes


def _axis(text: str, names: Names) -> Axis:
    name, equals, rest = text.partition("=")
    plain = clean_label(name)
    if not (equals and plain and rest.strip()):
        raise BadInput(f"--matrix {text}: say a column and its values, such as seed=1,2,3. Nothing was bought.")
    column = names.find(plain)
    meant = None if column else names.nearly(plain, ())
    if meant or column == "id":
        reason = f"did you mean {meant!r}?" if meant else "ids follow from the values"
        raise BadInput(f"--matrix {text}: {reason} Nothing was bought.")
    column = column or plain
    clean = clean_prompt if column == "prompt" else clean_label
    values = [clean(value) for value in next(csv.reader([rest], skipinitialspace=True))]
    if len(set(values)) < len(values) or not all(values):
        raise BadInput(f"--matrix {text}: a value is there twice, or is empty. Nothing was bought.")
    return Axis(column, tuple(values))


def _rows_of(count: int) -> str:
    return "1 row" if count == 1 else f"{count} rows"
