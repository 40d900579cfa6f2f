"""What becomes of finished clips and their files: on disk, at an editor's, gone."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import Parameter

from dailies.cli.commands.flags import JsonFlag


def fetch(*, batch: str | None = None, to: str = ".", json: JsonFlag = False) -> int:
    """Delivered clips to disk, checked; what is there already is not fetched again.

    Parameters
    ----------
    batch
        One batch only.
    to
        A folder on this machine.
    """
    from dailies.cli.fetch import run_fetch

    return run_fetch(batch, to, json)


def export(
    *,
    batch: str,
    kept: bool = False,
    as_: Annotated[Literal["otio", "edl", "csv", "zip"], Parameter(name="--as")],
    to: str | None = None,
    name: str = "{id}_{take}",
    json: JsonFlag = False,
) -> int:
    """Hand a batch over to an editor: a timeline with its clips, a list, or one archive, under names that you choose.

    Parameters
    ----------
    batch
        Whose clips.
    kept
        Only those that were kept in `dailies review`.
    as_
        OpenTimelineIO or EDL (with the clips in a folder beside it), a CSV, or a zip of clips and CSV.
    to
        The file, or a folder for it. Default: named after the batch, in this folder.
    name
        What each clip is called, without ending. In braces: id, take, batch, row, clip_key, model, provider, resolution,
        aspect_ratio, duration_s, verdict, and every option and column of your own.
    """
    from dailies.cli.export import run_export

    return run_export(batch, kept, as_, to, name, json)


def forget(*, batch: str | None = None, clip: str | None = None, yes: bool = False) -> int:
    """Remove prompts, images and clips for good, here and in S3; what they cost stays on record.

    Parameters
    ----------
    batch
        All clips of a batch.
    clip
        One clip: its clip_key, at least 12 digits of it, or BATCH/ID[/TAKE].
    yes
        Do not ask.
    """
    from dailies.cli.forget import run_forget

    return run_forget(batch, clip, yes)


def tidy(
    *,
    older_than: str | None = None,
    keep_mb: int | None = None,
    dry_run: bool = False,
    yes: bool = False,
    json: Annotated[bool, Parameter(help="Print a list of what was, or would be, removed on stdout.")] = False,
) -> int:
    """Remove what is left over: old downloads, images, answers, copies, logs, reports, probes and local runs in Prefect's history;
    nothing that is paid for and not in S3.

    Parameters
    ----------
    older_than
        Only what was last changed so long ago, such as 30d or 12h. Default: DAILIES_KEEP_DAYS.
    keep_mb
        Of what can be made again (images, catalog answers, reports) and of Prefect's history keep no more than so many MiB, the
        youngest. Default: DAILIES_KEEP_MB.
    dry_run
        Only show what would be removed.
    yes
        Do not ask.
    """
    from dailies.cli.tidy import run_tidy

    return run_tidy(older_than, keep_mb, dry_run, yes, json)
