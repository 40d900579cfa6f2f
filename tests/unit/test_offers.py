"""What can be bought: entries with their prices, the wishes that choose among them, and how a terminal shows them."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dailies.catalog import ResolvedOptions, live_quote, load_catalog, quote
from dailies.catalog.prices import as_entry, merged, price_of
from dailies.cli.models_show import page
from dailies.cli.models_table import lay_out
from dailies.media.images import ImageFacts
from dailies.planning.live import LiveView
from dailies.planning.offers import Wish, entries, offers_of
from dailies.providers.live import Live

CATALOG, TODAY = load_catalog(), date(2026, 11, 26)
ALL = entries(CATALOG, LiveView(), TODAY)
SORA, VEO, HAILUO = "openai/sora-2-pro-i2v", "google/veo-3.1-i2v", "minimax/hailuo-2.3"


def entry(model_id: str, view: LiveView = LiveView(), provider: str = "aiml") -> dict[str, Any]:  # noqa: B008 - frozen
    return next(e.as_json() for e in offers_of(CATALOG.find(model_id), view, TODAY) if e.provider == provider)


def test_one_entry_per_model_and_provider_with_the_words_of_the_contract() -> None:
    forms = sum(len(model.kinds_at(provider)) for model in CATALOG for provider in model.offers)
    assert len(ALL) == forms == len({(e.model.id, e.provider, e.kind) for e in ALL})
    assert entry(SORA) == {
        "id": SORA, "provider": "aiml", "provider_model": SORA, "kind": "image-to-video", "served": False,
        "usd_per_second": 0.315, "usd_per_clip": None, "price_source": CATALOG.find(SORA).offers["aiml"].price.source,  # type: ignore[union-attr]
        "price_date": "2026-09-24", "durations": [4, 8, 12], "resolutions": ["720p", "1080p"],
        "aspect_ratios": ["16:9", "9:16"], "options": [],
    }  # fmt: skip


def test_the_image_and_the_text_form_are_entries_of_their_own_under_the_providers_own_names() -> None:
    model = CATALOG.find("bytedance/seedance-2-0")
    found = [one.as_json() for one in offers_of(model, LiveView(), TODAY)]
    said = [(one["provider"], one["kind"], one["provider_model"]) for one in found]
    assert ("fal", "image-to-video", "bytedance/seedance-2.0/image-to-video") in said
    assert ("fal", "text-to-video", "bytedance/seedance-2.0/text-to-video") in said
    assert {kind for provider, kind, _ in said if provider == "runware"} == {"image-to-video"}


def test_an_entry_lists_what_its_provider_takes() -> None:
    there = entry("bytedance/seedance-2-0", provider="fal")
    assert (there["resolutions"], there["options"]) == (
        ["480p", "720p", "1080p"],
        ["generate_audio", "last_image", "reference_images", "seed"],
    )
    assert entry("bytedance/seedance-2-0")["resolutions"] == ["480p", "720p", "1080p", "4k"]


def test_a_price_never_stands_without_its_source_and_its_day() -> None:
    for said in (e.as_json() for e in ALL):
        priced = said["usd_per_second"] is not None or said["usd_per_clip"] is not None
        assert priced == bool(said["price_source"]) == bool(said["price_date"]), said
        assert said["usd_per_second"] is None or said["usd_per_clip"] is None


NOT_FOUND = {"alibaba/wan-2-6-image-to-video-flash", "alibaba/wan2.1-t2v-plus", "alibaba/wan2.1-t2v-turbo",
             "alibaba/wan2.2-i2v-plus", "alibaba/wan2.2-t2v-plus", "blackforestlabs/flux-3-video-draft-i2v",
             "blackforestlabs/flux-3-video-draft-t2v", "bytedance/seedance-1-0-lite-t2v",
             "kling-video/v1/standard/text-to-video", "kling-video/v1/pro/text-to-video",
             "kling-video/v1.6/standard/text-to-video", "kling-video/v1.6/pro/text-to-video",
             "klingai/v2-master-text-to-video", "klingai/v2.1-master-text-to-video", "pixverse/v5/image-to-video",
             "pixverse/v5/text-to-video", "pixverse/v5.5/image-to-video", "pixverse/v5.5/text-to-video"}  # fmt: skip


def test_only_what_no_public_list_names_is_without_a_price() -> None:
    """Its usual clip is quoted; a price that was not seen at the very provider says so and is marked."""
    assert {e.model.id for e in ALL if e.usd is None} == NOT_FOUND
    for one in (e for e in ALL if e.usd is not None):
        elsewhere = [words for words in ("times 1.", "no price was seen at") if words in (one.price_source or "")]
        assert one.estimated or not elsewhere, (one.model.id, one.provider)


def test_what_is_sold_by_the_clip_says_so() -> None:
    assert entry(HAILUO)["usd_per_clip"] == 0.364 and entry(HAILUO)["usd_per_second"] is None


def test_nobody_was_asked_is_not_served() -> None:
    assert entry(VEO)["served"] is None


def test_what_a_provider_says_now_comes_before_the_catalog() -> None:
    pricing = {"kind": "fixed", "units": [{"price": 0.11, "unit": "second"}]}
    view = LiveView({("aiml", VEO): Live(True, pricing=pricing), ("aiml", SORA): Live(True)})
    assert entry(VEO, view) | {"options": []} == entry(VEO) | {
        "served": True, "usd_per_second": 0.11, "price_source": "asked of aiml", "price_date": "2026-11-26", "options": [],
    }  # fmt: skip
    assert entry(SORA, view)["served"] is True


def test_wishes_choose() -> None:
    def ids(wish: Wish) -> set[str]:
        return {e.model.id for e in entries(CATALOG, LiveView(), TODAY, wish)}

    assert SORA in ids(Wish(duration=12)) and VEO not in ids(Wish(duration=12))
    assert ids(Wish(providers=("onerouter",))) == {SORA}
    portrait = ImageFacts("png", 720, 1280, 1000)
    assert SORA in ids(Wish(image=portrait)) and SORA not in ids(Wish(image=replace(portrait, width=721)))
    assert all(e.model.audio for e in entries(CATALOG, LiveView(), TODAY, Wish(sound=True)))
    cheap = entries(CATALOG, LiveView(), TODAY, Wish(usd_at_most=Decimal("0.50")))
    assert cheap and all(e.usd is not None and e.usd <= Decimal("0.50") for e in cheap)


def test_the_price_is_of_what_was_wished() -> None:
    found = entries(CATALOG, LiveView(), TODAY, Wish(("onerouter",), duration=8, resolution="1080p"))
    assert [e.usd for e in found] == [Decimal("4.00")]


@given(st.integers(min_value=30, max_value=260))
def test_no_line_is_wider_than_the_terminal_no_id_is_cut_and_no_entry_takes_three_lines(width: int) -> None:
    lines = [line for line, _ in lay_out(ALL, width)]
    assert max(map(len, lines)) <= width
    assert len(lines) <= 2 * len(ALL) + 1
    whole = "\n".join(lines)
    for e in ALL:
        assert e.model.id in whole or e.model.id in whole.replace("\n", "")


@given(st.integers(min_value=60, max_value=200), st.sampled_from([model.id for model in CATALOG]))
def test_the_page_of_a_model_keeps_to_the_width(width: int, model_id: str) -> None:
    model = CATALOG.find(model_id)
    lines = list(page(model, list(offers_of(model, LiveView(), TODAY)), width))
    assert max(map(len, lines)) <= width
    assert all(any(name in line for line in lines) for name in model.options)


LIVE = (
    {"kind": "fixed", "units": [{"price": 0.315, "unit": "second"}]},
    {"kind": "fixed", "units": [{"price": 1.2, "unit": "video", "per": 1}]},
    {"kind": "variants", "variants": [
        {"price": 3, "per": 10, "unit": "seconds", "when": {"resolution": "720p"}},
        {"price": 5, "per": 10, "unit": "seconds", "when": {"resolution": "1080p"}},
    ]},
)  # fmt: skip


@pytest.mark.parametrize("pricing", LIVE)
@pytest.mark.parametrize("resolution", ["720p", "1080p"])
def test_a_price_that_is_kept_quotes_what_was_told(pricing: dict[str, Any], resolution: str) -> None:
    kept = price_of(pricing, TODAY, "asked of aiml")
    offer = CATALOG.find(SORA).offers["aiml"].model_copy(update={"price": kept})
    settled = ResolvedOptions(resolution, "16:9", 8)
    assert quote(offer, settled) == live_quote(pricing, settled) is not None


def test_half_a_price_is_none() -> None:
    variants = [{"price": 1, "unit": "second", "when": {"resolution": "720p"}}, {"price": 1, "unit": "banana"}]
    assert price_of({"kind": "variants", "variants": variants}, TODAY, "x") is None
    assert price_of({"kind": "variable"}, TODAY, "x") is None


def test_a_file_of_ones_own_keeps_what_else_stands_in_it() -> None:
    price = price_of(LIVE[0], TODAY, "asked of aiml")
    assert price
    own = {"maker": "Us", "models": [{"id": "a", "title": "ours", "offers": {"aiml": {"name": "z"}}}]}
    after = merged(own, [as_entry("a", "aiml", price), as_entry("b", "aiml", price)])
    told = {"rates": [{"usd": "0.315", "per": "second"}], "as_of": "2026-11-26", "source": "asked of aiml"}
    assert after == {
        "maker": "Us",
        "models": [
            {"id": "a", "title": "ours", "offers": {"aiml": {"name": "z", "price": told}}},
            {"id": "b", "offers": {"aiml": {"price": told}}},
        ],
    }


def test_what_is_left_open_is_the_first_that_the_provider_takes_and_what_is_wished_stays() -> None:
    """A provider may not make a model's usual length or size."""
    model = CATALOG.find("bytedance/seedance-2-0")
    only = model.offers["fal"].model_copy(update={"only": {"duration": (12, 15), "resolution": ("480p",)}})
    there = model.model_copy(update={"offers": {"fal": only}})

    def settled(**wish: Any) -> list[tuple[int | None, str | None]]:
        found = offers_of(there, LiveView(), TODAY, Wish(**wish))
        return [(e.resolved.duration_s, e.resolved.resolution) for e in found if e.kind == "image-to-video"]

    assert settled() == [(12, "480p")]
    assert settled(duration=15) == [(15, "480p")] and settled(resolution="480p") == [(12, "480p")]
    assert settled(duration=5) == [] and settled(resolution="1080p") == []
