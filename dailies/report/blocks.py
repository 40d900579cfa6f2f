"""The clips of a report in blocks: of a hundred thousand some hundred are there as objects at a time, the others packed."""

from __future__ import annotations

import pickle
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from operator import eq
from typing import Any, TypeVar, overload

from dailies.domain.clip_line import COLUMNS, Line
from dailies.report.advice import Topic

T = TypeVar("T")
BLOCK = 500
"""Clips in a block."""
LOOSE = 20
"""Blocks that are not deflated: of ten thousand clips it saves less than it costs."""
QUICK = 1


def in_blocks(clips: Iterable[T]) -> Iterator[list[T]]:
    """So many at a time as a block holds."""
    clips = iter(clips)
    while some := [*islice(clips, BLOCK)]:
        yield some


class Block:
    """Some clips one after another, from place `start` on: their columns, and what the figures say of each.

    Most columns say the same of nearly all clips that stand together: such a column is one value.
    """

    def __init__(
        self,
        start: int,
        columns: Sequence[Sequence[Any]],
        labels: Sequence[Mapping[str, str]],
        options: Sequence[Mapping[str, str]],
        topics: Sequence[Topic],
    ) -> None:
        self.start, self.labels, self.options, self.topics = start, labels, options, topics
        self._columns = columns

    @classmethod
    def of(
        cls,
        start: int,
        columns: Sequence[Sequence[Any]],
        labels: Sequence[Mapping[str, str]],
        options: Sequence[Mapping[str, str]],
        topics: Sequence[Topic],
    ) -> Block:
        """A block of whole columns, in the order of `COLUMNS`."""
        return cls(start, [*map(_once, columns)], labels, options, topics)

    @property
    def values(self) -> tuple[Any, ...]:
        """What it is made of, but for its place."""
        return self._columns, self.labels, self.options, self.topics

    def __len__(self) -> int:
        return len(self.topics)

    def column(self, name: str) -> Sequence[Any]:
        """What each clip has in a column of `credits.csv`."""
        return self._whole(self._columns[_AT[name]])

    def written(self, name: str, write: Callable[[Sequence[Any]], Sequence[T]]) -> Sequence[T]:
        """A column as `write` has it, value by value; what is the same of all clips is written once."""
        return self._whole(write(self._columns[_AT[name]]))

    def _whole(self, values: Sequence[T]) -> Sequence[T]:
        return [*values] * len(self) if len(values) == 1 else values

    @cached_property
    def lines(self) -> Sequence[Line]:
        """The clips as lines."""
        return [*map(Line._make, zip(*map(self._whole, self._columns), strict=True))]

    def line(self, at: int) -> Line:
        """One of them."""
        return Line._make(column[at if len(column) > 1 else 0] for column in self._columns)


_AT = {name: at for at, name in enumerate(COLUMNS)}


def _once(column: Sequence[Any]) -> Sequence[Any]:
    return column[:1] if column.count(column[0]) == len(column) else column


@dataclass(frozen=True, slots=True)
class _Packed:
    content: bytes
    deflated: bool

    @classmethod
    def of(cls, values: object, deflated: bool) -> _Packed:
        content = pickle.dumps(values, pickle.HIGHEST_PROTOCOL)
        return cls(zlib.compress(content, QUICK) if deflated else content, deflated)

    def block(self, start: int) -> Block:
        content = zlib.decompress(self.content) if self.deflated else self.content
        return Block(start, *pickle.loads(content))  # noqa: S301 - what this very object has packed


class Clips:
    """All clips of a report, in its order. They are added block by block, and then read so."""

    def __init__(self) -> None:
        self._packed: list[_Packed] = []
        self._last: Block | None = None
        self._latest: Block | None = None

    def add(self, block: Block) -> None:
        """Some more clips; none come after a block that has fewer than `BLOCK`."""
        if len(block) < BLOCK:
            self._last = block
        else:
            self._packed.append(_Packed.of(block.values, deflated=len(self._packed) >= LOOSE))

    def __len__(self) -> int:
        return BLOCK * len(self._packed) + (len(self._last) if self._last else 0)

    def blocks(self) -> Iterator[Block]:
        """All of them, block by block."""
        for number, packed in enumerate(self._packed):
            yield packed.block(BLOCK * number)
        if self._last:
            yield self._last

    def block_with(self, at: int) -> Block:
        """The block that holds the clip at a place; the same as before where it is asked for again."""
        number = at // BLOCK
        if number == len(self._packed) and self._last:
            return self._last
        if self._latest is None or self._latest.start != BLOCK * number:
            self._latest = self._packed[number].block(BLOCK * number)
        return self._latest

    def each(self, of: Callable[[Block], Sequence[T]]) -> Each[T]:
        """What blocks have of each clip, as one sequence."""
        return Each(self, of)


class Each(Sequence[T]):
    """One thing of each clip: read from the first to the last it unpacks each block once."""

    def __init__(self, clips: Clips, of: Callable[[Block], Sequence[T]]) -> None:
        self._clips, self._of = clips, of

    def __len__(self) -> int:
        return len(self._clips)

    def __iter__(self) -> Iterator[T]:
        for block in self._clips.blocks():
            yield from self._of(block)

    @overload
    def __getitem__(self, at: int) -> T: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[T]: ...
    def __getitem__(self, at: int | slice) -> T | Sequence[T]:
        if isinstance(at, slice):
            return [self[one] for one in range(*at.indices(len(self)))]
        place = range(len(self))[at]  # from the end too; raises IndexError beyond it
        block = self._clips.block_with(place)
        return self._of(block)[place - block.start]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and len(self) == len(other) and all(map(eq, self, other))

    __hash__ = None  # type: ignore[assignment]
