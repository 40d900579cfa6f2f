"""`dailies doctor` where nothing is set: it says so by its exit code, and leaves no ledger."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from dailies.cli.app import main

KEY, BUCKET = "AIML_API_KEY", "DAILIES_TO"


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A home of its own, no key, no bucket, no Prefect API, and providers that are nowhere."""
    monkeypatch.chdir(tmp_path)
    for name in [
        name for name in os.environ if name.startswith(("PREFECT_", "DAILIES_", "AWS_")) or "_API_KEY" in name
    ]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("DAILIES_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DAILIES_TRUSTED_HOSTS", "127.0.0.1")
    for name in ("AIML", "ONEROUTER", "RUNWARE", "HIGGSFIELD", "FAL", "OPENROUTER"):
        monkeypatch.setenv(f"{name}_BASE_URL", "http://127.0.0.1:9")


def _grades(capsys: pytest.CaptureFixture[str]) -> dict[str, tuple[str, str]]:
    found = json.loads(capsys.readouterr().out)["findings"]
    return {one["what"]: (one["grade"], one["says"]) for one in found}


def test_without_a_key_and_a_bucket_nothing_is_well(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["doctor", "--json"]) == 2
    grades = _grades(capsys)
    assert grades["keys"][0] == "wrong" and KEY in grades["keys"][1]
    assert grades["bucket"][0] == "wrong" and BUCKET in grades["bucket"][1]
    assert grades["ledger"][0] == "ok" and grades["ledger"][1].startswith("none yet")


def test_asking_makes_no_ledger(tmp_path: Path) -> None:
    main(["doctor"])
    assert not list(tmp_path.rglob("*.db*"))


def test_one_key_of_any_provider_is_enough(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("OPENROUTER_API_KEY", "a-key")
    main(["doctor", "--json"])
    assert _grades(capsys)["keys"] == ("ok", "set for openrouter")
