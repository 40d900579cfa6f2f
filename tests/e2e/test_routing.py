"""Several providers in their order: a clip moves on only after an outcome that surely cost nothing."""

from __future__ import annotations

import pytest

from tests.e2e.harness import World
from tests.e2e.invariants import assert_invariants


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        pytest.param("status", {"status": 400}, id="refused"),
        pytest.param("status", {"status": 403}, id="no credits"),
        pytest.param("status", {"status": 401}, id="bad key"),
    ],
)
def test_a_clip_moves_on_after_an_outcome_that_cost_nothing(world: World, kind: str, options: dict[str, int]) -> None:
    """Refused at the first provider, made by the second; the report says by whom."""
    world.csv(2, provider="")
    world.sandbox.fault("create", kind, provider="aiml", times=None, **options)
    result = world.run("--provider", "aiml,onerouter")
    assert result.code == 0
    assert {clip["provider"] for clip in result.json["clips"]} == {"onerouter"}
    assert {charge.provider for charge in world.charges()} == {"onerouter"}
    assert_invariants(world)


def test_a_clip_never_moves_on_while_it_may_have_been_charged(world: World) -> None:
    """The first provider's answer was lost: the second is not asked."""
    world.csv(1, provider="")
    world.sandbox.fault("create", "charged_status", provider="aiml", status=500)
    world.sandbox.fault("logs", "status", times=None, status=503)
    result = world.run("--provider", "aiml,onerouter")
    assert (result.code, result.json["in_doubt"]) == (1, 1)
    assert [charge.provider for charge in world.charges()] == ["aiml"]
    assert_invariants(world)


def test_a_refusal_everywhere_is_final(world: World) -> None:
    """Moderated at both: failed, not charged, and not asked again by the next run."""
    world.csv([{"id": "a", "prompt": "a forbidden thing", "provider": "aiml,onerouter"}])
    assert world.run().json["failed"] == 1
    posts = len(world.posts())
    assert posts == 2
    assert world.run().json["failed"] == 1
    assert len(world.posts()) == posts
    assert_invariants(world)


def test_the_cheapest_is_chosen_per_row_and_a_doubt_there_moves_nowhere(world: World) -> None:
    """`check` shows what each would ask, in JSON and in the table; a lost answer stays where the request went."""
    world.csv([{"id": "a", "prompt": "a", "provider": "cheapest"}, {"id": "b", "prompt": "b", "provider": "aiml"}])
    checked = world.command("check", str(world.prompts), "--json").json["clips"]
    assert (checked[0]["provider"], checked[0]["quotes"]) == ("onerouter", {"aiml": 1.26, "onerouter": 1.2})
    assert checked[1]["provider"] == "aiml" and "quotes" not in checked[1]
    table = world.command("check", str(world.prompts)).stdout
    assert "elsewhere" in table and "aiml $1.26" in table
    world.sandbox.fault("create", "charged_status", provider="onerouter", status=500)
    first = world.run()
    assert (first.code, first.clip("a")["state"], first.clip("b")["state"]) == (1, "in_doubt", "stored")
    dearer = world.run(ONEROUTER_API_KEY="")  # now the cheapest is another
    assert dearer.clip("a")["state"] == "in_doubt"
    assert sorted(charge.provider for charge in world.charges()) == ["aiml", "onerouter"]
    assert_invariants(world)


def test_rows_without_an_image_are_made_of_their_prompt_alone(world: World) -> None:
    """Bought, brought home, looked at and forgotten like any other; beside a row with an image, whose key is as ever."""
    common = {"resolution": "720p", "aspect_ratio": "16:9", "duration": "4"}
    world.csv(
        [
            {"id": "text", "prompt": "a wave", "image": "", "model": "google/veo-3.1-t2v", **common},
            {"id": "either", "prompt": "a hill", "image": "", "model": "bytedance/seedance-2-0", **common},
            {"id": "both", "prompt": "a wave", "model": "google/veo-3.1-i2v", **common},
        ]
    )
    result = world.run("--allow-unpriced")
    assert result.code == 0, result.stderr
    assert {clip["state"] for clip in result.json["clips"]} == {"stored"}
    again = world.run("--allow-unpriced")
    assert again.code == 0 and len(world.charges()) == 3
    assert_invariants(world)
    assert world.command("forget", "--batch", "batch", "--yes").code == 0
