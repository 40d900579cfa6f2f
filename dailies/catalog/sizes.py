"""Images and pixels: which resolution and aspect ratio an image fits, and which size it would have to be. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal

from dailies.catalog.models import ExpectedVideo, Model, Problem, ResolvedOptions
from dailies.catalog.values import short_side_of

# A ratio counts as the image's own within 1%: 1366x768 is meant as 16:9.
RATIO_TOLERANCE = 0.01


def fit_sizes(
    model: Model, resolution: str | None, aspect_ratio: str | None, image_size: tuple[int, int]
) -> tuple[str, str] | list[Problem]:
    """The pair whose exact pixels the image has and that was not asked otherwise; or which pixels would do."""
    for at_resolution, ratio, size in _sizes(model):
        if size == image_size and resolution in (None, at_resolution) and aspect_ratio in (None, ratio):
            return at_resolution, ratio
    width, height = image_size
    cure = _fit_cure(model, resolution, aspect_ratio, image_size)
    asked = f" (asked for: {' '.join(filter(None, (resolution, aspect_ratio)))})" if resolution or aspect_ratio else ""
    reason = f"is {width}x{height} px; {model.id} takes exactly {_named_sizes(model, resolution)}{asked}"
    return [Problem("image", reason, cure)]


def _fit_cure(model: Model, resolution: str | None, aspect_ratio: str | None, image_size: tuple[int, int]) -> str:
    """What `--fit` would make of the image, and what that costs of it."""
    size = nearest_size(model, resolution=resolution, aspect_ratio=aspect_ratio, image_size=image_size)
    if size is None:
        return "use an image of one of these sizes"
    made, lost = f"{size[0]}x{size[1]}", lost_by_fitting(image_size, size)
    if not lost:
        return f"--fit crop or --fit pad scales it to {made}; nothing is cut off"
    return f"--fit crop makes it {made} and cuts off {lost}% of it; --fit pad makes it {made} with {lost}% of border"


def lost_by_fitting(image_size: tuple[int, int], size: tuple[int, int]) -> int:
    """Percent of the image that `--fit crop` cuts off, which is also the border's part of the frame after `--fit pad`."""
    across, down = size[0] / image_size[0], size[1] / image_size[1]
    return round(100 * (1 - min(across, down) / max(across, down)))


def nearest_size(
    model: Model, *, resolution: str | None, aspect_ratio: str | None, image_size: tuple[int, int]
) -> tuple[int, int] | None:
    """The exact pixels to crop or pad an image to: of the asked or default resolution, the ratio nearest to its own.

    None where the model has no exact pixels. `resolution` and `aspect_ratio` are the model's own values or None.
    """
    if model.image.sizes is None or model.resolution is None:
        return None
    wanted = resolution or model.resolution.default
    own = image_size[0] / image_size[1]
    fitting = [
        size for at, ratio, size in _sizes(model) if at == wanted and (aspect_ratio is None or ratio == aspect_ratio)
    ]
    return min(fitting, key=lambda size: abs(size[0] / size[1] - own), default=None)


def own_ratio(model: Model, image_size: tuple[int, int] | None) -> str | None:
    """The aspect ratio of the model that the image already has, if any: a portrait is then not cut to landscape."""
    if image_size is None or model.aspect_ratio is None:
        return None
    own = image_size[0] / image_size[1]
    for ratio in model.aspect_ratio.values:
        width, _, height = ratio.partition(":")
        if width.isdigit() and height.isdigit() and abs(own * int(height) / int(width) - 1) <= RATIO_TOLERANCE:
            return ratio
    return None


def expected_video(model: Model, resolved: ResolvedOptions) -> ExpectedVideo:
    """What the finished MP4 should be by the model's own declaration: seconds as bought, sound and frames as asked.

    Pixels only where the documents fix them; else the size class and the ratio that were asked for, where there are any.
    """
    asked, fps = resolved.options.get("generate_audio"), resolved.options.get("fps")
    audio = asked if isinstance(asked, bool) else model.audio
    frames = int(fps) if isinstance(fps, int | Decimal | float) and not isinstance(fps, bool) else None
    by_ratio = (model.image.sizes or {}).get(resolved.resolution or "", {})
    pixels = by_ratio.get(resolved.aspect_ratio or "")
    if pixels:
        return ExpectedVideo(*pixels, resolved.duration_s, audio, fps=frames)
    short_side_px = short_side_of(resolved.resolution) if resolved.resolution else None
    ratio = resolved.aspect_ratio if re.fullmatch(r"\d+:\d+", resolved.aspect_ratio or "") else None
    return ExpectedVideo(None, None, resolved.duration_s, audio, short_side_px, ratio, frames)


def _sizes(model: Model) -> Iterator[tuple[str, str, tuple[int, int]]]:
    for resolution, by_ratio in (model.image.sizes or {}).items():
        for ratio, size in by_ratio.items():
            yield resolution, ratio, size


def _named_sizes(model: Model, first: str | None) -> str:
    """All exact sizes in words, those of the resolution `first` before the others."""
    by_resolution: dict[str, list[str]] = {}
    for resolution, ratio, (width, height) in _sizes(model):
        by_resolution.setdefault(resolution, []).append(f"{width}x{height} ({ratio})")
    order = sorted(by_resolution, key=lambda resolution: resolution != first)
    return "; ".join(f"{resolution}: {' or '.join(by_resolution[resolution])}" for resolution in order)
