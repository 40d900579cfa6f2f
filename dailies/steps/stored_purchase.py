"""A clip found in a store, as the purchase that its own metadata tells of, or else the sidecar beside it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation

from dailies.domain.money import to_usd
from dailies.domain.text import whole_letters, without_controls
from dailies.ledger import Adopted
from dailies.report.facts import is_facts
from dailies.report.links import sidecar_key
from dailies.report.sidecars import LARGEST
from dailies.storage.metadata import decoded
from dailies.storage.s3 import S3, Stored, StoreRefused

IDENTITY = ("clip-key", "attempt", "sha256")
CREDITS = re.compile(r"[0-9]{1,15}")
"""Whoever wrote a file, it is a number that the ledger holds."""
IN_A_SIDECAR = {
    "clip-key": "clip_key", "attempt": "attempt", "provider": "provider", "generation-id": "generation_id",
    "sha256": "sha256", "batch": "batch", "row": "id", "model": "model", "created": "created_at",
    "usd-quoted": "usd_quoted", "usd-charged": "usd_charged", "credits-used": "credits_used",
}  # fmt: skip
"""What metadata calls it, and what a sidecar calls the same."""
REQUIRED = ("clip-key", "attempt", "provider", "generation-id", "sha256", "batch", "row", "model", "created")


def read_purchase(s3: S3, bucket: str, found: Stored) -> Adopted | None:
    """What an object's metadata says that it is; None when that is no clip of ours, or not whole. Where another tool has
    copied it without its metadata, the sidecar beside it says the same.

    Raises StoreRefused or StoreTrouble when it has to be read to know.
    """
    fields: Mapping[str, str] = decoded(found.metadata)
    if _lacking(fields) and found.size_bytes:
        fields = _filled(fields, _beside(s3, bucket, found))
    if _lacking(fields) or not found.size_bytes:
        return None
    purchase = _purchase(fields, found.size_bytes, f"s3://{bucket}/{found.key}")
    return purchase if purchase and _whole(s3, bucket, found, fields) else None


def _lacking(fields: Mapping[str, str]) -> bool:
    return any(not fields.get(name) for name in REQUIRED)


def _filled(fields: Mapping[str, str], beside: Mapping[str, str]) -> Mapping[str, str]:
    """The metadata with what only the sidecar says, unless the two tell of different files."""
    told = {name: value for name, value in fields.items() if value}
    same = all(told.get(name, beside.get(name)) == beside.get(name) for name in IDENTITY)
    return {**beside, **told} if same else fields


def _beside(s3: S3, bucket: str, found: Stored) -> dict[str, str]:
    """What the sidecar says under the names that metadata has; nothing where there is none, or it tells of another size."""
    try:
        facts = json.loads(s3.read(bucket, sidecar_key(found.key), LARGEST))
    except (KeyError, ValueError, RecursionError):
        return {}
    except StoreRefused as error:
        if error.denied:  # as a key that may not list is told that nothing is there
            return {}
        raise
    if not isinstance(facts, dict) or not is_facts(facts) or facts.get("size_bytes") != found.size_bytes:
        return {}
    told = {name: facts.get(key) for name, key in IN_A_SIDECAR.items()}
    return {
        name: without_controls(whole_letters(str(value)))
        for name, value in told.items()
        if isinstance(value, str | int | float)
    }


def _purchase(fields: Mapping[str, str], size_bytes: int, uri: str) -> Adopted | None:
    spent = fields.get("credits-used", "")
    try:
        created = datetime.fromisoformat(fields["created"])
        quoted = to_usd(Decimal(fields.get("usd-quoted") or "0"))
        charged = to_usd(Decimal(fields["usd-charged"])) if fields.get("usd-charged") else None
    except (ValueError, InvalidOperation):
        return None
    if created.tzinfo is None:
        return None
    return Adopted(
        attempt_id=fields["attempt"], clip_key=fields["clip-key"], batch=fields["batch"], row_id=fields["row"],
        model=fields["model"], provider=fields["provider"], generation_id=fields["generation-id"], usd_quoted=quoted,
        created_at=created, note=f"adopted from {uri}", usd_charged=charged, s3_uri=uri, sha256=fields["sha256"],
        size_bytes=size_bytes, credits_used=int(spent) if CREDITS.fullmatch(spent) else None,
    )  # fmt: skip


def _whole(s3: S3, bucket: str, found: Stored, fields: Mapping[str, str]) -> bool:
    """Whether its bytes are those that were put: by the store's checksum, else its ETag, else by reading it back."""
    if found.checksum is not None:
        return found.checksum == fields["sha256"]
    if fields.get("md5") and found.etag == fields["md5"]:
        return True
    return s3.digest(bucket, found.key) == fields["sha256"]
