"""A ledger that is gone or old: what the store, the spool or the provider's log knows better is taken in, not bought again."""

from __future__ import annotations

import logging
import re
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation

import anyio.to_thread

from dailies.domain.clips import Row, object_key, slug
from dailies.domain.money import to_usd
from dailies.domain.records import Attempt
from dailies.errors import Misconfigured, NotCharged
from dailies.ledger import Adopted
from dailies.providers.base import LogUnavailable
from dailies.steps.known import taken_clips
from dailies.steps.record import drain_spool
from dailies.storage.metadata import decoded
from dailies.storage.s3 import Stored, StoreTrouble, parse_s3_uri
from dailies.studio import Job, Studio

logger = logging.getLogger("dailies.adopt")
CLIP_NAME = re.compile(r"-([0-9a-f]{12})(-[0-9a-f]{8})?\.mp4$")
LOOK_BACK = timedelta(days=7)  # a clip that nobody fetched for longer is gone at every provider


async def adopt_stored(studio: Studio, row: Row) -> Attempt | None:
    """Before a clip is bought: is it in S3 under the key it would take? Then it is ours already.

    Raises NotCharged when the store can't be asked: what can't be looked up is not bought.
    """
    job = studio.the_job
    key = object_key(job.prefix, job.plan.batch, row.id, row.clip.key)
    try:
        found = await anyio.to_thread.run_sync(studio.s3().head, job.bucket, key)
    except StoreTrouble as error:
        raise NotCharged(
            f"{row.id}: S3 can't be asked whether the clip is there already ({error}); nothing was bought"
        ) from error
    adopted = read_metadata(found, f"s3://{job.bucket}/{key}") if found else None
    if adopted is None or adopted.clip_key != row.clip.key:
        return None
    taken = await anyio.to_thread.run_sync(studio.ledger.adopt, adopted)
    if taken:
        logger.warning("%s: found in S3 and adopted, not bought again: %s", row.id, taken.s3_uri)
    return taken


def read_metadata(stored: Stored, uri: str) -> Adopted | None:
    """The purchase that a clip's own metadata tells of; None when the object is not a whole clip of ours."""
    fields = decoded(stored.metadata)
    required = ("clip-key", "attempt", "provider", "generation-id", "sha256", "batch", "row", "model")
    if any(not fields.get(name) for name in required) or not stored.size_bytes:
        return None
    if stored.checksum not in (None, fields["sha256"]):
        return None
    try:
        created = datetime.fromisoformat(fields["created"])
        quoted = to_usd(Decimal(fields.get("usd-quoted") or "0"))
        charged = to_usd(Decimal(fields["usd-charged"])) if fields.get("usd-charged") else None
    except (KeyError, ValueError, InvalidOperation):
        return None
    return Adopted(
        attempt_id=fields["attempt"], clip_key=fields["clip-key"], batch=fields["batch"], row_id=fields["row"],
        model=fields["model"], provider=fields["provider"], generation_id=fields["generation-id"], usd_quoted=quoted,
        created_at=created, note=f"adopted from {uri}", usd_charged=charged, s3_uri=uri, sha256=fields["sha256"],
        size_bytes=stored.size_bytes, credits_used=int(spent) if (spent := fields.get("credits-used", "")).isdigit() else None,
    )  # fmt: skip


async def refuse_an_old_ledger(studio: Studio, job: Job) -> None:
    """Stop when the spool or the store knows purchases that the ledger has forgotten. Raises Misconfigured."""
    answers = [answer for _, answer in studio.spool]
    lost = [a for a in answers if not await anyio.to_thread.run_sync(studio.ledger.knows, a.attempt_id)]
    strangers = await anyio.to_thread.run_sync(unknown_clips, studio, job)
    if lost or strangers:
        what = [f"{len(lost)} answers in the spool"] if lost else []
        what += [f"{len(strangers)} clips in S3 (such as {strangers[0]})"] if strangers else []
        raise Misconfigured(
            f"the ledger knows less than {' and '.join(what)}: it was deleted or restored from an older copy, so buying now "
            "could pay twice. Nothing was bought. Take it in first: dailies doctor --adopt"
        )


async def adopt_listed(studio: Studio, job: Job) -> None:
    """Adopt what the batch's folder holds already of the clips that would be bought: one listing, and a HEAD for each find."""
    there = set(await anyio.to_thread.run_sync(_names, studio, job))
    taken = await taken_clips(studio, job.plan)
    for key, row in job.rows.items():
        if key not in taken and object_key(job.prefix, job.plan.batch, row.id, key) in there:
            await adopt_stored(studio, row)


def _names(studio: Studio, job: Job) -> list[str]:
    folder = "/".join(part for part in (job.prefix, slug(job.plan.batch, "batch")) if part) + "/"
    try:
        return list(studio.s3().names(job.bucket, folder))
    except StoreTrouble as error:
        raise Misconfigured(f"the bucket can't be listed: {error}. Nothing was bought.") from error


def unknown_clips(studio: Studio, job: Job) -> list[str]:
    """URIs of clips in the batch's folder that neither the ledger nor the plan knows."""
    known = {key[:12] for key in studio.ledger.known_clips(job.plan.batch) | set(job.rows)}
    found = ((name, CLIP_NAME.search(name)) for name in _names(studio, job))
    return [f"s3://{job.bucket}/{name}" for name, match in found if match and match[1] not in known]


async def adopt_from_log(studio: Studio, job: Job) -> int:
    """On a ledger that never bought anything: clips of this plan that the provider's log shows as bought by us.

    Our reference ends in the clip's identity. Finished requests only; what is still generating is not in the log.
    """
    if not await anyio.to_thread.run_sync(studio.ledger.is_empty):
        return 0
    by_prefix = {key[:24]: row for key, row in job.rows.items()}
    taken = 0
    now = studio.ledger.now()
    for name in job.plan.providers:
        try:
            log = await studio.provider(name).finished(now - LOOK_BACK, now + timedelta(hours=1))
        except LogUnavailable:
            continue
        for entry in log:
            row = by_prefix.get(entry.reference.rpartition(".")[2]) if entry.found.succeeded else None
            if row is None or await adopt_stored(studio, row):
                continue
            adopted = Adopted(
                attempt_id=entry.reference, clip_key=row.clip.key, batch=job.plan.batch, row_id=row.id, model=row.clip.model,
                provider=name, generation_id=entry.found.generation_id, usd_quoted=entry.found.usd_charged,
                created_at=entry.created_at, note="adopted from the provider's log", usd_charged=entry.found.usd_charged,
            )  # fmt: skip
            if await anyio.to_thread.run_sync(studio.ledger.adopt, adopted):
                logger.warning("%s: the provider's log shows that it was bought already; adopted", row.id)
                taken += 1
    return taken


async def adopt_everything(studio: Studio) -> list[str]:
    """`dailies doctor --adopt`: take in every purchase that spool and store know and the ledger does not."""
    said: list[str] = []
    await drain_spool(
        studio.ledger, studio.spool, lambda spooled: said.append(f"adopted {spooled.words}, from the spool")
    )
    to = studio.settings.dailies_to
    for uri in {to, *(studio.ledger.batch_destination(name) for name in studio.ledger.batches())} - {None, ""}:
        bucket, prefix = parse_s3_uri(str(uri))
        for name in studio.s3().names(bucket, prefix):
            found = studio.s3().head(bucket, name) if CLIP_NAME.search(name) else None
            adopted = read_metadata(found, f"s3://{bucket}/{name}") if found else None
            if adopted and not studio.ledger.knows(adopted.attempt_id) and studio.ledger.adopt(adopted):
                said.append(f"adopted {adopted.s3_uri}")
    return said
