"""`cheapest`: per row the lowest known quote among providers with a key, ties by the order given, and it stays there."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dailies.catalog import Catalog, Model
from dailies.catalog.models import Offer, Price, Rate
from dailies.errors import BadRows, Misconfigured
from dailies.planning.cheapest import Named, lowest, named_providers, to_compare
from dailies.planning.defaults import with_defaults
from dailies.planning.request import BatchRequest
from dailies.registry import provider_names
from dailies.settings import Settings
from tests.unit.planned import CATALOG, World, plan

ALL = provider_names()


def sold(**usd: str | None) -> Catalog:
    """One model, at these dollars a second, by provider."""
    offers = {
        name: Offer(name="m", price=Price(rates=(Rate(usd=Decimal(price)),), as_of="2026-11-26", source="a test") if price else None)
        for name, price in usd.items()
    }  # fmt: skip
    base = CATALOG.find("google/veo-3.1-i2v")
    return Catalog([Model.model_validate(base.model_dump() | {"id": "m", "offers": offers})])


ROW = "id,prompt,image,model|a,<a>,https://x.example/a.png,m"


@pytest.mark.parametrize(("text", "named"), [
    ("fal, AIML", Named(("fal", "aiml"))),
    ("cheapest", Named(ALL, True)),
    ("Cheapest,openrouter,fal", Named(("openrouter", "fal"), True)),
])  # fmt: skip
def test_it_stands_in_place_of_a_provider_or_before_those_to_compare(text: str, named: Named) -> None:
    assert named_providers(text) == named


@given(st.dictionaries(st.sampled_from(ALL), st.none() | st.decimals(1, 9, places=1), min_size=1))
def test_the_lowest_known_quote_the_first_of_equals_the_first_of_all(quotes: dict[str, Decimal | None]) -> None:
    chosen, known = lowest(quotes), [usd for usd in quotes.values() if usd is not None]
    if not known:
        assert chosen == next(iter(quotes))
    else:
        assert chosen == next(name for name, usd in quotes.items() if usd == min(known))


def test_only_who_offers_it_and_has_a_key_is_compared() -> None:
    model = sold(aiml="1", fal="0.5", openrouter="0.7").find("m")
    assert to_compare(model, ALL, {"aiml", "openrouter", "runware"}) == ("aiml", "openrouter")
    assert to_compare(model, ALL, ()) == ("aiml", "fal", "openrouter"), "without any key the comparison is still told"


@pytest.mark.parametrize("text", ["cheapest", ""])
def test_a_row_is_made_where_it_costs_least_and_the_plan_tells_what_all_would_ask(text: str) -> None:
    catalog = sold(aiml="1", fal="0.5", openrouter="0.7", runware=None)
    csv = f"id,prompt,image,model,provider|a,<a>,https://x.example/a.png,m,{text}"
    made = plan(csv, World(keyed=frozenset(ALL)), catalog, provider=None if text else "cheapest")
    (row,) = made.rows
    assert row.providers == ("fal",) and made.usd_quoted == Decimal("4.00")
    usd = {"aiml": Decimal(8), "runware": None, "fal": Decimal(4), "openrouter": Decimal("5.6")}
    assert made.compared == {row.clip.key: usd}
    assert made.providers == ("fal",), "the others are neither opened nor asked for their balance"


def test_ties_go_by_the_order_given() -> None:
    catalog, world = sold(aiml="1", fal="1", openrouter="1"), World(keyed=frozenset(ALL))
    assert plan(ROW, world, catalog, provider="cheapest").rows[0].providers == ("aiml",)
    assert plan(ROW, world, catalog, provider="cheapest,openrouter,fal").rows[0].providers == ("openrouter",)


def test_without_a_key_there_it_is_not_bought_there() -> None:
    catalog = sold(aiml="1", fal="0.5", openrouter="0.7")
    made = plan(ROW, World(keyed=frozenset({"aiml", "openrouter"})), catalog, provider="cheapest")
    assert made.rows[0].providers == ("openrouter",)


def test_who_no_longer_serves_it_is_left_out() -> None:
    catalog, world = sold(aiml="1", fal="0.5"), World(keyed=frozenset(ALL), gone=frozenset({"fal"}))
    made = plan(ROW, world, catalog, provider="cheapest")
    assert made.rows[0].providers == ("aiml",) and list(*made.compared.values()) == ["aiml"]


def test_an_estimate_of_this_account_is_the_price_and_is_asked_once_for_rows_that_cost_alike() -> None:
    catalog = sold(aiml="0.5", higgsfield="0.9")
    csv = "id,prompt,image,model|" + "|".join(f"{n},<{n}>,https://x.example/{n}.png,m" for n in "abc")
    world = World(keyed=frozenset(ALL), estimates={"higgsfield": "1.25"})
    made = plan(csv, world, catalog, provider="cheapest")
    assert {row.providers for row in made.rows} == {("higgsfield",)} and made.usd_quoted == Decimal("3.75")
    assert made.price_origins == {"live": 3} and [name for name, _ in world.asked].count("higgsfield") == 1
    assert world.asked[0][1]["image_url"] == "https://x.example/a.png"


def test_a_plan_that_does_not_ask_for_it_compares_nothing() -> None:
    made = plan(ROW, World(keyed=frozenset(ALL)), sold(aiml="1", fal="0.5"), provider="aiml,fal")
    assert made.rows[0].providers == ("aiml", "fal") and not made.compared


def test_a_name_that_is_none_is_refused_beside_it() -> None:
    with pytest.raises(BadRows, match=r"'fall' is not a provider; there are aiml, .*, and cheapest"):
        plan(ROW, World(), sold(aiml="1"), provider="cheapest,fall")
    with pytest.raises(BadRows, match="fal does not offer m"):
        plan(ROW, World(), sold(aiml="1"), provider="cheapest,fal")


def test_the_setting_takes_the_word_too() -> None:
    asked = with_defaults(BatchRequest(prompts="a"), Settings(dailies_provider="cheapest"), CATALOG)
    assert asked.provider == "cheapest"
    with pytest.raises(Misconfigured, match="DAILIES_PROVIDER=cheap"):
        with_defaults(BatchRequest(prompts="a"), Settings(dailies_provider="cheap"), CATALOG)
