"""What a report sums up while its clips are read once: by model, provider, batch and each of the team's columns. Pure."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal

from dailies.domain.clips import IMAGE_LISTS
from dailies.domain.figures import Line, Sum
from dailies.domain.money import ZERO
from dailies.domain.records import Attempt
from dailies.domain.verdicts import Word

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

    def add(self, line: Line, labels: Mapping[str, str], options: Mapping[str, str], parts: Iterable[Line]) -> None:
        """One more clip; `parts` is its money at each of the providers that it was tried at."""
        self._own(line, labels, options)
        self.whole.add(line)
        self.clips += 1
        if line.seconds is not None:
            self.seconds.append(line.seconds)
        self.delivered = self.delivered or line.s3_uri is not None
        self.decided = self.decided or line.verdict in (Word.KEEP, Word.REJECT)
        self.model = into(self.model, line.model, line)
        self.batch = into(self.batch, line.batch, line)
        for part in parts:
            self.provider = into(self.provider, part.provider, part)

    def spent(self, attempts: Iterable[Attempt]) -> None:
        """What one clip's attempts cost, on the days of their creates."""
        for attempt in attempts:
            if usd := attempt.usd_spent:
                day = attempt.created_at.date()
                self.by_day[day] = self.by_day.get(day, ZERO) + usd

    def _own(self, line: Line, labels: Mapping[str, str], options: Mapping[str, str]) -> None:
        for name in labels:
            if name not in self.names:
                self.names[name] = None
            if name not in self.team and name not in options:
                self.team[name] = None
            if name not in self.own and not (name in options and name in IMAGE_LISTS):
                self.own[name] = {NO_VALUE: self.whole.copy()} if self.clips else {}
        for name, groups in self.own.items():
            if groups is not None:
                image_list = name in IMAGE_LISTS and name in options
                self.own[name] = into(groups, (not image_list and labels.get(name)) or NO_VALUE, line)


def into(groups: Groups | None, value: str, line: Line) -> Groups | None:
    """The groups with one more line; None once there are too many."""
    if groups is None:
        return None
    found = groups.get(value)
    if found is None:
        if len(groups) >= MOST_GROUPS:
            return None
        found = groups[value] = Sum()
    found.add(line)
    return groups
