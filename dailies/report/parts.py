"""A page of many clips holds them in parts, each packed by itself: a browser unpacks one when a person scrolls to it.

What needs a person most comes first, as on the page; what the page says of all its clips before they are unpacked (how many
there are of each topic, and what they can be filtered by) stands in its head.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from json.encoder import encode_basestring

from dailies.domain.marks import Marks
from dailies.domain.text import as_utf8
from dailies.report.advice import Topic
from dailies.report.blocks import Block, Clips
from dailies.report.links import Linker, Place

PART = 2000
"""Clips in a part; a page of no more than these is one part."""
QUICK, AT_ONCE = 2, 100
"""How hard zlib tries, and how many clips it gets at once. Harder is three times as slow for a tenth fewer bytes."""
MOST_VALUES = 60
"""A column with more values than this is no list to choose from (`templates/finding.js`)."""

to_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class Packed:
    """The beginning of a text, deflated, that can be ended in several ways without being deflated again."""

    def __init__(self) -> None:
        self._deflate = zlib.compressobj(QUICK, wbits=-zlib.MAX_WBITS)
        self._made = [ZLIB_HEAD]
        self._check = zlib.adler32(b"")

    def take(self, pieces: Iterable[str]) -> None:
        """More of it."""
        for some in _some_at_once(pieces):
            self._made.append(self._deflate.compress(some))
            self._check = zlib.adler32(some, self._check)

    def close(self) -> None:
        """No more of it: zlib's quarter of a megabyte is given back."""
        self._made = [b"".join([*self._made, self._deflate.flush(zlib.Z_FULL_FLUSH)])]
        del self._deflate

    def and_then(self, pieces: Iterable[str]) -> str:
        """The whole with this end, as base64: letters that mean nothing to HTML. Once the beginning is closed."""
        deflate, check, made = zlib.compressobj(QUICK, wbits=-zlib.MAX_WBITS), self._check, [*self._made]
        for some in _some_at_once(pieces):
            made.append(deflate.compress(some))
            check = zlib.adler32(some, check)
        return base64.b64encode(b"".join([*made, deflate.flush(), check.to_bytes(4, "big")])).decode()


ZLIB_HEAD = b"\x78\x01"
"""What RFC 1950 has before the deflated bytes; their check stands after them."""


def _some_at_once(pieces: Iterable[str]) -> Iterator[bytes]:
    """Some kilobytes at once: a call for each clip would cost more than its letters."""
    pieces = iter(pieces)
    while some := "".join(islice(pieces, AT_ONCE)):
        yield as_utf8(some)


class Part:
    """Some clips of one topic, each after its place among all of them; their links are added for each copy of the page."""

    def __init__(self) -> None:
        self.clips = 0
        self._packed = Packed()
        self._packed.take(['{"clips":['])

    def take(self, clips: list[str]) -> list[str]:
        """As many of these as it has room for. Returns the others."""
        mine = clips[: PART - self.clips]
        self._packed.take(["," if self.clips else "", ",".join(mine)])
        self.clips += len(mine)
        if self.clips == PART:
            self.close()
        return clips[len(mine) :]

    def close(self) -> None:
        """No more clips."""
        self._packed.take(["],"])
        self._packed.close()

    def block(self, links: Sequence[str]) -> str:
        """The part as it stands on a page where its films and posters are there."""
        data = self._packed.and_then([*links_json(links), "}"])
        return f'<script type="application/octet-stream" class="part">{data}</script>\n'


class Parts:
    """All clips in parts of one topic each, the most urgent topic first."""

    def __init__(self) -> None:
        self._of: dict[Topic, list[Part]] = {topic: [] for topic in Topic}

    def __len__(self) -> int:
        return sum(map(len, self._of.values()))

    def take(self, block: Block, clips: Iterable[str]) -> None:
        """The clips of one more block, by what a page shows of each."""
        placed = (f"[{at},{clip}]" for at, clip in enumerate(clips, block.start))
        for topic, some in by_topic(block, placed).items():
            parts, rest = self._of[topic], some
            while rest:
                if not parts or parts[-1].clips == PART:
                    parts.append(Part())
                rest = parts[-1].take(rest)

    def close(self) -> None:
        """No more clips."""
        for parts in self._of.values():
            if parts and parts[-1].clips < PART:
                parts[-1].close()

    def linked(self, clips: Clips, link: Linker) -> list[str]:
        """Each part as it stands on a page, in their order."""
        found: dict[Topic, list[str]] = {topic: [] for topic in self._of}
        links: dict[Topic, list[str]] = {topic: [] for topic in self._of}
        for block in clips.blocks():
            for topic, some in by_topic(block, links_in(block, link)).items():
                links[topic] += some
                for part in self._of[topic][len(found[topic]) :]:
                    if len(links[topic]) < part.clips:
                        break
                    found[topic].append(part.block(links[topic][: part.clips]))
                    del links[topic][: part.clips]
        return [text for some in found.values() for text in some]


def by_topic(block: Block, texts: Iterable[str]) -> Mapping[Topic, list[str]]:
    """A text of each clip of a block, topic by topic."""
    first, found = block.topics[0], dict[Topic, list[str]]()
    if block.topics.count(first) == len(block):
        return {first: [*texts]}
    for topic, text in zip(block.topics, texts, strict=True):
        found.setdefault(topic, []).append(text)
    return found


def linked(clips: Clips, link: Linker) -> Iterator[str]:
    """Where the film and the poster of each clip are, each as a JSON list."""
    return chain.from_iterable(links_in(block, link) for block in clips.blocks())


def links_in(block: Block, link: Linker) -> Iterator[str]:
    """The same of one block's."""
    for place in map(Place, *map(block.column, Place._fields)):
        found = link(place)
        yield f"[{_text(found.clip)},{_text(found.poster)}]"


def _text(link: str | None) -> str:
    return "null" if link is None else encode_basestring(link)


def links_json(links: Iterable[str]) -> Iterator[str]:
    """Them as `"links":[[film,poster],...]`, in pieces."""
    yield '"links":['
    yield from listed(links)
    yield "]"


def listed(texts: Iterable[str]) -> Iterator[str]:
    """Texts with commas between them, in pieces."""
    texts, comma = iter(texts), ""
    while some := ",".join(islice(texts, AT_ONCE)):
        yield comma + some
        comma = ","


class Many:
    """What is said of all clips, summed up one after another."""

    def __init__(self, own: Sequence[str]) -> None:
        self._own = own
        self._topics: Counter[str] = Counter()
        self._verdicts: Counter[str] = Counter()
        self._values: dict[str, set[str]] = {name: set() for name in ("model", "provider", "batch", "footage", *own)}

    def take(self, block: Block) -> None:
        """The clips of one more block."""
        seen = self._values
        self._topics.update(map(str, block.topics))
        said = zip(block.column("verdict"), block.column("s3_uri"), strict=True)
        self._verdicts.update([verdict or "undecided" for verdict, uri in said if verdict or uri])
        for name in ("model", "provider", "batch"):
            seen[name].update(block.column(name))
        for uri, marks in {
            (bool(uri), marks) for uri, marks in zip(block.column("s3_uri"), block.column("marks"), strict=True)
        }:
            seen["footage"].update(_looks(uri, marks))
        for name in self._own:
            values = seen[name]
            for labels in block.labels if len(values) <= MOST_VALUES else ():
                if len(values) <= MOST_VALUES:
                    values.add(labels.get(name, ""))

    def facts(self, parts: int) -> dict[str, object]:
        """As the page's script reads it."""
        values = {name: sorted(found) for name, found in self._values.items()}
        counts = {"topics": self._topics, "verdicts": self._verdicts}
        return {"all": self._topics.total(), "parts": parts, **counts, "values": values}


def _looks(delivered: bool, marks: Marks | None) -> Iterable[str]:
    """What the filter calls a look at a clip's footage (`lookOf` in `templates/common.js`)."""
    if not delivered:
        return ("",)
    if marks is None:
        return ("not looked at",)
    return ("any mark", *(str(mark.kind) for mark in marks.found)) if marks.found else ("fine",)
