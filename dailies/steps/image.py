"""The image as a provider takes it: its own address, a data URI, or an address in the user's bucket.

A file's data URI is written when its request is sent, by who sends it: here it is a `Picture`, without its bytes.
"""

from __future__ import annotations

import hashlib
import os
from functools import partial
from pathlib import Path

import anyio.to_thread

from dailies.catalog import Model
from dailies.domain.addresses import is_address
from dailies.domain.clips import IMAGE_LISTS, Row
from dailies.domain.pictures import Images, Picture
from dailies.media.images import HEAD_BYTES, BadImage, Unfinished, as_sent, data_uri, measure
from dailies.media.unchanged import read_unchanged, readable, size_unchanged
from dailies.planning.batch import Batch
from dailies.planning.further import is_image, named_in, place_of
from dailies.planning.images import read_object
from dailies.runtime import Runtime
from dailies.steps.store import abilities_at
from dailies.storage.abilities import StoreAbilities
from dailies.storage.s3 import StoreTrouble

TYPES = {"png": "image/png", "jpeg": "image/jpeg", "webp": "image/webp"}


async def image_url(runtime: Runtime, batch: Batch, row: Row, takes_data_uri: bool) -> str | Picture | None:
    """What goes into the request's image field; None where the clip is made of its prompt alone.

    Raises PictureChanged when the file is no longer the one that was measured.
    """
    image = row.clip.image
    if not image:
        return None
    if is_address(image.source) and row.clip.key not in batch.plan.files:
        return as_sent(image.source)
    file = batch.plan.files.get(row.clip.key)
    if takes_data_uri and file is not None:
        return await anyio.to_thread.run_sync(_picture, file.path, file.sha256, image.format)
    content = await anyio.to_thread.run_sync(_content, runtime, batch, row)
    return await _as_address(runtime, batch, content, image.format, takes_data_uri)


async def further_images(
    runtime: Runtime, batch: Batch, row: Row, model: Model, takes_data_uri: bool
) -> dict[str, Images]:
    """What goes into the request for options that are images, by option. Raises PictureChanged, or BadImage for one
    that is not at hand."""
    found: dict[str, Images] = {}
    for name in row.clip.options:
        if is_image(model, name):
            sources = named_in(name, str(row.clip.options[name]))
            images = [
                await _further_image(runtime, batch, row, source, place_of(name, at), takes_data_uri)
                for at, source in enumerate(sources)
            ]
            found[name] = tuple(images) if name in IMAGE_LISTS else images[0]
    return found


async def _further_image(
    runtime: Runtime, batch: Batch, row: Row, source: str, place: str, takes_data_uri: bool
) -> str | Picture:
    """One further image; `place` is under what its file is kept."""
    if is_address(source):
        return as_sent(source)
    if source.startswith("data:"):
        return source
    file = batch.plan.further_files.get((row.clip.key, place))
    if file is None and not source.startswith("s3://"):
        raise BadImage(f"{source} is not at hand: run its own CSV again")
    if takes_data_uri and file is not None:
        return await anyio.to_thread.run_sync(_picture, file.path, file.sha256)
    read = partial(read_unchanged, file.path, file.sha256) if file else partial(read_object, runtime.s3(), source)
    content = await anyio.to_thread.run_sync(read)
    return await _as_address(runtime, batch, content, measure(content, len(content)).format, takes_data_uri)


async def as_text(image: str | Picture) -> str:
    """An image as it stands in a request's bytes. Raises PictureChanged when the file is no longer the one that was measured."""
    if isinstance(image, str):
        return image
    content = await anyio.to_thread.run_sync(read_unchanged, Path(image.path), image.sha256)
    return data_uri(content, image.format)  # type: ignore[arg-type]


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


def _picture(path: Path, sha256: str, format: str | None = None) -> Picture:
    """A file as what is sent of it. Raises PictureChanged."""
    size_bytes = size_unchanged(path, sha256)
    return Picture(os.path.abspath(path), sha256, format or _format(path, size_bytes), size_bytes)


def _format(path: Path, size_bytes: int) -> str:
    with readable(path), path.open("rb") as file:
        head = file.read(HEAD_BYTES)
        try:
            return measure(head, size_bytes).format
        except Unfinished:
            return measure(head + file.read(), size_bytes).format


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
