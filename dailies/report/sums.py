"""What a report sums up while its clips are read once: by model, provider, batch and each of the team's columns. Pure."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from dailies.domain.clip_line import Line
from dailies.domain.clips import IMAGE_LISTS
from dailies.domain.figures import Figure, Sum
from dailies.domain.money import ZERO
from dailies.domain.records import Attempt
from dailies.domain.verdicts import Word
from dailies.report.blocks import Block

MOST_GROUPS = 40
"""A column with more values than this is a label, not a grouping."""
NO_VALUE = "–"

Groups = dict[str, Sum]


class Sums:
    """All of it, over clips that are added one after another. A column with more than `MOST_GROUPS` values is None."""

    def __init__(self) -> None:
        self.whole = Sum()
        self.by_day: dict[date, Decimal] = {}
        """Dollars spent or at risk by the UTC day of each attempt."""
        self.seconds = array("d")
        self.decided = self.delivered = False
        """Whether somebody kept or rejected a clip; whether there is a clip in S3."""
        self.names: dict[str, None] = {}
        """The team's columns and the models' options, as they appear."""
        self.team: dict[str, None] = {}
        """Of these the columns that on some clip are no option of its model."""
        self.clips = 0
        self.model: Groups | None = {}
        self.provider: Groups | None = {}
        self.batch: Groups | None = {}
        self.own: dict[str, Groups | None] = {}
        """By those of the columns by which clips can be told apart: not by lists of images, of which hardly two are the same."""

    def add(self, block: Block, parts: Mapping[int, Sequence[Line]]) -> None:
        """Some more clips. `parts` are those that were tried at several providers, by their place in the block: for each its
        money in lines, one for each provider.
        """
        kinds = Kinds()
        figures = kinds.of(zip(*map(block.column, Figure._fields), strict=True))
        self._learn_names(block)
        for name, groups in self.own.items():
            self.own[name] = kinds.into(groups, zip(_values(block, name), figures, strict=True))
        kinds.add_up(self.whole, figures)
        self.clips += len(block)
        self.seconds.extend([some for some in block.column("seconds") if some is not None])
        self.delivered = self.delivered or any(uri is not None for uri in block.column("s3_uri"))
        self.decided = self.decided or any(verdict in (Word.KEEP, Word.REJECT) for verdict in block.column("verdict"))
        self.model = kinds.into(self.model, zip(block.column("model"), figures, strict=True))
        self.batch = kinds.into(self.batch, zip(block.column("batch"), figures, strict=True))
        at = [*zip(block.column("provider"), figures, strict=True)]
        if parts:
            at = [one for place, one in enumerate(at) if place not in parts]
            lines = [line for some in parts.values() for line in some]
            at += zip([line.provider for line in lines], kinds.of(map(_figure, lines)), strict=True)
        self.provider = kinds.into(self.provider, at)

    def spent(self, attempts: Iterable[Attempt]) -> None:
        """What some clips' attempts cost, on the days of their creates."""
        for attempt in attempts:
            if usd := attempt.usd_spent:
                day = attempt.created_at.date()
                self.by_day[day] = self.by_day.get(day, ZERO) + usd

    def _learn_names(self, block: Block) -> None:
        """A column that was never seen counts the clips before it as those that have no value there."""
        for labels, options in dict.fromkeys(zip(map(tuple, block.labels), map(tuple, block.options), strict=True)):
            for name in labels:
                self.names.setdefault(name)
                if name not in options:
                    self.team.setdefault(name)
                if name not in self.own and not (name in options and name in IMAGE_LISTS):
                    self.own[name] = {NO_VALUE: self.whole.copy()} if self.clips else {}


def _values(block: Block, name: str) -> list[str]:
    """By what each clip of a block is told from others in one of the team's columns."""
    if name not in IMAGE_LISTS:
        return [labels.get(name) or NO_VALUE for labels in block.labels]
    some = zip(block.labels, block.options, strict=True)
    return [(name not in options and labels.get(name)) or NO_VALUE for labels, options in some]


def _figure(line: Line) -> tuple[Any, ...]:
    return tuple(getattr(line, name) for name in Figure._fields)


class Kinds:
    """The different figures among some lines: a kind is a number, and what is alike is added up at once."""

    def __init__(self) -> None:
        self._known: dict[tuple[Any, ...], int] = {}

    def of(self, figures: Iterable[tuple[Any, ...]]) -> list[int]:
        """Of which kind each of these figures is (values of `Figure`, in its order)."""
        known = self._known
        return [known.setdefault(one, len(known)) for one in figures]

    def add_up(self, some: Sum, kinds: Iterable[int]) -> None:
        """Figures of these kinds into one sum."""
        figures = [*map(Figure._make, self._known)]
        for kind, times in Counter(kinds).items():
            some.add(figures[kind], times)

    def into(self, groups: Groups | None, kinds: Iterable[tuple[str, int]]) -> Groups | None:
        """The groups with more figures, each of which comes as its group's value and its kind; None once there are too many."""
        if groups is None:
            return None
        figures = [*map(Figure._make, self._known)]
        for (value, kind), times in Counter(kinds).items():
            if value not in groups:
                if len(groups) >= MOST_GROUPS:
                    return None
                groups[value] = Sum()
            groups[value].add(figures[kind], times)
        return groups
