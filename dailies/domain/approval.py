"""What a person has approved of a batch: so many clips, for so many dollars, all its runs together."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from dailies.domain.counting import how_many
from dailies.domain.money import show_usd


@dataclass(frozen=True, slots=True)
class Approval:
    """Clips and dollars of a whole batch, what was bought already included."""

    clips: int
    usd: Decimal

    @property
    def detail(self) -> str:
        """`12 clips for $15.12`."""
        return f"{how_many(self.clips, 'clip')} for {show_usd(self.usd)}"

    def beside(self, earlier: Approval) -> Approval:
        """What is approved once a part of the batch is, too: what was said of the rest stays."""
        return Approval(max(self.clips, earlier.clips), max(self.usd, earlier.usd))

    def covers(self, wanted: Approval) -> bool:
        """Whether a run that comes to this needs nobody's yes any more."""
        return wanted.clips <= self.clips and wanted.usd <= self.usd
