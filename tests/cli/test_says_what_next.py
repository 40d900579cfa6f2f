"""Each refusal ends with what to type next, which the program knows; versions and completion are there."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Literal

import pytest

from dailies.cli.app import app, main

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No network that answers, no key, no bucket."""
    monkeypatch.chdir(tmp_path)
    for name in ("AIML_API_KEY", "ONEROUTER_API_KEY", "DAILIES_TO"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"DAILIES_HOME": str(tmp_path / "home"), "DAILIES_TRUSTED_HOSTS": "127.0.0.1",
                        "AIML_BASE_URL": "http://127.0.0.1:9", "ONEROUTER_BASE_URL": "http://127.0.0.1:9"}.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    (tmp_path / "bad.csv").write_text("prompt,image\n,no.png\n")


REFUSALS = [
    ["check", "bad.csv"], ["check", "none.csv"], ["run", "bad.csv", "--yes"], ["check", "bad.csv", "--budget", "x"],
    ["run", "bad.csv", "--in-flight", "0"], ["status", "--watch", "--json"], ["report", "--since", "yesterday"], ["resolve"],
    ["models", "show", "nothing"], ["models", "--at-most", "x"], ["check"], ["check", "bad.csv", "--duraton", "4"], ["frobnicate"],
    ["run", "bad.csv", "--fit", "squash"],
]  # fmt: skip


@pytest.mark.parametrize("words", REFUSALS, ids=" ".join)
def test_a_refusal_ends_with_a_command_that_the_program_knows(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    err = capsys.readouterr().err
    said = re.search(r"\b(dailies [a-z-].*?)[.)]?$", err.strip().splitlines()[-1])
    assert said, err
    line = shlex.split(said[1])[1:]
    app.parse_args(line, exit_on_error=False, print_error=False)
    refused_again = line[0] == "check" and line[1] != "--help"  # a file that is not mended
    assert main(line) == (2 if refused_again else 0)


def test_a_setting_that_is_none_leads_to_the_doctor(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DAILIES_MODLE", "x")
    assert main(["status"]) == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert line == "Next: dailies doctor"
    assert main(shlex.split(line)[2:]) == 2 and "DAILIES_MODLE" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["check", "bad.csv", "--json"], ["check", "--json"], ["retry", "--oops", "--json"]])
def test_a_refusal_in_json_is_one_object_with_the_same(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    answer = json.loads(capsys.readouterr().out)
    assert answer["error"] and answer["next"].startswith("dailies ") and isinstance(answer["bad_rows"], list)


OFFERED = [
    ("file", ["fetch", "--to", "bad.csv"]), ("file", ["fetch", "--to", "bad.csv/below"]), ("file", ["fetch", "--to", "loose"]),
    ("file", ["report", "--out", "bad.csv"]), ("file", ["export", "--batch", "b", "--as", "csv", "--to", "bad.csv/"]),
    ("file", ["export", "--batch", "b", "--as", "csv", "--to", "bad.csv/b.csv"]), ("file", ["demo", "--output", "bad.csv"]),
    ("file", ["run", "some.csv", "--yes", "--keep-local", "bad.csv"]), ("file", ["run", "some.csv", "--yes", "--report-dir", "bad.csv/r"]),
    ("folder", ["report", "--focus", "none/costs.csv"]), ("folder", ["report", "--focus", "home"]),
    ("folder", ["review", "--export", "none/v.csv"]), ("folder", ["review", "--export", "home"]),
    ("nobody", ["fetch", "--to", "~nobody-here/clips"]), ("nobody", ["report", "--focus", "~nobody-here/costs.csv"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("stands_there", "words"), OFFERED, ids=lambda value: value if isinstance(value, str) else " ".join(value)
)
def test_a_place_that_takes_nothing_is_refused_before_the_work_begins(
    stands_there: str, words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the option's name, what is in the way, and what to type instead."""
    (tmp_path / "some.csv").write_text("id,prompt,model\ndawn,a cat smiles,alibaba/wan-2-7-t2v\n")
    (tmp_path / "loose").symlink_to("nowhere")
    (tmp_path / "home").mkdir()
    assert main(words) == 2
    option, place = words[-2:]
    said = capsys.readouterr().err
    assert f"{option} {place.split('/')[0]}" in said and "[request]" in said and "Nothing was done" in said, said
    if stands_there != "nobody":
        assert f"such as {option} " in said
    assert not (tmp_path / "home" / "ledger.db").exists() or words[0] == "run"


def test_the_locale_c_loses_no_letter(tmp_path: Path) -> None:
    """What a program reads is UTF-8 there; a name that came as bytes is refused, with what to type."""
    (tmp_path / "some.csv").write_text("id,prompt,model\n日本,a cat,alibaba/wan-2-7-t2v\n", encoding="utf-8")
    environ = {**os.environ, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C"}

    def told(*words: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [sys.executable, "-m", "dailies.cli", *words], cwd=tmp_path, env=environ, capture_output=True
        )

    assert "日本" in told("check", "some.csv").stdout.decode()
    for words in (["show", "日本", "--batch", "some"], ["report", "--batch", "日本"], ["check", "日本.csv"]):
        done = told(*words)
        said = done.stderr.decode()
        assert done.returncode == 2 and "日本" in said and "PYTHONUTF8=1" in said and "unexpected" not in said
    assert told("status").returncode == 0


def test_version_names_prefect_and_the_ledger(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert re.fullmatch(r"dailies \d+\.\d+\.\d+ \(Prefect 3\.\S+, ledger schema \d+\)\n", capsys.readouterr().out)


def test_every_shell_gets_its_completion() -> None:
    shells: tuple[Literal["bash", "zsh", "fish"], ...] = ("bash", "zsh", "fish")
    for shell in shells:
        assert "--aspect-ratio" in app.generate_completion(prog_name="dailies", shell=shell)


def test_each_kind_of_trouble_has_an_address_in_the_docs_that_stays() -> None:
    text = (ROOT / "docs" / "trouble.md").read_text(encoding="utf-8")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == [
        "Refused",
        "In doubt",
        "Overdue",
        "Failed",
        "Lost",
        "The machine",
    ]
