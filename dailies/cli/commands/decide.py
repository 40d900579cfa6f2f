"""What only a person can settle: money in doubt, and which clips are good."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from dailies.errors import BadInput


def resolve(  # noqa: PLR0913 - a command's options are its parameters
    attempt: str | None = None, /, *,
    charged: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None,
    not_charged: bool = False, resubmit: bool = False, take_back: bool = False, ask_again: bool = False,
    all_in_doubt: bool = False,
    older_than: str = "2h",
    batch: Annotated[str | None, Parameter(help="With --all-in-doubt: of this batch only.")] = None,
    yes: bool = False,
    json: Annotated[bool, Parameter(help="Print a list of what was settled on stdout.")] = False,
) -> int:  # fmt: skip
    """Settle an attempt in doubt, which only a person can; or all of them.

    Parameters
    ----------
    attempt
        The attempt's id, or its first digits, as `dailies status` shows it.
    charged
        It was charged, and this is its generation id: the provider is asked, then the clip is collected.
    not_charged
        It was surely never charged: the clip may be bought again.
    resubmit
        Buy it again whatever happened; what was in doubt stays on record as at risk.
    take_back
        Take back that it was never charged: in doubt again. For a lost clip: ask the provider once more.
    ask_again
        Ask the provider now: a free question, else the same request with its own key where that is the same purchase.
    all_in_doubt
        Everything in doubt, with --not-charged or --resubmit, after a preview.
    older_than
        With --all-in-doubt: only what was sent so long ago, such as 2h, 30m or 1d.
    yes
        Do not ask.
    """
    from dailies.cli.resolve import Said, run_resolve, run_resolve_all

    said = Said(charged, not_charged, resubmit, take_back, ask_again, json, yes)
    if all_in_doubt is (attempt is not None):
        raise BadInput("say one ATTEMPT, or --all-in-doubt. Nothing was changed.")
    return run_resolve(attempt, said) if attempt is not None else run_resolve_all(said, older_than, batch)


def review(
    *,
    batch: str | None = None,
    port: int = 0,
    no_browser: bool = False,
    export: Annotated[str | None, Parameter(name="--export", allow_leading_hyphen=True)] = None,
    import_: Annotated[str | None, Parameter(name="--import")] = None,
) -> int:
    """The screening room: look at clips, keep, retake or reject them. It serves a page on loopback until Ctrl-C.

    Parameters
    ----------
    batch
        One batch only.
    port
        Where it listens on 127.0.0.1; 0 takes a free one.
    no_browser
        Do not open the page in a browser; its address is the first line on stdout.
    export
        Write all verdicts into this CSV file (`-` is stdout), and end.
    import_
        Take in the verdicts of this CSV file, all or none, and end.
    """
    from dailies.cli.review import run_review, take_in, write_out

    if export is not None and import_ is not None:
        raise BadInput("review: --export and --import are two commands; say one. No verdict was changed.")
    if export is not None:
        return write_out(batch, export)
    return take_in(batch, import_) if import_ is not None else run_review(batch, port, not no_browser)
