"""What travels with a clip in S3: enough to put it on record again when the ledger is lost, in less than 2 KB."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from urllib.parse import quote, unquote

from dailies.domain.records import Attempt, BatchRow

MOST_BYTES = 2000
"""S3 takes 2 KB of user metadata, counted over names and values as they are sent; others count the prefix too."""
LABEL_BYTES = 450
LEAST_LABEL_BYTES = 60
LABELS = ("row", "batch")
PREFIX = len("x-amz-meta-")


def clip_metadata(attempt: Attempt, row: BatchRow, sha256: str, md5: str | None) -> dict[str, str]:
    """A clip's own metadata, as it is sent. `md5` goes along where the store's ETag has to prove the bytes later."""
    return fitted({
        "clip-key": attempt.clip_key, "attempt": attempt.id, "provider": attempt.provider, "model": row.clip.model,
        "generation-id": attempt.generation_id or "", "sha256": sha256, "md5": md5 or "", "batch": row.batch,
        "row": row.id, "usd-quoted": str(attempt.usd_quoted), "created": attempt.created_at.isoformat(),
        "usd-charged": "" if attempt.usd_charged is None else str(attempt.usd_charged),
        "credits-used": "" if attempt.credits_used is None else str(attempt.credits_used),
    })  # fmt: skip


def fitted(fields: Mapping[str, str]) -> dict[str, str]:
    """The fields as header values, below the limit. Labels are cut and end in a digest; identity is never cut.

    A generation id that alone is too long is left out rather than the clip not stored.
    """
    sent = {name: encoded(cut(value) if name in LABELS else value) for name, value in fields.items() if value}
    for label in LABELS:
        if size_of(sent) > MOST_BYTES and label in sent:
            sent[label] = encoded(cut(fields[label], LEAST_LABEL_BYTES))
    if size_of(sent) > MOST_BYTES:
        sent.pop("generation-id", None)
    return sent


def cut(text: str, most: int = LABEL_BYTES) -> str:
    """A label short enough to travel: whole where it is, else its beginning and eight digits of its digest."""
    if len(encoded(text)) <= most:
        return text
    tail = f"~{hashlib.sha256(text.encode()).hexdigest()[:8]}"
    kept, room = 0, most - len(tail)
    for character in text:
        room -= len(encoded(character))
        if room < 0:
            break
        kept += 1
    return text[:kept] + tail


def encoded(value: str) -> str:
    """Metadata travels in headers: everything but printable ASCII is percent-encoded."""
    return quote(value, safe=" /:;,.+=@_-()[]{}!*'~")


def decoded(metadata: Mapping[str, str]) -> dict[str, str]:
    """Metadata as it was before it travelled."""
    return {name: unquote(value) for name, value in metadata.items()}


def size_of(metadata: Mapping[str, str]) -> int:
    """How much of the limit this takes, in bytes."""
    return sum(PREFIX + len(name.encode()) + len(value.encode()) for name, value in metadata.items())
