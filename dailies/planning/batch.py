"""A batch that is to be made: a value that is planned, approved, and handed on from step to step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from dailies.domain.clips import Row
from dailies.ledger import Caps
from dailies.planning.plan import Plan
from dailies.planning.request import BatchRequest


@dataclass(frozen=True)
class Batch:
    """What was asked for, its plan, where its clips go, and what it may spend.

    `bucket` and `prefix` are the place in S3. `delivered_before` holds the clip_keys that were in S3 before the run.
    """

    request: BatchRequest
    plan: Plan
    bucket: str
    prefix: str
    caps: Caps
    delivered_before: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        """The batch's name, by which it stands in the ledger."""
        return self.plan.batch

    @property
    def place(self) -> tuple[str, str]:
        """Bucket and prefix of its clips."""
        return self.bucket, self.prefix

    @property
    def destination(self) -> str:
        """Where its clips go, as `s3://bucket/prefix`."""
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")

    @cached_property
    def rows(self) -> Mapping[str, Row]:
        """The plan's rows by clip_key."""
        return {row.clip.key: row for row in self.plan.rows}
