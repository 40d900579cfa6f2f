"""What a newcomer reads is generated, and stays current."""

from __future__ import annotations

import re
from pathlib import Path

from dailies.report.credits import COLUMNS
from dailies.settings import settings_table

ROOT = Path(__file__).resolve().parents[2]
MARK = "<!-- settings: generated, tests/unit/test_docs.py checks it -->"


def test_the_readme_lists_every_setting_with_its_default() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    between = text.split(MARK)[1].split("<!-- /settings -->")[0].strip()
    assert between == settings_table(), "run: make docs"


def test_every_file_that_the_readme_names_exists() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8") + (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    linked = re.findall(r"\]\((?!https?:)([^)#]+)\)", text)
    assert linked
    assert [name for name in linked if not (ROOT / name).exists()] == []


def test_every_named_test_of_the_guarantees_exists() -> None:
    text = (ROOT / "docs/guarantees.md").read_text(encoding="utf-8")
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", text)
    assert len(named) > 30
    missing = [f"{file}::{test}" for file, test in named if not _has(ROOT / file, test)]
    assert missing == []


def _has(file: Path, test: str) -> bool:
    return file.exists() and re.search(rf"def {test}\b", file.read_text(encoding="utf-8")) is not None


def test_the_credit_columns_are_documented() -> None:
    text = (ROOT / "docs/report.md").read_text(encoding="utf-8")
    assert [name for name in COLUMNS if f"`{name}`" not in text] == []
