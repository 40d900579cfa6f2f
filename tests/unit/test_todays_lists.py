"""What a provider's own list of today takes of a model is checked before anything is bought, and shown with the models."""

from __future__ import annotations

from datetime import date

import pytest

from dailies.catalog import load_catalog
from dailies.errors import BadRows
from dailies.planning.live import LiveView
from dailies.planning.offers import offers_of
from dailies.providers.live import Live
from tests.unit.planned import World, plan

MODEL, HEAD = "bytedance/seedance-2-0", "id,prompt,image,model,provider,duration,resolution"
LIST = Live(True, durations=(5, 10), resolutions=("480P", "720p"))


class Listed(World):
    """OpenRouter's list has this model with these values; the others are asked nothing."""

    async def ask(self, provider: str, names: list[str]) -> dict[str, Live]:
        return dict.fromkeys(names, LIST) if provider == "openrouter" else await super().ask(provider, names)


def rows(*cells: str) -> str:
    return "|".join([HEAD, *(f"r{n},<p{n}>,,{MODEL},{cell}" for n, cell in enumerate(cells))])


def test_a_value_that_the_list_has_not_is_a_bad_row_with_what_it_has() -> None:
    with pytest.raises(BadRows) as caught:
        plan(rows("openrouter,8,720p", "openrouter,5,1080p", "openrouter,5,480p"), Listed())
    said = [(bad.id, bad.column, bad.cure) for bad in caught.value.rows]
    assert said == [
        ("r0", "duration", "use 5 or 10, or another provider"),
        ("r1", "resolution", "use 480P or 720p, or another provider"),
    ]


def test_where_it_is_cheapest_only_who_makes_it_is_compared() -> None:
    found = plan(rows("cheapest,8,720p"), Listed(keyed=frozenset({"fal", "openrouter"})))
    assert [list(quotes) for quotes in found.compared.values()] == [["fal"]]


def test_a_provider_that_was_not_asked_refuses_nothing() -> None:
    assert len(plan(rows("openrouter,8,720p", "aiml,8,720p")).rows) == 2


def test_models_show_what_the_list_has() -> None:
    model = load_catalog().find(MODEL)
    view = LiveView({("openrouter", MODEL): LIST})
    entry = next(one for one in offers_of(model, view, date(2026, 11, 27)) if one.provider == "openrouter")
    told = entry.as_json()
    assert (told["durations"], told["resolutions"]) == ([5, 10], ["480p", "720p"])
