"""`report.html`: one self-contained page. It asks for nothing but clips and posters, and runs no script but its own.

The clips travel as compressed JSON, more than two thousand in parts (`parts.py`): no prompt can be taken for markup.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from dailies.domain.clip_line import COLUMNS
from dailies.domain.commands import fetch, import_verdicts, review
from dailies.domain.money import ZERO, show_usd
from dailies.report.advice import MEANING, Advice, Command, Topic, advice_for
from dailies.report.blocks import Block
from dailies.report.cells import json_texts
from dailies.report.charts import charts_of
from dailies.report.credits import Credits
from dailies.report.kept import kept_by
from dailies.report.links import Filed, Linker, Links, origins
from dailies.report.parts import PART, Many, Packed, Parts, linked, links_json, listed, to_json
from dailies.report.reconcile import Reconciliation

LEFT_OUT = frozenset({"row", "sha256", "outcome", "usd_at_risk", "unreported", "usd_unreported_quoted", "counted",
                       "c2pa", "digital_source_type"})  # fmt: skip
"""Columns that nobody reads on the page; they are in credits.csv."""
SHOWN = tuple(name for name in COLUMNS if name not in LEFT_OUT)
MOST_COMMANDS = 4
SHARED = ("common.js", "finding.js", "deciding.js")
THE_OTHERS = "<!-- the other parts -->"
AT_FIRST = 2
"""Parts that stand before the script: what is shown at once is there when it runs."""


@dataclass(frozen=True, slots=True)
class Ways:
    """How a person goes on from the page, as commands; `links_end` is when its presigned links stop working."""

    review: str
    fetch: str
    take_in: str
    links_end: datetime | None = None

    @classmethod
    def of(cls, batch: str | None, links_end: datetime | None = None) -> Ways:
        """Those of one batch, or of all."""
        return cls(review(batch), fetch(batch), import_verdicts("verdicts.csv"), links_end)


@dataclass(frozen=True, slots=True)
class PageFacts:
    """What a page says beside its figures. `runs` has, for each batch, the command that goes on with it."""

    made_at: datetime
    runs: Mapping[str, str] = field(default_factory=dict)
    span: str = ""
    ways: Ways | None = None
    reconciliation: Reconciliation | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """All clips of one topic: how many, what is at stake, and the commands that serve them all."""

    topic: Topic
    meaning: str
    count: int
    stake: str
    commands: tuple[Command, ...]
    more: int
    own: bool


class Drawing:
    """All that a page shows but its links, so that the copies on disk and in S3 are drawn from the same figures."""

    def __init__(self, credits: Credits, facts: PageFacts) -> None:
        self.credits, self.facts = credits, facts
        self.bars, self.pillars = charts_of(credits.sums)
        self.own = own_names(credits)
        self.kept = kept_by(credits)
        self.data = Packed()  # of the clips once for both copies, whose links differ: half a kilobyte a clip
        self.parts: Parts | None = None
        needs = Needs()
        if len(credits.clips) > PART:
            self.parts = self._in_parts(needs)
        else:
            values = (clip for block, advice in self._blocks(needs) for clip in values_in(block, advice, self.own))
            self.data.take(clips_data(self.own, values))
        self.data.close()
        self.groups = needs.groups()

    def _blocks(self, needs: Needs) -> Iterator[tuple[Block, list[Advice]]]:
        for block in self.credits.clips.blocks():
            advice = advice_in(block, self.facts.runs)
            needs.take(block, advice)
            yield block, advice

    def _in_parts(self, needs: Needs) -> Parts:
        parts, many = Parts(), Many(self.own)
        for block, advice in self._blocks(needs):
            many.take(block)
            parts.take(block, values_in(block, advice, self.own))
        parts.close()
        self.data.take(head_data(self.own, many.facts(len(parts))))
        return parts

    def page(self, link: Linker) -> str:
        """The page with its clips where `link` finds them."""
        return "".join(self.pieces(link))

    def pieces(self, link: Linker) -> Iterator[str]:
        """The same, piece by piece: of many clips the first are there before the script, the others after it."""
        seen, clips = Seen(link), self.credits.clips
        parts = self.parts.linked(clips, seen) if self.parts else []
        data = self.data.and_then(["}"] if parts else links_data(linked(clips, seen)))
        first = f'<script type="application/octet-stream" id="data">{data}</script>\n'
        before, _, after = self._html("".join([first, *parts[:AT_FIRST]]), seen).rpartition(THE_OTHERS)
        yield before
        yield from parts[AT_FIRST:]
        yield after

    def _html(self, data: str, seen: Seen) -> str:
        css, js = _asset("report.css"), script(_asset("report.js"))
        html: str = _template().render(
            credits=self.credits, totals=self.credits.totals, facts=self.facts, groups=self.groups, bars=self.bars,
            pillars=self.pillars, kept=self.kept, playable=seen.playable, linked=bool(seen.origins), usd=show_usd,
            data=Markup(data), others=Markup(THE_OTHERS), css=Markup(css), js=Markup(js),  # noqa: S704
            policy=policy(css, js, sorted(seen.origins)),
        )  # fmt: skip
        return html


def own_names(credits: Credits) -> list[str]:
    """The columns beside ours that a page can filter by: the team's own, and the models' options."""
    return list(credits.sums.own)


def page_data(credits: Credits, link: Linker) -> Iterator[str]:
    """What a page's script works with, as JSON in pieces: the fields once, then a list for each clip, and one of its links."""
    own = own_names(credits)
    blocks = credits.clips.blocks()
    yield from clips_data(own, (clip for block in blocks for clip in values_in(block, advice_in(block, {}), own)))
    yield from links_data(linked(credits.clips, link))


def head_data(own: Sequence[str], many: Mapping[str, object] | None = None) -> Iterator[str]:
    """Its beginning, an object that is still open; of a page in parts with what it says of all its clips (`many`)."""
    names = [*SHOWN, "labels", "topic", "risk", "commands", "clip", "poster"]
    head = {"topics": [str(topic) for topic in Topic], "own": own, "fields": names}
    yield to_json(head | ({"many": many} if many else {})).removesuffix("}")


def clips_data(own: Sequence[str], clips: Iterable[str]) -> Iterator[str]:
    """The first part of it, which is the same wherever a page lies."""
    yield from head_data(own)
    yield ',"clips":['
    yield from listed(f"[{clip}]" for clip in clips)


def links_data(links: Iterable[str]) -> Iterator[str]:
    """The rest of it: for each clip where its film and its poster are, the last two of its fields."""
    yield from ("],", *links_json(links), "}")


class Seen:
    """A linker, and what its links have in common: whether a clip can be played, and from where things are loaded."""

    def __init__(self, link: Linker) -> None:
        self._link = link
        self.playable = False
        self.origins: set[str] = set()
        self._known: tuple[str, ...] = ()

    def __call__(self, line: Filed) -> Links:
        """The links of one clip."""
        found = self._link(line)
        self.playable |= found.clip is not None
        if not (self._is_known(found.clip) and self._is_known(found.poster)):
            self.origins.update(origins(found))
            self._known = tuple(f"{origin}/" for origin in self.origins)
        return found

    def _is_known(self, url: str | None) -> bool:
        return url is None or url.startswith(self._known)


def values_in(block: Block, advice: Sequence[Advice], own: Sequence[str]) -> Iterator[str]:
    """For each clip of a block what the page shows of it, but its links: the inside of a JSON list."""
    columns = [block.written(name, lambda values: json_texts(values, _dollars)) for name in SHOWN]
    labels = [json_text(tuple([labels.get(name, "") for name in own])) for labels in block.labels]
    risks = block.written("usd_at_risk", lambda values: [_dollars(usd) if usd else "null" for usd in values])
    commands = [to_json([[c.hint, c.text] for c in one.commands]) if one.commands else "[]" for one in advice]
    return map(",".join, zip(*columns, labels, map(json_text, block.topics), risks, commands, strict=True))


json_text = lru_cache(1000)(to_json)


@lru_cache(10_000)
def _dollars(usd: Decimal) -> str:
    return to_json(show_usd(usd))


def advice_in(block: Block, runs: Mapping[str, str]) -> list[Advice]:
    """What to do about each clip of a block; `runs` goes on with its batch."""
    clips = zip(block.topics, block.column("batch"), strict=True)
    return [
        NOTHING.get(topic) or advice_for(topic, block.line(at), runs.get(batch))
        for at, (topic, batch) in enumerate(clips)
    ]


NOTHING: Mapping[Topic, Advice] = {topic: Advice(topic) for topic in (Topic.DELIVERED, Topic.RETIRED, Topic.FORGOTTEN)}
"""Where there is nothing to do about a clip, whichever it is."""


class Needs:
    """What needs a person, summed up topic by topic."""

    def __init__(self) -> None:
        self._of: dict[Topic, Need] = {}

    def take(self, block: Block, advice: Sequence[Advice]) -> None:
        """The clips of one more block."""
        columns = [block.column(name) for name in ("usd_quoted", "usd_charged", "usd_at_risk", "usd_unreported_quoted")]
        for at, one in enumerate(advice):
            if one.topic not in (Topic.DELIVERED, Topic.RETIRED):
                self._of.setdefault(one.topic, Need()).take(one, [column[at] for column in columns])

    def groups(self) -> list[Group]:
        """Them, the most urgent first."""
        return [self._of[topic].group(topic) for topic in Topic if topic in self._of]


class Need:
    """The clips of one topic, summed up."""

    def __init__(self) -> None:
        self._count = 0
        self._usd = [ZERO] * 4
        self._commands: dict[Command, None] = {}
        self._own = False

    def take(self, advice: Advice, usd: Sequence[Decimal | None]) -> None:
        """One more; `usd` is what it is quoted at, what was charged, is at risk, and is quoted without a report."""
        self._count += 1
        self._usd = [known + (more or ZERO) for known, more in zip(self._usd, usd, strict=True)]
        self._commands.update(dict.fromkeys(advice.shared))
        self._own = self._own or bool(advice.own)

    def group(self, topic: Topic) -> Group:
        """What a page says of them together."""
        commands = tuple(self._commands)
        more = max(0, len(commands) - MOST_COMMANDS)
        return Group(
            topic, MEANING[topic], self._count, _stake(topic, *self._usd), commands[:MOST_COMMANDS], more, self._own
        )


def _stake(topic: Topic, quoted: Decimal, charged: Decimal, at_risk: Decimal, unreported: Decimal) -> str:
    if topic is Topic.IN_DOUBT:
        return f"{show_usd(at_risk)} at risk"
    if unreported:
        return f"{show_usd(charged)} charged, about {show_usd(unreported)} not reported"
    if topic is Topic.NOT_STARTED and not charged:
        return f"{show_usd(quoted)} quoted"
    return f"{show_usd(charged)} charged" if charged else "not charged"


def policy(css: str, js: str, origins: Sequence[str]) -> str:
    """The Content-Security-Policy: this very style and script, clips and posters from here, and nothing else at all."""
    media = " ".join(["'self'", "file:", *origins])
    return (
        f"default-src 'none'; style-src {_digest(css)}; script-src {_digest(js)}; img-src {media} data:; "
        f"media-src {media}; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'"
    )


def script(own: str) -> str:
    """A page's script: what the report and the screening room have in common, then its own part, in one scope."""
    return "\n".join(['"use strict";', "(() => {", *map(_asset, SHARED), own, "})();", ""])


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _asset(name: str) -> str:
    return files("dailies.report").joinpath("templates", name).read_text(encoding="utf-8")


@cache
def _template() -> Any:
    environment = Environment(
        loader=PackageLoader("dailies.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html")
