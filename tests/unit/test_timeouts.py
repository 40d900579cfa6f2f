"""A time-out of the paid request is held against the model's own time, where the answer is the clip itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dailies.catalog import load_catalog
from dailies.domain.clips import Row
from dailies.errors import Misconfigured
from dailies.planning.timeouts import refuse_short_timeout
from dailies.providers.open import queued_models
from dailies.settings import Settings
from tests.ledger.factories import a_clip, a_row

CATALOG = load_catalog()


def rows(*providers: str) -> list[Row]:
    """One row of a model that OneRouter makes while the connection is held."""
    return [a_row(clip=a_clip(model="openai/sora-2-pro-i2v"), providers=providers)]


def told(timeout_s: float | None) -> Settings:
    """Settings with this time-out."""
    return Settings.model_validate({"dailies_create_timeout_s": timeout_s})


@pytest.mark.parametrize("timeout_s", [0.5, 10, 599.9])
def test_a_time_below_the_models_own_is_refused_naming_the_setting_and_the_least(timeout_s: float) -> None:
    for providers in (("onerouter",), ("aiml", "onerouter")):
        with pytest.raises(Misconfigured, match=rf"DAILIES_CREATE_TIMEOUT_S={timeout_s:g} .* at least 600"):
            refuse_short_timeout(told(timeout_s), CATALOG, rows(*providers))


@pytest.mark.parametrize(("timeout_s", "provider"), [(600, "onerouter"), (None, "onerouter"), (0.5, "aiml")])
def test_any_time_that_an_answer_can_meet_is_fine(timeout_s: float | None, provider: str) -> None:
    refuse_short_timeout(told(timeout_s), CATALOG, rows(provider))


def test_a_model_of_ones_own_that_takes_longer_than_the_usual_time_out_asks_for_a_longer_one(tmp_path: Path) -> None:
    slow: dict[str, Any] = {"id": "openai/sora-2-pro-i2v", "longest_s": 1200}
    (tmp_path / "slow.json").write_text(json.dumps({"models": [slow]}), encoding="utf-8")
    with pytest.raises(Misconfigured, match="at least 1200"):
        refuse_short_timeout(told(None), load_catalog(tmp_path), rows("onerouter"))


def test_of_several_the_one_that_takes_longest_says_what_is_least(tmp_path: Path) -> None:
    """Whatever is least for one is too short for another."""
    longest = {"bytedance/seedance-2-0": 900, "openai/sora-2-i2v": 1500}
    models = [
        {"id": name, "longest_s": seconds, "offers": {"onerouter": {"name": f"the {name}", "synchronous": True}}}
        for name, seconds in longest.items()
    ]
    (tmp_path / "slow.json").write_text(json.dumps({"models": models}), encoding="utf-8")
    several = [a_row(clip=a_clip(model=name), providers=("onerouter",)) for name in longest]
    for wanted in (several, several[::-1]):
        with pytest.raises(
            Misconfigured, match=r"onerouter answers a create of openai/sora-2-i2v with .* at least 1500"
        ):
            refuse_short_timeout(told(10), load_catalog(tmp_path), wanted)


def test_a_queue_answers_at_once_so_no_time_is_too_short(tmp_path: Path) -> None:
    offer = {"onerouter": {"synchronous": False, "asynchronous": True}}
    queued = {"id": "openai/sora-2-pro-i2v", "offers": offer}
    (tmp_path / "queued.json").write_text(json.dumps({"models": [queued]}), encoding="utf-8")
    refuse_short_timeout(told(1), load_catalog(tmp_path), rows("onerouter"))
    settings = Settings.model_validate({"dailies_models": tmp_path})
    assert queued_models(settings, "onerouter") == {"openai/sora-2-pro-image-to-video"}
    assert queued_models(Settings(), "onerouter") == queued_models(settings, "aiml") == frozenset()
