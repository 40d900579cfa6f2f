"""Which rows are made in full: those of which somebody kept a draft, as it was kept, and no others."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from dailies.domain.clips import Clip
from dailies.domain.takes import SEED, Link, Take, take_label
from dailies.domain.verdicts import Word
from dailies.planning.drafts import subject
from dailies.planning.request import BatchRequest
from dailies.planning.rows import PlannedRow
from dailies.planning.takes import Pair, Taken, further_take, under_its_key


class Record(Protocol):
    """What is asked of the ledger. Its methods block."""

    def clips_in(self, batch: str) -> Mapping[str, Clip]:
        """The clips of a batch's rows by their keys: those that left it too, further takes left out."""
        ...

    def takes_of(self, providers: Mapping[str, Sequence[str]]) -> Mapping[str, Sequence[Take]]:
        """All takes of rows, by the rows' clip_keys."""
        ...

    def keys_like(self, identities: Sequence[str]) -> Mapping[str, str]:
        """The keys of clips on record, by their identity."""
        ...


def finals(made: Sequence[PlannedRow], order: BatchRequest, record: Record) -> Taken:
    """Of rows that stand in full, what is made of their kept drafts; a row without one is left out. Blocks."""
    drafts = _drafts(made, record.clips_in(order.batch_name))
    with_drafts = [one for one in made if drafts[one.row.clip.key]]
    asked = {key: one.row.providers for one in with_drafts for key in (one.row.clip.key, *drafts[one.row.clip.key])}
    takes = record.takes_of(asked)
    found: list[Pair] = []
    replaced: list[str] = []
    kept_rows = 0
    for one in with_drafts:
        of_the_row = [take for key in drafts[one.row.clip.key] for take in takes[key]]
        kept = {take.number: take for take in of_the_row if take.said.word is Word.KEEP}
        found += _finals_of(one, kept, takes[one.row.clip.key])
        replaced += [take.key for take in of_the_row] if kept else []
        kept_rows += bool(kept)
    known = record.keys_like([row.row.clip.identity for row, _ in found])
    pairs = [(under_its_key(row, known), link) for row, link in found]
    own = {row.row.clip.key for row, _ in pairs}
    count = "1 row is" if kept_rows == 1 else f"{kept_rows} of {len(made)} rows are"
    return Taken(
        tuple(row for row, _ in pairs),
        tuple(replace(link, clip_key=row.row.clip.key) for row, link in pairs if link),
        (f"final: {count} made in full, because a draft was kept",) if kept_rows else (),
        tuple(key for key in replaced if key not in own),
    )


def _drafts(made: Sequence[PlannedRow], clips: Mapping[str, Clip]) -> Mapping[str, list[str]]:
    """The drafts of each row on record, by the row's clip_key: what differs from it by its settings alone."""
    models = {one.model.id: one.model for one in made}
    found: dict[str, list[str]] = defaultdict(list)
    for key, clip in clips.items():
        if clip.model in models:
            found[subject(clip, models[clip.model])].append(key)
    return {
        one.row.clip.key: [key for key in found[subject(one.row.clip, one.model)] if key != one.row.clip.key]
        for one in made
    }


def _finals_of(one: PlannedRow, kept: Mapping[int, Take], full: Sequence[Take]) -> Iterator[Pair]:
    """What was kept of one row, in full. A take that the row has in full already, under the same number, is that one.

    They are takes of the row where its first one is made too; else a clip of its own.
    """
    has = {take.number: take for take in full if take.number > 1}
    for number in sorted(kept):
        if number in has:
            again = further_take(one, number, has[number])
            yield from [again] if again else []
        elif number == 1 or kept[number].clip is None:
            yield one, None
        else:
            made = _in_full(one, kept[number])
            yield made, Link(one.row.clip.key, number, made.row.clip.key) if 1 in kept else None


def _in_full(one: PlannedRow, kept: Take) -> PlannedRow:
    """The row with the prompt and the seed of a further take that was kept."""
    assert kept.clip
    own, seed = one.row.clip, kept.clip.options.get(SEED)
    seeded = {SEED: seed} if seed is not None and SEED in one.model.options else {}
    label = take_label(own.take, kept.number)
    clip = replace(own, prompt=kept.clip.prompt, take=label, options={**own.options, **seeded}, known_as=None)
    resolved = replace(one.resolved, options={**one.resolved.options, **{name: int(v) for name, v in seeded.items()}})
    return replace(one, row=replace(one.row, clip=clip), resolved=resolved, sideways=None)
