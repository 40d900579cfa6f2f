"""A user's own models: added, overridden, and every mistake in one clear line."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from dailies.catalog import ResolvedOptions, load_catalog, quote, request_body, resolve_options
from dailies.catalog.table import INTRO
from dailies.errors import Misconfigured

OWN: dict[str, Any] = {
    "id": "acme/dream-1",
    "title": "Dream 1",
    "family": "dream",
    "duration": {"values": [3, 6], "default": 3},
    "options": {"mood": {"type": "string", "values": ["calm", "wild"]}},
    "typical_s": 30,
    "longest_s": 600,
    "offers": {
        "aiml": {
            "name": "acme/dream-1-i2v",
            "fields": {"image": "input.first_frame", "mood": "input.mood"},
            "price": {"rates": [{"usd": 0.1}], "as_of": "2026-11-01", "source": "our contract"},
        }
    },
}


def models_file(path: Path, *entries: dict[str, Any]) -> Path:
    path.write_text(json.dumps({"models": list(entries)}), encoding="utf-8")
    return path


def mistakes(path: Path) -> str:
    with pytest.raises(Misconfigured) as caught:
        load_catalog(path)
    return str(caught.value)


def test_a_model_of_one_s_own_needs_no_python(tmp_path: Path) -> None:
    catalog = load_catalog(models_file(tmp_path / "own.json", OWN))
    model = catalog.find("acme/dream-1-i2v")
    resolved = resolve_options(model, options={"mood": "Wild"})
    assert isinstance(resolved, ResolvedOptions)
    assert request_body(model, "aiml", resolved, prompt="Hm.", image_url="https://example.com/a.png") == {
        "model": "acme/dream-1-i2v",
        "prompt": "Hm.",
        "duration": 3,
        "input": {"first_frame": "https://example.com/a.png", "mood": "wild"},
    }
    assert quote(model.offers["aiml"], resolved) == Decimal("0.3")


def test_a_known_model_changes_only_in_what_is_named(tmp_path: Path) -> None:
    price = {"rates": [{"usd": "0.2"}], "as_of": "2026-11-01", "source": "our contract"}
    change = {"id": "openai/sora-2-pro-i2v", "title": "Ours", "offers": {"onerouter": {"price": price}}}
    before = load_catalog().find("openai/sora-2-pro-i2v")
    after = load_catalog(models_file(tmp_path / "own.json", change)).find("openai/sora-2-pro-i2v")
    assert after.title == "Ours"
    assert after.offers["aiml"] == before.offers["aiml"]
    assert after.offers["onerouter"].strings
    assert after.offers["onerouter"].price is not None
    assert after.offers["onerouter"].price.rates[0].usd == Decimal("0.2")
    assert after.duration == before.duration


def test_a_folder_is_read_file_by_file_and_the_last_one_wins(tmp_path: Path) -> None:
    models_file(tmp_path / "a.json", OWN)
    models_file(tmp_path / "b.json", {"id": "acme/dream-1", "title": "Dream 1b"})
    (tmp_path / "notes.txt").write_text("not a catalog")
    assert load_catalog(tmp_path).find("acme/dream-1").title == "Dream 1b"


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"duraton": 3}, "acme/dream-1: duraton: Extra inputs are not permitted"),
        ({"title": ""}, "acme/dream-1: title: "),
        ({"duration": {"values": [3], "default": 4}}, "acme/dream-1: duration: the default 4 is not among"),
        ({"duration": {"values": [3], "min": 3, "max": 4, "default": 3}}, "acme/dream-1: duration: give either"),
        ({"duration": {"min": 9, "max": 3, "default": 3}}, "acme/dream-1: duration.values: "),
        ({"resolution": {"values": ["720p"], "default": "1080p"}}, "acme/dream-1: resolution: the default '1080p'"),
        ({"image": {"sizes": {"720p": {"1:1": [1, 1]}}}}, "acme/dream-1: image.sizes names the resolution '720p'"),
        ({"longest_s": 10}, "acme/dream-1: longest_s: "),
        ({"successors": ["acme/dream-9"]}, "acme/dream-1: successors: there is no model acme/dream-9"),
        ({"offers": {}}, "acme/dream-1: offers: "),
        ({"offers": {"nobody": {"name": "x"}}}, "acme/dream-1: offers.nobody"),
        ({"offers": {"aiml": {"name": "x", "fields": {"sed": "seed"}}}}, "offers.aiml.fields names 'sed'"),
        ({"offers": {"aiml": {"name": "openai/sora-2-i2v"}}}, "openai/sora-2-i2v is already the name of"),
    ],
)
def test_a_mistake_names_file_model_and_field(tmp_path: Path, change: dict[str, Any], line: str) -> None:
    path = models_file(tmp_path / "own.json", {**OWN, **change})
    message = mistakes(path)
    assert str(path) in message
    assert line in message


@pytest.mark.parametrize("usd", ["0", "-1", "free", "NaN", "Infinity", None])
def test_a_price_must_be_more_than_nothing(tmp_path: Path, usd: object) -> None:
    price = {"rates": [{"usd": usd}], "as_of": "2026-11-01", "source": "our contract"}
    entry = {**OWN, "offers": {"aiml": {"name": "x", "price": price}}}
    assert "offers.aiml.price.rates.0.usd" in mistakes(models_file(tmp_path / "own.json", entry))


def test_all_mistakes_are_named_at_once(tmp_path: Path) -> None:
    models_file(tmp_path / "a.json", {**OWN, "typical_s": 0}, {**OWN}, {"title": "no id"})
    (tmp_path / "b.json").write_text('{"models": [\n  oops\n]}')
    (tmp_path / "c.json").write_text("[]")
    (tmp_path / "d.json").write_bytes(b"\xff\xfe\x00")
    message = mistakes(tmp_path)
    for part in (
        "a.json: acme/dream-1: typical_s",
        "a.json: acme/dream-1: id: stands here twice",
        'a.json: model 3: id: every model needs an "id"',
        "b.json: not valid JSON, line 2",
        'c.json: must be an object with a list "models"',
        "d.json: can't be read",
    ):
        assert part in message


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert f"there is no file or folder {tmp_path / 'none.json'}" in mistakes(tmp_path / "none.json")


def test_the_example_on_the_page_of_models_is_a_good_file(tmp_path: Path) -> None:
    example = INTRO.split("```json\n")[1].split("```")[0]
    (tmp_path / "own.json").write_text(example, encoding="utf-8")
    model = load_catalog(tmp_path / "own.json").find("luma/ray-2")
    resolved = resolve_options(model)
    assert isinstance(resolved, ResolvedOptions)
    assert quote(model.offers["aiml"], resolved) == Decimal("1.00")


def test_the_bundled_models_are_read_once_and_a_file_of_ones_own_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundled = load_catalog()
    monkeypatch.setattr("dailies.catalog.load.json.loads", None)
    assert load_catalog() is bundled
    monkeypatch.undo()
    for title in ("Ours", "Ours again"):
        own = models_file(tmp_path / "own.json", {"id": "openai/sora-2-pro-i2v", "title": title})
        assert load_catalog(own).find("openai/sora-2-pro-i2v").title == title
    assert load_catalog() is bundled and bundled.find("openai/sora-2-pro-i2v").title not in ("Ours", "Ours again")
