"""An inbox: every new CSV below an S3 prefix becomes a batch, once, however often and by how many the inbox is looked at."""

from __future__ import annotations

from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from dailies.errors import describe_error
from dailies.steps.inbox import inbox_folder, look_into
from flows import parameters as p
from flows.shared import REPORTED
from tasks.dispatch import require_deployment
from tasks.engine.run import runtime_for_run
from tasks.engine.states import show_our_logs
from tasks.inbox import start_batch


@flow(name="inbox", flow_run_name="inbox", persist_result=False, validate_parameters=True)
async def inbox(
    folder: p.Destination = "",
    to: p.Destination = "",
    budget_usd: p.Dollars = None,
    approve_above_usd: p.Dollars = None,
    deployment: p.DeploymentName = "generate-large/generate-large",
) -> State[Any]:
    """Start a batch for every CSV in the inbox that has not been seen yet. A changed CSV is seen again.

    Args:
        folder: Where CSVs arrive. Example: s3://studio/inbox. Empty: the folder _inbox below DAILIES_TO.
        to: Where the clips go. Example: s3://studio/clips. Empty: the setting DAILIES_TO.
        budget_usd: Hard cap for each batch in US dollars.
        approve_above_usd: A batch quoted above this pauses and asks in the UI before anything is bought.
        deployment: The deployment that makes a batch, as flow/deployment.
    """
    show_our_logs()
    try:
        async with runtime_for_run(need_keys=False) as runtime:
            await require_deployment(deployment)
            found = await look_into(runtime, inbox_folder(folder, runtime.settings))
            chosen = {"to": to, "budget_usd": budget_usd, "approve_above_usd": approve_above_usd}
            common = {name: value for name, value in chosen.items() if value is not None}
            started = [csv.batch for csv in found if await start_batch(deployment, csv, common)]
    except REPORTED as error:
        return Failed(message=describe_error(error))
    return Completed(
        message=f"{len(found)} in the inbox · {len(started)} new{': ' + ', '.join(started) if started else ''}"
    )
