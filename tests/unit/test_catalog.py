"""Models are found by every name they have, and suggest others where they can't do what is asked."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dailies.catalog import Catalog, ResolvedOptions, load_catalog, quote, resolve_options
from dailies.catalog.table import excluded_models, main, models_page
from dailies.errors import BadInput

CATALOG = load_catalog()
FIRST_RELEASE = [
    "openai/sora-2-pro-i2v",
    "openai/sora-2-pro-image-to-video",
    "google/veo-3.1-i2v",
    "google/veo-3.1-i2v-fast",
    "bytedance/seedance-2-0",
    "klingai/video-v3-pro-image-to-video",
    "alibaba/wan-2-7-i2v",
    "minimax/hailuo-2.3",
]


@pytest.mark.parametrize("name", ["openai/sora-2-pro-i2v", " OpenAI/Sora-2-Pro-I2V ", "sora-2-pro-i2v"])
def test_a_model_is_found_by_id_and_alias_in_any_case(name: str) -> None:
    assert CATALOG.find(name).id == "openai/sora-2-pro-i2v"


def test_a_provider_s_name_finds_the_model_and_names_the_provider() -> None:
    name = "openai/sora-2-pro-image-to-video"
    assert CATALOG.find(name).id == "openai/sora-2-pro-i2v"
    assert CATALOG.provider_of(name) == "onerouter"


@pytest.mark.parametrize("name", ["openai/sora-2-pro-i2v", "google/veo-3.1-i2v", "nobody/knows-this"])
def test_an_id_says_nothing_about_the_provider(name: str) -> None:
    assert CATALOG.provider_of(name) is None


@pytest.mark.parametrize(
    ("written", "meant"),
    [("openai/sora2-pro-i2v", "openai/sora-2-pro-i2v"), ("Veo 3.1", "google/veo-3.1-i2v"), ("hailo-2.3", "minimax/")],
)
def test_an_unknown_name_is_answered_with_the_nearest(written: str, meant: str) -> None:
    with pytest.raises(BadInput, match=f"did you mean .*{re.escape(meant)}"):
        CATALOG.find(written)


def test_a_model_that_the_provider_lacks_is_bad_input_naming_who_has_it() -> None:
    with pytest.raises(
        BadInput, match=r"onerouter does not offer google/veo-3\.1-i2v; aiml, runware, fal or openrouter does"
    ):
        CATALOG.find("google/veo-3.1-i2v").offer_at("onerouter")
    assert CATALOG.find("openai/sora-2-pro-i2v").offer_at("onerouter").name


def test_nearest_to_sora_2_pro_is_veo() -> None:
    sora = CATALOG.find("openai/sora-2-pro-i2v")
    assert CATALOG.nearest(sora)[0].id == "google/veo-3.1-i2v"
    assert CATALOG.nearest(sora, duration="8 s", resolution="720p", aspect_ratio="16:9")[0].id == "google/veo-3.1-i2v"


def test_nearest_for_twelve_seconds_are_those_that_can_do_twelve_seconds() -> None:
    sora = CATALOG.find("openai/sora-2-pro-i2v")
    ids = [model.id for model in CATALOG.nearest(sora, duration=12)]
    assert ids[:3] == [
        "bytedance/seedance-2-0",
        "klingai/video-v3-pro-image-to-video",
        "alibaba/happyhorse-1.1",
    ]


def test_nearest_models_take_the_rows_unchanged_and_are_not_withdrawn() -> None:
    for model in CATALOG:
        for other in CATALOG.nearest(model, duration=5, resolution="1080p"):
            assert isinstance(resolve_options(other, duration=5, resolution="1080p"), ResolvedOptions)
            assert other.withdrawn_on is None
            assert other.id != model.id


@pytest.mark.parametrize("name", FIRST_RELEASE)
def test_the_models_of_the_first_release_have_a_price_that_says_where_it_is_from(name: str) -> None:
    model = CATALOG.find(name)
    offer = model.offer_at(CATALOG.provider_of(name) or "aiml")
    resolved = resolve_options(model)
    assert isinstance(resolved, ResolvedOptions)
    usd = quote(offer, resolved)
    assert usd is not None
    assert usd > 0
    assert offer.price is not None
    assert offer.price.source


def test_deadlines_leave_room_for_four_times_the_typical_time() -> None:
    for model in CATALOG:
        assert model.longest_s >= max(600, 4 * model.typical_s)


def test_the_default_resolution_is_720p_where_there_is_one() -> None:
    for model in CATALOG:
        if model.resolution and any(value.lower() == "720p" for value in model.resolution.values):
            assert model.resolution.default.lower() == "720p"


def test_the_page_of_models_is_current(tmp_path: Path) -> None:
    """docs/models.md is what `python -m dailies.catalog.table` writes today."""
    page = tmp_path / "models.md"
    main([str(page)])
    committed = Path(__file__).parents[2] / "docs" / "models.md"
    assert committed.read_text("utf-8") == page.read_text("utf-8")


def test_the_page_names_every_model_included_or_not() -> None:
    page = models_page(CATALOG, excluded_models())
    assert all(f"`{name}`" in page for name in [*CATALOG.models, *excluded_models()])


def test_an_empty_catalog_finds_nothing() -> None:
    with pytest.raises(BadInput, match=r"no model is called 'x'; docs/models\.md lists all"):
        Catalog([]).find("x")
