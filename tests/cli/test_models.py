"""`dailies models` as a person and a script call it: without a network, and with the sandbox as the provider."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from dailies.catalog import load_catalog
from dailies.cli.app import main
from dailies.sandbox import Sandbox, SandboxConfig

SORA = "openai/sora-2-pro-i2v"


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No network that answers, no key, and a home that is not there yet."""
    monkeypatch.chdir(tmp_path)
    for name, value in {"DAILIES_HOME": str(tmp_path / "home"), "DAILIES_TRUSTED_HOSTS": "127.0.0.1",
                        "AIML_BASE_URL": "http://127.0.0.1:9", "ONEROUTER_BASE_URL": "http://127.0.0.1:9"}.items():  # fmt: skip
        monkeypatch.setenv(name, value)


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    with Sandbox(SandboxConfig(time_scale=0)) as running:
        monkeypatch.setenv("AIML_BASE_URL", running.url)
        monkeypatch.setenv("ONEROUTER_BASE_URL", running.url)
        yield running


def test_it_works_without_a_network_and_leaves_nothing_behind(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["models", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)) >= len(load_catalog())
    assert list(tmp_path.iterdir()) == []


def test_one_provider_and_one_image(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Image.new("RGB", (1280, 720)).save(tmp_path / "door.png")
    assert main(["models", "--provider", "onerouter", "--for", "door.png", "--json"]) == 0
    assert [(entry["id"], entry["provider"]) for entry in json.loads(capsys.readouterr().out)] == [(SORA, "onerouter")]
    Image.new("RGB", (1281, 720)).save(tmp_path / "door.png")
    assert main(["models", "--provider", "onerouter", "--for", "door.png", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []


@pytest.mark.parametrize("words", [["--provider", "nobody"], ["--for", "no.png"], ["--at-most", "x"], ["--with-key"]])
def test_what_can_not_be_wished_is_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", *words]) == 2
    assert words[-1].removeprefix("--with-") in capsys.readouterr().err


@pytest.mark.parametrize(
    ("said", "nearest"), [("sora", SORA), ("veo-3.1-i2w", "google/veo-3.1-i2v"), ("soraa", "sora-2")]
)
def test_an_unknown_model_is_refused_with_the_nearest(
    said: str, nearest: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["models", "show", said]) == 2
    assert nearest in capsys.readouterr().err


def test_one_model_is_shown_with_its_price_and_what_to_type_next(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "show", "google/veo-3.1-i2v"]) == 0
    out = capsys.readouterr().out
    assert "~$0.52 a second" in out and "Google's list" in out and "option: bool" in out
    assert out.splitlines()[-1] == "Next: dailies check prompts.csv --model google/veo-3.1-i2v"


def test_the_list_ends_with_a_command_that_shows_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "--provider", "aiml"]) == 0
    line = " ".join(capsys.readouterr().out.split()).rpartition("More about one: ")[2]
    assert main(shlex.split(line)[1:]) == 0
    assert "Next: dailies check" in capsys.readouterr().out


@pytest.mark.usefixtures("sandbox")
def test_live_says_what_is_served_and_what_it_costs_now(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "--live", "--provider", "aiml", "--json"]) == 0
    found = {entry["id"]: entry for entry in json.loads(capsys.readouterr().out)}
    assert found[SORA]["served"] is True and found[SORA]["price_source"] == "asked of aiml"
    assert all(entry["served"] in (True, False) for entry in found.values())


@pytest.mark.usefixtures("sandbox")
def test_prices_of_today_are_kept_and_used(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["models", "prices", "--write"]) == 0
    assert "DAILIES_MODELS=prices.json" in capsys.readouterr().err
    monkeypatch.setenv("DAILIES_MODELS", "prices.json")
    monkeypatch.setenv("AIML_BASE_URL", "http://127.0.0.1:9")
    assert main(["models", "prices", "--json"]) == 0
    found = {(e["id"], e["provider"]): e for e in json.loads(capsys.readouterr().out)}
    assert found[SORA, "aiml"]["price_source"] == "asked of aiml"
    before = (tmp_path / "prices.json").read_text()
    assert main(["models", "prices", "--write"]) == 2
    assert (tmp_path / "prices.json").read_text() == before
