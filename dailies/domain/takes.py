"""Several takes of one row: which numbers are made, what they are called, and with which seed. Pure.

Take 1 is the row as it stands. A further take is a clip of its own, linked to the row's clip by its number for ever.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import count, islice
from typing import Final

from dailies.domain.clips import Clip
from dailies.domain.verdicts import NOTHING_SAID, Said, Word

SEED: Final = "seed"
"""The option that tells takes apart where a model has it."""
MOST_TAKES: Final = 100
"""Takes that one row may have: more is a slip of the finger."""
_REWRITTEN = re.compile(r"(\d+)[.,]0{1,2}")


@dataclass(frozen=True, slots=True)
class Link:
    """One further take on record: the clip that is take `number` of the row whose clip is `base_key`.

    `answers` is the clip that was sent back, where this take is made because of that.
    """

    base_key: str
    number: int
    clip_key: str
    answers: str | None = None


@dataclass(frozen=True, slots=True)
class Take:
    """How one take of a row stands. `clip` is as it is on record: None where it is not, or was forgotten.

    `settled`: a run would not buy it: it is delivered, under way, in doubt, or failed for good. `failed`: for good.
    """

    number: int
    key: str
    said: Said = NOTHING_SAID
    settled: bool = False
    delivered: bool = False
    failed: bool = False
    answers: str | None = None
    clip: Clip | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """The take that answers one that was sent back. `prompt` is None where it keeps the prompt of the take it answers."""

    number: int
    to: Take
    prompt: str | None = None


def number_of_takes(text: str) -> int | None:
    """How many takes a cell asks for, `3` or a spreadsheet's `3.0` or `3,0`; None where that is no number of takes."""
    found = re.fullmatch(r"'?(\d{1,4})(?:\.0+|,0{1,2})?", text.strip())
    return int(found[1]) if found and 1 <= int(found[1]) <= MOST_TAKES else None


def label_meant(text: str) -> str:
    """A row's own take as it was meant: `2` where a spreadsheet or pandas made `2.0` or `2,0` of it."""
    found = _REWRITTEN.fullmatch(text)
    return found[1] if found else text


def rewritten_labels(label: str) -> tuple[str, ...]:
    """What spreadsheets make of a take's number; earlier versions took each of these for a take of its own."""
    return tuple(label + end for end in (".0", ".00", ",0", ",00")) if label.isdecimal() else ()


def take_label(own: str, number: int) -> str:
    """What a further take is called: `2`, or `warm-2` where the row's own take is `warm`."""
    return f"{own}-{number}" if own else str(number)


def told_apart(clips: Sequence[tuple[str, str, str, bool]]) -> dict[str, str]:
    """What clips are called beside each other, by clip_key, of `(clip_key, id, take, stands)`.

    Its id; its take too where a row has several; `before` for a clip whose row asks for another by now.
    """
    standing = Counter(name for _, name, _, stands in clips if stands)
    many = Counter(name for _, name, _, _ in clips)
    names = {}
    for key, name, take, stands in clips:
        which = f"take {take or 1}" if standing[name] > 1 or (take and many[name] > 1) else ""
        names[key] = " · ".join(part for part in (name, which, "" if stands else "before") if part)
    alike = Counter(names.values())
    return {key: f"{name} {key[:6]}" if alike[name] > 1 else name for key, name in names.items()}


def take_seed(base_key: str, number: int) -> int:
    """The seed of a further take: the first 31 bits of SHA-256 of the row's clip_key and the number.

    What is hashed is the 64 hex digits, directly followed by the number in decimal digits, as ASCII.
    """
    digest = hashlib.sha256(f"{base_key}{number}".encode("ascii")).digest()
    return int.from_bytes(digest[:4], "big") >> 1


def take_clip(base: Clip, number: int, prompt: str, seeded: bool) -> Clip:
    """The clip that is take `number` of a row; `seeded`: its model has a seed to choose."""
    options = dict(base.options)
    if seeded:
        options.setdefault(SEED, take_seed(base.key, number))
    return replace(base, prompt=prompt, take=take_label(base.take, number), options=options, known_as=None)


def further_numbers(takes: Sequence[Take], wanted: int, stop_when_kept: bool = False) -> list[int]:
    """The numbers from 2 on that a run sees to, so that the row has `wanted` takes in all.

    Whatever was bought counts and stays; the lowest numbers are filled in. With `stop_when_kept` nothing is filled in for
    a row that has a keeper.
    """
    settled = {take.number for take in takes if take.number > 1 and take.settled}
    lacking = 0 if stop_when_kept and has_keeper(takes) else max(0, wanted - 1 - len(settled))
    free = (number for number in count(2) if number not in settled)
    return sorted([*settled, *islice(free, lacking)])


def has_keeper(takes: Iterable[Take]) -> bool:
    """Whether somebody chose one of these takes."""
    return any(take.said.word is Word.KEEP for take in takes)


def answers_to(takes: Sequence[Take], stop_when_kept: bool = False) -> list[Answer]:
    """The takes that answer what was sent back and are not there yet: one for each, new ones with the next free number.

    A take that was answered is not answered again, unless its answer was not made and another prompt is wanted by now.
    """
    if stop_when_kept and has_keeper(takes):
        return []
    free = count(1 + max((take.number for take in takes), default=1))
    found = []
    for sent_back in (take for take in takes if take.said.word is Word.RETAKE):
        given = max((t for t in takes if t.answers == sent_back.key), key=lambda t: t.number, default=None)
        prompt = sent_back.said.prompt or None
        if given is None or _is_another_wish(given, prompt):
            found.append(Answer(next(free), sent_back, prompt))
        elif not given.delivered:
            found.append(Answer(given.number, sent_back, prompt))
    return found


def _is_another_wish(given: Take, prompt: str | None) -> bool:
    """Whether an answer that was not made asked for something else than is wanted now."""
    not_made = given.failed or not given.settled
    return not_made and prompt is not None and given.clip is not None and given.clip.prompt != prompt
