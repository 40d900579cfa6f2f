"""Images as cameras, editors and broken copies make them: each is read right, or refused with what to do."""

from __future__ import annotations

import io
import struct
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dailies.media.fit import fit_image, upright_image
from dailies.media.images import BadImage, data_uri, measure, measure_file

EXIF_TURNED = 6
CROPPED = partial(fit_image, width=32, height=64, mode="crop")
PADDED = partial(fit_image, width=32, height=64, mode="pad")


def stored(kind: str, image: Image.Image, orientation: int = 1, **options: object) -> bytes:
    out, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = orientation
    image.save(out, kind.upper(), exif=exif, **options)
    return out.getvalue()


def quarters(mode: str) -> Image.Image:
    """64x32; red, green, blue and white, one in each quarter."""
    image = Image.new("RGB", (64, 32), "white")
    for at, colour in (((0, 0), "red"), ((32, 0), "lime"), ((0, 16), "blue")):
        image.paste(colour, (*at, at[0] + 32, at[1] + 16))
    return image.convert(mode)


def corners(image: bytes) -> list[tuple[int, ...]]:
    """The colours of the four quarters, row by row, each channel as 0 or 1."""
    with Image.open(io.BytesIO(image)) as opened:
        rgb = opened.convert("RGB")
        across, down = rgb.width // 4, rgb.height // 4
        at = [(x, y) for y in (down, 3 * down) for x in (across, 3 * across)]
        return [tuple(int(level > 127) for level in rgb.getpixel(point)) for point in at]  # type: ignore[union-attr]


RED, GREEN, BLUE, WHITE = (1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 1)


@pytest.mark.parametrize("make", [upright_image, CROPPED, PADDED])
@pytest.mark.parametrize("mode", ["RGB", "CMYK"])
def test_a_print_shop_jpeg_keeps_its_colours_when_it_is_turned_or_fitted(make: object, mode: str) -> None:
    """CMYK too, which Adobe stores inverted."""
    source = stored("jpeg", quarters(mode), EXIF_TURNED, quality=95)
    assert measure(source, len(source)).mode == mode
    made = make(source)  # type: ignore[operator]
    assert measure(made, len(made)).shown_size == (32, 64)
    assert corners(made) == [BLUE, RED, WHITE, GREEN]


@pytest.mark.parametrize("make", [upright_image, CROPPED])
def test_sixteen_bits_of_grey_are_neither_clipped_nor_dimmed(make: object) -> None:
    levels = np.tile(np.linspace(0, 65535, 64, dtype="uint16"), (32, 1))
    made = make(stored("png", Image.fromarray(levels), EXIF_TURNED))  # type: ignore[operator]
    with Image.open(io.BytesIO(made)) as opened:
        got = np.asarray(opened).astype("float64")
    got = got if got.ndim == 2 else got[:, :, 0]
    along = got.mean(axis=1) / (65535 if got.max() > 255 else 255)
    assert got.shape == (64, 32) and np.abs(along - np.linspace(0, 1, 64)).max() < 0.03


def test_a_phone_photo_with_a_second_picture_is_turned_by_its_first() -> None:
    """MPO, as phones store depth or motion beside a photo; it is a JPEG for whoever takes it."""
    exif = Image.Exif()
    exif[0x0112] = EXIF_TURNED
    out = io.BytesIO()
    quarters("RGB").save(out, "MPO", save_all=True, append_images=[Image.new("RGB", (64, 32), "black")], exif=exif)
    source = out.getvalue()
    assert (measure(source, len(source)).format, measure(source, len(source)).orientation) == ("jpeg", EXIF_TURNED)
    made = upright_image(source)
    assert measure(made, len(made)).format == "jpeg" and corners(made) == [BLUE, RED, WHITE, GREEN]


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_orientation_that_there_is_not_is_none(orientation: int) -> None:
    source = stored("jpeg", quarters("RGB"), orientation, quality=95)
    assert measure(source, len(source)).orientation == 1


@pytest.mark.parametrize(
    ("ending", "kind"), [("png", "jpeg"), ("jpg", "png"), ("jpeg", "webp"), ("txt", "png"), ("", "jpeg")]
)
def test_a_wrong_ending_changes_nothing(tmp_path: Path, ending: str, kind: str) -> None:
    """What an image is, is told by its bytes, to the provider too."""
    path = tmp_path / f"image.{ending}"
    path.write_bytes(stored(kind, quarters("RGB")))
    found = measure_file(path, tmp_path)
    assert found.facts.format == kind
    assert data_uri(path.read_bytes(), found.facts.format).startswith(f"data:image/{kind};base64,")


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp"])
@pytest.mark.parametrize("kept", [0.3, 0.6, 0.95])
def test_a_copy_that_broke_off_is_refused_wherever_it_did(tmp_path: Path, kind: str, kept: float) -> None:
    noise = Image.frombytes("RGB", (96, 96), np.random.default_rng(7).bytes(96 * 96 * 3))
    whole = stored(kind, noise)
    path = tmp_path / f"image.{kind}"
    path.write_bytes(whole[: int(len(whole) * kept)])
    with pytest.raises(BadImage, match=r"cut short: its end is missing; copy or save it again"):
        measure_file(path, tmp_path)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_what_moves_is_no_first_frame(kind: str) -> None:
    out = io.BytesIO()
    frames = [Image.new("RGB", (20, 20), colour) for colour in ("red", "green", "blue")]
    frames[0].save(out, kind, save_all=True, append_images=frames[1:], duration=100)
    with pytest.raises(BadImage, match=r"; (use a still image|save it as PNG, JPEG or WebP)$"):
        measure(out.getvalue(), len(out.getvalue()))


def iso(*brands: bytes) -> bytes:
    box = b"ftyp" + brands[0] + b"\0\0\0\0" + b"".join(brands[1:])
    return struct.pack(">I", len(box) + 4) + box + b"\0\0\0\x08meta" + b"\0" * 64


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (iso(b"heic", b"mif1", b"heic"), "a HEIC photo"),
        (iso(b"mif1", b"mif1", b"heic", b"MiHE"), "a HEIC photo"),
        (iso(b"msf1", b"msf1", b"hevc"), "a HEIC photo"),
        (iso(b"heim"), "a HEIC photo"),
        (iso(b"avif", b"avif", b"mif1", b"miaf"), "an AVIF"),
        (iso(b"mif1", b"mif1", b"avif", b"miaf"), "an AVIF"),
        (iso(b"avis"), "an AVIF"),
        (iso(b"crx ", b"crx ", b"isom"), "a camera's raw file"),
        (iso(b"isom", b"isom", b"iso2", b"avc1", b"mp41"), "a video"),
        (iso(b"qt  ", b"qt  "), "a video"),
        (b"\xff\x0a" + b"\0" * 40, "a JPEG XL"),
        (b"\0\0\0\x0cJXL \r\n\x87\n" + b"\0" * 40, "a JPEG XL"),
        (b"\0\0\0\x0cjP  \r\n\x87\n" + b"\0" * 40, "a JPEG 2000"),
        (b"II*\0" + b"\0" * 40, "a TIFF"),
    ],
)
def test_a_kind_that_no_model_takes_is_named_with_what_to_do(head: bytes, name: str) -> None:
    with pytest.raises(BadImage) as refusal:
        measure(head, len(head))
    assert str(refusal.value).startswith(name) and str(refusal.value).endswith("; save it as PNG, JPEG or WebP")
