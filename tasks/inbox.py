"""One run for one CSV of the inbox."""

from __future__ import annotations

from typing import Any

from prefect import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterIdempotencyKey
from prefect.deployments import arun_deployment

from dailies.steps.inbox import Delivered


async def start_batch(deployment: str, csv: Delivered, common: dict[str, Any]) -> bool:
    """Start a CSV's run unless it has one; whether it was started now. Two that look at once start one run."""
    async with get_client() as client:
        same = FlowRunFilter(idempotency_key=FlowRunFilterIdempotencyKey(any_=[csv.key]))
        if await client.read_flow_runs(flow_run_filter=same, limit=1):
            return False
        await arun_deployment(
            deployment,
            client=client,
            parameters={"prompts": csv.uri, "batch": csv.batch, **common},
            idempotency_key=csv.key,
            flow_run_name=csv.batch,
            as_subflow=False,
            timeout=0,
        )
        return True
