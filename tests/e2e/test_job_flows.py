"""A batch through the real flow at each of the four providers whose creates answer with a job."""

from __future__ import annotations

import csv
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


SYNCED = {"model": "openai/sora-2-pro-i2v", "duration": "4", "resolution": "720p", "aspect_ratio": "16:9"}
SIX = {**ROWS, "aiml": SYNCED, "onerouter": SYNCED}
LEFT_TO_A_PERSON = {"onerouter", "openrouter"}


def test_a_batch_of_24_rows_over_six_providers_with_faults_on(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each provider is busy once, breaks off once, shows an expired address once and loses one answer after the charge. What
    the report says of it is what the provider's own list says."""
    monkeypatch.setattr("dailies.steps.settle.PAUSES_S", (0.0,))
    world.csv([row for name in SIX for row in rows(world, name, 4, SIX[name])])
    for name in SIX:
        world.sandbox.fault("create", "busy", provider=name, retry_after="0", match=f"<{name}-1>")
        world.sandbox.fault("poll" if name != "onerouter" else "download", "reset", provider=name, match=f"<{name}-2>")
        world.sandbox.fault("download", "expired", provider=name, match=f"<{name}-3>")
        world.sandbox.fault("create", "lost", provider=name, match=f"<{name}-4>")
    result = world.run("--allow-unpriced")
    lost = {name for name in SIX if result.clip(f"{name}-4")["state"] == "in_doubt"}
    assert lost == LEFT_TO_A_PERSON, "the others settle themselves: own id, key, history, log"
    assert result.code == 1 and len(world.charges()) == 24

    assert world.command("collect", "--json").code == 1
    told = world.command("report", "--json", "--out", str(world.folder / "report")).json
    doubts = {clip["provider"] for clip in told["clips"] if clip["state"] == "in_doubt"}
    assert doubts == LEFT_TO_A_PERSON and told["delivered"] + told["already_delivered"] == 22
    assert len(world.charges()) == 24 and len(world.clips()) == 22, "and nothing was bought twice"
    known = {charge.generation_id: charge.usd for charge in world.charges()}
    told_usd = {  # of OneRouter's answer nothing is known
        clip["id"]: (Decimal(str(clip["usd_charged"])), known[clip["generation_id"]])
        for clip in told["clips"]
        if clip["state"] == "stored" and clip["provider"] != "onerouter"
    }
    assert {name: pair for name, pair in told_usd.items() if pair[0] != pair[1]} == {} and len(told_usd) == 19
    at_risk = [clip["usd_quoted"] or 0 for clip in told["clips"] if clip["state"] == "in_doubt"]
    assert told["usd_at_risk"] == pytest.approx(sum(at_risk)) and told["usd_at_risk"] > 0
    with next((world.folder / "report").rglob("credits.csv")).open(newline="", encoding="utf-8") as file:
        lines = {line["id"]: line["state"] for line in csv.DictReader(file)}
    expected = {f"{name}-{n}": "stored" for name in SIX for n in range(1, 5)}
    assert lines == expected | {f"{name}-4": "in_doubt" for name in LEFT_TO_A_PERSON}
