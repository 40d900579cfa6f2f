"""`{column}` in a prompt stands for what the row has in that column; `{{` and `}}` stand for braces. Pure.

A prompt in which neither a `{column}` nor a `{{` stands is left as it is, whatever other braces it has: a prompt in JSON
is sent as it was written. So is one that was bought with its braces by a version that did not fill them in.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from dailies.catalog import check_prompt
from dailies.domain.text import clean_prompt
from dailies.errors import BadRow
from dailies.planning import earlier
from dailies.planning.earlier import Wanted, recognised
from dailies.planning.rows import PlannedRow
from dailies.prompts import RawRow

_PLACE = re.compile(r"\{\{|\}\}|\{ *(\w[\w -]{0,59})\}")
_MEANT = re.compile(r"\{\{|\{ *\w[\w -]{0,59}\}")


class Record(earlier.Record, Protocol):
    """What is asked of the ledger. Its methods block."""

    def bought(self, clip_keys: Sequence[str]) -> frozenset[str]:
        """Those of these clips that were bought, or may have been."""
        ...


@dataclass(frozen=True, slots=True)
class Filled:
    """Rows with their prompts filled in, the rows where a column is missing, and what a person should know."""

    rows: tuple[PlannedRow, ...]
    bad: tuple[BadRow, ...] = ()
    notes: tuple[str, ...] = ()


def to_be_filled(prompt: str) -> bool:
    """Whether anything in a prompt stands for something else."""
    return bool(_MEANT.search(prompt))


def filled(prompt: str, cells: Mapping[str, str]) -> tuple[str, list[str]]:
    """A prompt with the columns' text in it, and the names for which there is no column."""
    if not to_be_filled(prompt):
        return prompt, []
    by_name = {_plain(name): text.strip() for name, text in cells.items() if _plain(name) != "prompt"}
    missing: list[str] = []

    def text_for(place: re.Match[str]) -> str:
        if place[1] is None:
            return place[0][0]
        if _plain(place[1]) not in by_name:
            missing.append(place[1])
        return by_name.get(_plain(place[1]), "")

    return _PLACE.sub(text_for, prompt), missing


def fill_prompts(made: Sequence[PlannedRow], raws: Mapping[int, RawRow], record: Record) -> Filled:
    """Fill in the prompts of rows that are not bought as they stand; `raws` are the rows as written, by number. Blocks."""
    open_rows = [one for one in made if to_be_filled(one.row.clip.prompt)]
    if not open_rows:
        return Filled(tuple(made))
    known = recognised([Wanted(one.row.clip, one.image, one.sideways) for one in open_rows], record)
    bought = record.bought(list(known.values()))
    as_bought = {one.row.number for one in open_rows if known.get(one.row.clip.identity) in bought}
    rows, bad = [], []
    for one in made:
        raw = raws[one.row.number]
        if one.row.number in as_bought:
            rows.append(one)
            continue
        prompt, missing = filled(one.row.clip.prompt, {**raw.cells, **raw.labels, "id": one.row.id})
        bad += [_missing(raw, name) for name in missing]
        bad += [raw.problem(p.column, p.reason, p.cure) for p in check_prompt(one.model, prompt) if not missing]
        rows.append(_with_prompt(one, clean_prompt(prompt)) if prompt != one.row.clip.prompt else one)
    return Filled(tuple(rows), tuple(bad), _notes([one for one in made if one.row.number in as_bought]))


def _missing(raw: RawRow, name: str) -> BadRow:
    reason = f"{{{name}}} stands for a column, and there is none of this name"
    return raw.problem("prompt", reason, f"add the column, or write {{{{{name}}}}} for the braces themselves")


def _with_prompt(made: PlannedRow, prompt: str) -> PlannedRow:
    sideways = made.sideways and replace(made.sideways, prompt=prompt)
    return replace(made, row=replace(made.row, clip=replace(made.row.clip, prompt=prompt)), sideways=sideways)


def _notes(rows: Sequence[PlannedRow]) -> tuple[str, ...]:
    if not rows:
        return ()
    named = ", ".join(f"row {one.row.sheet_row} ({one.row.id})" for one in rows[:3]) + (", …" if len(rows) > 3 else "")
    return (
        f"{named}: bought with the braces in the prompt as they stand; give the row another take to buy it filled in",
    )


def _plain(name: str) -> str:
    """A column's name however it is spelt."""
    return re.sub(r"[\s_-]+", "_", name.strip()).casefold()
