"""A page of many clips holds them in parts, each packed by itself: a browser unpacks one when a person scrolls to it.

What needs a person most comes first, as on the page; what the page says of all its clips before they are unpacked (how many
there are of each topic, and what they can be filtered by) stands in its head.
"""

from __future__ import annotations

import base64
import json
import zlib
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice

from dailies.domain.figures import Line
from dailies.report.advice import Topic
from dailies.report.credits import Credits
from dailies.report.links import Linker

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
        yield some.encode("utf-8", "replace")


class Part:
    """Some clips of one topic, each after its place among all of them; their links are added for each copy of the page."""

    def __init__(self) -> None:
        self.places = array("L")
        self._packed = Packed()
        self._some: list[str] = ['{"clips":[']

    def take(self, at: int, clip: str) -> None:
        """One more clip."""
        self._some.append(f"{',' if self.places else ''}[{at},{clip}]")
        self.places.append(at)
        if len(self._some) == AT_ONCE:
            self._packed.take(self._some)
            self._some.clear()

    def close(self) -> None:
        """No more clips."""
        self._packed.take([*self._some, "],"])
        self._packed.close()
        self._some.clear()

    def block(self, lines: Sequence[Line], link: Linker) -> str:
        """The part as it stands on a page."""
        data = self._packed.and_then(chain(links_json((lines[at] for at in self.places), link), "}"))
        return f'<script type="application/octet-stream" class="part">{data}</script>\n'


def parts_of(topics: Iterable[Topic], clips: Iterable[str]) -> list[Part]:
    """All clips in parts of one topic each, the most urgent topic first."""
    found: dict[Topic, list[Part]] = {topic: [] for topic in Topic}
    for at, (topic, clip) in enumerate(zip(topics, clips, strict=True)):
        parts = found[topic]
        if not parts or len(parts[-1].places) == PART:
            parts.append(Part())
        part = parts[-1]
        part.take(at, clip)
        if len(part.places) == PART:
            part.close()
    parts = [part for some in found.values() for part in some]
    for part in parts:
        if len(part.places) < PART:
            part.close()
    return parts


def links_json(lines: Iterable[Line], link: Linker) -> Iterator[str]:
    """Where the film and the poster of each clip are: `"links":[[film,poster],...]`, in pieces."""
    yield '"links":['
    comma = ""
    for line in lines:
        found = link(line)
        yield f"{comma}{to_json([found.clip, found.poster])}"
        comma = ","
    yield "]"


def many_of(credits: Credits, own: Sequence[str], parts: int) -> dict[str, object]:
    """What a page in parts says of all its clips."""
    many = Many(own)
    for topic, line, labels in zip(credits.topics, credits.lines, credits.labels, strict=True):
        many.take(topic, line, labels)
    return many.facts(parts)


class Many:
    """What is said of all clips, summed up one after another."""

    def __init__(self, own: Sequence[str]) -> None:
        self._own = own
        self._topics: Counter[str] = Counter()
        self._verdicts: Counter[str] = Counter()
        self._values: dict[str, set[str]] = {name: set() for name in ("model", "provider", "batch", "footage", *own)}

    def take(self, topic: Topic, line: Line, labels: Mapping[str, str]) -> None:
        """One more clip."""
        self._topics[str(topic)] += 1
        if verdict := line.verdict or ("undecided" if line.s3_uri else None):
            self._verdicts[verdict] += 1
        seen = self._values
        seen["model"].add(line.model)
        seen["provider"].add(line.provider)
        seen["batch"].add(line.batch)
        seen["footage"].update(_looks(line))
        for name in self._own:
            if len(seen[name]) <= MOST_VALUES:
                seen[name].add(labels.get(name, ""))

    def facts(self, parts: int) -> dict[str, object]:
        """As the page's script reads it."""
        values = {name: sorted(found) for name, found in self._values.items()}
        counts = {"topics": self._topics, "verdicts": self._verdicts}
        return {"all": self._topics.total(), "parts": parts, **counts, "values": values}


def _looks(line: Line) -> Iterable[str]:
    """What the filter calls a look at a clip's footage (`lookOf` in `templates/common.js`)."""
    if not line.s3_uri:
        return ("",)
    if line.marks is None:
        return ("not looked at",)
    return ("any mark", *(str(mark.kind) for mark in line.marks.found)) if line.marks.found else ("fine",)
