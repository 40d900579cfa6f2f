"""Images measured from their headers, and every reason to turn one down."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import io
import os
import struct
import zlib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from dailies.media.images import (
    HEAD_BYTES,
    MAX_BYTES,
    BadImage,
    ImageFacts,
    data_uri,
    measure,
    measure_file,
    measure_url,
)
from dailies.net import UnsafeUrl, vetted_client
from tests.unit.loopback import Answer, redirect, reply, serve

FORMATS = ("png", "jpeg", "webp")


def picture(kind: str, size: tuple[int, int] = (320, 180), mode: str = "RGB", **options: object) -> bytes:
    out = io.BytesIO()
    image = Image.linear_gradient("L").resize(size).convert(mode)
    if mode == "RGBA":
        image.putalpha(128)
    image.save(out, kind.upper(), **options)
    return out.getvalue()


def noise(kind: str, size: tuple[int, int]) -> bytes:
    out = io.BytesIO()
    Image.frombytes("RGB", size, os.urandom(size[0] * size[1] * 3)).save(out, kind.upper())
    return out.getvalue()


def turned(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def png_claiming(width: int, height: int) -> bytes:
    data = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + data
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk)) + b"\0\0\1\0IDAT"


def whole(image: bytes) -> ImageFacts:
    return measure(image, len(image))


def reason(head: bytes, size_bytes: int | None = None) -> str:
    with pytest.raises(BadImage) as refusal:
        measure(head, len(head) if size_bytes is None else size_bytes)
    return str(refusal.value)


@pytest.mark.parametrize("kind", FORMATS)
def test_size_format_and_bytes_are_read_from_the_header(kind: str) -> None:
    image = picture(kind)
    assert whole(image) == ImageFacts(kind, 320, 180, len(image))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "options", [{"lossless": True}, {"lossless": False}, {"lossless": True, "mode": "RGBA"}, {"mode": "RGBA"}]
)
def test_every_kind_of_webp_gives_its_size_and_alpha(options: dict[str, object]) -> None:
    facts = whole(picture("webp", (1791, 1023), **options))  # type: ignore[arg-type]
    assert (facts.width, facts.height, facts.mode) == (1791, 1023, options.get("mode", "RGB"))


@pytest.mark.parametrize("kind", FORMATS)
def test_the_exif_orientation_is_told_and_turns_the_shown_size(kind: str) -> None:
    facts = whole(picture(kind, exif=turned(6)))
    assert (facts.width, facts.height, facts.orientation) == (320, 180, 6)
    assert facts.shown_size == (180, 320)


@pytest.mark.parametrize("kind", FORMATS)
def test_the_beginning_of_a_large_image_is_enough(kind: str) -> None:
    image = noise(kind, (900, 700))
    assert len(image) > 200_000
    facts = measure(image[:4096], len(image))
    assert (facts.width, facts.height, facts.size_bytes) == (900, 700, len(image))


@pytest.mark.parametrize("kind", FORMATS)
def test_an_image_whose_end_is_missing_is_cut_short(kind: str) -> None:
    assert "cut short" in reason(noise(kind, (200, 100))[:-3000])


def test_a_thumbnail_in_a_jpeg_does_not_hide_that_its_end_is_missing() -> None:
    exif = turned(1)
    exif[0x927C] = picture("jpeg", (32, 32))
    image = picture("jpeg", exif=exif)
    assert image.count(b"\xff\xd9") == 2
    assert "cut short" in reason(image[:-20])


def test_bytes_behind_the_end_of_an_image_do_no_harm() -> None:
    for kind in ("png", "jpeg"):
        assert whole(picture(kind) + b"\0" * 5000).width == 320


def test_a_phone_jpeg_with_a_second_picture_is_a_jpeg() -> None:
    out = io.BytesIO()
    first, second = Image.new("RGB", (64, 48), "red"), Image.new("RGB", (64, 48), "blue")
    first.save(out, "MPO", save_all=True, append_images=[second])
    assert whole(out.getvalue()).format == "jpeg"
    assert measure(out.getvalue()[:1000], 10**6).width == 64


def test_cmyk_sixteen_bit_and_palette_images_tell_their_mode() -> None:
    for kind, mode in (("jpeg", "CMYK"), ("png", "I;16"), ("png", "P"), ("png", "RGBA"), ("jpeg", "L")):
        assert whole(picture(kind, mode=mode)).mode == mode


def test_animations_are_turned_down() -> None:
    frames = [Image.new("RGB", (20, 20), colour) for colour in ("red", "green", "blue")]
    for kind in ("PNG", "WEBP"):
        out = io.BytesIO()
        frames[0].save(out, kind, save_all=True, append_images=frames[1:])
        assert f"animated {kind}" in reason(out.getvalue())


@pytest.mark.parametrize(
    ("head", "why"),
    [
        (b"", "empty"),
        (b"GIF89a" + b"\0" * 40, "a GIF"),
        (b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', "an SVG"),
        (b"  <svg/>", "an SVG"),
        (b"<!DOCTYPE html><html>", "a web page"),
        (b"\0\0\0\x18ftypheic", "HEIC"),
        (b"\0\0\0\x18ftypisom", "a video"),
        (b"BM" + b"\0" * 40, "a BMP"),
        (b"%PDF-1.7", "a PDF"),
        (b"hello", "not an image"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 40, "corrupt"),
        (b"\xff\xd8\xff\xe0", "corrupt"),
        (b"RIFF\x20\0\0\0WEBPVP8 \x10\0\0\0" + b"\0" * 16, "corrupt"),
    ],
)
def test_what_is_no_image_is_called_by_its_name(head: bytes, why: str) -> None:
    assert why in reason(head)


def test_pixels_are_capped_before_any_is_decoded() -> None:
    assert "50000x50000 pixels" in reason(png_claiming(50_000, 50_000), 10**6)
    assert measure(png_claiming(10_000, 5_000), 10**6).width == 10_000
    assert "pixels" in reason(png_claiming(10_001, 5_000), 10**6)


def test_bytes_are_capped() -> None:
    assert "30 MiB" in reason(picture("png"), MAX_BYTES + 1)
    assert measure(picture("png"), MAX_BYTES).size_bytes == MAX_BYTES


@settings(deadline=None)
@given(st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF\xff\xff\0\0WEBP"]), st.binary(max_size=400))
def test_random_bytes_are_a_bad_image_and_nothing_worse(magic: bytes, rest: bytes) -> None:
    with suppress(BadImage):
        measure(magic + rest, len(magic + rest))


@settings(deadline=None)
@given(st.sampled_from(FORMATS), st.data())
def test_a_damaged_image_is_measured_or_a_bad_image(kind: str, data: st.DataObject) -> None:
    image = bytearray(picture(kind, exif=turned(3)))
    for _ in range(data.draw(st.integers(1, 8))):
        image[data.draw(st.integers(0, len(image) - 1))] = data.draw(st.integers(0, 255))
    with suppress(BadImage):
        measure(bytes(image[: data.draw(st.integers(0, len(image)))]), len(image))


def test_a_file_is_measured_and_hashed(tmp_path: Path) -> None:
    path = tmp_path / "sunrise.png"
    path.write_bytes(image := picture("png"))
    found = measure_file(path, tmp_path)
    assert found.facts == whole(image)
    assert found.sha256 == hashlib.sha256(image).hexdigest()
    assert found.path.read_bytes() == image


def test_a_file_must_lie_below_the_folder_wherever_its_symlinks_lead(tmp_path: Path) -> None:
    below, outside = tmp_path / "batch", tmp_path / "secret.png"
    below.mkdir()
    outside.write_bytes(picture("png"))
    (below / "inside.png").write_bytes(picture("png"))
    (below / "good").symlink_to(below / "inside.png")
    (below / "bad").symlink_to(outside)
    assert measure_file(below / "good", below).path == (below / "inside.png").resolve()
    for path in (below / "bad", below / ".." / "secret.png", outside):
        with pytest.raises(BadImage, match="outside the folder"):
            measure_file(path, below)


def test_what_is_no_readable_file_is_a_bad_image(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "empty").touch()
    (tmp_path / "text").write_text("hello")
    with (tmp_path / "huge").open("wb") as huge:
        huge.truncate(MAX_BYTES + 1)
    for name in ("absent", "loop", "pipe", ".", "empty", "text", "text/x", "huge", "a\0b", "n" * 300):
        with pytest.raises(BadImage):
            measure_file(tmp_path / name, tmp_path)


def fetch(routes: Mapping[str, Answer], path: str = "/a") -> ImageFacts:
    async def run() -> ImageFacts:
        async with serve(routes) as server, vetted_client(server.trust, user_agent="t") as client:
            return await measure_url(server.url(path) + "?sig=secret", client, server.trust)

    return asyncio.run(run())


@pytest.mark.parametrize("kind", FORMATS)
def test_a_remote_image_is_measured_with_or_without_a_told_length(kind: str) -> None:
    image = noise(kind, (600, 500))
    expected = whole(image)
    assert fetch({"/a": reply(image)}) == expected
    assert fetch({"/a": reply(image, length=None)}) == expected
    assert fetch({"/a": redirect("/b"), "/b": reply(image)}) == expected


def test_no_more_than_the_header_of_a_remote_image_is_read() -> None:
    """The server announces much, sends a little more than a header, and then nothing: nobody waits for the rest."""

    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(reply(picture("png") + b"\0" * HEAD_BYTES, length=20 * 2**20))
        await writer.drain()
        await asyncio.Event().wait()

    facts = fetch({"/a": answer})
    assert (facts.width, facts.size_bytes) == (320, 20 * 2**20)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (reply(b"", status=404), "answered 404"),
        (reply(b"<html>sign in</html>"), "a web page"),
        (reply(b""), "empty"),
        (reply(b"x", length=MAX_BYTES + 1), "30 MiB"),
        (reply(picture("png"), "Content-Encoding: gzip"), "compressed"),
        (reply(picture("png")[:60], length=5000), "can't be fetched"),
        (b"", "can't be fetched"),
        (redirect("/a"), "redirects"),
    ],
)
def test_a_remote_image_that_can_not_be_used_says_why_without_its_secrets(answer: bytes, why: str) -> None:
    with pytest.raises(BadImage, match=why) as refusal:
        fetch({"/a": answer})
    assert "/a: " in str(refusal.value)
    assert "secret" not in str(refusal.value)


def test_a_remote_image_of_unknown_length_is_counted_only_up_to_the_cap() -> None:
    async def endless(writer: asyncio.StreamWriter) -> None:
        writer.write(reply(picture("png"), length=None))
        while True:
            writer.write(b"\0" * 65536)
            await writer.drain()

    with pytest.raises(BadImage, match="30 MiB"):
        fetch({"/a": endless})


def test_a_slow_server_is_given_up_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    async def silent(writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr("dailies.media.images.URL_DEADLINE_S", 0.1)
    with pytest.raises(BadImage, match="no image within"):
        fetch({"/a": silent})


def test_a_remote_image_in_the_private_network_is_unsafe() -> None:
    with pytest.raises(UnsafeUrl):
        fetch({"/a": redirect("https://169.254.169.254/latest/meta-data")})


def test_a_data_uri_holds_the_very_bytes() -> None:
    image = picture("webp")
    head, _, body = data_uri(image, "webp").partition(",")
    assert head == "data:image/webp;base64"
    assert base64.b64decode(body) == image


def test_a_colour_profile_before_the_size_of_a_jpeg_is_passed_over() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes() + b"\0" * 150_000
    image = picture("jpeg", icc_profile=profile)
    assert measure(image[:HEAD_BYTES], len(image)).width == 320
