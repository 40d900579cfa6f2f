"""This machine's clock beside others': what is said of a difference, and when it is trouble. Pure."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

SKEW_WARNS, SKEW_IS_WRONG = timedelta(seconds=30), timedelta(minutes=5)
"""S3 refuses requests that are signed a quarter of an hour off; logs that can't be laid beside each other come sooner."""
SEEMS_DEAD = timedelta(minutes=3)
"""A Prefect server waits five minutes for a run's next heartbeat, by the clock of the run's machine; two may be on their way."""


def grade_skew(skew: timedelta, wrong: timedelta = SKEW_IS_WRONG) -> Literal["ok", "warning", "wrong"]:
    """Whether clocks that differ so much are trouble."""
    return "wrong" if abs(skew) > wrong else "warning" if abs(skew) > SKEW_WARNS else "ok"


def describe_skew(skew: timedelta) -> str:
    """`ours is 42 s ahead`; a Date has whole seconds."""
    seconds = round(abs(skew).total_seconds())
    if seconds <= 1:
        return "agrees with ours"
    return f"ours is {seconds} s {'ahead' if skew > timedelta(0) else 'behind'}"


def warn_of_skew(skew: timedelta) -> str | None:
    """What whoever starts a run is told of this machine's clock beside the ledger's; None where they agree well enough."""
    if grade_skew(skew) == "ok":
        return None
    return (
        f"The clock of this machine is not that of the ledger's database: {describe_skew(skew)}. Set both by NTP. The ledger goes by "
        f"its own; a Prefect server takes the runs of a machine that is minutes behind for dead."
    )
