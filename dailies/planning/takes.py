"""A row's further takes in the plan: how many are wanted, what is on record of them, and what each of them is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from dailies.domain.clips import Clip
from dailies.domain.counting import how_many
from dailies.domain.takes import SEED, Answer, Link, Take, answers_to, further_numbers, take_clip
from dailies.planning.request import BatchRequest
from dailies.planning.rows import PlannedRow


class Record(Protocol):
    """What is asked of the ledger. Its methods block."""

    def links_of(self, base_keys: Sequence[str]) -> Mapping[str, Sequence[Link]]:
        """The further takes of rows, by the rows' clip_keys."""
        ...

    def takes_of(self, providers: Mapping[str, Sequence[str]]) -> Mapping[str, Sequence[Take]]:
        """All takes of rows, by the rows' clip_keys."""
        ...

    def keys_like(self, identities: Sequence[str]) -> Mapping[str, str]:
        """The keys of clips on record, by their identity."""
        ...

    def forgotten(self, clip_keys: Sequence[str]) -> frozenset[str]:
        """Those of the clips that a person had removed."""
        ...


@dataclass(frozen=True, slots=True)
class Taken:
    """All clips of a plan's rows, take after take, the numbers of the further ones, and what a person should know.

    `replaced` are drafts that leave the batch, because they are made in full; `forgotten` are takes of its rows that a person
    had removed: they stay rows of it, and are never made again.
    """

    rows: tuple[PlannedRow, ...]
    links: tuple[Link, ...] = ()
    notes: tuple[str, ...] = ()
    replaced: tuple[str, ...] = ()
    forgotten: tuple[str, ...] = ()


def with_takes(made: Sequence[PlannedRow], order: BatchRequest, record: Record) -> Taken:
    """The rows with their further takes; of a request for retakes only those that answer what was sent back. Blocks."""
    links = record.links_of([one.row.clip.key for one in made])
    if not links and order.only is None and all(one.takes == 1 for one in made):
        return Taken(tuple(made))
    takes = record.takes_of({one.row.clip.key: one.row.providers for one in made})
    chosen = _retakes if order.only else _all_takes
    found = [pair for one in made for pair in chosen(one, takes[one.row.clip.key], order.stop_when_kept)]
    numbered_before = {link.clip_key for some in links.values() for link in some}
    new = {link.clip_key for _, link in found if link} - numbered_before
    known = record.keys_like([row.row.clip.identity for row, _ in found if row.row.clip.key in new])
    rows = [(under_its_key(row, known) if row.row.clip.key in new else row, link) for row, link in found]
    numbered = tuple(replace(link, clip_key=row.row.clip.key) for row, link in rows if link)
    unknown = [take.key for some in takes.values() for take in some if take.number > 1 and take.clip is None]
    forgotten = tuple(sorted(record.forgotten(unknown))) if unknown else ()
    return Taken(tuple(row for row, _ in rows), numbered, _notes(made, rows, forgotten, order), forgotten=forgotten)


Pair = tuple[PlannedRow, Link | None]


def _all_takes(one: PlannedRow, takes: Sequence[Take], stop_when_kept: bool) -> list[Pair]:
    on_record = {take.number: take for take in takes}
    numbers = further_numbers(takes, one.takes, stop_when_kept)
    further = (further_take(one, number, on_record.get(number)) for number in numbers)
    return [(one, None), *(pair for pair in further if pair)]


def _retakes(one: PlannedRow, takes: Sequence[Take], stop_when_kept: bool) -> list[Pair]:
    on_record = {take.number: take for take in takes}
    answers = answers_to(takes, stop_when_kept)
    found = (further_take(one, answer.number, on_record.get(answer.number), answer) for answer in answers)
    return [pair for pair in found if pair]


def further_take(base: PlannedRow, number: int, known: Take | None, answer: Answer | None = None) -> Pair | None:
    """One further take as a row of its own: as it is on record, else as it follows from the row. None: it was forgotten."""
    own = base.row.clip
    if known is not None:
        if known.clip is None:
            return None
        clip = known.clip if known.clip.identity != known.key else replace(known.clip, known_as=None)
        return _as_row(base, clip), Link(own.key, number, known.key, known.answers)
    sent_back = answer.to.clip if answer and answer.to.number > 1 else own
    prompt = answer.prompt if answer and answer.prompt else (sent_back or own).prompt
    clip = take_clip(own, number, prompt, _has_seed(base))
    return _as_row(base, clip), Link(own.key, number, clip.key, answer.to.key if answer else None)


def _has_seed(base: PlannedRow) -> bool:
    option = base.model.options.get(SEED)
    return option is not None and option.type == "int"


def _as_row(base: PlannedRow, clip: Clip) -> PlannedRow:
    seed = {SEED: int(clip.options[SEED])} if SEED in clip.options and _has_seed(base) else {}
    resolved = replace(base.resolved, options={**base.resolved.options, **seed})
    return replace(base, row=replace(base.row, clip=clip), resolved=resolved, sideways=None)


def under_its_key(made: PlannedRow, known: Mapping[str, str]) -> PlannedRow:
    """The take with the key under which the ledger has this clip, where that is another."""
    clip, key = made.row.clip, known.get(made.row.clip.identity)
    if key is None or key == clip.key:
        return made
    return replace(made, row=replace(made.row, clip=replace(clip, known_as=key)))


def _notes(
    made: Sequence[PlannedRow], rows: Sequence[Pair], forgotten: Sequence[str], order: BatchRequest
) -> tuple[str, ...]:
    if order.only is not None:
        return ()
    said = []
    if len(rows) > len(made):
        said.append(f"takes: {how_many(len(made), 'row')} of the file make {how_many(len(rows), 'clip')}")
    if forgotten:
        said.append(f"{how_many(len(forgotten), 'take')} forgotten on request: never made again")
    return tuple(said)
