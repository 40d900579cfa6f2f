"""Prompt images measured before anything is bought: format, pixels, bytes, from the header alone."""

from __future__ import annotations

import asyncio
import hashlib
import os
import stat
from dataclasses import dataclass, field, replace
from pathlib import Path

import httpx

from dailies.domain import pictures
from dailies.errors import BadInput
from dailies.media.headers import Header, ImageFormat, read_jpeg, read_png, read_webp
from dailies.net import Trust, get_vetted, safe_url
from dailies.system import AT_ONCE

MAX_PIXELS = 50_000_000
"""A 50-megapixel camera's picture; decoded it takes 150 MB, and no model here takes a tenth of it."""
MAX_BYTES = 30 * 1024 * 1024
"""The largest image a model here documents; as base64 in a request it becomes 40 MiB."""
HEAD_BYTES = 256 * 1024
"""So much of a remote image is read at first; more, where the size stands behind metadata that is larger."""
REDIRECTS = 5
"""Links to pictures lead over shorteners and sign-on pages of content stores."""
URL_DEADLINE_S = 20.0
"""For one remote image, redirects and all: the provider will have to fetch it too, and is no more patient."""

_READERS = {b"\x89PNG\r\n\x1a\n": read_png, b"\xff\xd8\xff": read_jpeg}
_OTHERS = {
    b"GIF8": "a GIF",
    b"BM": "a BMP",
    b"II*\0": "a TIFF",
    b"MM\0*": "a TIFF",
    b"%PDF": "a PDF",
    b"8BPS": "a Photoshop file",
    b"\xff\x0a": "a JPEG XL",
    b"\0\0\0\x0cJXL ": "a JPEG XL",
    b"\0\0\0\x0cjP  ": "a JPEG 2000",
}
_HEIC, _AVIF, _RAW = "a HEIC photo, as phones store it", "an AVIF", "a camera's raw file"
_BRANDS = {
    **dict.fromkeys((b"avif", b"avis"), _AVIF),
    **dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"), _HEIC),
    b"crx ": _RAW,
}
"""By the brands of an ISO file, the more telling ones first: `mif1` alone may be either."""
_WANTED = "save it as PNG, JPEG or WebP"


class BadImage(BadInput):
    """An image that can't be used; the text is the reason. Nothing was bought."""


class Unfinished(BadImage):
    """The bytes at hand end before the image's size is told."""


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """An image as its header tells: pixels as stored, before the EXIF `orientation` (1 = upright) turns them.

    `seen` tells the bytes behind an address from others: how many there are, and a digest of the first HEAD_BYTES.
    """

    format: ImageFormat
    width: int
    height: int
    size_bytes: int
    orientation: int = 1
    animated: bool = False
    mode: str = "RGB"
    seen: str | None = field(default=None, compare=False)

    @property
    def shown_size(self) -> tuple[int, int]:
        """Width and height in pixels as a viewer shows them, EXIF orientation applied."""
        return (self.height, self.width) if self.orientation >= 5 else (self.width, self.height)


@dataclass(frozen=True, slots=True)
class LocalImage:
    """A measured file; `path` has its symlinks resolved, and `sha256` (hex) is of the very bytes measured."""

    path: Path
    facts: ImageFacts
    sha256: str


def measure(head: bytes, size_bytes: int) -> ImageFacts:
    """Measure an image of `size_bytes` from its first bytes; raises BadImage and nothing else.

    Given all its bytes, it also finds out whether the file was cut short.
    """
    if not head or size_bytes <= 0:
        raise BadImage("the image is empty")
    if size_bytes > MAX_BYTES:
        raise _too_many_bytes(size_bytes)
    header = _header(head, size_bytes)
    if header.width < 1 or header.height < 1:
        raise BadImage("the image has no pixels")
    if header.width * header.height > MAX_PIXELS:
        raise BadImage(f"{header.width}x{header.height} pixels; an image may have {MAX_PIXELS // 10**6} million")
    if header.animated:
        raise BadImage(f"an animated {header.format.upper()}; use a still image")
    if header.cut:
        raise BadImage(f"a {header.format.upper()} that is cut short: its end is missing; copy or save it again")
    return ImageFacts(header.format, header.width, header.height, size_bytes, header.orientation, False, header.mode)


def measure_file(path: Path, below: Path) -> LocalImage:
    """Measure and hash a regular file that lies below a folder even after following symlinks; raises BadImage."""
    try:
        real = path.resolve(strict=True)
        if not real.is_relative_to(below.resolve()):
            raise BadImage(f"outside the folder {below}; images lie beside the CSV or below it")
        content = _read(real)
        facts = measure(content, len(content))
    except BadImage as error:
        raise BadImage(f"{path}: {error}") from error
    except (FileNotFoundError, NotADirectoryError):
        raise BadImage(f"{path}: there is no such file") from None
    except (OSError, RuntimeError, ValueError) as error:  # no permission, a loop of symlinks, a NUL in the name
        raise BadImage(f"{path}: can't be read ({getattr(error, 'strerror', None) or error})") from error
    return LocalImage(real, facts, hashlib.sha256(content).hexdigest())


async def measure_url(url: str, client: httpx.AsyncClient, trust: Trust) -> ImageFacts:
    """Measure an image behind a URL, reading no more of it than its header needs; raises BadImage or UnsafeUrl.

    Only when the server doesn't tell the size is the rest read too, to count it.
    """
    where = safe_url(url)
    try:
        async with asyncio.timeout(URL_DEADLINE_S), get_vetted(client, url, trust, max_redirects=REDIRECTS) as response:
            return await _measure_response(response)
    except TimeoutError:
        raise BadImage(f"{where}: no image within {URL_DEADLINE_S:.0f} s") from None
    except httpx.TooManyRedirects as error:
        raise BadImage(str(error)) from None
    except httpx.HTTPError as error:
        raise BadImage(f"{where}: can't be fetched ({str(error) or type(error).__name__})") from error
    except BadImage as error:
        raise BadImage(f"{where}: {error}") from error


def data_uri(image_bytes: bytes, format: ImageFormat) -> str:
    """Write an image as a `data:` URI, the form in which providers take an image without a URL."""
    return pictures.data_uri(image_bytes, format).decode("ascii")


def _too_many_bytes(size_bytes: int) -> BadImage:
    return BadImage(f"{size_bytes / 2**20:.1f} MiB; an image may have {MAX_BYTES // 2**20} MiB")


def _header(head: bytes, size_bytes: int) -> Header:
    reader = next((reader for magic, reader in _READERS.items() if head.startswith(magic)), None)
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        reader = read_webp
    if reader is None:
        raise BadImage(f"{_what_it_is(head)}; {_WANTED}")
    try:
        return reader(head, size_bytes)
    except Exception as error:  # hostile bytes make a parser raise anything; whatever it was, the image is no good
        if len(head) < size_bytes:
            raise Unfinished(f"a corrupt image: no size in its first {len(head) // 1024} KiB") from error
        raise BadImage("a corrupt image: its header is broken") from error


def _what_it_is(head: bytes) -> str:
    for magic, name in _OTHERS.items():
        if head.startswith(magic):
            return name
    if head[4:8] == b"ftyp":
        box = head[8 : min(int.from_bytes(head[:4], "big"), 256)]
        brands = {box[at : at + 4] for at in (0, *range(8, len(box), 4))}
        return next((name for brand, name in _BRANDS.items() if brand in brands), "a video")
    text = head[:4096].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<svg", b"<?xml", b"<!--")) and b"<svg" in text:
        return "an SVG"
    if text.startswith(b"<"):
        return "a web page, not an image"
    return "not an image"


def _read(path: Path) -> bytes:
    """All bytes of a regular file, at most one more than MAX_BYTES: digest and facts must be of the same bytes."""
    with open(os.open(path, os.O_RDONLY | AT_ONCE), "rb") as file:
        info = os.fstat(file.fileno())
        if not stat.S_ISREG(info.st_mode):
            raise BadImage("not a file")
        if info.st_size > MAX_BYTES:
            raise _too_many_bytes(info.st_size)
        return file.read(MAX_BYTES + 1)


async def _measure_response(response: httpx.Response) -> ImageFacts:
    if response.status_code != 200:
        raise BadImage(f"the server answered {response.status_code}")
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise BadImage("the server sends it compressed though asked not to")
    length = response.headers.get("Content-Length", "")
    declared = int(length) if length.isascii() and length.isdigit() else None
    if declared is not None and declared > MAX_BYTES:
        raise _too_many_bytes(declared)
    head, seen, enough = bytearray(), 0, HEAD_BYTES
    async for chunk in response.aiter_raw():
        seen += len(chunk)
        head += chunk
        if seen > MAX_BYTES:
            raise _too_many_bytes(seen)
        if declared is not None and len(head) >= enough:
            try:
                return _seen(measure(bytes(head), declared), head)
            except Unfinished:
                enough = 4 * len(head)
    return _seen(measure(bytes(head), declared if declared is not None else seen), head)


def _seen(facts: ImageFacts, head: bytearray) -> ImageFacts:
    return replace(facts, seen=f"{facts.size_bytes}:{hashlib.sha256(head[:HEAD_BYTES]).hexdigest()[:32]}")


def as_sent(address: str) -> str:
    """An address as the standard writes it: blanks and letters beyond ASCII percent-encoded, such a host in IDNA."""
    return address if address.isascii() and " " not in address else str(httpx.URL(address))
