"""Texts that must not be found: known by their first letters, in whatever way they are written down."""

from __future__ import annotations

import html
import json
from collections.abc import Iterable, Iterator

HEAD = 16
"""A longer text is known by so many letters, because others repeat it cut off."""
SHORTEST = 6
"""What is shorter is not looked for inside other texts: it would blank words that mean something else."""
FEW = 200


class Needles:
    """Texts to be taken out of others, also where these hold only their beginning, quoted, or escaped."""

    def __init__(self) -> None:
        self._by_head: dict[str, set[str]] = {}
        self._lengths: list[int] = []
        self._whole: set[str] = set()

    def __bool__(self) -> bool:
        return bool(self._by_head)

    def add(self, texts: Iterable[str]) -> None:
        """Look for these from now on, as they are and as JSON, HTML and CSV have them."""
        by_head = {head: set(found) for head, found in self._by_head.items()}
        for text in texts:
            for written in ways_to_write(text):
                if len(written.strip()) >= SHORTEST:
                    by_head.setdefault(written[:HEAD], set()).add(written)
        self._lengths = sorted({len(head) for head in by_head}, reverse=True)
        self._by_head = by_head

    def add_whole(self, texts: Iterable[str]) -> None:
        """Look for these only whole and as they are: others begin like them."""
        self._whole |= set(texts)
        for text in self._whole:
            self._by_head.setdefault(text[:HEAD], set()).add(text)
        self._lengths = sorted({len(head) for head in self._by_head}, reverse=True)

    def found_in(self, text: str) -> bool:
        """Whether any of them, or its beginning, stands in a text."""
        if len(self._by_head) > FEW:
            return any(self._length_at(text, at) for at in range(len(text)))
        heads = [head for head in self._by_head if head in text]
        known = [one for head in heads for one in self._by_head[head]]
        return any(one not in self._whole or one in text for one in known)

    def without(self, text: str, mask: str) -> str:
        """The text with a mask for each of them."""
        if not self.found_in(text):
            return text
        parts, done, at = [], 0, 0
        while at < len(text):
            length = self._length_at(text, at)
            if length:
                parts += [text[done:at], mask]
                done = at = at + length
            else:
                at += 1
        return "".join([*parts, text[done:]])

    def _length_at(self, text: str, at: int) -> int:
        """How many letters from here on are one of them, or the beginning of one."""
        found = 0
        for length in self._lengths:
            for known in self._by_head.get(text[at : at + length], ()):
                common = _common(text, at, known)
                if common == len(known) or known not in self._whole:
                    found = max(found, common)
            if found:
                break
        return found


def ways_to_write(text: str) -> Iterator[str]:
    """A text as it is, and inside JSON (also JSON in JSON), HTML and CSV."""
    once, plain = json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]
    yield from dict.fromkeys((
        text, once, plain, json.dumps(once)[1:-1], json.dumps(plain, ensure_ascii=False)[1:-1],
        html.escape(text), html.escape(text, quote=False), text.replace('"', '""'),
    ))  # fmt: skip


def _common(text: str, at: int, known: str) -> int:
    length = 0
    for ours, theirs in zip(known, text[at : at + len(known)], strict=False):
        if ours != theirs:
            break
        length += 1
    return length
