"""What every provider can do, in the words of the ledger rather than of HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from dailies.domain.account import AccountStatus
from dailies.domain.outcomes import Answer, Fault
from dailies.providers.dialect import Reading
from dailies.providers.http import MaySend
from dailies.providers.live import Live
from dailies.providers.words import Phase

MOST_LETTERS_OF_A_STATUS = 60


class LookKind(StrEnum):
    """What a look at a generation found."""

    GENERATING = "generating"
    READY = "ready"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Look:
    """One look at a generation. Dollars and credits are None where the provider did not say. `strange` is a status word that
    our table does not know. `gone`: it says that it does not know the job, which a young one may also be told by."""

    kind: LookKind
    detail: str = ""
    url: str | None = None
    usd_charged: Decimal | None = None
    credits_used: int | None = None
    transient: bool = False
    strange: str = ""
    gone: bool = False


_KINDS = {Phase.DONE: LookKind.READY, Phase.ENDED: LookKind.FAILED}


def look_of(reading: Reading, clean: Callable[[str], str]) -> Look:
    """A reading as a look; `clean` makes a provider's words fit for a ledger."""
    return Look(
        _KINDS.get(reading.phase, LookKind.GENERATING), clean(reading.detail), reading.url, reading.usd, reading.credits_used,
        reading.transient, clean(reading.strange)[:MOST_LETTERS_OF_A_STATUS],
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Created:
    """What became of one create POST."""

    outcome: Answer | Fault


@dataclass(frozen=True, slots=True)
class Found:
    """A request that the provider's own log shows under our client reference. Neither succeeded nor failed: in a word that our
    table does not know."""

    generation_id: str
    succeeded: bool
    usd_charged: Decimal
    credits_used: int | None
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Logged:
    """One finished request in the provider's log."""

    reference: str
    created_at: datetime
    found: Found


class Provider(Protocol):
    """One provider. No method retries, and none raises for what the network or the provider does."""

    name: str
    creates_at_once: int | None
    """How many creates may be on their way together; None where the answer is the clip itself and takes minutes."""
    result_life: timedelta | None
    """How long it documents to keep a result; None where it does not say."""

    async def create(self, body: Mapping[str, Any], reference: str, may_send: MaySend) -> Created:
        """Send the paid POST once, with our attempt's id as its reference, if `may_send` still says so at the last moment."""
        ...

    async def look(self, generation_id: str) -> Look:
        """Ask how a generation is doing. Repeatable; trouble on the way reads as still generating."""
        ...

    async def find(
        self, reference: str, since: datetime, until: datetime, generation_id: str | None = None
    ) -> Found | None:
        """Look for our reference, or this generation, in the provider's log of finished requests. Raises LogUnavailable."""
        ...

    async def finished(self, since: datetime, until: datetime) -> list[Logged]:
        """All finished requests that carry a reference, newest first. Raises LogUnavailable."""
        ...

    async def live(self, names: Iterable[str], cache: Path) -> dict[str, Live]:
        """What the provider says of its models now; needs no key. Raises LiveUnavailable."""
        ...

    async def account_status(self) -> AccountStatus:
        """Whether the key is accepted and what is left on the account, as far as it can be asked for free."""
        ...

    async def close(self) -> None:
        """Close the connections."""
        ...


class LogUnavailable(Exception):
    """The provider has no log of requests, or it can't be read now: what is in doubt stays in doubt."""
