"""Every command that an output suggests comes from one module, and the program knows each of them."""

from __future__ import annotations

import ast
import re
import shlex
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dailies.cli.app import app
from dailies.domain import commands as c
from dailies.planning.request import BatchRequest

ROOT = Path(__file__).resolve().parents[2]
VERBS = [name for name in app if not str(name).startswith("-")]
WORDED = re.compile(rf"\bdailies ({'|'.join(map(re.escape, map(str, VERBS)))})\b")
ALLOWED = {"commands.py", "app.py", "table.py"}  # the last writes a page of the documents
SUGGESTED = (
    c.COLLECT, c.STATUS, c.DEMO, c.ADOPT, c.LEDGER_COPY, c.ARCHIVE, c.resolve("0123456789abcdef"),
    *(c.resolve("0123456789abcdef", word) for word in ("--not-charged", "--resubmit", "--charged=-coRJ")),
    c.refund_pack("a batch; of 'mine'"), c.review(), c.review("a b"), c.fetch(None), c.fetch("a b"), c.import_verdicts("verdicts.csv"),
    c.command("retry", "--batch", "b"), c.export_names("a b", "otio", "{id}_{take}"), c.retakes("a b"), c.retakes(None),
    BatchRequest(prompts="my prompts.csv", to="s3://b/p", batch="x y", provider="aiml", model="m", resolution="720p", duration=4,
          aspect_ratio="16:9", take="b", in_flight=3, fit="crop", allow_unpriced=True, report_dir="r", keep_local="k",
          require_live=True, ids="a,b", limit=3).as_command(),
)  # fmt: skip


def spoken(path: Path) -> list[str]:
    """The texts of a module that are no docstrings and that word a command."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    silent = {
        id(node.value)
        for parent in ast.walk(tree)
        for node in ast.iter_child_nodes(parent)
        if isinstance(node, ast.Expr)
    }
    found = (node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in silent)
    return [node.value for node in found if isinstance(node.value, str) and WORDED.search(node.value)]


def test_one_module_words_all_commands() -> None:
    modules = [path for name in ("dailies", "flows", "tasks") for path in (ROOT / name).rglob("*.py")]
    found = {
        str(path.relative_to(ROOT)): texts for path in modules if path.name not in ALLOWED and (texts := spoken(path))
    }
    assert found == {}


def test_a_ledger_in_a_folder_of_any_name_is_one_word_of_the_shell() -> None:
    url = "sqlite:////home/it's  mine/ledger.db"
    assert shlex.split(c.of_ledger(url, c.COLLECT)) == [f"DAILIES_LEDGER_URL={url}", "dailies", "collect"]


@pytest.mark.parametrize("line", SUGGESTED)
def test_the_program_knows_each_as_it_stands(line: str) -> None:
    program, *words = shlex.split(line)
    assert program == "dailies"
    command, bound, _ = app.parse_args(words, exit_on_error=False, print_error=False)
    assert callable(command) and bound is not None


@given(st.text(min_size=1))
def test_any_name_is_one_word(name: str) -> None:
    words = shlex.split(c.command("report", "--batch", name))
    assert words[:3] == ["dailies", "report", "--batch"] and len(words) == 4 and "\n" not in words[3]
