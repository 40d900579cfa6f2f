"""Reads the rows of a batch: a CSV or a workbook, every column under its name, every cell as what it is meant to be."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from dailies.domain.takes import label_meant
from dailies.domain.text import clean_label, clean_prompt, without_controls
from dailies.errors import BadInput, BadRow, BadRows
from dailies.sheets.cells import no_label, no_prompt, no_text
from dailies.sheets.columns import CORE, Names, read_columns
from dailies.sheets.csv_text import read_csv
from dailies.sheets.table import ABOVE, Line, Table, bad_file, title_above
from dailies.sheets.workbook import is_workbook, read_workbook

MAX_BYTES = 200 * 1024 * 1024
_CORE_TEXT: Final[Mapping[str, Callable[[str], str]]] = {
    "prompt": clean_prompt,
    "take": lambda text: label_meant(clean_label(text)),
}
"""Columns of ours that are read in a way of their own."""
_NO_SUCH: Final[Mapping[str, Callable[[str], tuple[str, str] | None]]] = {"prompt": no_prompt, "take": no_label}
"""What can be text and is none in these columns."""
MAX_ID = 200
"""Characters in a row's id."""


@dataclass(frozen=True, slots=True)
class RawRow:
    """One row as it was written: known columns stripped, empty cells as ''; the others are options or the team's own.

    `number` counts the rows from 1; `sheet_row` is the number that the spreadsheet shows. `bad` holds what is no text.
    """

    number: int
    cells: Mapping[str, str]
    labels: Mapping[str, str] = field(default_factory=dict)
    sheet_row: int = 0
    bad: tuple[BadRow, ...] = ()

    def get(self, column: str) -> str | None:
        """A known column's text, None when it is absent or empty."""
        return self.cells.get(column) or None

    def problem(self, column: str, reason: str, cure: str = "") -> BadRow:
        """What is wrong with one cell of this row."""
        return BadRow(self.sheet_row, column, reason, self.get("id") or "", cure)


@dataclass(frozen=True, slots=True)
class Sheet:
    """All rows of a file, the columns that it has beside ours, and what a person should know of it.

    `on_record`: the rows were made from the ledger's, and mean what they say to the letter. `lacks`: columns that are not there
    and that some models need.
    """

    rows: tuple[RawRow, ...]
    own_columns: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    on_record: bool = False
    lacks: tuple[BadRow, ...] = ()


def read_local(path: Path) -> bytes:
    """The bytes of a CSV on disk. Raises BadInput."""
    try:
        if path.is_dir():
            raise BadInput(f"{path} is a folder; name the CSV file in it. Nothing was bought.", trouble="no-file")
        if path.stat().st_size > MAX_BYTES:
            raise BadInput(
                f"{path} is larger than {MAX_BYTES // 2**20} MiB; split it. Nothing was bought.", trouble="no-file"
            )
        return path.read_bytes()
    except FileNotFoundError:
        raise BadInput(f"{path}: there is no such file. Nothing was bought.", trouble="no-file") from None
    except OSError as error:
        raise BadInput(f"{path} can't be read: {error.strerror}. Nothing was bought.", trouble="no-file") from error


def read_table(content: bytes, source: str, names: Names) -> Table:
    """The cells of a CSV or a workbook, below their header. Raises BadRows."""
    if is_workbook(content):
        return _below_its_header(read_workbook(content, source), source, names)
    return read_csv(content, source, lambda name: names.find(name) is not None)


def _below_its_header(table: Table, source: str, names: Names) -> Table:
    if not any(map(names.find, table.header)):
        for line in table.lines[:ABOVE]:
            if sum(names.find(cell) is not None for cell in line.cells) > 1:
                raise title_above(source, line.row, "row")
    return table


def read_sheet(content: bytes, source: str, options: Iterable[str] = ()) -> Sheet:
    """The rows of a CSV or a workbook; `options` are the columns that some model takes beside those of every batch.

    Raises BadRows for what is no sheet with at least a prompt.
    """
    names = Names(options)
    table = read_table(content, source, names)
    columns = read_columns(table.header, names, source)
    _refuse_headers_below(table, source)
    checked = frozenset(columns.names) & frozenset(names.words)
    nameless = {at for at, name in enumerate(table.header) if not clean_label(name)}
    empty = {at for at in nameless if not table.holds_anything(at)}
    written = ["" if at in empty else name for at, name in enumerate(columns.names)]
    rows = tuple(row for line in table.lines if (row := _row(line, written, checked)))
    if not rows:
        raise bad_file(source, "there are no rows below the header")
    filled = sorted(nameless - empty)
    notes = tuple(f"column {at + 1} has cells and no name: it is taken as your own" for at in filled)
    own = (*columns.own, *(columns.names[at] for at in filled))
    return Sheet(rows, own, (*table.notes, *notes), lacks=columns.lacks)


def _refuse_headers_below(table: Table, source: str) -> None:
    """A header once more among the rows, as in files that were put together: a model that needs no image would make a clip
    of it. Raises BadRows."""
    header = tuple(map(clean_label, table.header))
    again = [line.row for line in table.lines if tuple(map(clean_label, line.cells)) == header]
    if again and len(list(filter(None, header))) > 1:
        raise BadRows(source, [BadRow(row, "", "is the header once more", cure="delete the row") for row in again])


def with_ids(rows: Sequence[RawRow]) -> tuple[dict[int, str], list[BadRow]]:
    """Each row's id: its own, or one made from its number; ids that would share an S3 name are bad rows."""
    ids: dict[int, str] = {}
    seen: dict[str, RawRow] = {}
    bad = []
    width = max(2, len(str(rows[-1].number)))
    for row in rows:
        label = row.get("id") or f"row-{row.number:0{width}d}"
        earlier = seen.setdefault(label.casefold(), row)
        if earlier is not row:
            bad.append(row.problem("id", f"{label!r} is already the id of row {earlier.sheet_row}", "give it another"))
        elif len(label) > MAX_ID:
            bad.append(row.problem("id", f"has {len(label)} characters", f"at most {MAX_ID} are allowed"))
        ids[row.number] = label
    return ids, bad


def _row(line: Line, names: Sequence[str], checked: frozenset[str]) -> RawRow | None:
    """One row under its columns' names; None where all of its cells are empty."""
    cells: dict[str, str] = {}
    labels: dict[str, str] = {}
    for name, text in zip(names, line.cells, strict=True):
        if not name:
            continue
        if name not in checked:
            labels[name] = without_controls(text)
        elif name in CORE:
            cells[name] = _CORE_TEXT.get(name, clean_label)(text)
        else:
            labels[name] = clean_label(text)
    if not any(cells.values()) and not any(map(str.strip, labels.values())):
        return None
    row = RawRow(line.index, cells, labels, line.row)
    bad = [
        row.problem(name, *wrong)
        for name, text in zip(names, line.cells, strict=True)
        if text and name in checked and (wrong := no_text(text) or _NO_SUCH.get(name, no_text)(text))
    ]
    return RawRow(line.index, cells, labels, line.row, tuple(bad)) if bad else row
