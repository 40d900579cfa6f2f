"""`report.html`: one self-contained page. It asks for nothing but clips and posters, and runs no script but its own.

The clips travel as compressed JSON, more than two thousand in parts (`parts.py`): no prompt can be taken for markup.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from decimal import Decimal
from functools import cache
from importlib.resources import files
from operator import attrgetter
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from dailies.domain.clips import IMAGE_LISTS
from dailies.domain.commands import fetch, import_verdicts, review
from dailies.domain.figures import Line
from dailies.domain.marks import Marks
from dailies.domain.money import show_usd, sum_usd
from dailies.report.advice import MEANING, Advice, Command, Topic, advice_for
from dailies.report.charts import charts_of
from dailies.report.credits import Credits
from dailies.report.kept import kept_by
from dailies.report.links import Linker, Links, origins
from dailies.report.parts import PART, Packed, Part, links_json, many_of, parts_of, to_json
from dailies.report.reconcile import Reconciliation

LEFT_OUT = frozenset({"row", "sha256", "outcome", "usd_at_risk", "unreported", "usd_unreported_quoted", "counted",
                       "c2pa", "digital_source_type"})  # fmt: skip
"""Columns that nobody reads on the page; they are in credits.csv."""
SHOWN = tuple(field.name for field in fields(Line) if field.name not in LEFT_OUT)
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
        pairs = zip(credits.topics, credits.lines, strict=True)
        self.advice = [advice_for(topic, line, facts.runs.get(line.batch)) for topic, line in pairs]
        self.groups = groups_of(credits.lines, self.advice)
        self.bars, self.pillars = charts_of(credits.lines, _topical(credits), credits.by_day, credits.at_providers)
        self.own = own_names(credits)
        self.kept = kept_by(credits)
        self.data = Packed()  # of the clips once for both copies, whose links differ: half a kilobyte a clip
        self.parts: list[Part] = []
        clips = clips_json(credits, self.advice, self.own)
        if len(credits.lines) > PART:
            self.parts = parts_of(credits.topics, clips)
            self.data.take(head_data(self.own, many_of(credits, self.own, len(self.parts))))
        else:
            self.data.take(clips_data(self.own, clips))
        self.data.close()

    def page(self, link: Linker) -> str:
        """The page with its clips where `link` finds them."""
        return "".join(self.pieces(link))

    def pieces(self, link: Linker) -> Iterator[str]:
        """The same, piece by piece: of many clips the first are there before the script, the others after it."""
        seen, lines = Seen(link), self.credits.lines
        parts = [part.block(lines, seen) for part in self.parts]
        data = self.data.and_then(["}"] if parts else links_data(lines, seen))
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
    return list(dict.fromkeys(name for labels in _topical(credits) for name in labels))


def _topical(credits: Credits) -> Sequence[Mapping[str, str]]:
    """What clips can be told apart by: not their lists of images, of which hardly two are the same."""
    if not any(name in options for options in credits.options for name in IMAGE_LISTS):
        return credits.labels
    return [
        {name: text for name, text in labels.items() if name not in options or name not in IMAGE_LISTS}
        for labels, options in zip(credits.labels, credits.options, strict=True)
    ]


def page_data(credits: Credits, own: Sequence[str], clips: Iterable[str], link: Linker) -> Iterator[str]:
    """What a page's script works with, as JSON in pieces: the fields once, then a list for each clip, and one of its links."""
    yield from clips_data(own, clips)
    yield from links_data(credits.lines, link)


def head_data(own: Sequence[str], many: Mapping[str, object] | None = None) -> Iterator[str]:
    """Its beginning, an object that is still open; of a page in parts with what it says of all its clips (`many`)."""
    names = [*SHOWN, "labels", "topic", "risk", "commands", "clip", "poster"]
    head = {"topics": [str(topic) for topic in Topic], "own": own, "fields": names}
    yield to_json(head | ({"many": many} if many else {})).removesuffix("}")


def clips_data(own: Sequence[str], clips: Iterable[str]) -> Iterator[str]:
    """The first part of it, which is the same wherever a page lies."""
    yield from head_data(own)
    yield ',"clips":['
    comma = ""
    for clip in clips:
        yield f"{comma}[{clip}]"
        comma = ","


def links_data(lines: Iterable[Line], link: Linker) -> Iterator[str]:
    """The rest of it: for each clip where its film and its poster are, the last two of its fields."""
    yield from ("],", *links_json(lines, link), "}")


class Seen:
    """A linker, and what its links have in common: whether a clip can be played, and from where things are loaded."""

    def __init__(self, link: Linker) -> None:
        self._link = link
        self.playable = False
        self.origins: set[str] = set()

    def __call__(self, line: Line) -> Links:
        """The links of one clip."""
        found = self._link(line)
        self.playable |= found.clip is not None
        self.origins.update(origins(found))
        return found


def clips_json(credits: Credits, advice: Sequence[Advice], own: Sequence[str]) -> Iterator[str]:
    """For each clip what the page shows of it, but its links: the inside of a JSON list."""
    values = attrgetter(*SHOWN)
    for line, labels, one in zip(credits.lines, credits.labels, advice, strict=True):
        clip = [
            *map(_plain, values(line)), [labels.get(name, "") for name in own], str(one.topic),
            show_usd(line.usd_at_risk) if line.usd_at_risk else None,
            [[command.hint, command.text] for command in one.commands],
        ]  # fmt: skip
        yield to_json(clip)[1:-1]


def groups_of(lines: Sequence[Line], advice: Sequence[Advice]) -> list[Group]:
    """What needs a person, the most urgent first."""
    found = []
    for topic in Topic:
        members = [(line, one) for line, one in zip(lines, advice, strict=True) if one.topic is topic]
        if not members or topic in (Topic.DELIVERED, Topic.RETIRED):
            continue
        commands = tuple(dict.fromkeys(command for _, one in members for command in one.shared))
        shown = commands[:MOST_COMMANDS]
        own = any(one.own for _, one in members)
        found.append(
            Group(topic, MEANING[topic], len(members), _stake(topic, [line for line, _ in members]), shown,
                  len(commands) - len(shown), own)
        )  # fmt: skip
    return found


def _stake(topic: Topic, lines: Sequence[Line]) -> str:
    charged = sum_usd(line.usd_charged for line in lines)
    if topic is Topic.IN_DOUBT:
        return f"{show_usd(sum_usd(line.usd_at_risk for line in lines))} at risk"
    unreported = sum_usd(line.usd_unreported_quoted for line in lines)
    if unreported:
        return f"{show_usd(charged)} charged, about {show_usd(unreported)} not reported"
    if topic is Topic.NOT_STARTED and not charged:
        return f"{show_usd(sum_usd(line.usd_quoted for line in lines))} quoted"
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


def _plain(value: object) -> object:
    if isinstance(value, Marks):
        return str(value)
    return show_usd(value) if isinstance(value, Decimal) else value


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
