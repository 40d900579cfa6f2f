"""What became of one paid create, as plain values: what T2 records, what the spool holds, what a sender hands on."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal
from uuid import uuid4

from dailies.domain.clips import Row
from dailies.domain.pictures import Picture, Texts
from dailies.domain.records import Attempt
from dailies.domain.states import Failure


@dataclass(frozen=True, slots=True)
class Reference:
    """By what a create can be known again: our attempt's id, and a UUID v4 made before it is claimed. Both are on record
    before the request is sent, and are the same when it is repeated."""

    attempt_id: str
    key: str


@dataclass(frozen=True, slots=True)
class PaidRequest:
    """The exact request of one create: an absolute address, and all headers that are its own, without the key. Two requests
    with equal fields are the same bytes on the wire.

    Where the body has pictures, `texts` has what is written for them.
    """

    address: str
    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)
    method: str = "POST"
    texts: Texts | None = field(default=None, compare=False, repr=False)

    @property
    def content(self) -> bytes:
        """The body as it is sent."""
        return b"".join(self.parts())

    def parts(self) -> Iterator[bytes]:
        """The same, one after another: what stands between the pictures, and each picture's text, of which no copy is made."""
        pictures: list[Picture] = []
        place = f"picture {uuid4()}"  # which stands nowhere else

        def mark(value: Any) -> str:
            if not isinstance(value, Picture):
                raise TypeError(f"{type(value).__name__} has no place in a request")
            pictures.append(value)
            return place

        between = json.dumps(self.body, default=mark, ensure_ascii=False, separators=(",", ":")).split(place)
        yield between[0].encode()
        for picture, part in zip(pictures, between[1:], strict=True):
            if self.texts is None:
                raise ValueError("a request whose pictures are not at hand")
            yield self.texts.text(picture)
            yield part.encode()


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider took the request. All that its answer told stands here, and is recorded in one transaction.

    `result_url` is the clip's address where the answer is the clip itself; dollars and credits are None where it said none.
    """

    generation_id: str
    result_url: str | None = field(default=None, repr=False)
    usd_charged: Decimal | None = None
    credits_used: int | None = None
    handle: str | None = None
    kind: Literal["accepted"] = "accepted"


@dataclass(frozen=True, slots=True)
class Free:
    """The create certainly cost nothing: refused, or never sent."""

    failure: Failure
    words: str
    kind: Literal["free"] = "free"


@dataclass(frozen=True, slots=True)
class Doubtful:
    """The create may have been charged. `raw` is the answer that could not be read, where one came: it is kept in a file.
    `wait_s` is how long the answer asks to wait before the next create."""

    words: str
    raw: bytes = field(default=b"", repr=False)
    wait_s: float = 0.0
    kind: Literal["doubtful"] = "doubtful"


CreateOutcome = Accepted | Free | Doubtful


@dataclass(frozen=True, slots=True)
class KnownAttempt:
    """All that the process which claimed an attempt knows of it: enough to write it anew in a ledger that has forgotten it.

    `row` is the CSV's row, `source` its file and `destination` the batch's place in S3 (`s3://bucket/prefix`). An answer
    that an earlier version left in the spool has no row.
    """

    attempt: Attempt
    row: Row | None = None
    source: str = ""
    destination: str = ""
