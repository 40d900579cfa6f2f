"""Photos as phones and editors store them: shown and sent upright, and measured however deep their size stands."""

from __future__ import annotations

import asyncio
import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from dailies.media.fit import upright_image
from dailies.media.images import HEAD_BYTES, REDIRECTS, BadImage, ImageFacts, measure, measure_url
from dailies.net import Trust, vetted_client
from tests.unit.loopback import Answer, redirect, reply, serve


def exif(orientation: int) -> bytes:
    mark = Image.Exif()
    mark[0x0112] = orientation
    return mark.tobytes()


def photo(kind: str, orientation: int, mode: str = "RGB") -> bytes:
    """64x32, another colour in each corner."""
    image = Image.new(mode, (64, 32), (40, 90, 160, 128)[: len(mode)])
    for at, colour in (((0, 0), (250, 0, 0, 255)), ((48, 0), (0, 250, 0, 255)), ((0, 24), (250, 250, 0, 255))):
        image.paste(colour[: len(mode)], (*at, at[0] + 16, at[1] + 8))
    out = io.BytesIO()
    options = {"lossless": True} if kind == "webp" else {}
    image.save(out, kind.upper(), exif=exif(orientation), **options)
    return out.getvalue()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["jpeg", "png", "webp"])
def test_what_is_made_upright_looks_as_it_was_shown(kind: str, orientation: int) -> None:
    source = photo(kind, orientation)
    made = upright_image(source)
    facts = measure(made, len(made))
    assert facts.orientation == 1 and (facts.width, facts.height) == measure(source, len(source)).shown_size
    shown = ImageOps.exif_transpose(Image.open(io.BytesIO(source)))
    one, two = (np.asarray(i.convert("RGB").resize((8, 8)), "int16") for i in (shown, Image.open(io.BytesIO(made))))
    assert np.abs(one - two).max() < 30


@pytest.mark.parametrize("kind", ["png", "webp"])
def test_transparency_stays_when_an_image_is_turned(kind: str) -> None:
    made = Image.open(io.BytesIO(upright_image(photo(kind, 6, "RGBA"))))
    assert made.format == "PNG" and made.getchannel("A").getextrema() == (128, 255)


def test_an_image_that_can_not_be_decoded_is_named() -> None:
    broken = bytearray(photo("png", 6))
    at = broken.index(b"IDAT")
    broken[at + 6 : at + 30] = bytes(24)
    with pytest.raises(BadImage, match="turned upright"):
        upright_image(bytes(broken))


def deep_jpeg(depth: int) -> bytes:
    """A JPEG whose size stands behind so many bytes of XMP, as editors write it, and its orientation before them."""
    image = photo("jpeg", 6)
    after_exif = 2 + 2 + struct.unpack_from(">H", image, 4)[0]
    segments = b"".join(
        b"\xff\xe1" + struct.pack(">H", 60_002) + (b"http://ns.adobe.com/xmp/extension/\0" + b"x" * 60_000)[:60_000]
        for _ in range(depth // 60_000 + 1)
    )
    return image[:after_exif] + segments + image[after_exif:]


def deep_png(depth: int) -> bytes:
    """A PNG with that much text before its pixels, and its EXIF behind them."""
    image = photo("png", 1)
    text = b"tEXt" + b"Comment\0" + b"x" * depth
    chunk = struct.pack(">I", len(text) - 4) + text + struct.pack(">I", zlib.crc32(text))
    return image[:33] + chunk + image[33:]


def deep_webp(depth: int) -> bytes:
    """A WebP whose EXIF stands behind its pixels and a filler."""
    image = photo("webp", 6)
    at = image.index(b"EXIF")
    filler = b"XXXX" + struct.pack("<I", depth) + b"\0" * depth
    whole = image[:at] + filler + image[at:]
    return whole[:4] + struct.pack("<I", len(whole) - 8) + whole[8:]


def by_address(answers: dict[str, Answer], path: str) -> ImageFacts:
    async def measured() -> ImageFacts:
        async with serve(answers) as server:
            trust = Trust.parse("127.0.0.1")
            async with vetted_client(trust, user_agent="test") as client:
                return await measure_url(server.url(path), client, trust)

    return asyncio.run(measured())


@pytest.mark.parametrize("depth", [1000, 300_000, 2_500_000])
@pytest.mark.parametrize("make", [deep_jpeg, deep_png, deep_webp])
def test_a_size_is_found_however_deep_it_stands(make: object, depth: int) -> None:
    """Behind an address as in a file, with its orientation."""
    content = make(depth)  # type: ignore[operator]
    assert depth < HEAD_BYTES or len(content) > HEAD_BYTES
    facts = by_address({"/a": reply(content)}, "/a")
    assert facts == measure(content, len(content))
    assert facts.shown_size == ((64, 32) if make is deep_png else (32, 64))


def test_an_image_may_be_five_links_away() -> None:
    answers: dict[str, Any] = {f"/{n}": redirect(f"/{n + 1}") for n in range(REDIRECTS + 1)}
    answers[f"/{REDIRECTS + 1}"] = reply(photo("png", 1))
    assert by_address(answers, "/1").width == 64
    with pytest.raises(BadImage, match="more than 5 redirects"):
        by_address(answers, "/0")


def test_other_bytes_behind_an_address_are_seen_though_they_are_as_many() -> None:
    one = photo("png", 1)
    other = bytearray(one)
    other[one.index(b"IDAT") + 8] ^= 1
    seen = {by_address({"/a": reply(bytes(content))}, "/a").seen for content in (one, one, other)}
    assert len(seen) == 2
