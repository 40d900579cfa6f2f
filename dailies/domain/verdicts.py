"""What people said of clips, and what of it stands. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Word(StrEnum):
    """What a person says of a take. NONE: it was taken back, or there is only a note."""

    KEEP = "keep"
    RETAKE = "retake"
    REJECT = "reject"
    NONE = ""


@dataclass(frozen=True, slots=True)
class Said:
    """A verdict as a person gives it. `prompt` is that of the take wanted instead: it goes with RETAKE only."""

    word: Word
    note: str = ""
    prompt: str = ""

    def __post_init__(self) -> None:
        if self.prompt and self.word is not Word.RETAKE:
            object.__setattr__(self, "prompt", "")


NOTHING_SAID = Said(Word.NONE)


@dataclass(frozen=True, slots=True)
class Verdict:
    """One entry of the record of verdicts: what stands from `at` on. `undoes` is the id of an entry that it takes back."""

    id: int
    clip_key: str
    at: datetime
    author: str
    said: Said
    undoes: int | None = None


@dataclass(frozen=True, slots=True)
class Comment:
    """What a person said about one moment of a clip, `second` seconds after its start."""

    id: int
    clip_key: str
    at: datetime
    author: str
    second: float
    text: str


def not_taken_back(history: Iterable[Verdict]) -> list[Verdict]:
    """The entries of one clip that no undo has taken back, oldest first; undos themselves are left out."""
    standing: list[Verdict] = []
    for entry in history:
        if entry.undoes is None:
            standing.append(entry)
        else:
            standing = [one for one in standing if one.id != entry.undoes]
    return standing


def undo_of(history: Sequence[Verdict]) -> tuple[int, Said] | None:
    """Which entry of one clip an undo takes back, and what then stands. None when there is nothing left to take back."""
    standing = not_taken_back(history)
    if not standing:
        return None
    return standing[-1].id, standing[-2].said if len(standing) > 1 else NOTHING_SAID


def said_since(history: Iterable[Verdict], seen: int, by: str) -> bool:
    """Whether somebody else than `by` said something of a clip after the entry `seen`."""
    return any(entry.id > seen and entry.author != by for entry in history)


def first_take(takes: Iterable[str]) -> str:
    """Which of a row's takes is take 1, the row as it stands: further takes are called `2`, or `warm-2` where it is `warm`."""
    return min(takes, key=lambda take: (len(take), take))


def take_meant(written: str, takes: Sequence[str]) -> str | None:
    """The one of a row's takes that a person means by a cell of a sheet; None for none of them.

    A take is meant by its own label. `1`, or nothing, means take 1 where no take has that label.
    """
    if written in takes:
        return written
    return first_take(takes) if takes and written in ("", "1") else None
