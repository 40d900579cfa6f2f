"""A batch through the real flow at each of the four providers whose creates answer with a job."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.e2e.harness import World

ROWS = {
    "runware": {"model": "klingai/v2.1-master-image-to-video", "duration": "5", "resolution": "", "aspect_ratio": ""},
    "higgsfield": {"model": "bytedance/seedance-2-5", "duration": "5", "resolution": "720p", "aspect_ratio": "16:9"},
    "fal": {"model": "bytedance/seedance-2-0", "duration": "5", "resolution": "720p", "aspect_ratio": "16:9"},
    "openrouter": {"model": "bytedance/seedance-2-0", "duration": "5", "resolution": "720p", "aspect_ratio": "16:9"},
}


def rows(world: World, name: str, count: int = 1, what: dict[str, str] | None = None) -> list[dict[str, str]]:
    """Rows for one provider, their image at an address."""
    usual = {"provider": name, "image": f"{world.sandbox.url}/images/1280x720.png", **(what or ROWS[name])}
    return [{"id": f"{name}-{n}", "prompt": f"<{name}-{n}>", **usual} for n in range(1, count + 1)]


@pytest.mark.parametrize("name", ROWS)
def test_a_clip_comes_home_and_its_cost_is_on_record(world: World, name: str) -> None:
    world.csv(rows(world, name))
    result = world.run("--allow-unpriced")
    assert result.code == 0, result.stdout + result.stderr
    (charge,) = world.charges()
    (attempt,) = world.attempts()
    assert (attempt.generation_id, attempt.usd_charged) == (charge.generation_id, charge.usd)
    assert len(world.clips()) == 1
    assert world.run("--allow-unpriced").code == 0 and len(world.charges()) == 1


def test_a_batch_of_24_rows_over_six_providers_with_faults_on(world: World) -> None:
    others = {
        "aiml": {"model": "openai/sora-2-pro-i2v", "duration": "4", "resolution": "720p", "aspect_ratio": "16:9"},
        "onerouter": {"model": "openai/sora-2-pro-i2v", "duration": "4", "resolution": "720p", "aspect_ratio": "16:9"},
    }
    every = [row for name in (*ROWS, *others) for row in rows(world, name, 4, others.get(name))]
    world.csv(every)
    for name in (*ROWS, *others):
        world.sandbox.fault("create", "busy", provider=name, retry_after="0", match=f"<{name}-1>")
        world.sandbox.fault("poll" if name != "onerouter" else "download", "reset", provider=name, match=f"<{name}-2>")
        world.sandbox.fault("download", "expired", provider=name, match=f"<{name}-3>")
    result = world.run("--allow-unpriced")
    assert result.code == 0, result.stderr
    assert len(result.json["clips"]) == 24 and all(clip["state"] == "stored" for clip in result.json["clips"])
    assert len(world.charges()) == 24 and len(world.clips()) == 24
    charged = sum(
        Decimal(str(clip["usd_charged"] or 0)) for clip in result.json["clips"] if clip["provider"] != "onerouter"
    )
    assert charged == sum(charge.usd for charge in world.charges() if charge.provider != "onerouter")
    assert {clip["provider"] for clip in result.json["clips"]} == {*ROWS, *others}
