"""A clip found in a store, as the purchase that its own metadata tells of."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation

from dailies.domain.money import to_usd
from dailies.ledger import Adopted
from dailies.storage.metadata import decoded
from dailies.storage.s3 import S3, Stored

REQUIRED = ("clip-key", "attempt", "provider", "generation-id", "sha256", "batch", "row", "model", "created")


def read_purchase(s3: S3, bucket: str, found: Stored) -> Adopted | None:
    """What an object's metadata says that it is; None when that is no clip of ours, or not whole.

    Raises StoreRefused or StoreTrouble when it has to be read to know.
    """
    fields = decoded(found.metadata)
    if any(not fields.get(name) for name in REQUIRED) or not found.size_bytes:
        return None
    purchase = _purchase(fields, found.size_bytes, f"s3://{bucket}/{found.key}")
    return purchase if purchase and _whole(s3, bucket, found, fields) else None


def _purchase(fields: Mapping[str, str], size_bytes: int, uri: str) -> Adopted | None:
    spent = fields.get("credits-used", "")
    try:
        created = datetime.fromisoformat(fields["created"])
        quoted = to_usd(Decimal(fields.get("usd-quoted") or "0"))
        charged = to_usd(Decimal(fields["usd-charged"])) if fields.get("usd-charged") else None
    except (ValueError, InvalidOperation):
        return None
    return Adopted(
        attempt_id=fields["attempt"], clip_key=fields["clip-key"], batch=fields["batch"], row_id=fields["row"],
        model=fields["model"], provider=fields["provider"], generation_id=fields["generation-id"], usd_quoted=quoted,
        created_at=created, note=f"adopted from {uri}", usd_charged=charged, s3_uri=uri, sha256=fields["sha256"],
        size_bytes=size_bytes, credits_used=int(spent) if spent.isdigit() else None,
    )  # fmt: skip


def _whole(s3: S3, bucket: str, found: Stored, fields: Mapping[str, str]) -> bool:
    """Whether its bytes are those that were put: by the store's checksum, else its ETag, else by reading it back."""
    if found.checksum is not None:
        return found.checksum == fields["sha256"]
    if fields.get("md5") and found.etag == fields["md5"]:
        return True
    return s3.digest(bucket, found.key) == fields["sha256"]
