"""What a sheet is once it is read: its header, and its rows under the numbers that the spreadsheet shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from dailies.errors import BadRow, BadRows


@dataclass(frozen=True, slots=True)
class Line:
    """One row below the header. `row` is its number in the spreadsheet (the header is row 1), `line` its first line in
    the file (0 in a workbook); `index` counts the rows from 1, those without a cell left out."""

    index: int
    row: int
    line: int
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A sheet: as many cells in each line as there are names in the header; and what a person should know of it."""

    header: tuple[str, ...]
    lines: tuple[Line, ...]
    notes: tuple[str, ...] = ()

    def holds_anything(self, at: int) -> bool:
        """Whether any row has a cell in this column."""
        return any(line.cells[at].strip() for line in self.lines)


ABOVE: Final = 10
"""In so many lines a header is looked for, to say where it stands."""


def title_above(source: str, line: int, what: str = "line") -> BadRows:
    """The refusal of a file whose header stands below a title, as Numbers and people's own sheets have it."""
    above = f"the {line - 1} {what}s" if line > 2 else f"the {what}"
    return bad_file(
        source, f"the names of its columns stand in {what} {line}, not in the first", f"delete {above} above them"
    )


def bad_file(source: str, reason: str, cure: str = "") -> BadRows:
    """The refusal of a whole file."""
    return BadRows(source, [BadRow(0, "", reason, cure=cure)])
