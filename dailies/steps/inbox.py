"""An inbox in S3: which CSVs lie in it, and what each is called as a batch."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import anyio.to_thread

from dailies.domain.clips import slug
from dailies.errors import Misconfigured
from dailies.runtime import Runtime
from dailies.settings import Settings
from dailies.storage.s3 import StoreTrouble, parse_s3_uri

INBOX = "_inbox"
"""The inbox's folder below DAILIES_TO where nothing else is said; no batch's folder begins with an underscore."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """One CSV in the inbox. `version` changes when its content does."""

    uri: str
    batch: str
    version: str

    @property
    def key(self) -> str:
        """The idempotency key of its run: the same file is made once, however often it is seen."""
        return f"dailies · inbox · {hashlib.sha256(f'{self.uri} {self.version}'.encode()).hexdigest()[:32]}"


def inbox_folder(chosen: str | None, settings: Settings) -> str:
    """The inbox's address: as given, else `_inbox` below DAILIES_TO. Raises Misconfigured when neither is known."""
    if chosen and chosen.strip():
        return chosen.strip().rstrip("/")
    if settings.dailies_to:
        return f"{settings.dailies_to.rstrip('/')}/{INBOX}"
    raise Misconfigured(
        "nothing says where the inbox is: give its folder, or set DAILIES_TO. Nothing was bought.",
        trouble="no-destination",
    )


async def look_into(runtime: Runtime, folder: str) -> list[Delivered]:
    """Every CSV below a folder in S3, in the order of the names. Raises Misconfigured when it can't be listed."""
    bucket, prefix = parse_s3_uri(folder)
    try:
        found = await anyio.to_thread.run_sync(
            lambda: list(runtime.s3().versions(bucket, f"{prefix}/" if prefix else ""))
        )
    except StoreTrouble as error:
        raise Misconfigured(f"{folder} can't be listed: {error}. Nothing was bought.", trouble="store") from error
    csvs = sorted((key, version) for key, version in found if key.lower().endswith(".csv"))
    return [Delivered(f"s3://{bucket}/{key}", batch_of(key, prefix), version) for key, version in csvs]


def batch_of(key: str, prefix: str) -> str:
    """A batch's name from its path in the inbox: `monday/prompts.csv` is `monday-prompts`, whatever its other parts hold."""
    return slug(key.removeprefix(prefix)[: -len(".csv")], "batch", limit=180)
