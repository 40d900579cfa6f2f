"""What is known: what is in flight, what was made, what it cost, what a message means."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from dailies.cli.commands.flags import JsonFlag
from dailies.errors import BadInput


def status(
    *,
    batch: Annotated[str | None, Parameter(help="Only this batch.")] = None,
    watch: Annotated[bool, Parameter(help="Show how a batch goes on, wherever it is made, until it is done.")] = False,
    json: JsonFlag = False,
) -> int:
    """What is in flight, in doubt, overdue; money at risk."""
    if watch:
        if json:
            raise BadInput("status: --watch is for people, --json answers once; leave one out")
        from dailies.cli.watch import run_watch

        return run_watch(batch)
    from dailies.cli.ledger import run_status

    return run_status(batch, json)


def report(  # noqa: PLR0913 - a command's options are its parameters
    *,
    batch: str | None = None,
    since: str | None = None,
    until: str | None = None,
    provider: str | None = None,
    model: str | None = None,
    group_by: str | None = None,
    out: Path | None = None,
    link_base: str | None = None,
    reconcile: bool = False,
    refund_pack: bool = False,
    focus: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None,
    sidecars: bool = False,
    json: JsonFlag = False,
) -> int:
    """What was made, what it cost, and what to do next.

    Parameters
    ----------
    batch
        One batch only.
    since
        Only clips bought on or after this day (`2026-11-01`, UTC).
    until
        Only clips bought on or before this day.
    provider
        Only clips of this provider.
    model
        Only clips of this model.
    group_by
        Sums by a column: model, provider, batch, state, day, or one of the team's own.
    out
        Write `report.html`, `credits.csv`, `credits.parquet` and `summary.json` into this folder.
    link_base
        Where the page finds the clips: a web address that stands for the bucket, `presigned` (links that work for a
        week, for whoever has the page), or a folder with copies of the clips.
    reconcile
        Compare with the provider's own ledger, row by row.
    refund_pack
        Write letters and evidence for charges that should come back.
    focus
        Write the reported charges into this CSV file by the columns of FOCUS 1.2, for finance tools; `-` is stdout, and then
        nothing else is printed there.
    sidecars
        Bring the sidecar beside each of these clips in S3 up to date, also where an earlier version made none.
    """
    from dailies.cli.report import Wanted, run_report
    from dailies.report.select import Selection, day

    selection = Selection(batch, day("--since", since), day("--until", until), provider, model)
    return run_report(Wanted(selection, group_by, out, link_base, reconcile, refund_pack, json, focus, sidecars))


def show(clip: str, *, batch: str | None = None, json: JsonFlag = False) -> int:
    """Everything about one clip: what it is, what it cost, where it lies, what was said of it and how it came about.

    Parameters
    ----------
    clip
        Which: a clip_key, at least 12 digits of it, or BATCH/ID[/TAKE].
    batch
        The batch in which an ID alone is looked for.
    """
    from dailies.cli.show import run_show

    return run_show(clip, batch, json)


def explain(
    code: Annotated[str | None, Parameter(help="A code, as messages and JSON show it; none shows all.")] = None,
    /,
    *,
    json: JsonFlag = False,
) -> int:
    """What a kind of trouble means, what it cost, and what to type."""
    from dailies.cli.explain import run_explain

    return run_explain(code, json)
