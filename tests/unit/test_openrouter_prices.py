"""A price of OpenRouter's list is taken only where every SKU is understood."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from dailies.providers.live import LiveUnavailable
from dailies.providers.openrouter.live import pricing_of, read_models


@pytest.mark.parametrize(
    ("skus", "prices"),
    [
        ({"per-video-second": "0.4"}, {"": ("0.4", "second")}),
        ({"generate": "1.5"}, {"": ("1.5", "clip")}),
        (
            {"per-video-second-720p": "0.1", "per-video-second-1080p": "0.2"},
            {"720p": ("0.1", "second"), "1080p": ("0.2", "second")},
        ),
    ],
)
def test_plain_prices(skus: dict[str, str], prices: dict[str, tuple[str, str]]) -> None:
    pricing = pricing_of(skus) or {}
    entries = pricing.get("variants") or pricing["units"]
    read = {e.get("when", {}).get("resolution", ""): (e["price"], e["unit"]) for e in entries}
    assert read == {name: (Decimal(usd), unit) for name, (usd, unit) in prices.items()}


@pytest.mark.parametrize(
    "skus",
    [
        None,
        {},
        {"cents_per_second_480p": "10"},
        {"video_tokens": "0.00001"},
        {"duration_seconds_without_audio_720p": "0.1"},
        {"per-video-second": "0.1", "per-video-second-1080p": "0.2"},
        {"per-video-second": "free"},
        {"per-video-second-720p": "0.1", "unheard-of": "0.2"},
    ],
)
def test_what_is_not_understood_is_no_price(skus: Any) -> None:
    assert pricing_of(skus) is None


def test_a_list_without_models_says_nothing_of_ours() -> None:
    with pytest.raises(LiveUnavailable):
        read_models(["google/veo-3.1"], {"data": []})


def test_what_a_model_takes_is_read_and_what_is_not_understood_is_no_limit() -> None:
    entry = {
        "id": "a/b", "supported_durations": [4, 8], "supported_resolutions": ["720p", "4K"],
        "supported_aspect_ratios": [], "pricing_skus": None,
    }  # fmt: skip
    live = read_models(["a/b"], {"data": [entry]})["a/b"]
    assert (live.durations, live.resolutions, live.aspect_ratios) == ((4, 8), ("720p", "4K"), None)
    odd = read_models(["a/b"], {"data": [entry | {"supported_durations": ["4", 8], "supported_resolutions": "720p"}]})
    assert (odd["a/b"].durations, odd["a/b"].resolutions) == (None, None)
