"""What clips cost on this very account is asked once for all that cost alike, with the very request that would be paid for."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from dailies.errors import BadInput
from dailies.planning.estimates import ANY_IMAGE
from dailies.planning.images import Measured
from tests.unit.planned import FRAME, World, plan

SEEDANCE, URL = "bytedance/seedance-2-0", "https://x.example/a.png"
HEAD = "id,prompt,image,model,provider,duration"


class Disk(World):
    """Where every image is a file of this machine, even one behind an address: it was turned."""

    async def measure_all(self, sources: Any, progress: object = None) -> dict[str, Measured | BadInput]:
        return {source: Measured(source, FRAME, Path("/made/a.png"), "ab" * 32, "ab" * 32) for source in sources}


def bodies(world: World, *rows: str) -> list[tuple[str, dict[str, Any]]]:
    """What was asked, and of whom."""
    plan("\n".join([HEAD, *rows]), world)
    return world.asked


def test_the_question_is_the_request_itself() -> None:
    ((provider, body),) = bodies(World(), f"a,a cat,{URL},{SEEDANCE},aiml,5")
    assert provider == "aiml"
    assert body == {"model": SEEDANCE, "prompt": "a cat", "image_url": URL, **_settings(body)}
    assert body["duration"] == 5


def _settings(body: Mapping[str, Any]) -> dict[str, Any]:
    return {name: body[name] for name in ("duration", "resolution", "aspect_ratio") if name in body}


def test_a_picture_that_has_no_address_yet_is_any_picture_and_none_is_none() -> None:
    asked = {source: bodies(Disk(), f"a,a cat,{source},{SEEDANCE},aiml,5")[0][1] for source in ("a.png", URL, "")}
    assert asked["a.png"]["image_url"] == asked[URL]["image_url"] == ANY_IMAGE
    assert "image_url" not in asked[""]


def test_each_provider_is_asked_once_for_all_rows_that_cost_alike() -> None:
    world = World(estimates={"aiml": "0.5", "fal": "0.25"})
    rows = [f"r{n},p {n},{URL},{SEEDANCE},'aiml,fal',{seconds}" for n, seconds in enumerate((5, 5, 10))]
    made = plan("\n".join([HEAD, *rows]).replace("'", '"'), world)
    assert sorted(provider for provider, _ in world.asked) == ["aiml", "aiml", "fal", "fal"]
    assert set(made.quotes.values()) == {Decimal("0.5")}
    assert {made.quote_at(row.clip.key, "fal") for row in made.rows} == {Decimal("0.25")}
    assert made.price_origins == {"live": 3}, "each row counts once, by its first provider"


def test_where_nobody_says_it_the_catalogs_price_stands() -> None:
    made = plan("\n".join([HEAD, f"a,a cat,{URL},{SEEDANCE},aiml,5"]), World(estimates={"fal": "0.25"}))
    ((origin, count),) = made.price_origins.items()
    assert origin.startswith("catalog of ") and count == 1
