"""What a flow and its sender say to each other: messages over a socketpair that nobody else holds.

    flow ─► Hello                                        ─► Ready | Unable
    flow ─► Buy          ─► Claimed ─► Sold | Ended | Parked   (NotClaimed or NotTaken: nothing was sent)
    flow ─► SendAgain    ─► Sold | Ended | Parked
    flow ─► GiveUp       ─► Ended

A parked create was surely not charged; it stays claimed until the flow says whether it is sent again. The socket's end
means that the other process has ended.
"""

from __future__ import annotations

import asyncio
import pickle
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from dailies.domain.brake import GivenUp, Hold
from dailies.domain.caps import Caps
from dailies.domain.clips import Row
from dailies.domain.creates import PaidRequest
from dailies.domain.outcomes import Verdict
from dailies.domain.records import Attempt
from dailies.ledger.file import LedgerFile
from dailies.ledger.types import Unclaimed
from dailies.settings import Settings

Refusal = Unclaimed | Hold | GivenUp | str
"""Why a claim was not granted; as text, why it could not even be written."""
LENGTH = struct.Struct(">Q")


@dataclass(frozen=True, slots=True)
class Hello:
    """The first message: the settings with the keys, and who goes on with what is bought (an owner, as text).

    `began_at` is when the flow opened the ledger, by the ledger's time. `ledger_file` is a SQLite ledger's file
    as the flow has opened it: a sender that finds another one in its place buys nothing.
    """

    settings: Settings
    heir: str
    began_at: datetime
    ledger_file: LedgerFile | None


@dataclass(frozen=True, slots=True)
class Ready:
    """The sender has opened the ledger and takes orders. `owner` stands in the ledger while a request is under way."""

    pid: int
    owner: str


@dataclass(frozen=True, slots=True)
class Unable:
    """The sender can't work, and why. It has sent nothing."""

    detail: str


@dataclass(frozen=True, slots=True)
class Purchase:
    """Everything that the claim and the request of one create need."""

    row: Row
    batch: str
    source: str
    destination: str
    provider: str
    body: Mapping[str, Any]
    digest: str
    usd_quoted: Decimal
    caps: Caps
    at_once: int | None = None


@dataclass(frozen=True, slots=True)
class Repetition:
    """A create in doubt that is sent once more with its own key. `request` is what was sent, made again to the byte."""

    attempt_id: str
    row: Row
    source: str
    destination: str
    provider: str
    request: PaidRequest
    at_once: int | None = None


@dataclass(frozen=True, slots=True)
class Buy:
    """Claim this clip, or this attempt in doubt anew, and send its request once."""

    create: int
    purchase: Purchase | Repetition


@dataclass(frozen=True, slots=True)
class SendAgain:
    """Send a parked create once more."""

    create: int


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Set a parked create free."""

    create: int


@dataclass(frozen=True, slots=True)
class NotTaken:
    """The sender takes no more orders: another one may."""

    create: int


@dataclass(frozen=True, slots=True)
class NotClaimed:
    """The claim was not granted: nothing was sent."""

    create: int
    refusal: Refusal


@dataclass(frozen=True, slots=True)
class Claimed:
    """The attempt is on record, and its request goes out now."""

    create: int
    attempt_id: str


@dataclass(frozen=True, slots=True)
class Parked:
    """The provider surely charged nothing, and the same request may be sent again."""

    create: int
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Sold:
    """Accepted and recorded."""

    create: int
    attempt: Attempt


@dataclass(frozen=True, slots=True)
class Ended:
    """Not accepted: freed, or in doubt, as the verdict says. Recorded as far as ledger and spool allow."""

    create: int
    attempt_id: str
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Broken:
    """The sender broke off where nothing should; what the ledger says of the create holds."""

    create: int
    detail: str


@dataclass(frozen=True, slots=True)
class Said:
    """A line of the sender's log that belongs to a create: the flow logs it as its own."""

    create: int
    logger: str
    level: int
    text: str


Result = Sold | Ended | Parked | NotClaimed | NotTaken | Broken
Reply = Result | Claimed | Said
Message = Hello | Ready | Unable | Buy | SendAgain | GiveUp | Reply


def framed(message: Message) -> bytes:
    """A message as it travels. Both ends are this program, and neither speaks to anybody else: so pickle is enough."""
    content = pickle.dumps(message, protocol=5)
    return LENGTH.pack(len(content)) + content


async def read_message(reader: asyncio.StreamReader) -> Message | None:
    """The next message; None when the other end is gone."""
    try:
        (length,) = LENGTH.unpack(await reader.readexactly(LENGTH.size))
        content = await reader.readexactly(length)
    except (asyncio.IncompleteReadError, OSError):
        return None
    message: Message = pickle.loads(content)  # noqa: S301 - from our own other half, over a socket it inherited
    return message
