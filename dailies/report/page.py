"""`report.html`: one self-contained page. It asks for nothing but clips and posters, and runs no script but its own.

The clips travel as compressed JSON: two thousand stay small, and no prompt can be taken for markup.
"""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from decimal import Decimal
from functools import cache
from importlib.resources import files
from itertools import islice
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
from dailies.report.reconcile import Reconciliation

LEFT_OUT = frozenset({"row", "sha256", "outcome", "usd_at_risk", "unreported", "usd_unreported_quoted", "counted",
                       "c2pa", "digital_source_type"})  # fmt: skip
"""Columns that nobody reads on the page; they are in credits.csv."""
SHOWN = tuple(field.name for field in fields(Line) if field.name not in LEFT_OUT)
MOST_COMMANDS = 4
QUICK, AT_ONCE = 2, 100
"""How hard zlib tries, and how many clips it gets at once. Harder is three times as slow for a tenth fewer bytes."""
SHARED = ("common.js", "finding.js", "deciding.js")


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
        self.data.take(clips_data(self.own, clips_json(credits, self.advice, self.own)))

    def page(self, link: Linker) -> str:
        """The page with its clips where `link` finds them."""
        seen = Seen(link)
        data = self.data.and_then(links_data(self.credits.lines, seen))
        css, js = _asset("report.css"), script(_asset("report.js"))
        html: str = _template().render(
            credits=self.credits, totals=self.credits.totals, facts=self.facts, groups=self.groups, bars=self.bars,
            pillars=self.pillars, kept=self.kept, playable=seen.playable, linked=bool(seen.origins), usd=show_usd,
            data=Markup(data), css=Markup(css), js=Markup(js), policy=policy(css, js, sorted(seen.origins)),  # noqa: S704
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


def clips_data(own: Sequence[str], clips: Iterable[str]) -> Iterator[str]:
    """The first part of it, which is the same wherever a page lies."""
    names = [*SHOWN, "labels", "topic", "risk", "commands", "clip", "poster"]
    head = _json({"topics": [str(topic) for topic in Topic], "own": own, "fields": names})
    yield f'{head.removesuffix("}")},"clips":['
    comma = ""
    for clip in clips:
        yield f"{comma}[{clip}]"
        comma = ","


def links_data(lines: Iterable[Line], link: Linker) -> Iterator[str]:
    """The rest of it: for each clip where its film and its poster are, the last two of its fields."""
    before = '],"links":['
    for line in lines:
        links = link(line)
        yield f"{before}[{_json(links.clip)},{_json(links.poster)}]"
        before = ","
    yield "]}" if before == "," else '],"links":[]}'


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
        yield _json(clip)[1:-1]


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


class Packed:
    """The beginning of a text, deflated, that can be ended in several ways without being deflated again."""

    def __init__(self) -> None:
        self._deflate = zlib.compressobj(QUICK)
        self._parts: list[bytes] = []

    def take(self, pieces: Iterable[str]) -> None:
        """More of it."""
        self._parts += _deflated(self._deflate, pieces)

    def and_then(self, pieces: Iterable[str]) -> str:
        """The whole with this end, as base64: letters that mean nothing to HTML."""
        deflate = self._deflate.copy()
        return base64.b64encode(b"".join([*self._parts, *_deflated(deflate, pieces), deflate.flush()])).decode()


def _deflated(deflate: Any, pieces: Iterable[str]) -> Iterator[bytes]:
    """Some kilobytes at once: a call for each clip would cost more than its letters."""
    pieces = iter(pieces)
    while some := "".join(islice(pieces, AT_ONCE)):
        yield deflate.compress(some.encode("utf-8", "replace"))


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


_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


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
