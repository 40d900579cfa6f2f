"""Films, posters and input images, fetched by the server's own credentials: the page asks nobody but this server."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from starlette.responses import PlainTextResponse, Response, StreamingResponse

from dailies.domain.clips import Image
from dailies.report.gather import MOST_BYTES
from dailies.report.links import poster_key
from dailies.storage.refusals import StoreRefused, StoreTrouble
from dailies.storage.s3 import S3, Opened, parse_s3_uri

FILMS: Final = frozenset({"video/mp4", "video/quicktime", "video/webm"})
IMAGE_TYPES: Final = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp"}
MOST_IMAGE_BYTES: Final = 64 * 2**20
ONE_RANGE: Final = re.compile(r"bytes=(\d{1,15}-\d{0,15}|-\d{1,15})")
"""Several ranges at once, or what is none, are answered with the whole: stores differ in what they make of them."""
KEPT: Final = "private, max-age=3600"
"""A clip's bytes never change under its key; a browser may keep them for the length of a session."""


def film(s3: S3, uri: str, byte_range: str | None, head: bool = False) -> Response:
    """A clip, or the part of it that a `Range` header asks for. Anything but a film is served as bytes, never as a page."""
    bucket, key = parse_s3_uri(uri)
    try:
        if head:
            return _headers_of(s3, bucket, key)
        found = s3.open(bucket, key, byte_range if byte_range and ONE_RANGE.fullmatch(byte_range) else None)
    except KeyError:
        return _missing("this clip is no longer in the store")
    except StoreRefused as error:
        return PlainTextResponse(str(error), 416 if error.status == 416 else 502)
    except StoreTrouble as error:
        return PlainTextResponse(str(error), 503)
    kind = found.content_type if found.content_type in FILMS else "application/octet-stream"
    headers = {
        "accept-ranges": "bytes", "etag": found.etag, "cache-control": KEPT,
        **({"content-length": str(found.size_bytes)} if found.size_bytes is not None else {}),
        **({"content-range": found.content_range} if found.content_range else {}),
    }  # fmt: skip
    status = 206 if found.content_range else 200
    return StreamingResponse(_chunks(found), status, headers, kind)


def _headers_of(s3: S3, bucket: str, key: str) -> Response:
    found = s3.head(bucket, key)
    if found is None:
        return _missing("this clip is no longer in the store")
    headers = {"accept-ranges": "bytes", "content-length": str(found.size_bytes), "etag": f'"{found.etag}"'}
    return Response(None, 200, headers, "video/mp4")


def still(s3: S3, uri: str) -> Response:
    """The poster that lies beside a clip."""
    bucket, key = parse_s3_uri(uri)
    try:
        content = s3.read(bucket, poster_key(key), MOST_BYTES)
    except (KeyError, StoreRefused, StoreTrouble):
        return _missing("there is no poster")
    return Response(content, 200, {"cache-control": KEPT}, "image/webp")


def input_image(s3: S3, image: Image, csv: str | None) -> Response:
    """The picture that a clip was made from: from the store, or from this disk as long as it is still the same file."""
    content = _of_store(s3, image) if image.source.startswith("s3://") else _of_disk(image, csv)
    if content is None:
        return _missing("the picture is not where it was, or has changed since")
    return picture(content, image)


def picture(content: bytes, image: Image) -> Response:
    """The bytes of an input image, under the one type that it was measured to be."""
    kind = IMAGE_TYPES.get(image.format.upper(), "application/octet-stream")
    return Response(content, 200, {"cache-control": KEPT}, kind)


def _of_store(s3: S3, image: Image) -> bytes | None:
    bucket, key = parse_s3_uri(image.source)
    try:
        return s3.read(bucket, key, MOST_IMAGE_BYTES)
    except (KeyError, StoreRefused, StoreTrouble):
        return None


def _of_disk(image: Image, csv: str | None) -> bytes | None:
    """Only a file with the digest on record is served: the page is no way to read other files of this machine."""
    below = Path(csv).parent if csv and "://" not in csv else Path()
    try:
        path = below / image.source
        content = path.read_bytes() if path.stat().st_size <= MOST_IMAGE_BYTES else b""
    except OSError:
        return None
    return content if image.sha256 and hashlib.sha256(content).hexdigest() == image.sha256 else None


def _chunks(found: Opened) -> Iterator[bytes]:
    yield from found.chunks


def _missing(words: str) -> Response:
    return PlainTextResponse(words, 404)
