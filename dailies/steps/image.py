"""The image as a provider takes it: its own address, a data URI, or an address in the user's bucket."""

from __future__ import annotations

import hashlib
from functools import partial
from pathlib import Path

import anyio.to_thread

from dailies.domain.addresses import is_address
from dailies.domain.clips import Row, without_digest
from dailies.media.images import BadImage, as_sent, data_uri, measure
from dailies.planning.batch import Batch
from dailies.planning.images import read_object
from dailies.runtime import Runtime
from dailies.steps.store import abilities_at
from dailies.storage.abilities import StoreAbilities
from dailies.storage.s3 import StoreTrouble

TYPES = {"png": "image/png", "jpeg": "image/jpeg", "webp": "image/webp"}


async def image_url(runtime: Runtime, batch: Batch, row: Row, takes_data_uri: bool) -> str | None:
    """What goes into the request's image field; None where the clip is made of its prompt alone.

    Raises BadImage when the file is no longer the one that was measured.
    """
    image = row.clip.image
    if not image:
        return None
    if is_address(image.source) and row.clip.key not in batch.plan.files:
        return as_sent(image.source)
    content = await anyio.to_thread.run_sync(_content, runtime, batch, row)
    return await _as_address(runtime, batch, content, image.format, takes_data_uri)


async def further_image_url(runtime: Runtime, batch: Batch, row: Row, option: str, takes_data_uri: bool) -> str:
    """What goes into the request for an image that is an option's value. Raises BadImage as above."""
    source = without_digest(str(row.clip.options[option]))
    if is_address(source):
        return as_sent(source)
    if source.startswith("data:"):
        return source
    file = batch.plan.further_files.get((row.clip.key, option))
    if file is None and not source.startswith("s3://"):
        raise BadImage(f"{source} is not at hand: run its own CSV again")
    read = partial(read_unchanged, file.path, file.sha256) if file else partial(read_object, runtime.s3(), source)
    content = await anyio.to_thread.run_sync(read)
    return await _as_address(runtime, batch, content, measure(content, len(content)).format, takes_data_uri)


async def _as_address(runtime: Runtime, batch: Batch, content: bytes, format: str, takes_data_uri: bool) -> str:
    if takes_data_uri:
        return data_uri(content, format)  # type: ignore[arg-type]
    ways = await abilities_at(runtime, *batch.place)
    return await anyio.to_thread.run_sync(_presigned, runtime, batch, content, format, ways)


def _content(runtime: Runtime, batch: Batch, row: Row) -> bytes:
    file = batch.plan.files.get(row.clip.key)
    if file is None:
        return read_object(runtime.s3(), row.clip.image.source)
    return read_unchanged(file.path, file.sha256)


def read_unchanged(path: Path, sha256: str) -> bytes:
    """A local image's bytes. Raises BadImage when they are not the ones that the clip's identity was made of."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BadImage(f"{path.name} can't be read any more: {error.strerror}") from error
    if hashlib.sha256(content).hexdigest() != sha256:
        raise BadImage(f"{path.name} has changed since it was checked; run again to plan with the new one")
    return content


def _presigned(runtime: Runtime, batch: Batch, content: bytes, format: str, ways: StoreAbilities) -> str:
    """Put the image into the user's bucket, under its digest, and sign an address for a day."""
    digest = hashlib.sha256(content).hexdigest()
    key = "/".join(part for part in (batch.prefix, "inputs", f"{digest}.{format}") if part)
    try:
        if runtime.s3().head(batch.bucket, key, blind=not ways.may_list) is None:
            runtime.s3().put_bytes(batch.bucket, key, content, TYPES[format], ways)
    except StoreTrouble as error:
        raise BadImage(f"the image can't be put where the provider can fetch it: {error}") from error
    return runtime.s3().presign(batch.bucket, key)
