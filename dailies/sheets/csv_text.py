"""CSV as spreadsheets, databases and hands write it, read strictly: what can't be meant is named with its line.

No message repeats a word of the file: somebody may have given us another file than they thought.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Final

from dailies.errors import BadRows
from dailies.sheets.table import ABOVE, Line, Table, bad_file, title_above

SEPARATORS: Final = (",", ";", "\t")
MAX_CELL: Final = 1_000_000
"""Characters in one cell. A quote that is never closed would else swallow the file in silence."""
SAVE_AS: Final = "save it as CSV UTF-8"
_QUOTED = re.compile(r"(['`]).*\1")
_ISO_2022 = re.compile(r"\x1b[$(]")
"""By which mail from Japan, Korea and China changes its letters."""
_TYPESET = tuple("“”„«‘’")
_VALUE = re.compile(r"\S*(\.[A-Za-z]{3,4}|://\S+)|\d[\d.:x]*\w?")
"""A file, an address or a number: what stands in the same column of each row, and hardly so in the lines of a text."""
NAMES: Final = {",": "commas", ";": "semicolons", "\t": "tabs"}


def read_csv(content: bytes, source: str, known: Callable[[str], bool]) -> Table:
    """Header and rows of a CSV; `known` says whether a name is one of our columns, by which the separator is found.

    Raises BadRows for what is no well-formed CSV in UTF-8 or UTF-16.
    """
    text = decode(content, source)
    text, separator, skipped = _separator(text, known, source)
    records = list(_records(text, separator, skipped, source))
    first = next((at for at, (_, cells) in enumerate(records) if any(map(str.strip, cells))), None)
    if first is None:
        raise bad_file(source, "is empty")
    below = [(at + 1, line, cells) for at, (line, cells) in enumerate(records) if at > first and not _blank(cells)]
    header = _header(records[first][1], [cells for _, _, cells in below])
    if any(_QUOTED.fullmatch(name.strip()) and known(name) for name in header):
        raise bad_file(source, "its cells are quoted with ' or `", 'quote them with "')
    lines = (
        Line(index, row, line, _fitted(cells, len(header), line, separator, source))
        for index, (row, line, cells) in enumerate(below, start=1)
    )
    return Table(header, tuple(lines))


def decode(content: bytes, source: str) -> str:
    """The text of a file, in UTF-8 or, told by its mark, in UTF-16, as Excel's "Unicode text" is.

    Raises BadRows naming the line and the byte that is none, or what the file seems to be.
    """
    if not content.strip():
        raise bad_file(source, "is empty")
    marked = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    name, codec = ("UTF-16", "utf-16") if marked else ("UTF-8", "utf-8-sig")
    try:
        text = content.decode(codec)
    except UnicodeDecodeError as error:
        line = content[: error.start].decode(codec, "ignore").count("\n") + 1
        byte = content[error.start]
        raise bad_file(source, f"is not {name} (line {line}, byte {error.start}: 0x{byte:02x})", SAVE_AS) from None
    if not text.strip():
        raise bad_file(source, "is empty")
    if found := _ISO_2022.search(text):
        line = text[: found.start()].count("\n") + 1
        raise bad_file(source, f"seems to be ISO-2022-JP or its like (line {line} has its escape)", SAVE_AS)
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        kind = (
            "seems to be UTF-16 without its mark, or UTF-32"
            if text.count("\0") > len(text) // 4
            else f"has a NUL character in line {line}"
        )
        raise bad_file(source, kind, SAVE_AS)
    return text


def _separator(text: str, known: Callable[[str], bool], source: str) -> tuple[str, str, int]:
    """The text below a `sep=` line, the separator, and how many lines were skipped.

    Without such a line it is the one by which most of the header's names are ours; a comma where none is. Raises BadRows
    where they are in a line further below.
    """
    first, _, rest = text.partition("\n")
    told = first.strip("\r \"'")
    if told[:4].lower() == "sep=" and len(told) <= 5:
        return rest, told[4:] or "\t", 1
    filled = ((at, line) for at, line in enumerate(io.StringIO(text, newline=None), start=1) if line.strip())
    (_, header), *others = islice(filled, ABOVE)
    separator, names = _by_names(header, known)
    if not names and (below := next((at for at, line in others if _by_names(line, known)[1] > 1), 0)):
        raise title_above(source, below)
    return text, separator, 0


def _by_names(header: str, known: Callable[[str], bool]) -> tuple[str, int]:
    """The separator by which most of a line's cells are names of ours, and how many are."""
    found = {mark: sum(map(known, _cells(header, mark))) for mark in SEPARATORS}
    best = max(SEPARATORS, key=lambda mark: found[mark])
    return best, found[best]


def _cells(line: str, separator: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=separator), [])
    except csv.Error:  # a cell that is too long, or a NUL: no name of ours
        return []


def _records(text: str, separator: str, skipped: int, source: str) -> Iterator[tuple[int, list[str]]]:
    """Each record with the line at which it begins, from 1; [] for a blank line. Blanks around a quoted cell are nothing."""
    csv.field_size_limit(MAX_CELL)
    written: list[str] = []
    lines = _kept(io.StringIO(text, newline=""), written)
    reader = csv.reader(lines, delimiter=separator, strict=True, skipinitialspace=separator != "\t")
    size, all_quoted = 0, False
    while True:
        begins = reader.line_num + 1 + skipped
        written.clear()
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            here = io.StringIO(text, newline="").readlines()[reader.line_num - 1]
            raise _unreadable(str(error), begins, reader.line_num + skipped, here, source) from None
        if not size and any(map(str.strip, cells)):
            size, all_quoted = len(cells), "".join(written).count('"') >= 2 * len(cells)
        elif len(written) > 1 and not all_quoted and _swallowed(cells, written, size, separator):
            raise _rows_in_quotes(begins, reader.line_num + skipped, separator, source)
        yield begins, cells


def _kept(lines: Iterable[str], kept: list[str]) -> Iterator[str]:
    """The lines; those that were taken since `kept` was cleared are in it."""
    for line in lines:
        kept.append(line)
        yield line


def _swallowed(cells: Sequence[str], written: Sequence[str], size: int, separator: str) -> bool:
    """Whether the lines of one record are rows of their own, between two quotes that are part of their texts.

    Google Sheets quotes nothing in a file with tabs, and has no line break in a cell of it. With commas, which texts have
    too, each line must make a row, and the rows must agree in a column.
    """
    if separator == "\t" and any("\t" in cell and len(cell.splitlines()) > 1 for cell in cells):
        return True
    rows = [line.rstrip("\r\n").split(separator) for line in written]
    if size == 1 or any(len(row) != size for row in rows):
        return False
    return separator == "\t" or any(
        all(_VALUE.fullmatch(cell.strip()) for cell in column) for column in zip(*rows, strict=True)
    )


def _rows_in_quotes(begins: int, ends: int, separator: str, source: str) -> BadRows:
    anew = (
        "save it as CSV UTF-8, not with tabs" if separator == "\t" else "write a quote that is part of a text as “ or ”"
    )
    return bad_file(
        source,
        f"has rows inside a quoted cell: a quote opens in line {begins} and closes in line {ends}",
        f"{anew}; if one text is meant to span these lines, quote the names in the header too",
    )


def _unreadable(error: str, begins: int, line: int, here: str, source: str) -> BadRows:
    if "unexpected end of data" in error or "field larger" in error:
        reason = f"has a quote that is never closed, in the row that begins in line {begins}"
        return bad_file(source, reason, "close it; a quote inside a quoted cell is written twice")
    if "expected after" not in error:
        return bad_file(source, f"is not a well-formed CSV: line {line} can't be read", SAVE_AS)
    since = f" (the row begins in line {begins})" if begins != line else ""
    reason = f"is not a well-formed CSV: in line {line} a quote is closed in mid-cell{since}"
    if '\\"' not in here:
        return bad_file(source, reason, "write a quote inside a quoted cell twice, and nothing after the closing one")
    reason += '; it seems to be written with \\" for a quote, as MySQL and Spark do'
    return bad_file(
        source, reason, 'write a quote inside a quoted cell twice (""), in Spark with the option escape=\'"\''
    )


def _blank(cells: Sequence[str]) -> bool:
    """Whether a line holds nothing, not even a separator."""
    return not cells or (len(cells) == 1 and not cells[0].strip())


def _header(names: Sequence[str], rows: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """The names, without nameless columns at the end that hold nothing: a separator at the end of each line makes one."""
    size = len(names)
    while size and not names[size - 1].strip() and not any(row[size - 1].strip() for row in rows if len(row) >= size):
        size -= 1
    return tuple(names[:size])


def _fitted(cells: Sequence[str], size: int, line: int, separator: str, source: str) -> tuple[str, ...]:
    """The cells of one row, as many as the header has. What stands beyond it must be empty, and one cell is no row."""
    if len(cells) == 1 and size > 2 and max(map(cells[0].count, SEPARATORS)) >= 2:
        reason = f"is not a well-formed CSV: line {line} is one cell, the header has {size}"
        raise bad_file(
            source, reason, f"separate its cells by {NAMES.get(separator, 'the separator')}, as the header does"
        )
    if any(map(str.strip, cells[size:])):
        reason = f"is not a well-formed CSV: line {line} has {len(cells)} cells, the header {size}"
        if any(cell.lstrip().startswith(_TYPESET) for cell in cells):
            raise bad_file(source, reason, 'quote cells with ", as a keyboard has it')
        raise bad_file(source, reason, f"quote cells that hold {NAMES.get(separator, 'the separator')} or line breaks")
    return (*cells[:size], *[""] * (size - len(cells)))
