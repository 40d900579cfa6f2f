"""A large batch in parts: which rows a part has, what it is called, and when it is to be started again. Pure."""

from __future__ import annotations

import csv
import difflib
import hashlib
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Protocol, TypeVar

from dailies.domain.clips import Row
from dailies.errors import BadInput
from dailies.planning.request import FOLDERS, WHICH_ROWS, BatchRequest

STARTS = 5
"""How often one dispatch starts a shard whose run died; a run that ended by itself is not started again."""

FEW = 5
"""Of the ids that there are no more are named in a refusal."""
ROWS = re.compile(r"\s*([1-9]\d{0,8})\s*(?:-\s*([1-9]\d{0,8})\s*)?")


class Numbered(Protocol):
    """Anything that stands in a numbered row of the CSV."""

    @property
    def number(self) -> int: ...


N = TypeVar("N", bound=Numbered)


@dataclass(frozen=True, slots=True)
class Shard:
    """A part of a batch: its rows as `first-last`, its clips, and a fingerprint that changes when any of them does."""

    rows: str
    clip_keys: tuple[str, ...]
    fingerprint: str

    def key(self, batch: str, start: int) -> str:
        """Under which idempotency key its run is started for the `start`-th time (from 0)."""
        return f"dailies · {batch} · rows {self.rows} · {self.fingerprint} · {start}"


def parse_rows(text: str) -> range:
    """The row numbers that `7` or `1-500` names, counted from 1. Raises BadInput."""
    found = ROWS.fullmatch(text)
    first, last = (int(found[1]), int(found[2] or found[1])) if found else (1, 0)
    if last < first:
        raise BadInput(f"rows {text!r}: say 1-500, or one number. Nothing was bought.")
    return range(first, last + 1)


def chosen(
    rows: Sequence[N],
    text: str | None,
    ids: str | None = None,
    limit: int | None = None,
    names: Mapping[int, str] | None = None,
) -> list[N]:
    """The rows that a part is about: by number (`1-500`), by their ids (`sunrise-03,harbour-01`), the first so many of
    those; all where nothing is said. `names` are the ids by row number. Raises BadInput when there are none.
    """
    found = list(rows)
    if text is not None:
        wanted = parse_rows(text)
        found = [row for row in found if row.number in wanted]
        if not found:
            raise BadInput(f"rows {text}: the CSV has none of these. Nothing was bought.")
    if ids is not None:
        found = _with_ids(found, ids, names or {})
    return found if limit is None else found[:limit]


def _with_ids(rows: Sequence[N], text: str, names: Mapping[int, str]) -> list[N]:
    there = dict.fromkeys(names[row.number] for row in rows if row.number in names)
    wanted = _ids_in(text)
    missing = [name for name in wanted if name not in there]
    if missing and text.strip() in there:  # one id that holds commas, as a person copies it from its cell
        wanted, missing = [text.strip()], []
    if missing or not wanted:
        raise BadInput(
            f"--rows {text}: the CSV has no row with the id {', '.join(missing) or '(none given)'}{_what_there_is(missing, there)}"
            " Nothing was bought."
        )
    return [row for row in rows if names.get(row.number) in wanted]


def _ids_in(text: str) -> list[str]:
    """The ids that are named, separated by commas; one that holds a comma stands in quotes."""
    parts = next(csv.reader([text], skipinitialspace=True), [])
    return list(dict.fromkeys(part.strip() for part in parts if part.strip()))


def _what_there_is(missing: Iterable[str], there: Iterable[str]) -> str:
    """The ids that were probably meant, else the first of all, as they are typed."""
    known = list(there)
    near = [found for name in missing for found in difflib.get_close_matches(name, known, n=1)]
    shown = ",".join(f'"{name}"' if "," in name else name for name in near or known[:FEW])
    typed = f"--rows {shlex.quote(shown)}"
    if near:
        return f"; did you mean {typed}?"
    more = f", and {len(known) - FEW} more" if len(known) > FEW else ""
    return f"; there are {typed}{more}." if known else "."


def split(rows: Iterable[Row], size: int) -> list[Shard]:
    """Shards of at most `size` rows, all takes of a row in one, in the order of the CSV. The same rows always give the same
    shards."""
    by_number = [list(takes) for _, takes in groupby(sorted(rows, key=_number), key=_number)]
    parts = (by_number[start : start + size] for start in range(0, len(by_number), size))
    return [shard_of([row for takes in part for row in takes]) for part in parts]


def _number(row: Row) -> int:
    return row.number


def shard_of(rows: Sequence[Row]) -> Shard:
    """The shard that consists of these rows."""
    numbers = [row.number for row in rows]
    return Shard(f"{min(numbers)}-{max(numbers)}", tuple(row.clip.key for row in rows), fingerprint(rows))


def fingerprint(rows: Iterable[Row]) -> str:
    """Twelve hex digits over the rows' ids and clips: what two machines must agree on before one of them buys."""
    lines = sorted(f"{row.number} {row.id} {row.clip.key} {','.join(row.providers)}" for row in rows)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:12]


def part_of(request: BatchRequest, shard: Shard, **settled: Any) -> BatchRequest:
    """What a shard's run is asked for: all that the whole batch is, but its rows, and what is `settled` for all shards."""
    nothing = dict.fromkeys((*WHICH_ROWS, *FOLDERS))
    return request.but(**{**nothing, **settled, "rows": shard.rows, "fingerprint": shard.fingerprint})


def share(in_flight: int, shards_at_once: int) -> int:
    """How many generations one shard may have in flight, so that all of them together keep to `in_flight`."""
    return max(1, in_flight // max(1, shards_at_once))


def died(state_type: str, state_name: str | None) -> bool:
    """Whether a run ended without having its say: then the shard is started again, and the ledger knows what it paid."""
    return state_type == "CRASHED" or state_name == "Interrupted"
