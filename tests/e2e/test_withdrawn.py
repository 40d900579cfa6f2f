"""Is the model still served, and what does it cost now: asked before a cent is spent."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from tests.e2e.harness import World, picture

SORA, VEO = "openai/sora-2-pro-i2v", "google/veo-3.1-i2v"


def test_a_withdrawn_model_is_refused_with_date_and_priced_alternatives(world: World) -> None:
    """Exit 2, when it ended, what replaced it, what the batch would cost there; nothing is bought."""
    world.csv(2)
    world.sandbox.withdraw(SORA, shutdown_at="2026-09-24", replaced_by=VEO)
    for command in ("check", "run"):
        result = world.command(command, str(world.prompts), "--json")
        assert result.code == 2
        assert f"{SORA} is no longer served at aiml (withdrawn on 2026-09-24)" in result.stderr
        assert f"{VEO} ($" in result.stderr
    assert world.posts() == []


def test_one_flag_moves_the_batch_to_another_model(world: World) -> None:
    """`--model` for rows that name none."""
    world.csv(1)
    world.sandbox.withdraw(SORA, shutdown_at="2026-09-24", replaced_by=VEO)
    result = world.run("--model", VEO)
    assert result.code == 0
    assert result.json["clips"][0]["model"] == VEO


def test_the_live_price_is_what_is_quoted(world: World) -> None:
    """The provider's price of today comes before the catalog's."""
    world.csv(1)
    world.sandbox.price(SORA, Decimal("0.5"), resolution="720p")
    assert world.command("check", str(world.prompts), "--json").json["usd_quoted"] == 2.0


def test_a_provider_that_cannot_be_asked_is_a_warning_unless_required(world: World) -> None:
    """Prices then are the catalog's; with --require-live nothing is bought."""
    world.csv(1)
    world.sandbox.fault("models", "status", times=None, status=503)
    result = world.command("check", str(world.prompts), "--json")
    assert result.code == 0
    assert "could not be asked" in result.stderr
    assert world.command("check", str(world.prompts), "--require-live").code == 2


def test_three_that_take_the_rows_are_named_though_the_image_fits_only_them(world: World) -> None:
    """A picture that the withdrawn model would refuse is no reason to talk of the picture: `--model` mends both."""
    world.csv(1, resolution="", aspect_ratio="", duration="")
    (world.folder / "first-720.png").write_bytes(picture(1000, 1000))
    world.sandbox.withdraw(SORA, shutdown_at="2026-09-24", replaced_by=VEO)
    result = world.command("check", str(world.prompts), "--json")
    assert result.code == 2
    named = re.findall(r"--model (\S+) \(\$[\d.]+ for 1 clip\)", result.json["error"])
    assert len(named) == 3
    for model in named:
        assert world.command("check", str(world.prompts), "--model", model, "--json").json["to_buy"] == 1


def test_the_settings_name_model_and_provider_for_rows_that_name_none(world: World) -> None:
    """A row's own word and the command line come before them; what they misname is refused by their name."""
    world.csv(1, provider="")
    world.environ |= {"DAILIES_MODEL": VEO, "DAILIES_PROVIDER": "aiml"}
    assert world.command("check", str(world.prompts), "--json").json["clips"][0]["model"] == VEO
    routed = world.command("check", str(world.prompts), "--model", SORA, "--provider", "onerouter", "--json").json
    assert (routed["clips"][0]["model"], routed["clips"][0]["provider"]) == (SORA, "onerouter")
    for name, value in (("DAILIES_MODEL", "veo-9"), ("DAILIES_PROVIDER", "nobody")):
        environ: dict[str, Any] = {name: value}
        refused = world.command("check", str(world.prompts), **environ)
        assert refused.code == 2 and f"{name}={value}: " in refused.stderr
