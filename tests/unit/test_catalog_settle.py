"""What people write in a CSV becomes exactly what a model accepts, or a reason that says what to write."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dailies.catalog import (
    Model,
    ResolvedOptions,
    check_prompt,
    expected_video,
    load_catalog,
    nearest_size,
    resolve_options,
)

CATALOG = load_catalog()
SORA = CATALOG.find("openai/sora-2-pro-i2v")
VEO = CATALOG.find("google/veo-3.1-i2v")
KLING = CATALOG.find("klingai/video-v3-pro-image-to-video")
HAILUO = CATALOG.find("minimax/hailuo-2.3")
SEEDANCE = CATALOG.find("bytedance/seedance-2-0")
FLUX = CATALOG.find("blackforestlabs/flux-3-video-i2v")


def good(outcome: object) -> ResolvedOptions:
    assert isinstance(outcome, ResolvedOptions), outcome
    return outcome


def reasons(outcome: object) -> dict[str, str]:
    assert isinstance(outcome, list), outcome
    return {problem.column: f"{problem.reason}; {problem.cure}" for problem in outcome}


def test_empty_cells_take_the_cheap_defaults() -> None:
    empty = resolve_options(SORA, resolution="", aspect_ratio=None, duration=" ", options={"seed": ""})
    assert good(empty) == ResolvedOptions("720p", "16:9", 4)


@pytest.mark.parametrize(
    ("written", "meant"), [("1080p", "1080P"), ("1080", "1080P"), (" 768 P ", "768P"), ("768p", "768P")]
)
def test_a_resolution_is_found_however_it_is_written(written: str, meant: str) -> None:
    assert good(resolve_options(HAILUO, resolution=written)).resolution == meant


@pytest.mark.parametrize("written", [4, "4", "4.0", 4.0, "4s", "4 s", " 4 seconds ", "4 SEC"])
def test_a_duration_is_found_however_it_is_written(written: object) -> None:
    assert good(resolve_options(SORA, duration=written)).duration_s == 4


@pytest.mark.parametrize("written", ["9:16", "9x16", "9 X 16", "9/16", "09:16:00", "09:16"])
def test_a_ratio_is_found_however_a_spreadsheet_writes_it(written: str) -> None:
    assert good(resolve_options(VEO, aspect_ratio=written)).aspect_ratio == "9:16"


@pytest.mark.parametrize("written", ["5", "4.5", "four", "-4", "1e400", "9" * 9999, "nan"])
def test_a_wrong_duration_is_answered_with_the_allowed_ones(written: str) -> None:
    assert "use 4, 8 or 12 seconds" in reasons(resolve_options(SORA, duration=written))["duration"]


def test_all_problems_of_a_row_are_named_at_once() -> None:
    outcome = reasons(resolve_options(SORA, resolution="4k", aspect_ratio="1:1", duration=5, options={"seed": 1}))
    assert list(outcome) == ["resolution", "aspect_ratio", "duration", "seed"]
    assert "use 720p or 1080p" in outcome["resolution"]
    assert "use 16:9 or 9:16" in outcome["aspect_ratio"]


def test_a_value_for_a_field_that_the_model_lacks_is_a_problem() -> None:
    outcome = reasons(resolve_options(KLING, resolution="720p", aspect_ratio="16:9"))
    assert "has no resolution to choose; leave it empty" in outcome["resolution"]
    assert "has no aspect ratio to choose; leave it empty" in outcome["aspect_ratio"]
    assert good(resolve_options(KLING)) == ResolvedOptions(None, None, 5)


@pytest.mark.parametrize(
    ("size", "pair"),
    [
        ((1280, 720), ("720p", "16:9")),
        ((720, 1280), ("720p", "9:16")),
        ((1792, 1024), ("1080p", "16:9")),
        ((1024, 1792), ("1080p", "9:16")),
    ],
)
@pytest.mark.parametrize("written", ["", "auto"])
def test_an_image_of_exact_size_decides_resolution_and_ratio(
    size: tuple[int, int], pair: tuple[str, str], written: str
) -> None:
    resolved = good(resolve_options(SORA, resolution=written, aspect_ratio=written, image_size=size))
    assert (resolved.resolution, resolved.aspect_ratio) == pair
    video = expected_video(SORA, resolved)
    assert (video.width, video.height, video.duration_s, video.audio) == (*size, 4, True)


def test_wrong_pixels_are_answered_with_the_sizes_of_the_asked_resolution_first() -> None:
    reason = reasons(resolve_options(SORA, resolution="1080p", image_size=(800, 600)))["image"]
    assert reason.startswith("is 800x600 px; ")
    order = [reason.index(size) for size in ("1792x1024", "1024x1792", "1280x720", "720x1280")]
    assert order == sorted(order)


def test_an_image_for_another_resolution_than_asked_is_refused() -> None:
    assert "image" in reasons(resolve_options(SORA, resolution="1080p", image_size=(1280, 720)))
    assert "image" in reasons(resolve_options(SORA, aspect_ratio="9:16", image_size=(1280, 720)))


@pytest.mark.parametrize("column", ["resolution", "aspect_ratio"])
def test_auto_without_an_image_to_measure_is_a_problem(column: str) -> None:
    assert "name a value" in reasons(resolve_options(SORA, **{column: "auto"}))[column]  # type: ignore[arg-type]


def test_a_portrait_keeps_its_ratio_where_the_model_offers_it() -> None:
    assert good(resolve_options(VEO, image_size=(1080, 1920))).aspect_ratio == "9:16"
    assert good(resolve_options(VEO, image_size=(1080, 1920), aspect_ratio="16:9")).aspect_ratio == "16:9"
    assert good(resolve_options(VEO, image_size=(1000, 1000))).aspect_ratio == "16:9"
    assert good(resolve_options(VEO, image_size=(1366, 768))).aspect_ratio == "16:9"


def test_auto_is_passed_on_only_where_it_is_documented() -> None:
    assert good(resolve_options(FLUX, aspect_ratio="auto")).aspect_ratio == "auto"
    assert good(resolve_options(VEO, aspect_ratio="auto", image_size=(720, 1280))).aspect_ratio == "9:16"
    assert (
        "use 16:9 or 9:16" in reasons(resolve_options(VEO, aspect_ratio="auto", image_size=(500, 500)))["aspect_ratio"]
    )
    assert "use 720p or 1080p" in reasons(resolve_options(VEO, resolution="auto", image_size=(1280, 720)))["resolution"]


def test_a_tiny_image_is_refused() -> None:
    assert "at least 300 px" in reasons(resolve_options(KLING, image_size=(299, 1000)))["image"]
    assert good(resolve_options(KLING, image_size=(300, 300)))


def test_the_nearest_exact_size_keeps_the_orientation() -> None:
    for_any = {"resolution": None, "aspect_ratio": None}
    assert nearest_size(SORA, **for_any, image_size=(3000, 4000)) == (720, 1280)
    assert nearest_size(SORA, **for_any, image_size=(4000, 3000)) == (1280, 720)
    assert nearest_size(SORA, resolution="1080p", aspect_ratio="16:9", image_size=(300, 400)) == (1792, 1024)
    assert nearest_size(VEO, **for_any, image_size=(300, 400)) is None


def test_options_become_the_type_they_are_sent_as() -> None:
    cells = {"seed": "7.0", "generate_audio": "No", "last_image": "https://example.com/b.png", "watermark": True}
    assert good(resolve_options(SEEDANCE, options=cells)).options == {
        "generate_audio": False,
        "last_image": "https://example.com/b.png",
        "seed": 7,
        "watermark": True,
    }
    assert good(resolve_options(KLING, options={"cfg_scale": "0.5"})).options == {"cfg_scale": Decimal("0.5")}


@pytest.mark.parametrize(
    ("model", "name", "cell", "part"),
    [
        (SEEDANCE, "seed", "1.5", "not a whole number"),
        (SEEDANCE, "seed", "1e999999999", "not a whole number"),
        (SEEDANCE, "generate_audio", "perhaps", "neither true nor false"),
        (SEEDANCE, "last_image", "ftp://x/b.png", "an https URL"),
        (KLING, "cfg_scale", "1.01", "at most 1"),
        (KLING, "cfg_scale", "-0.1", "at least 0"),
        (KLING, "cfg_scale", "NaN", "not a number"),
        (CATALOG.find("ltxv/ltxv-2"), "fps", "30", "use 25 or 50"),
        (CATALOG.find("pixverse/v5/image-to-video"), "style", "oil", "use anime"),
        (CATALOG.find("alibaba/wan-2-7-i2v"), "negative_prompt", "x" * 501, "at most 500"),
        (SORA, "seed", "1", "has no option seed; it has none"),
    ],
)
def test_a_wrong_option_is_named_with_what_is_allowed(model: Model, name: str, cell: str, part: str) -> None:
    assert part in reasons(resolve_options(model, options={name: cell}))[name]


def test_sound_is_expected_as_asked_for_or_as_documented() -> None:
    silent = good(resolve_options(SEEDANCE, options={"generate_audio": "off"}))
    assert expected_video(SEEDANCE, silent).audio is False
    assert expected_video(SEEDANCE, good(resolve_options(SEEDANCE))).audio is True
    assert expected_video(HAILUO, good(resolve_options(HAILUO))).audio is None


def test_an_empty_or_too_long_prompt_is_a_problem() -> None:
    assert [problem.reason for problem in check_prompt(SORA, " \n")] == ["is empty"]
    assert "takes at most 2000" in check_prompt(HAILUO, "x" * 2001)[0].reason
    assert not check_prompt(SORA, "x" * 100_000)


@given(st.sampled_from(sorted(CATALOG.models)), st.text(), st.text(), st.text(), st.text())
def test_no_cell_whatever_makes_it_stumble(name: str, resolution: str, ratio: str, duration: str, cell: str) -> None:
    """Any text at all is either settled to allowed values or answered with problems."""
    model = CATALOG.find(name)
    options = dict.fromkeys(model.options, cell)
    outcome = resolve_options(model, resolution=resolution, aspect_ratio=ratio, duration=duration, options=options)
    if isinstance(outcome, ResolvedOptions):
        assert outcome.duration_s is None or (model.duration and outcome.duration_s in model.duration.values)
    else:
        assert all(problem.reason for problem in outcome)


@given(st.sampled_from(sorted(CATALOG.models)), st.integers(64, 4000), st.integers(64, 4000))
def test_settling_what_was_settled_changes_nothing(name: str, width: int, height: int) -> None:
    model = CATALOG.find(name)
    first = resolve_options(model, image_size=(width, height))
    if isinstance(first, ResolvedOptions):
        again = resolve_options(
            model,
            resolution=first.resolution,
            aspect_ratio=first.aspect_ratio,
            duration=first.duration_s,
            image_size=(width, height),
        )
        assert again == first
