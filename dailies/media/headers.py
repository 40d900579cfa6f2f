"""What an image's header says, read without decoding a pixel.

The bytes come from strangers and are often only the beginning of a file. Pillow reads PNG and JPEG headers lazily;
its WebP reader wants the whole file, so a WebP header (RFC 9649) is read here.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import Literal

from PIL import Image
from PIL.ExifTags import Base
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile

ImageFormat = Literal["png", "jpeg", "webp"]

# VP8X flags, RFC 9649 section 2.7.
WEBP_ALPHA, WEBP_EXIF, WEBP_ANIMATED = 0x10, 0x08, 0x02


@dataclass(frozen=True, slots=True)
class Header:
    """Size in pixels as stored, before `orientation` (EXIF, 1 = upright) turns it; `cut` says bytes are missing."""

    format: ImageFormat
    width: int
    height: int
    orientation: int
    animated: bool
    mode: str
    cut: bool


def read_png(head: bytes, size_bytes: int) -> Header:
    """Read a PNG's header; raises whatever Pillow raises on a broken one."""
    with PngImageFile(BytesIO(head)) as image:
        # getexif() would decode the pixels to look for an EXIF chunk behind them.
        known = "exif" in image.info or "Raw profile type exif" in image.info
        orientation = _orientation(image.getexif()) if known else _exif_orientation(_png_chunk(head, b"eXIf"))
        cut = len(head) >= size_bytes and head.rfind(b"IEND") < 0
        return Header("png", *image.size, orientation, image.is_animated, image.mode, cut)


def read_jpeg(head: bytes, size_bytes: int) -> Header:
    """Read a JPEG's header; raises whatever Pillow raises on a broken one."""
    stream = BytesIO(head)
    # The class itself, not Image.open: that one follows a phone's second picture (MPO) to where the bytes may end.
    with JpegImageFile(stream) as image:
        # Inside the scans 0xFF is always escaped, so an end marker after their start means none is missing.
        cut = len(head) >= size_bytes and head.rfind(b"\xff\xd9", stream.tell()) < 0
        return Header("jpeg", *image.size, _orientation(image.getexif()), False, image.mode, cut)


def read_webp(head: bytes, size_bytes: int) -> Header:
    """Read a WebP's header; raises ValueError or struct.error on a broken one."""
    (riff_size,) = struct.unpack_from("<I", head, 4)
    chunks = _webp_chunks(head)
    kind, data = next(chunks, (b"", b""))
    orientation, animated = 1, False
    if kind == b"VP8X":
        flags = data[0]
        width, height = (int.from_bytes(data[at : at + 3], "little") + 1 for at in (4, 7))
        alpha, animated = bool(flags & WEBP_ALPHA), bool(flags & WEBP_ANIMATED)
        exif = next((body for name, body in chunks if name == b"EXIF"), b"")
        if flags & WEBP_EXIF and not exif and len(head) < size_bytes:
            raise ValueError("its EXIF stands further behind")
        orientation = _exif_orientation(exif)
    elif kind == b"VP8L" and data[:1] == b"\x2f":
        (bits,) = struct.unpack_from("<I", data, 1)
        width, height, alpha = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1, bool(bits >> 28 & 1)
    elif kind == b"VP8 " and data[3:6] == b"\x9d\x01\x2a":
        width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", data, 6))
        alpha = False
    else:
        raise ValueError("no picture chunk where a WebP has one")
    return Header("webp", width, height, orientation, animated, "RGBA" if alpha else "RGB", riff_size + 8 > size_bytes)


def _webp_chunks(head: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 12
    while at + 8 <= len(head):
        kind, size = struct.unpack_from("<4sI", head, at)
        yield kind, head[at + 8 : at + 8 + size]
        at += 8 + size + size % 2


def _png_chunk(head: bytes, name: bytes) -> bytes:
    """What a chunk of a PNG holds; empty where there is none in these bytes."""
    at = 8
    while at + 8 <= len(head):
        size, kind = struct.unpack_from(">I4s", head, at)
        if kind == name:
            return head[at + 8 : at + 8 + size]
        at += 12 + size
    return b""


def _exif_orientation(body: bytes) -> int:
    if not body:
        return 1
    exif = Image.Exif()
    exif.load(body)
    return _orientation(exif)


def _orientation(exif: Image.Exif) -> int:
    value = exif.get(Base.Orientation, 1)
    return value if isinstance(value, int) and 1 <= value <= 8 else 1
