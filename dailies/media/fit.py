"""A prompt image made to the exact size a model wants, for `--fit crop` and `--fit pad`.

The same bytes and options give the same answer on every run of one Pillow version: nothing here is left to chance.
"""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from typing import Literal

import numpy as np
from PIL import Image, ImageCms, ImageFilter, ImageOps

from dailies.media.images import BadImage, measure

JPEG_QUALITY = 95
"""With colour at full resolution no loss is seen, at a twentieth to a third of a PNG, and requests carry it as base64; libjpeg's
own advice is not to go higher."""
ENERGY_PX = 256
"""Long side of the copy on which detail is measured; finer noise would only mislead."""
CENTRE_BIAS = 0.3
"""Detail counts this much less at the far end of the image than at its centre: photographers centre subjects."""
BORDER_BRIGHTNESS = 0.6
"""The blurred border is darkened, so that the picture stands out from its own copy."""


def fit_image(source: bytes, width: int, height: int, mode: Literal["crop", "pad"]) -> bytes:
    """Make a JPEG of exactly width x height pixels, upright, sRGB, transparency over white.

    `crop` fills the frame and cuts where there is least to see; `pad` keeps all of the image within its own blur.
    Raises BadImage when the source isn't a PNG, JPEG or WebP that can be decoded.
    """
    if width < 1 or height < 1:
        raise ValueError(f"can't fit an image to {width}x{height}")
    image = _decode(source, max(width, height))
    fitted = _crop(image, width, height) if mode == "crop" else _pad(image, width, height)
    out = BytesIO()
    fitted.save(out, "JPEG", quality=JPEG_QUALITY, subsampling=0, optimize=True)
    return out.getvalue()


def upright_image(source: bytes) -> bytes:
    """The same picture turned as its EXIF orientation says, its colours as they were: a JPEG stays one, others become PNG
    where they have transparency or were one, else JPEG. Raises BadImage."""
    measure(source, len(source))
    try:
        with Image.open(BytesIO(source), formats=("PNG", "JPEG", "WEBP")) as opened:
            form, profile = opened.format, opened.info.get("icc_profile")
            turned = ImageOps.exif_transpose(opened)
            turned.load()
        out = BytesIO()
        if form == "PNG" or turned.has_transparency_data:
            turned.save(out, "PNG", icc_profile=profile)
        else:
            turned.save(out, "JPEG", quality=JPEG_QUALITY, subsampling=0, optimize=True, icc_profile=profile)
    except Exception as error:  # decoders raise anything on hostile bytes; whatever it was, the image is no good
        raise BadImage(f"the image can't be turned upright ({error})") from error
    return out.getvalue()


def crop_window(length: int, window: float, energy: Sequence[float]) -> float:
    """Choose where along `length` pixels a window of `window` pixels begins: most detail, all else equal the centre.

    `energy` is the detail per equal slice of the length.
    """
    room = length - window
    if room <= 0 or not energy:
        return max(room, 0) / 2
    slices = len(energy)
    span = window / length * slices
    sums = np.concatenate(([0.0], np.cumsum(energy)))
    starts = np.linspace(0, slices - span, num=max(2, slices - int(span)) | 1)  # odd, so that the centre is among them
    edges = np.arange(slices + 1)
    inside = np.interp(starts + span, edges, sums) - np.interp(starts, edges, sums)
    off_centre = np.abs(np.linspace(-1, 1, num=len(starts)))
    score = inside * (1 - CENTRE_BIAS * off_centre)
    best = np.flatnonzero(score >= score.max() * (1 - 1e-9))
    return float(starts[best[np.argmin(off_centre[best])]]) * length / slices


def _decode(source: bytes, needed_px: int) -> Image.Image:
    """Upright RGB pixels of an image already known to be of a sane size."""
    measure(source, len(source))
    try:
        with Image.open(BytesIO(source), formats=("PNG", "JPEG", "WEBP")) as opened:
            opened.draft(None, (needed_px, needed_px))  # a JPEG far too large is decoded at a half, quarter or eighth
            upright = ImageOps.exif_transpose(opened)
            return _srgb(upright)
    except Exception as error:  # decoders raise anything on hostile bytes; whatever it was, the image is no good
        raise BadImage(f"the image can't be decoded ({error})") from error


def _srgb(image: Image.Image) -> Image.Image:
    profile = image.info.get("icc_profile")
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):  # 16-bit grey: Pillow's own conversion clips
        image = Image.fromarray((np.asarray(image).astype("float64") / 257).clip(0, 255).round().astype("uint8"))
    if image.mode in ("P", "PA", "La", "RGBa") or (image.mode != "RGBA" and image.has_transparency_data):
        image = image.convert("RGBA")
    alpha = image.getchannel("A") if "A" in image.getbands() else None
    colours = image.convert("L" if image.mode in ("1", "L", "LA") else "RGB") if image.mode != "CMYK" else image
    rgb = _through_profile(colours, profile) if profile else colours.convert("RGB")
    if alpha is None:
        return rgb
    return Image.composite(rgb, Image.new("RGB", rgb.size, "white"), alpha)


def _through_profile(image: Image.Image, profile: bytes) -> Image.Image:
    try:
        source = ImageCms.ImageCmsProfile(BytesIO(profile))
        converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError):  # a broken profile, or one for other channels: viewers ignore it
        return image.convert("RGB")
    return image.convert("RGB") if converted is None else converted


def _crop(image: Image.Image, width: int, height: int) -> Image.Image:
    scale = min(image.width / width, image.height / height)
    window_w, window_h = width * scale, height * scale
    columns, rows = _energy(image)
    left = crop_window(image.width, window_w, columns)
    top = crop_window(image.height, window_h, rows)
    # Rounding must not reach a fraction of a pixel past the edge: Pillow refuses such a box.
    box = (left, top, min(left + window_w, image.width), min(top + window_h, image.height))
    return image.resize((width, height), Image.Resampling.LANCZOS, box=box, reducing_gap=3.0)


def _energy(image: Image.Image) -> tuple[list[float], list[float]]:
    """Detail per column and per row: gradient magnitude of a small grey copy."""
    small = image.convert("L")
    small.thumbnail((ENERGY_PX, ENERGY_PX))
    grey = np.asarray(small, dtype="float64")
    down = np.abs(np.diff(grey, axis=0, append=grey[-1:]))
    across = np.abs(np.diff(grey, axis=1, append=grey[:, -1:]))
    detail = down + across
    return detail.sum(axis=0).tolist(), detail.sum(axis=1).tolist()


def _pad(image: Image.Image, width: int, height: int) -> Image.Image:
    inner = ImageOps.contain(image, (width, height), Image.Resampling.LANCZOS)
    if inner.size == (width, height):
        return inner
    frame = _blurred(image, width, height)
    frame.paste(inner, ((width - inner.width) // 2, (height - inner.height) // 2))
    return frame


def _blurred(image: Image.Image, width: int, height: int) -> Image.Image:
    # Blurred small and enlarged: as smooth as blurring at full size, at a sixty-fourth of the work.
    small = ImageOps.fit(image, (max(1, width // 8), max(1, height // 8)), Image.Resampling.BOX)
    soft = small.filter(ImageFilter.GaussianBlur(max(small.size) / 20)).point(lambda level: level * BORDER_BRIGHTNESS)
    return soft.resize((width, height), Image.Resampling.BICUBIC)
