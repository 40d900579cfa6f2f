"""What the ledger knows of a clip, as plain data. The report and every decision are pure functions of these."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from dailies.domain.clips import Clip
from dailies.domain.marks import Marks
from dailies.domain.money import ZERO, sum_usd
from dailies.domain.origin import Origin
from dailies.domain.states import Failure, State, current
from dailies.domain.verdicts import Verdict

OVERDUE = "overdue"
"""How the note of an attempt begins whose clip was still being made past its deadline."""


NO_LABELS: Mapping[str, str] = {}


class Attempt(NamedTuple):
    """One possible charge for a clip: one create POST. `id` is also the client reference that the provider stores."""

    id: str
    clip_key: str
    no: int
    batch: str
    provider: str
    state: State
    owner: str
    epoch: int
    lease_until: datetime
    created_at: datetime
    usd_quoted: Decimal
    request_digest: str = ""
    image_sha256: str | None = None
    generation_id: str | None = None
    failure: Failure | None = None
    error: str | None = None
    usd_charged: Decimal | None = None
    credits_used: int | None = None
    result_url: str | None = None
    s3_uri: str | None = None
    sha256: str | None = None
    size_bytes: int | None = None
    mismatch: str | None = None
    polls: int = 0
    submitted_at: datetime | None = None
    completed_at: datetime | None = None
    stored_at: datetime | None = None
    updated_at: datetime | None = None
    usd_reserved: Decimal | None = None
    handle: str | None = None
    marks: Marks | None = None
    origin: Origin | None = None

    @property
    def brief(self) -> Brief:
        """How it stands."""
        return Brief(self.no, self.provider, self.state, self.failure, self.delivered)

    @property
    def asked_by(self) -> str:
        """By what its provider is asked for it: the addresses that it gave, else the id."""
        return self.handle or self.generation_id or ""

    @property
    def delivered(self) -> bool:
        """Whether its clip is in S3, verified. An orphan that came home counts too."""
        return self.s3_uri is not None

    @property
    def seconds(self) -> float | None:
        """How long the provider took, from the create to the poll that found it ready."""
        if self.completed_at is None:
            return None
        return (self.completed_at - self.created_at).total_seconds()

    @property
    def unreported(self) -> bool:
        """Whether the provider accepted it and has not said what it cost; a failed job's answer says it by failing."""
        return self.generation_id is not None and self.usd_charged is None and self.state is not State.FAILED

    @property
    def usd_spent(self) -> Decimal:
        """What a view of spending counts: the charge, the quote where the provider did not say, money at risk."""
        if self.generation_id is not None and self.usd_charged is not None:
            return self.usd_charged
        return self.usd_quoted if self.unreported else self.usd_at_risk

    @property
    def overdue(self) -> bool:
        """Whether the last look found it still generating past its deadline."""
        return (self.error or "").startswith(OVERDUE)

    @property
    def usd_counted(self) -> Decimal:
        """What this attempt takes from a budget: the charge where it is known; while money may have gone what
        was reserved for it, which is its quote, or more where its like was charged more."""
        if self.state is State.FAILED:
            return self.usd_charged or ZERO
        return (self.usd_reserved or self.usd_quoted) if self.usd_charged is None else self.usd_charged

    @property
    def usd_at_risk(self) -> Decimal:
        """Quoted dollars of an attempt in doubt, or given up by `--resubmit` and not settled since."""
        return self.usd_quoted if self.unsettled else ZERO

    @property
    def unsettled(self) -> bool:
        """Whether it may have been charged and nobody knows, whatever it was quoted at."""
        return self.state is State.IN_DOUBT or (self.state is State.SUPERSEDED and self.generation_id is None)

    @property
    def settled(self) -> bool:
        """Whether it is certain what became of its create: nothing will be asked for by its request any more."""
        if self.generation_id is not None:
            return True
        return self.state is State.FAILED and self.failure is not Failure.SETTLED_FREE

    @property
    def lost(self) -> bool:
        """Whether its clip was made and could not be fetched any more: the provider may yet show it again."""
        orphan = self.state is State.ORPHANED and self.failure is not None and self.completed_at is not None
        return self.state is State.RESULT_LOST or (orphan and not self.delivered)

    @property
    def ended(self) -> bool:
        """Whether a late answer has come to its end: its clip is stored, or there is none."""
        return self.state is State.ORPHANED and (self.delivered or self.failure is not None)

    @property
    def declared_free(self) -> bool:
        """Whether it was in doubt until somebody declared that it was never charged: that can be taken back."""
        free = self.state is State.FAILED and self.failure is Failure.SETTLED_FREE and self.generation_id is None
        return free and self.usd_charged is not None  # a refusal that may be tried again has no charge that was settled


def at_risk(attempts: Iterable[Attempt]) -> Decimal:
    """Money at risk, in dollars: the one figure of status, run, report and budgets."""
    return sum_usd(attempt.usd_at_risk for attempt in attempts)


class Brief(NamedTuple):
    """The part of an attempt that says where its clip stands, for questions about ten thousand clips at once."""

    no: int
    provider: str
    state: State
    failure: Failure | None
    delivered: bool


class Lying(NamedTuple):
    """The same with where its clip lies, and how large it is."""

    id: str
    s3_uri: str | None
    size_bytes: int | None
    no: int
    provider: str
    state: State
    failure: Failure | None


@dataclass(frozen=True, slots=True)
class Copy:
    """A delivered clip that was copied inside S3 to where another batch wants it, or the same batch elsewhere."""

    batch: str
    clip_key: str
    s3_uri: str


class BatchRow(NamedTuple):
    """One row of a batch with all that was tried for its clip."""

    batch: str
    number: int
    id: str
    clip: Clip
    clip_key: str
    providers: tuple[str, ...]
    usd_quoted: Decimal | None
    labels: Mapping[str, str] = NO_LABELS
    attempts: tuple[Attempt, ...] = ()
    retired: bool = False
    copy_uri: str | None = None
    """Where this batch's own copy of the clip lies, if it has one."""
    forgotten: bool = False
    """Whether a person asked to forget the clip: only what it cost is known."""
    counted: bool = True
    """False for a part of a clip's attempts that does not hold the one that speaks for it: money, and no row."""
    verdict: Verdict | None = None
    """What was last said of the clip."""

    @property
    def attempt(self) -> Attempt | None:
        """The attempt that speaks for the clip."""
        return current(self.attempts)


@dataclass(frozen=True, slots=True)
class Event:
    """One move of one attempt, as the append-only history keeps it."""

    attempt_id: str
    at: datetime
    before: State | None
    after: State
    note: str
    owner: str = ""


@dataclass(frozen=True, slots=True)
class SeenStatus:
    """A status word of a provider that our table does not know, and how many looks met it."""

    provider: str
    status: str
    count: int
