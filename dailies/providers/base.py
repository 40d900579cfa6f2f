"""What every provider can do, in the words of the ledger rather than of HTTP.

A provider is a package with a `PROVIDER` (`dailies.domain.provider.Declaration`) and a client, a `Provider` of this module.
A client needs `request`, `create` and `look`; what else it can, it says by overriding. No method retries, and none raises
for what the network or the provider does.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

import httpx
from pydantic import SecretStr

from dailies.domain.account import AccountStatus, LogEntry, Posting
from dailies.domain.creates import PaidRequest, Reference
from dailies.domain.kept_request import KeptRequest
from dailies.domain.outcomes import Answer, Fault
from dailies.domain.records import Attempt
from dailies.errors import DailiesError, Trouble
from dailies.providers.dialect import Reading
from dailies.providers.http import MaySend
from dailies.providers.live import Live, LiveUnavailable
from dailies.providers.webhooks import Told, Unreadable, hook_address
from dailies.providers.words import Phase

MOST_LETTERS_OF_A_STATUS = 60
LOG_MARGIN = timedelta(hours=1)  # a provider's clock and ours may differ


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
    handle: str | None = None


@dataclass(frozen=True, slots=True)
class Logged:
    """One finished request in the provider's log."""

    reference: str
    created_at: datetime
    found: Found


@dataclass(frozen=True, slots=True)
class Opening:
    """All that a client is made of. `settings` are the provider's own, by their names in the environment; `queued` are its
    names of the models that the catalog calls asynchronous. `hooks_url` is where our own server of webhooks is reached."""

    base_url: str
    key: SecretStr | None
    create_timeout_s: float
    settings: Mapping[str, str] = field(default_factory=dict)
    queued: frozenset[str] = frozenset()
    hooks_url: str | None = None

    def hook(self, provider: str, reference: Reference) -> str | None:
        """Where the provider shall call at the end of this attempt's job; None where nobody listens."""
        if not self.hooks_url or not self.key:
            return None
        return hook_address(self.hooks_url, provider, self.key, reference.attempt_id)


@dataclass(frozen=True, slots=True)
class Doubt:
    """A create whose answer was lost, or never came to an end, between these moments. `generation_id` where it is known;
    `request` is as it is on record, its long texts as digests (`kept_request.reduced`); None where none is."""

    reference: Reference
    since: datetime
    until: datetime
    generation_id: str | None = None
    request: PaidRequest | None = None


def doubt_of(attempt: Attempt, now: datetime, kept: KeptRequest | None = None) -> Doubt:
    """What a provider is asked about an attempt, with a margin for clocks that differ."""
    reference = kept.reference if kept else Reference(attempt.id, "")
    request = PaidRequest(kept.address, kept.body, dict(kept.headers), kept.method) if kept else None
    return Doubt(reference, attempt.created_at - LOG_MARGIN, now + LOG_MARGIN, attempt.generation_id, request)


class Provider(ABC):
    """One provider's client.

    One with `takes_pictures` puts an image's value into its request without reading it, and sends by `ApiClient.send_once`:
    then it may be a `Picture`, whose text is written when the request is. Others get the data URI.
    """

    name: str
    takes_pictures: bool = False

    @abstractmethod
    def request(self, body: Mapping[str, Any], reference: Reference) -> PaidRequest:
        """The create for a body of the catalog's (`model` and the offer's fields). Pure: equal arguments, equal requests."""

    @abstractmethod
    async def create(self, request: PaidRequest, may_send: MaySend) -> Created:
        """Send the paid request once, if `may_send` still says so at the last moment.

        Sent again with its own key it is the same purchase where the provider declares `SettledBy.SAME_KEY`.
        """

    @abstractmethod
    async def look(self, generation_id: str) -> Look:
        """Ask how a generation is doing, by its id or by the handle that its create's answer gave. Repeatable; trouble on
        the way reads as still generating."""

    async def find(self, doubt: Doubt) -> Found | None:
        """Ask for a lost create in the way that is declared (own id, log, history). None: not found, which proves nothing unless
        the declaration says so. Two that fit are none. Raises LogUnavailable."""
        raise LogUnavailable(f"{self.name} has nothing that could be asked for a lost request")

    async def finished(self, since: datetime, until: datetime) -> list[Logged]:
        """All finished requests that carry a reference, newest first. Raises LogUnavailable."""
        raise LogUnavailable(f"{self.name} documents no log of requests")

    async def live(self, names: Iterable[str], cache: Path) -> dict[str, Live]:
        """What the provider says of its models now; needs no key. Raises LiveUnavailable."""
        raise LiveUnavailable("it publishes no list of models")

    async def estimate(self, body: Mapping[str, Any]) -> Decimal | None:
        """What this very request would cost on this account, where that can be asked for free."""
        return None

    async def account_status(self) -> AccountStatus:
        """Whether the key is accepted and what is left on the account, as far as it can be asked for free."""
        return AccountStatus()

    async def told(self, headers: Mapping[str, str], content: bytes, now: datetime) -> Told:
        """What a call to our webhook tells. Raises BadSignature, or Unreadable for what is no such call."""
        raise Unreadable(f"{self.name} calls nobody")

    def handle_of(self, generation_id: str, model: str) -> str | None:
        """By what a job of this model is asked for that only a webhook told of; None where its id is enough."""
        return None

    async def cancel(self, generation_id: str) -> bool | None:
        """Ask that a queued job is stopped: whether the provider agreed; None where it has no such thing. Its state is what
        the next look says."""
        return None

    def result_auth(self, url: str) -> httpx.Auth | None:
        """How a result's address is asked for where it needs the key. It never travels to another host or past a redirect."""
        return None

    @abstractmethod
    async def close(self) -> None:
        """Close the connections."""


class Account(Protocol):
    """A provider's own ledger, read whole for a span of time. Spends nothing."""

    async def postings(self, since: datetime, until: datetime) -> list[Posting]:
        """Every charge, refund and adjustment in the span. Raises AccountUnavailable."""
        ...

    async def requests(self, since: datetime, until: datetime) -> list[LogEntry]:
        """Every finished request in the span. Raises AccountUnavailable."""
        ...

    async def close(self) -> None:
        """Close the connections."""
        ...


class AccountUnavailable(DailiesError):
    """The provider's account can't be read now, or not with this key. Nothing was changed."""

    trouble: Trouble = "network"


class LogUnavailable(Exception):
    """The provider has no log of requests, or it can't be read now: what is in doubt stays in doubt."""
