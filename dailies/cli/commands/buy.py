"""What is done about clips of batches that were asked for: finish, buy again, stop."""

from __future__ import annotations

from dailies.cli.commands.flags import JsonFlag, YesFlag


def collect(*, json: JsonFlag = False) -> int:
    """Finish every paid clip that nobody is watching; settle what is in doubt."""
    from dailies.cli.run import run_collect

    return run_collect(json)


def retry(  # noqa: PLR0913 - a command's options are its parameters
    *,
    batch: str | None = None,
    failed: bool = False,
    refused: bool = False,
    lost: bool = False,
    cancelled: bool = False,
    dry_run: bool = False,
    yes: bool = False,
    json: JsonFlag = False,
) -> int:
    """Buy again what failed, was refused, was lost or was cancelled; none of these words means all four.

    Parameters
    ----------
    batch
        One batch only; needed where several have such clips.
    failed
        Accepted by the provider, then failed.
    refused
        Never accepted.
    lost
        Paid for, and gone: this is a second charge.
    cancelled
        Cancelled by a person.
    dry_run
        Only show them, with what they would cost.
    yes
        Do not ask before spending.
    """
    from dailies.cli.retry import run_retry
    from dailies.domain.retry import Kind

    said = {Kind.FAILED: failed, Kind.REFUSED: refused, Kind.LOST: lost, Kind.CANCELLED: cancelled}
    return run_retry(batch, [kind for kind, wanted in said.items() if wanted], dry_run, yes, json)


def cancel(*clips: str, batch: str | None = None, yes: YesFlag = False, json: JsonFlag = False) -> int:
    """Stop clips that are not made yet: what was not sent costs nothing; what waits at a provider is asked to stop there.

    Parameters
    ----------
    clips
        Which: a clip_key, at least 12 digits of it, or BATCH/ID[/TAKE]; none given is every one that can be cancelled.
    batch
        One batch only; needed where several have such clips.
    """
    from dailies.cli.cancel import run_cancel

    return run_cancel(batch, clips, yes, json)
