"""Images in and out: what a request's image holds, and test images of any size."""

from __future__ import annotations

import base64
import binascii
import io
import ipaddress
from urllib.parse import urlsplit

import httpx
from PIL import Image, ImageDraw, UnidentifiedImageError

from dailies.sandbox.models import InvalidRequest, Size

_FORMATS = ("PNG", "JPEG", "WEBP")
_MAX_BYTES = 50 * 2**20
_FETCH_TIMEOUT_S = 10.0


async def load_image(reference: str) -> bytes | None:
    """The bytes behind a data URI or a loopback URL; None for any other URL, which is not fetched.

    InvalidRequest if it is neither, or can't be read.
    """
    if reference.startswith("data:"):
        return _decode_data_uri(reference)
    parts = urlsplit(reference)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InvalidRequest("image_url: neither an http(s) URL nor a data URI")
    return await _fetch(reference) if is_loopback(parts.hostname) else None


def is_loopback(host: str) -> bool:
    """Whether this host name or address is the machine itself."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def measure(image: bytes) -> Size:
    """The image's (width, height) in pixels; InvalidRequest unless it is a whole PNG, JPEG or WebP."""
    try:
        with Image.open(io.BytesIO(image), formats=_FORMATS) as picture:
            picture.load()
            return picture.size
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise InvalidRequest(f"image_url: not a readable PNG, JPEG or WebP image ({type(error).__name__})") from None


def test_image(size: Size, form: str) -> bytes:
    """A colourful image of this size as `png`, `jpg` or `webp`."""
    wide, high = size
    picture = Image.merge("RGB", [_ramp(size, turn) for turn in (0, 90, 180)])
    draw = ImageDraw.Draw(picture)
    radius = min(wide, high) // 4
    draw.ellipse((wide // 2 - radius, high // 2 - radius, wide // 2 + radius, high // 2 + radius), fill="#f2c14e")
    for x in range(0, wide, max(8, wide // 16)):
        draw.line((x, 0, x, high), fill="#20304a", width=max(1, wide // 320))
    out = io.BytesIO()
    picture.save(out, {"jpg": "JPEG", "png": "PNG", "webp": "WEBP"}[form])
    return out.getvalue()


def _ramp(size: Size, turn: int) -> Image.Image:
    return Image.linear_gradient("L").rotate(turn).resize(size)


def _decode_data_uri(reference: str) -> bytes:
    head, comma, payload = reference.partition(",")
    if not comma or not head.startswith("data:image/") or not head.endswith(";base64"):
        raise InvalidRequest("image_url: a data URI must begin with data:image/...;base64,")
    try:
        return base64.b64decode(payload, validate=True)
    except binascii.Error:
        raise InvalidRequest("image_url: the data URI's base64 can't be decoded") from None


async def _fetch(url: str) -> bytes:
    # Loading the CA bundle would hold up the whole event loop for longer than this fetch takes.
    secure = url.startswith("https:")
    try:
        async with (
            httpx.AsyncClient(trust_env=False, timeout=_FETCH_TIMEOUT_S, verify=secure) as client,
            client.stream("GET", url) as answer,
        ):
            answer.raise_for_status()
            held = bytearray()
            async for chunk in answer.aiter_bytes():
                held += chunk
                if len(held) > _MAX_BYTES:
                    raise InvalidRequest("image_url: the image is too large")
            return bytes(held)
    except httpx.HTTPError as error:
        raise InvalidRequest(f"image_url: could not be fetched ({type(error).__name__})") from None
