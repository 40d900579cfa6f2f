"""Images made to an exact size."""

from __future__ import annotations

import io
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageDraw

from dailies.media.fit import crop_window, fit_image
from dailies.media.images import BadImage, measure

MODES: tuple[Literal["crop", "pad"], ...] = ("crop", "pad")


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def fitted(source: bytes, width: int, height: int, mode: Literal["crop", "pad"]) -> Image.Image:
    image = Image.open(io.BytesIO(fit_image(source, width, height, mode)))
    assert (image.format, image.size, image.mode) == ("JPEG", (width, height), "RGB")
    image.load()
    return image


def near(pixel: object, colour: tuple[int, int, int], by: int = 12) -> bool:
    assert isinstance(pixel, tuple)
    return all(abs(got - wanted) <= by for got, wanted in zip(pixel, colour, strict=True))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("size", [(1280, 720), (720, 1280), (300, 301), (5, 900), (1, 1)])
def test_the_answer_has_exactly_the_size_asked_for(mode: Literal["crop", "pad"], size: tuple[int, int]) -> None:
    fitted(encoded(Image.radial_gradient("L").resize(size)), 640, 360, mode)
    fitted(encoded(Image.radial_gradient("L").resize(size)), 36, 64, mode)


@settings(max_examples=40, deadline=None)
@given(*[st.integers(1, 200)] * 4, st.sampled_from(MODES))
def test_any_size_fits_any_other(w: int, h: int, width: int, height: int, mode: Literal["crop", "pad"]) -> None:
    fitted(encoded(Image.linear_gradient("L").resize((w, h))), width, height, mode)


def test_the_same_image_gives_the_same_bytes() -> None:
    source = encoded(Image.effect_mandelbrot((400, 300), (-2, -1.5, 1, 1.5), 50))
    for mode in MODES:
        assert fit_image(source, 320, 180, mode) == fit_image(source, 320, 180, mode)


@pytest.mark.parametrize("left", [60, 430])
def test_crop_keeps_the_part_with_the_most_to_see(left: int) -> None:
    image = Image.new("RGB", (800, 200), "white")
    draw = ImageDraw.Draw(image)
    for x in range(left, left + 100, 10):
        draw.line((x, 20, x, 180), fill="black", width=4)
    dark = fitted(encoded(image), 200, 200, "crop").convert("L").histogram()
    assert sum(dark[:100]) > 5000


def test_crop_of_a_plain_image_is_its_centre() -> None:
    assert crop_window(800, 200, [0.0] * 64) == pytest.approx(300)
    assert crop_window(800, 200, [1.0] * 64) == pytest.approx(300)
    assert crop_window(200, 200, [1.0] * 64) == 0
    image = Image.new("RGB", (900, 300), "white")
    assert near(fitted(encoded(image), 100, 100, "crop").getpixel((50, 50)), (255, 255, 255))


@settings(deadline=None)
@given(st.integers(1, 5000), st.floats(0.01, 1), st.lists(st.floats(0, 1e6), max_size=256))
def test_the_crop_window_never_leaves_the_image(length: int, share: float, energy: list[float]) -> None:
    window = length * share
    start = crop_window(length, window, energy)
    assert -1e-6 <= start <= length - window + 1e-6


def test_pad_keeps_all_of_the_image_within_its_own_blur() -> None:
    padded = fitted(encoded(Image.new("RGB", (100, 100), (200, 40, 40))), 400, 200, "pad")
    assert near(padded.getpixel((5, 100)), (120, 24, 24))
    assert near(padded.getpixel((200, 100)), (200, 40, 40))
    assert near(padded.getpixel((110, 5)), (200, 40, 40))


def test_a_photo_held_sideways_comes_out_upright() -> None:
    image = Image.new("RGB", (200, 100), "blue")
    image.paste("red", (0, 0, 100, 100))
    exif = Image.Exif()
    exif[0x0112] = 6  # turned a quarter to the right to be upright: the red left becomes the top
    for kind in ("PNG", "JPEG", "WEBP"):
        upright = fitted(encoded(image, kind, exif=exif), 100, 200, "crop")
        assert near(upright.getpixel((50, 20)), (255, 0, 0), by=40)
        assert near(upright.getpixel((50, 180)), (0, 0, 255), by=40)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparent_parts_become_white(mode: str) -> None:
    image = Image.new("RGBA", (100, 100), (10, 10, 10, 0))
    image.paste((0, 0, 0, 255), (0, 0, 50, 100))
    flat = fitted(encoded(image.convert(mode)), 100, 100, "crop")
    assert near(flat.getpixel((80, 50)), (255, 255, 255))
    assert near(flat.getpixel((20, 50)), (0, 0, 0))


def test_a_transparent_colour_becomes_white() -> None:
    source = encoded(Image.new("RGB", (10, 10), (0, 200, 0)), transparency=(0, 200, 0))
    assert near(fitted(source, 10, 10, "pad").getpixel((5, 5)), (255, 255, 255))


def test_cmyk_becomes_the_colours_it_shows() -> None:
    source = encoded(Image.new("CMYK", (50, 50), (0, 255, 255, 0)), "JPEG", quality=95)
    assert near(fitted(source, 50, 50, "crop").getpixel((25, 25)), (255, 0, 0), by=20)


def test_sixteen_bit_grey_keeps_its_brightness() -> None:
    source = encoded(Image.new("I;16", (50, 50), 32768))
    assert near(fitted(source, 50, 50, "crop").getpixel((25, 25)), (128, 128, 128), by=3)


def test_one_bit_and_grey_images_fit_too() -> None:
    for mode in ("1", "L"):
        assert near(fitted(encoded(Image.new(mode, (9, 9), 255)), 30, 20, "crop").getpixel((5, 5)), (255, 255, 255))


def swapped_profile() -> bytes:
    """Give an sRGB profile whose red and blue primaries have changed places."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red, blue = profile.index(b"rXYZ"), profile.index(b"bXYZ")
    profile[red : red + 4], profile[blue : blue + 4] = b"bXYZ", b"rXYZ"
    return bytes(profile)


def test_colours_are_converted_from_the_profile_of_the_image_to_srgb() -> None:
    source = encoded(Image.new("RGB", (20, 20), (255, 0, 0)), icc_profile=swapped_profile())
    assert near(fitted(source, 20, 20, "crop").getpixel((10, 10)), (0, 0, 255), by=20)


def test_a_broken_profile_is_ignored() -> None:
    source = encoded(Image.new("RGB", (20, 20), (255, 0, 0)), icc_profile=b"no profile at all")
    assert near(fitted(source, 20, 20, "crop").getpixel((10, 10)), (255, 0, 0))


def test_a_phone_jpeg_with_a_second_picture_gives_the_first() -> None:
    first, second = Image.new("RGB", (64, 48), "red"), Image.new("RGB", (64, 48), "blue")
    source = encoded(first, "MPO", save_all=True, append_images=[second])
    assert near(fitted(source, 64, 36, "crop").getpixel((30, 20)), (254, 0, 0))


def test_a_photo_of_many_megapixels_is_fitted() -> None:
    source = encoded(Image.linear_gradient("L").resize((8000, 6000)), "JPEG", quality=40)
    middle = fitted(source, 1280, 720, "crop").getpixel((640, 360))
    assert near(middle, (127, 127, 127), by=25)


@pytest.mark.parametrize("source", [b"", b"hello", b"GIF89a" + b"\0" * 40, encoded(Image.new("RGB", (9, 9)))[:-20]])
def test_what_can_not_be_decoded_is_a_bad_image(source: bytes) -> None:
    with pytest.raises(BadImage):
        fit_image(source, 10, 10, "crop")


def test_pixels_that_are_rubbish_are_a_bad_image() -> None:
    source = bytearray(encoded(Image.effect_noise((64, 64), 50)))
    source[80:200] = b"\0" * 120
    assert measure(bytes(source), len(source)).width == 64
    with pytest.raises(BadImage, match="decoded"):
        fit_image(bytes(source), 10, 10, "pad")


def test_a_frame_without_pixels_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="0x10"):
        fit_image(b"", 0, 10, "crop")
