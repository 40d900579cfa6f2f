"""JSON answers that are not a batch's report."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from dailies.domain.commands import DOCTOR, command
from dailies.errors import BadRows, DailiesError, Misconfigured

_SAID = re.compile(r"\bdailies [a-z]")
READ_A_FILE = ("check", "run")


def next_command(error: DailiesError, tokens: Sequence[str], usage: bool = False) -> str | None:
    """What to type after a refusal of these command-line words; None where its last line says it already.

    `usage`: the words themselves were wrong.
    """
    last_line = (str(error).splitlines() or [""])[-1]
    if not usage and _SAID.search(last_line):
        return None
    verb = next((token for token in tokens[:1] if token.isalpha()), None)
    if usage or verb is None:
        return command(verb, "--help")
    if isinstance(error, Misconfigured) and verb != "doctor":
        return DOCTOR
    if verb in READ_A_FILE and len(tokens) > 1 and not tokens[1].startswith("-"):
        return command("check", tokens[1])
    return command(verb, "--help")


def error_answer(error: DailiesError, next_line: str | None = None) -> str:
    """A refusal as JSON: the message, the bad rows one by one, and what to type next where the message does not say."""
    rows = (
        [
            {"row": bad.row, "id": bad.id, "column": bad.column, "reason": bad.reason, "cure": bad.cure}
            for bad in error.rows
        ]
        if isinstance(error, BadRows)
        else []
    )
    return json.dumps({"error": str(error), "bad_rows": rows, "next": next_line}, ensure_ascii=False)
