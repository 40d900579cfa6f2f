"""The command line: its commands joined, and what an error becomes at its edge."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence

from cyclopts import App, CycloptsError, Parameter

from dailies.cli.commands import buy, decide, keep, look, serve
from dailies.cli.ledger_admin import ledger_app
from dailies.cli.letters import never_refuse_a_letter, refuse_unread_letters
from dailies.cli.models import models_app
from dailies.errors import BadInput, DailiesError, Misconfigured, describe_error, trouble_of
from dailies.logs import stderr_as_asked
from dailies.memory import leave_to_the_system

REFUSED, INTERRUPTED = 2, 130


def _versions() -> str:
    from importlib.metadata import version

    from dailies import __version__
    from dailies.ledger.migrations import HEAD

    return f"dailies {__version__} (Prefect {version('prefect')}, ledger schema {HEAD})"


app = App(
    name="dailies",
    version=_versions,
    help="A CSV of prompts and images becomes video clips in S3, and every cent is on record.",
    version_flags=["--version"],
    help_format="plaintext",  # of the list; what reads the commands' own pages as Markdown takes longer than all the rest
    default_parameter=Parameter(negative=()),
    suppress_keyboard_interrupt=False,  # `main` says what an interruption means
)

app.command(ledger_app)
app.command(models_app)
app.register_install_completion_command(help="Let this shell complete commands and options: bash, zsh or fish.")

LATE = {
    "check": "Spends nothing: rows, images, models, prices.",
    "run": "Make every clip of a CSV and deliver it to S3.",
}
"""Commands that are loaded when they are called, since no other one needs the request's model: half of all that is imported."""
COMMANDS = (
    serve.demo, serve.init, "check", "run", buy.collect, look.status, look.report, decide.resolve, keep.fetch, look.show,
    keep.export, buy.retry, decide.review, keep.forget, keep.tidy, buy.cancel, serve.hooks, serve.sandbox, serve.mcp, serve.ui,
    serve.doctor, look.explain,
)  # fmt: skip
for _command in COMMANDS:
    if isinstance(_command, str):
        app.command(f"dailies.cli.commands.batch:{_command}", help=LATE[_command], help_format="markdown")
    else:
        app.command(_command, help_format="markdown")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code. Errors of ours become one clear message, never a traceback."""
    tokens = list(sys.argv[1:] if arguments is None else arguments)
    never_refuse_a_letter()
    with stderr_as_asked():
        code = _end_of(tokens)
    if arguments is None:  # the process is this command's, and ends with it
        leave_to_the_system()
    return code


def _end_of(tokens: Sequence[str]) -> int:
    try:
        refuse_unread_letters(tokens)
        result = app(tokens, exit_on_error=False, result_action="return_value")
    except CycloptsError as error:  # its own words are on stderr already
        code = refused(BadInput(str(error)), tokens, usage=True)
    except (BadInput, Misconfigured) as error:
        code = fail(error, REFUSED, tokens)
    except DailiesError as error:
        code = fail(error, 1, tokens)
    except KeyboardInterrupt:
        print("interrupted; what was paid is on record: run it again, or dailies collect", file=sys.stderr)
        code = INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()
        code = 1
    except Exception as error:  # the outermost edge: a person gets one message, whatever it was
        logging.getLogger("dailies").debug("where it happened", exc_info=error)
        code = fail(DailiesError(describe_error(error), trouble=trouble_of(error)), 1, tokens)
    else:
        code = result if isinstance(result, int) else 0
    return code


def fail(error: DailiesError, code: int, tokens: Sequence[str]) -> int:
    """One message on stderr; with `--json` also one object on stdout, so that scripts need not read prose."""
    from dailies.cli.answers import error_answer, headline

    print(headline(error), file=sys.stderr)
    if code == REFUSED:
        return refused(error, tokens)
    if "--json" in tokens:
        print(error_answer(error))
    return code


def refused(error: DailiesError, tokens: Sequence[str], usage: bool = False) -> int:
    """What to type next, after a message that said why; with `--json` the same as an object."""
    from dailies.cli.answers import error_answer, next_command

    line = next_command(error, tokens if tokens and tokens[0] in app else (), usage)
    if line:
        print(f"Next: {line}", file=sys.stderr)
    if "--json" in tokens:
        print(error_answer(error, line))
    return REFUSED
