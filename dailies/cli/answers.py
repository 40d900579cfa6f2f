"""JSON answers that are not a batch's report."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Sequence

from cyclopts import CycloptsError

from dailies.domain.commands import DOCTOR, command
from dailies.domain.troubles import KINDS
from dailies.errors import BadRows, DailiesError, Misconfigured, Trouble

_PERHAPS = re.compile(r"\bdailies ([a-z].*)$")
READ_A_FILE = ("check", "run")
TYPED_AS_IT_STANDS: frozenset[Trouble] = frozenset(
    (
        "model-unknown",
        "model-gone",
        "which-one",
        "not-in-doubt",
        "unsettled",
        "disk",
        "ledger",
        "ledger-busy",
        "ledger-newer",
        "spool",
    )
)
"""Where the first command of the kind is what to type next, whatever was typed before."""


def next_command(error: DailiesError, tokens: Sequence[str], usage: bool = False) -> str | None:
    """What to type after a refusal of these command-line words; None where its last line says it already.

    `usage`: the words themselves were wrong.
    """
    if not usage and ends_with_a_command(str(error)):
        return None
    verb = next((token for token in tokens[:1] if token.isalpha()), None)
    if usage or verb is None:
        return command(verb, "--help")
    if error.trouble in TYPED_AS_IT_STANDS:
        return KINDS[error.trouble].commands[0]
    if isinstance(error, Misconfigured) and verb != "doctor":
        return DOCTOR
    if verb in READ_A_FILE and len(tokens) > 1 and not tokens[1].startswith("-"):
        return command("check", tokens[1])
    return command(verb, "--help")


def ends_with_a_command(message: str) -> bool:
    """Whether the message's last words are a command as the program knows it; a file or a sentence that only begins like one is
    none."""
    from dailies.cli.app import app

    words = (message.splitlines() or [""])[-1].rstrip("`.) ")
    while found := _PERHAPS.search(words):
        words = found[1]
        try:
            app.parse_args(shlex.split(words), exit_on_error=False, print_error=False)
        except (CycloptsError, ValueError):
            continue
        return True
    return False


def error_answer(error: DailiesError, next_line: str | None = None) -> str:
    """A refusal as JSON: the message, the code of its kind of trouble, the bad rows one by one, and what to type next where
    the message does not say."""
    rows = (
        [
            {"row": bad.row, "id": bad.id, "column": bad.column, "reason": bad.reason, "cure": bad.cure}
            for bad in error.rows
        ]
        if isinstance(error, BadRows)
        else []
    )
    answer = {"error": str(error), "code": error.trouble, "bad_rows": rows, "next": next_line}
    return json.dumps(answer, ensure_ascii=False)


def headline(error: DailiesError) -> str:
    """The message as a person reads it, with the code of its kind, which `dailies explain` takes."""
    return f"dailies: [{error.trouble}] {error}"
