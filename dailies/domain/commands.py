"""Every command that an output tells a person to type, whole as it stands. Pure.

No other module words one: `tests/unit/test_commands.py` sees to that, and that the program knows each.
"""

from __future__ import annotations

import shlex


def command(*words: str | None) -> str:
    """A command line of dailies; what is None is left out. A line break in a name would run half of it, so it becomes a
    blank."""
    return " ".join(["dailies", *(word(text) for text in words if text is not None)])


def word(text: str) -> str:
    """One word of a command line, whatever a batch or a file is called."""
    return shlex.quote(" ".join("".join(c if c.isprintable() else " " for c in text).split()))


COLLECT = command("collect")
STATUS = command("status")
DEMO = command("demo")
HOOKS = command("hooks")
DOCTOR = command("doctor")
TIDY = command("tidy")
ADOPT = command("doctor", "--adopt")
LEDGER_COPY = command("ledger", "copy")
ARCHIVE = command("ledger", "archive", "archive")


def of_ledger(url: str, line: str) -> str:
    """A command line that means another ledger than the configured one, wherever its file lies."""
    return f"DAILIES_LEDGER_URL={shlex.quote(url)} {line}"


def resolve(attempt_id: str, *words: str) -> str:
    """What settles one attempt; eight digits name it."""
    return command("resolve", attempt_id[:8], *words)


def refund_pack(batch: str) -> str:
    """Letters and evidence for charges that should come back."""
    return command("report", "--batch", batch, "--refund-pack")


def show_model(model_id: str) -> str:
    """Everything about one model."""
    return command("models", "show", model_id)


def check_with_model(model_id: str) -> str:
    """What a CSV would cost with this model."""
    return command("check", "prompts.csv", "--model", model_id)


def review(batch: str | None = None) -> str:
    """The screening room, where clips play and verdicts are given."""
    return command("review", *(("--batch", batch) if batch else ()))


def import_verdicts(file: str) -> str:
    """What takes verdicts in that were given on a page without a server."""
    return command("review", "--import", file)


def fetch(batch: str | None, to: str = "clips") -> str:
    """What brings all clips to this disk."""
    return command("fetch", *(("--batch", batch) if batch else ()), "--to", to)


def export_names(batch: str, kind: str, names: str) -> str:
    """A hand-over whose files are named in this way."""
    return command("export", "--batch", batch, "--as", kind, "--name", names)


def retakes(batch: str | None) -> str:
    """What makes the next take of everything that was sent back."""
    return command("run", "--only", "retake", *(("--batch", batch) if batch else ()))
