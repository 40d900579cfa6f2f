"""Verdicts as a CSV: what `dailies review --export` writes and `--import` reads. Pure."""

from __future__ import annotations

import csv
import difflib
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from dailies.domain.records import BatchRow
from dailies.domain.takes import label_meant
from dailies.domain.text import clean_label, clean_prompt
from dailies.domain.verdicts import NOTHING_SAID, Said, Word, take_meant
from dailies.errors import BadRow, BadRows
from dailies.report.cells import FORMULA_STARTS
from dailies.sheets.csv_text import read_csv
from dailies.sheets.table import Line, Table
from dailies.sheets.workbook import is_workbook, read_workbook

COLUMNS: Final = ("batch", "id", "take", "clip_key", "verdict", "note", "prompt", "by", "at", "seconds")
UNCHANGED: Final = "no verdict was changed"


@dataclass(frozen=True, slots=True)
class Written:
    """One line of a file of verdicts. What is None has no column there."""

    row: int
    word: Word
    clip_key: str
    batch: str
    id: str
    take: str | None
    note: str | None
    prompt: str | None
    author: str

    def problem(self, column: str, reason: str, cure: str = "") -> BadRow:
        """What is wrong with this line."""
        return BadRow(self.row, column, reason, self.id or self.clip_key[:12], cure)


@dataclass(frozen=True, slots=True)
class Decided:
    """What a file says of one clip, and by whom; an empty author is whoever imports it."""

    said: Said
    author: str


def verdicts_csv(rows: Iterable[BatchRow]) -> str:
    """One line for each delivered take, and for each clip of which something was said."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        verdict = row.verdict
        if not verdict and (row.retired or not _delivered(row)):
            continue
        said = verdict.said if verdict else NOTHING_SAID
        who = (verdict.author, verdict.at.isoformat(timespec="seconds")) if verdict else ("", "")
        cells = (row.batch, row.id, row.clip.take, row.clip_key, str(said.word), said.note, said.prompt, *who)
        writer.writerow([*map(_quoted, cells), row.clip.duration_s or ""])
    return out.getvalue()


def read_verdicts(content: bytes, source: str) -> list[Written]:
    """The lines of a file of verdicts, a CSV or a workbook. Raises BadRows naming every line that can't be meant."""
    table = (
        read_workbook(content, source)
        if is_workbook(content)
        else read_csv(content, source, lambda name: _plain(name) in COLUMNS)
    )
    names = _names(table, source)
    bad: list[BadRow] = []
    lines = [one for line in table.lines if (one := _written(line, names, bad))]
    if bad:
        raise BadRows(source, bad, UNCHANGED)
    return lines


def decided(lines: Sequence[Written], rows: Sequence[BatchRow], batch: str | None, source: str) -> dict[str, Decided]:
    """What a file says of each clip, by clip_key; of several lines on one clip the last counts.

    `rows` are all that the lines may mean, `batch` is that of lines that name none. Raises BadRows naming every line whose
    clip is unknown, not to be told apart from others, or not delivered.
    """
    by_key = {row.clip_key: row for row in rows}
    by_id: dict[tuple[str, str], list[BatchRow]] = {}
    for row in rows:
        by_id.setdefault((row.batch, row.id), []).append(row)
    found: dict[str, Decided] = {}
    bad: list[BadRow] = []
    for line in lines:
        meant = (
            by_key.get(line.clip_key)
            or _unknown(line, batch)
            or _meant(line, by_id.get((line.batch or batch or "", line.id), []))
        )
        if isinstance(meant, BadRow):
            bad.append(meant)
        elif line.word and not _delivered(meant) and not meant.verdict:
            bad.append(
                line.problem("verdict", "its clip is not delivered: there is nothing to look at", "leave it empty")
            )
        else:
            found[meant.clip_key] = Decided(_said(line, meant, found.get(meant.clip_key)), line.author)
    if bad:
        raise BadRows(source, bad, UNCHANGED)
    return found


def _said(line: Written, row: BatchRow, earlier: Decided | None) -> Said:
    """A column that the file does not have changes nothing."""
    before = earlier.said if earlier else row.verdict.said if row.verdict else NOTHING_SAID
    note = before.note if line.note is None else line.note
    return Said(line.word, note, before.prompt if line.prompt is None else line.prompt)


def _unknown(line: Written, batch: str | None) -> BadRow | None:
    if line.clip_key:
        return line.problem(
            "clip_key", f"the ledger knows no clip {line.clip_key!r}", "export them anew, or name it by id"
        )
    if not line.id:
        return line.problem("clip_key", "names no clip", "give its clip_key, or its id")
    if not (line.batch or batch):
        return line.problem(
            "batch", "an id names a clip only together with its batch", "add a column batch, or --batch"
        )
    return None


def _meant(line: Written, rows: Sequence[BatchRow]) -> BatchRow | BadRow:
    """The row that a line means by its id, or why there is none."""
    standing = [row for row in rows if not row.retired] or rows
    if not standing:
        return line.problem("id", f"the ledger knows no clip {line.id!r} in that batch")
    takes = sorted({row.clip.take for row in standing})
    if line.take is None and len(takes) > 1:
        shown = ", ".join(take or "1" for take in takes)
        return line.problem("take", f"the row has several takes ({shown})", "add a column take, or name it by clip_key")
    take = take_meant(line.take or "", takes)
    found = [row for row in standing if row.clip.take == take]
    if len(found) > 1:
        return line.problem("id", "several clips have this id", "name it by clip_key")
    return found[0] if found else line.problem("take", f"the row has no take {line.take!r}")


def _delivered(row: BatchRow) -> bool:
    return row.attempt is not None and row.attempt.delivered


def _names(table: Table, source: str) -> dict[str, int]:
    """At which place each of our columns stands. Raises BadRows where one is missing, there twice, or nearly there."""
    written: dict[str, list[str]] = {}
    for name in table.header:
        written.setdefault(_plain(name), []).append(clean_label(name))
    bad = [
        BadRow(0, name, f"this column is there twice ({' and '.join(map(repr, alike))})", cure="rename or remove one")
        for name, alike in written.items()
        if name in COLUMNS and len(alike) > 1
    ]
    names = {_plain(name): at for at, name in enumerate(table.header)}
    if "verdict" not in names:
        bad.append(BadRow(0, "verdict", "this column is missing", cure="add it"))
    if not {"clip_key", "id"} & set(names):
        bad.append(BadRow(0, "clip_key", "neither it nor id is there", cure="add one: it says which clip is meant"))
    for name in names:
        near = difflib.get_close_matches(name, COLUMNS, n=1, cutoff=0.8)
        if near and name not in COLUMNS and near[0] not in names:
            bad.append(BadRow(0, name, f"did you mean {near[0]!r}?", cure="rename it, or leave it out"))
    if bad:
        raise BadRows(source, bad, UNCHANGED)
    return names


def _written(line: Line, names: Mapping[str, int], bad: list[BadRow]) -> Written | None:
    cells = {name: _unquoted(line.cells[names[name]]) for name in COLUMNS if name in names}
    if not any(cells.values()):
        return None
    said, take = clean_label(cells["verdict"]).casefold(), cells.get("take")
    known = said in set(Word)
    one = Written(
        line.row, Word(said) if known else Word.NONE, clean_label(cells.get("clip_key", "")).lower(),
        clean_label(cells.get("batch", "")), clean_label(cells.get("id", "")),
        None if take is None else label_meant(clean_label(take)),
        _text(cells, "note"), _text(cells, "prompt"), clean_label(cells.get("by", "")),
    )  # fmt: skip
    if not known:
        bad.append(
            one.problem("verdict", f"{cells['verdict']!r} is no verdict", "write keep, retake, reject or nothing")
        )
    return one


def _text(cells: Mapping[str, str], name: str) -> str | None:
    return clean_prompt(cells[name]) if name in cells else None


def _quoted(text: str) -> str:
    """A cell that no spreadsheet runs as a formula, and that reads back as it was."""
    return f"'{text}" if text.lstrip("'").startswith(FORMULA_STARTS) else text


def _unquoted(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and cell.lstrip("'").startswith(FORMULA_STARTS) else cell


def _plain(name: str) -> str:
    """Our spelling of a column's name, whatever its case and what stands between its words."""
    plain = clean_label(name).casefold()
    return _BY_LETTERS.get(_letters(plain), plain)


def _letters(name: str) -> str:
    return "".join(letter for letter in name if letter.isalnum())


_BY_LETTERS: Final = {_letters(name): name for name in COLUMNS}
