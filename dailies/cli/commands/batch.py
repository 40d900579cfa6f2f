"""What takes a CSV: its options are made from all that a batch may be asked for, so this is loaded only when it is called."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from cyclopts import Parameter

from dailies.cli.batch_options import takes_request
from dailies.cli.commands.flags import JsonFlag, YesFlag
from dailies.memory import loading
from dailies.planning.request import FOLDERS, BatchRequest


def _check_retakes(asked: Mapping[str, Any], *, json: bool = False) -> int:
    from dailies.cli.check import check_retakes

    return check_retakes(asked, json)


@takes_request(*FOLDERS, without_csv=_check_retakes)
def check(request: BatchRequest, *, json: JsonFlag = False) -> int:
    """Spends nothing: rows, images, models, prices."""
    with loading():
        from dailies.cli.check import run_check

    return run_check(request, json)


def _retakes(
    asked: Mapping[str, Any], *, json: bool = False, yes: bool = False, approve_above: str | None = None
) -> int:
    from dailies.cli.models import dollars
    from dailies.cli.retake import run_retakes

    return run_retakes(asked, json, yes, dollars("--approve-above", approve_above))


@takes_request(without_csv=_retakes)
def run(
    request: BatchRequest,
    *,
    json: JsonFlag = False,
    yes: YesFlag = False,
    approve_above: Annotated[
        str | None,
        Parameter(help="Quoted above so many dollars, wait for a yes in the Prefect UI instead of asking here."),
    ] = None,
) -> int:
    """Make every clip of a CSV and deliver it to S3."""
    from dailies.cli.buying import run_batch
    from dailies.cli.models import dollars

    return run_batch(request, json, yes, dollars("--approve-above", approve_above))
