"""`dailies doctor --deep` against a world that works, and one whose ledger can't be written."""

from __future__ import annotations

import pytest

from tests.e2e.harness import World


@pytest.mark.engine
def test_deep_asks_more_than_usual_and_leaves_nothing(world: World) -> None:
    found = world.command("doctor", "--deep", "--json")
    says = {finding["what"]: (finding["grade"], finding["says"]) for finding in found.json["findings"]}
    assert says["ledger write"][1].endswith(" ms") and "GB free" in says["disk"][1]
    assert says["proxy"] == ("ok", "none is set")
    assert says["clock at aiml"][0] == says["clock at store"][0] == "ok"  # a busy machine answers seconds late
    assert {"ledger write", "disk", "proxy", "clock at aiml"}.isdisjoint(
        finding["what"] for finding in world.command("doctor", "--json").json["findings"]
    )
    assert world.posts() == [] and world.objects() == {}
