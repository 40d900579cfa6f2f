"""No answer and no error of an agent's tool repeats a key, whichever command let it slip."""

from __future__ import annotations

import inspect
import json
import sys
from decimal import Decimal
from pathlib import Path

import anyio
import pytest

from dailies.cli.mcp import Project, without_keys
from dailies.errors import BadInput

AIML, HIGGSFIELD, AWS, PASSWORD = "sk-planted-aiml-1", "planted-id:planted-secret-2", "planted-aws-3", "planted-pass-4"
PLANTED = (AIML, HIGGSFIELD, "planted-secret-2", AWS, PASSWORD)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project with keys in its environment and in `.env`, whose commands repeat every one of them."""
    (tmp_path / ".env").write_text(f"AIML_API_KEY={AIML}\n# a word\n")
    monkeypatch.setenv("HIGGSFIELD_API_KEY", HIGGSFIELD)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", AWS)
    monkeypatch.setenv("DAILIES_LEDGER_URL", f"postgresql+psycopg://me:{PASSWORD}@127.0.0.1:9/db")
    monkeypatch.setenv("DAILIES_HOME", str(tmp_path / "home"))
    said = " and ".join(PLANTED)
    document = {
        "error": said, "bad_rows": [{"reason": said}], "next": said, "batch": "batch", "usd_to_buy": 1, "to_buy": 1,
        "clips": [{"id": "one", "clip_key": "1234", "error": said}], "title": "harmless",
    }  # fmt: skip
    speaks = [sys.executable, "-Ic", f"print({json.dumps(json.dumps(document))})"]
    monkeypatch.setattr("dailies.cli.mcp._command", lambda words: speaks)
    return Project(tmp_path, Decimal(0))


@pytest.mark.parametrize(
    ("name", "words"),
    [("models", ()), ("check", ("a.csv",)), ("status", ()), ("report", ()), ("show", ("one",)), ("run", ("a.csv", 5))],
)
def test_no_tool_repeats_a_key_that_its_command_said(project: Project, name: str, words: tuple[object, ...]) -> None:
    answer = anyio.run(without_keys(project.folder, getattr(project, name)), *words)
    text = json.dumps(answer)
    assert "***" in text and not [key for key in PLANTED if key in text]
    assert name == "show" or answer["title"] == "harmless"


@pytest.mark.parametrize("words", [(f"../{AIML}.csv",), (f"s3://{AWS}/x.csv",), (f"{PASSWORD}\0.csv",)])
def test_no_error_repeats_one_that_was_asked_for(project: Project, words: tuple[str, ...]) -> None:
    with pytest.raises(BadInput, match=r"\*\*\*") as refused:
        anyio.run(without_keys(project.folder, project.check), *words)
    assert refused.value.trouble == "no-file" and not [key for key in PLANTED if key in str(refused.value)]


def test_an_error_that_nobody_foresaw_repeats_none(project: Project) -> None:
    async def broken(prompts: str) -> dict[str, object]:
        raise OSError(f"{prompts}: no answer to {HIGGSFIELD}")

    with pytest.raises(BadInput, match=r"OSError: a\.csv: no answer to \*\*\*$"):
        anyio.run(without_keys(project.folder, broken), "a.csv")


def test_an_agent_sees_the_same_tools(project: Project) -> None:
    told = without_keys(project.folder, project.run)
    assert inspect.signature(told) == inspect.signature(project.run) and told.__doc__ == project.run.__doc__
