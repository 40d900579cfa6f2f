"""Every clip is held against what its own model declares: exact pixels, a size class, or nothing."""

from __future__ import annotations

import pytest

from dailies.catalog import Model, ResolvedOptions, expected_video, load_catalog, resolve_options
from dailies.catalog.values import short_side_of
from dailies.media.video import VideoFacts, Wanted, mismatches

CATALOG = load_catalog()


def resolved(model: Model, **asked: object) -> ResolvedOptions:
    """What a row asks for; exact pixels follow from an image of the right size."""
    sizes = next(iter((model.image.sizes or {}).values()), {})
    found = resolve_options(model, image_size=next(iter(sizes.values()), (1280, 720)), **asked)  # type: ignore[arg-type]
    assert isinstance(found, ResolvedOptions), found
    return found


def kind(model: Model) -> str:
    return "pixels" if model.image.sizes else "class" if model.resolution else "ratio" if model.aspect_ratio else "none"


@pytest.mark.parametrize("model", list(CATALOG), ids=lambda model: model.id)
def test_every_model_is_checked_by_its_own_declaration(model: Model) -> None:
    """All of them: what it has a choice of is promised, and what it has none of is not."""
    want = expected_video(model, resolved(model))
    promised = {
        "pixels": want.width is not None and want.height is not None,
        "class": want.width is None and want.short_side_px is not None,
        "ratio": want.width is None and want.short_side_px is None,
        "none": want.width is None and want.short_side_px is None and want.aspect_ratio is None,
    }
    assert promised[kind(model)]
    assert want.duration_s == (model.duration.default if model.duration else None)


def test_all_kinds_of_models_are_there() -> None:
    assert {kind(model) for model in CATALOG} == {"pixels", "class", "ratio", "none"}


@pytest.mark.parametrize(
    ("name", "asked", "size", "sentence"),
    [
        ("openai/sora-2-pro-i2v", {}, (640, 360), "asked for 1280x720, got 640x360"),
        ("google/veo-3.1-i2v", {"resolution": "1080p"}, (640, 360), "asked for 1080p, got 360p (640x360)"),
        ("google/veo-3.1-i2v", {"resolution": "1080p", "aspect_ratio": "9:16"}, (1920, 1080), "asked for 9:16, got 1920x1080"),
        ("luma/ray-2", {"resolution": "4k"}, (1920, 1080), "asked for 2160p, got 1080p (1920x1080)"),
        ("blackforestlabs/flux-3-video-i2v", {"resolution": "fhd"}, (1280, 720), "asked for 1080p, got 720p (1280x720)"),
    ],
)  # fmt: skip
def test_a_clip_of_another_size_is_named(
    name: str, asked: dict[str, str], size: tuple[int, int], sentence: str
) -> None:
    want = expected_video(CATALOG.find(name), resolved(CATALOG.find(name), **asked))
    facts = VideoFacts(*size, want.duration_s or 4, want.audio is not False, 1)
    assert sentence in mismatches(facts, Wanted(want.width, want.height, want.short_side_px, want.aspect_ratio))


@pytest.mark.parametrize(
    ("short_side_px", "size"),
    [
        (480, (960, 416)),
        (480, (864, 480)),
        (720, (1504, 640)),
        (720, (960, 960)),
        (768, (1366, 768)),
        (1080, (3840, 2160)),
        (720, (1248, 704)),
    ],
)
def test_a_size_class_is_met_by_its_short_side_or_its_area(short_side_px: int, size: tuple[int, int]) -> None:
    """As makers document them: 960x416 is a 480p of 21:9."""
    assert not mismatches(VideoFacts(*size, 4, True, 1), Wanted(short_side_px=short_side_px))


@pytest.mark.parametrize(("fps", "same"), [(25.0, True), (24.99, True), (24.0, False), (50.0, False), (None, True)])
def test_the_frames_that_were_asked_for_are_counted(fps: float | None, same: bool) -> None:
    model = CATALOG.find("ltxv/ltxv-2")
    want = expected_video(model, resolved(model, options={"fps": "25"}))
    assert want.fps == 25 and expected_video(model, resolved(model)).fps is None
    assert (not mismatches(VideoFacts(1920, 1080, 6, True, 1, fps), Wanted(fps=want.fps))) is same


@pytest.mark.parametrize(
    ("word", "px"),
    [
        ("720p", 720),
        ("1080P", 1080),
        ("hd", 720),
        ("fhd", 1080),
        ("2K", 1440),
        ("4k", 2160),
        ("auto", None),
        ("768", 768),
    ],
)
def test_size_classes(word: str, px: int | None) -> None:
    assert short_side_of(word) == px
