"""Prices: known ones exactly, unknown ones never zero, open questions at the dearest rate."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from dailies.catalog import Offer, Price, Rate, ResolvedOptions, live_quote, load_catalog, quote, resolve_options

CATALOG = load_catalog()
SORA = CATALOG.find("openai/sora-2-pro-i2v")
FIVE_SECONDS = ResolvedOptions("1080p", "16:9", 5)


def sora(provider: str, **asked: object) -> Decimal | None:
    resolved = resolve_options(SORA, **asked)  # type: ignore[arg-type]
    assert isinstance(resolved, ResolvedOptions)
    return quote(SORA.offer_at(provider), resolved)


def test_sora_costs_what_was_seen() -> None:
    assert sora("aiml") == Decimal("1.260")
    assert sora("aiml", resolution="1080p", duration=12) == Decimal("6.300")
    assert sora("onerouter", duration=8) == Decimal("2.40")


def test_an_unknown_price_is_none_and_not_zero() -> None:
    seedance = CATALOG.find("bytedance/seedance-2-0")
    at_4k = resolve_options(seedance, resolution="4k")
    assert isinstance(at_4k, ResolvedOptions)
    assert quote(seedance.offers["aiml"], at_4k) is None
    assert quote(Offer(name="x"), FIVE_SECONDS) is None


def test_a_price_per_clip_may_depend_on_seconds_and_resolution() -> None:
    hailuo = CATALOG.find("minimax/hailuo-2.3")
    short, long = resolve_options(hailuo, duration=6), resolve_options(hailuo, duration=10)
    assert isinstance(short, ResolvedOptions)
    assert isinstance(long, ResolvedOptions)
    assert quote(hailuo.offers["aiml"], short) == Decimal("0.364")
    assert quote(hailuo.offers["aiml"], long) == Decimal("0.728")


def test_what_the_row_leaves_open_costs_the_dearest_rate() -> None:
    kling = CATALOG.find("klingai/video-v3-pro-image-to-video")
    loud, silent = resolve_options(kling), resolve_options(kling, options={"generate_audio": "false"})
    assert isinstance(loud, ResolvedOptions)
    assert isinstance(silent, ResolvedOptions)
    assert quote(kling.offers["aiml"], loud) == Decimal("0.2184") * 5
    assert quote(kling.offers["aiml"], silent) == Decimal("0.1456") * 5


def test_a_closer_description_beats_a_general_one() -> None:
    rates = (Rate(usd=Decimal(2)), Rate(usd=Decimal(1), when={"generate_audio": False}))
    offer = Offer(name="x", price=Price(rates=rates, as_of=date(2026, 1, 1), source="a test"))
    assert quote(offer, FIVE_SECONDS) == 10
    assert quote(offer, ResolvedOptions("1080p", "16:9", 5, {"generate_audio": False})) == 5


def test_a_price_per_second_of_an_unknown_length_is_unknown() -> None:
    price = Price(rates=(Rate(usd=Decimal(1)),), as_of=date(2026, 1, 1), source="a test")
    assert quote(Offer(name="x", price=price), ResolvedOptions(None, None, None)) is None


DOCUMENTED = {
    "kind": "variants",
    "dimensions": ["resolution"],
    "variants": [
        {"when": {"resolution": "720p"}, "price": 0.39, "unit": "second", "per": 1},
        {"when": {"resolution": "1080p"}, "price": 0.65, "unit": "second", "per": 1},
    ],
}


def test_the_documented_live_price_gives_the_documented_sum() -> None:
    assert live_quote(DOCUMENTED, FIVE_SECONDS) == Decimal("3.25")
    assert live_quote(DOCUMENTED, ResolvedOptions("720P", None, 4)) == Decimal("1.56")


def test_a_live_price_for_an_unlisted_resolution_is_unknown() -> None:
    assert live_quote(DOCUMENTED, ResolvedOptions("480p", None, 4)) is None


def test_a_live_price_by_something_that_the_model_lacks_counts_the_dearest() -> None:
    assert live_quote(DOCUMENTED, ResolvedOptions(None, None, 10)) == Decimal("6.50")


@pytest.mark.parametrize(
    ("unit", "usd"),
    [
        ({"price": 0.315, "unit": "second", "per": 1}, "1.575"),
        ({"price": "0.315", "per": "second"}, "1.575"),
        ({"price": 1.5, "unit": "second", "per": 5}, "1.5"),
        ({"price": 1.5, "per": 5}, "1.5"),
        ({"price": 0.5, "unit": "video", "per": 1}, "0.5"),
        ({"price": 0.5, "unit": "Generation"}, "0.5"),
        ({"price": 6, "unit": "minute", "per": 1}, "0.5"),
    ],
)
def test_live_prices_are_read_per_unit(unit: dict[str, object], usd: str) -> None:
    assert live_quote({"kind": "fixed", "currency": "USD", "units": [unit]}, FIVE_SECONDS) == Decimal(usd)


@pytest.mark.parametrize(
    "pricing",
    [
        {},
        {"kind": "variable"},
        {"kind": "fixed"},
        {"kind": "fixed", "units": []},
        {"kind": "fixed", "units": "free"},
        {"kind": "fixed", "units": [None, 3]},
        {"kind": "fixed", "units": [{"price": 0, "unit": "second", "per": 1}]},
        {"kind": "fixed", "units": [{"price": -1, "unit": "second", "per": 1}]},
        {"kind": "fixed", "units": [{"price": None, "unit": "second", "per": 1}]},
        {"kind": "fixed", "units": [{"price": "NaN", "unit": "second", "per": 1}]},
        {"kind": "fixed", "units": [{"price": 1, "unit": "token", "per": 1000000}]},
        {"kind": "fixed", "units": [{"price": 1, "unit": "second", "per": -1}]},
        {"kind": "fixed", "units": [{"price": 1, "unit": "video"}, {"price": 1, "unit": "token"}]},
        {"kind": "fixed", "currency": "EUR", "units": [{"price": 1, "unit": "second", "per": 1}]},
        {"kind": "variants", "variants": [{"when": {"resolution": "1080p"}, "price": 1, "unit": "token"}]},
    ],
)
def test_a_live_price_that_can_not_be_told_is_none(pricing: dict[str, object]) -> None:
    assert live_quote(pricing, FIVE_SECONDS) is None
