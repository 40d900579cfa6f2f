"""What a caller tells the ledger and hears from it, beside the records: purchases to adopt, refusals."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from dailies.domain.records import Attempt
from dailies.domain.takes import Link

TAKEN_FOR_DEAD = "its owner died while the create was under way: it may have been charged"
"""The note of the move that puts a dead owner's create in doubt. Where the owner was only stopped, it may hold the answer."""


class Unclaimed(StrEnum):
    """Why a claim was not granted."""

    TAKEN = "taken"  # the clip is live, done, refused for good or somebody else's: look at it again
    BATCH_BUDGET = "batch budget"
    DAY_BUDGET = "daily budget"
    MONTH_BUDGET = "monthly budget"
    COLUMN_BUDGET = "budget by column"


class LostOwnership(Exception):
    """Another owner took this attempt over (our lease had run out): stop working on it, nothing is lost."""


class DuplicateGeneration(Exception):
    """The provider answered with a generation id that already belongs to another attempt."""


class MovedMeanwhile(Exception):
    """What is to be decided about is no longer as it was when it was looked at; it is `attempt` now. Nothing was changed."""

    def __init__(self, attempt: Attempt) -> None:
        super().__init__(attempt.id)
        self.attempt = attempt


class AnotherFile(Exception):
    """A batch is another file's, `recorded`, and this one asks for none of its clips: nothing was planned."""

    def __init__(self, recorded: str) -> None:
        super().__init__(recorded)
        self.recorded = recorded


class BoughtAgain(Exception):
    """What was settled can't be taken back: its clip was bought again since, by `attempt`."""

    def __init__(self, attempt: Attempt) -> None:
        super().__init__(attempt.id)
        self.attempt = attempt


class TakenNumber(Exception):
    """A take's number is another clip's already: another run was planned at the same moment."""

    def __init__(self, link: Link) -> None:
        super().__init__(f"take {link.number} of {link.base_key[:12]} is another clip")
        self.link = link


@dataclass(frozen=True, slots=True)
class Adopted:
    """A purchase that something other than the ledger remembers: the store, the spool, or the provider's log."""

    attempt_id: str
    clip_key: str
    batch: str
    row_id: str
    model: str
    provider: str
    generation_id: str
    usd_quoted: Decimal
    created_at: datetime
    note: str
    usd_charged: Decimal | None = None
    credits_used: int | None = None
    s3_uri: str | None = None
    sha256: str | None = None
    size_bytes: int | None = None
