"""Each kind of trouble has a code, texts and commands, on every way out with exit code 2."""

from __future__ import annotations

import ast
import inspect
import json
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from dailies import errors
from dailies.cli.app import app, fail, main
from dailies.domain.troubles import KINDS
from dailies.errors import BadInput, BadRow, BadRows, DailiesError, Misconfigured, Trouble, trouble_of

ROOT = Path(__file__).resolve().parents[2]
CODES: tuple[Trouble, ...] = get_args(Trouble)


def known(line: str) -> bool:
    """Whether the program takes this command line as it stands."""
    program, *words = shlex.split(line)
    command, bound, _ = app.parse_args(words, exit_on_error=False, print_error=False)
    return program == "dailies" and callable(command) and bound is not None


def test_each_code_is_explained_and_each_explanation_has_a_code() -> None:
    assert set(KINDS) == set(CODES)


@pytest.mark.parametrize("code", CODES)
def test_each_code_has_texts_and_commands_that_the_program_knows(code: Trouble) -> None:
    kind = KINDS[code]
    assert all(text.endswith(".") for text in (kind.means, kind.cost, kind.cure))
    assert kind.commands and all(map(known, kind.commands))


@pytest.mark.parametrize("error", [BadInput, Misconfigured])
@pytest.mark.parametrize("code", CODES)
def test_each_refusal_says_its_code_and_what_to_type(
    code: Trouble, error: type[DailiesError], capsys: pytest.CaptureFixture[str]
) -> None:
    assert fail(error("no.", trouble=code), 2, ("check", "a.csv", "--json")) == 2
    said = capsys.readouterr()
    message, following = said.err.splitlines()
    assert message == f"dailies: [{code}] no." and following.startswith("Next: ")
    assert known(following.removeprefix("Next: "))
    answer = json.loads(said.out)
    assert (answer["code"], answer["error"], answer["next"]) == (code, "no.", following.removeprefix("Next: "))


def test_where_the_message_itself_ends_with_a_command_nothing_follows(capsys: pytest.CaptureFixture[str]) -> None:
    fail(BadInput("go on with: dailies collect", trouble="which-one"), 2, ("status",))
    assert capsys.readouterr().err.splitlines() == ["dailies: [which-one] go on with: dailies collect"]


def test_every_error_of_the_tree_has_a_code() -> None:
    tree = [one for _, one in inspect.getmembers(errors, inspect.isclass) if issubclass(one, DailiesError)]
    assert len(tree) > 10
    assert all(one.trouble in KINDS for one in tree)
    assert BadRows("a.csv", [BadRow(2, "prompt", "is empty")]).trouble == "bad-rows"


def raised() -> Iterator[str]:
    """The codes that the code names, at a call or in a class."""
    for name in ("dailies", "flows", "tasks"):
        for path in (ROOT / name).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                match node:
                    case ast.keyword(arg="trouble", value=ast.Constant(value=str(code))):
                        yield code
                    case ast.AnnAssign(target=ast.Name(id="trouble"), value=ast.Constant(value=str(code))):
                        yield code
                    case _:
                        pass


def test_no_code_is_explained_that_nothing_raises() -> None:
    assert set(raised()) == set(CODES)


def test_what_is_not_ours_has_a_code_too() -> None:
    from sqlalchemy.exc import OperationalError

    assert trouble_of(OperationalError("select", {}, Exception("away"))) == "ledger"
    assert trouble_of(ZeroDivisionError()) == "unexpected"


@pytest.mark.parametrize("asked", ["no-key", "NO_KEY", "[no-key]"])
def test_a_code_is_explained_as_messages_and_people_write_it(asked: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", asked]) == 0
    out = capsys.readouterr().out
    assert out.startswith("no-key: ") and "Nothing was bought." in out and "  dailies doctor\n" in out


def test_all_codes_are_listed_and_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == list(KINDS)
    assert main(["explain", "--json"]) == 0
    assert [entry["code"] for entry in json.loads(capsys.readouterr().out)] == list(KINDS)
    assert main(["explain", "lost", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["commands"]


def test_an_unknown_code_is_refused_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "no-kee"]) == 2
    told = capsys.readouterr().err
    assert "no-key" in told
    program, *words = told.split("All of them: ")[1].splitlines()[0].split()
    assert program == "dailies" and main(words) == 0


def test_the_page_has_an_address_for_each() -> None:
    text = (ROOT / "docs" / "trouble.md").read_text(encoding="utf-8")
    assert all(f"\n### {code}\n" in text for code in CODES)
