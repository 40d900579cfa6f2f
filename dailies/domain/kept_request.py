"""The exact request of an attempt as it is kept until it is settled: small, and the same bytes again on any machine."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from dailies.domain.creates import PaidRequest, Reference
from dailies.domain.pictures import Picture, Texts

CLOCKS_DIFFER = timedelta(seconds=30)
"""A request may seem to have been sent so much later than now: by another machine's reading of the ledger's clock."""
LONGEST_TEXT = 4096
"""A longer text in a body (an image as a data URI) is kept as its digest."""
DIGEST, LENGTH = "$sha256", "$length"


@dataclass(frozen=True, slots=True)
class KeptRequest:
    """A request on record. `body` is the recipe: its long texts are digests. `sha256` is that of the bytes that were sent."""

    attempt_id: str
    key: str
    method: str
    address: str
    headers: Mapping[str, str]
    body: Any
    sha256: str
    first_sent_at: datetime

    @property
    def reference(self) -> Reference:
        """By what the create can be known again."""
        return Reference(self.attempt_id, self.key)

    @property
    def needs_texts(self) -> bool:
        """Whether the bytes can only be made again from texts that are not on record."""
        return any(isinstance(value, dict) and DIGEST in value for value in _values(self.body))

    def is_young(self, now: datetime, life: timedelta) -> bool:
        """Whether its key is surely known still. What was sent in the future tells of a clock that was set back: its age is
        not known then."""
        return -CLOCKS_DIFFER <= now - self.first_sent_at < life

    def again(self, texts: Iterable[str] = ()) -> PaidRequest | None:
        """The request as it was sent; `texts` are those that may stand for a digest. None where the bytes are not the same."""
        known = {_digest(text): text for text in texts}
        request = PaidRequest(self.address, _restored(self.body, known), dict(self.headers), self.method)
        return request if content_digest(request) == self.sha256 else None


def keep(request: PaidRequest, reference: Reference, at: datetime) -> KeptRequest:
    """A request as it goes on record, before it is sent."""
    body, digest = reduced(request.body, request.texts), content_digest(request)
    return KeptRequest(
        reference.attempt_id, reference.key, request.method, request.address, dict(request.headers), body, digest, at
    )


def reduced(value: Any, texts: Texts | None = None) -> Any:
    """A body with its long texts as their digests. Of a reduced body it is the same again, so two can be compared."""
    if isinstance(value, Picture):
        assert texts
        long = value.length > LONGEST_TEXT
        return {DIGEST: texts.sha256(value), LENGTH: value.length} if long else texts.text(value).decode()
    if isinstance(value, str):
        return {DIGEST: _digest(value), LENGTH: len(value)} if len(value) > LONGEST_TEXT else value
    if isinstance(value, Mapping):
        return {key: reduced(inner, texts) for key, inner in value.items()}
    return [reduced(inner, texts) for inner in value] if isinstance(value, list) else value


def content_digest(request: PaidRequest) -> str:
    """The sha256 of a request's bytes."""
    digest = hashlib.sha256()
    for part in request.parts():
        digest.update(part)
    return digest.hexdigest()


def _restored(value: Any, known: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        if value.keys() == {DIGEST, LENGTH}:
            return known.get(value[DIGEST], value)
        return {key: _restored(inner, known) for key, inner in value.items()}
    return [_restored(inner, known) for inner in value] if isinstance(value, list) else value


def _values(value: Any) -> Iterable[Any]:
    yield value
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for each in inner:
        yield from _values(each)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
