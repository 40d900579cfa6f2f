"""Whether the Prefect server that runs report to would keep all that they tell it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Literal

import httpx
from pydantic import TypeAdapter

from dailies.prefect_api.access import api_trouble
from dailies.prefect_api.address import configured_api_url

BATCH_LEAST = 50
"""Below this batch size the recorder commits about one event at a time, 100 a second; a flow of 5,000 clips then loses
task runs in the UI (measured: 1,491 of 5,000 with the default of 1, none with 200)."""

REMEMBERS_LEAST = timedelta(hours=1)
FORGETS = (
    "forgets after a minute whose heartbeat it awaits, so that a run whose machine dies before it is restarted stays Running for ever: "
    "set PREFECT_SERVER_EVENTS_EXPIRED_BUCKET_BUFFER=P1D on the server (docs/operations.md)"
)
MEMORY_BROKER = "prefect.server.utilities.messaging.memory"
ADVICE = (
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE=200, …_TASK_RUN_RECORDER_READ_BATCH_SIZE=200, "
    "…_TASK_RUN_RECORDER_FLUSH_INTERVAL=1 and …_EVENT_PERSISTER_BATCH_SIZE=200 on the server (docs/operations.md)"
)


async def check_prefect() -> tuple[Literal["ok", "warning", "wrong"], str]:
    """Ask the configured API. Returns a grade and a sentence; a server that hides its settings is not blamed."""
    from prefect import get_client

    try:
        async with get_client() as client:
            url = str(client.api_url).rstrip("/")
            answer = await client._client.get("/admin/settings")  # noqa: SLF001 - the client has no method for it, but the credentials
    except httpx.HTTPStatusError as error:
        if error.response.status_code in (401, 407):
            return "wrong", api_trouble(url, error)
        return "ok", f"API at {url}; its settings can't be read"
    except (httpx.HTTPError, RuntimeError) as error:
        return "wrong", api_trouble(configured_api_url() or "PREFECT_API_URL", error)
    return judge_settings(answer.json(), url)


def judge_settings(settings: Mapping[str, Any], url: str) -> tuple[Literal["ok", "warning"], str]:
    """What a server's settings mean for a large batch. Pure."""
    server = settings.get("server", {})
    recorder = server.get("services", {}).get("task_run_recorder", {})
    sizes = [recorder.get(name) for name in ("batch_size", "read_batch_size") if recorder.get(name) is not None]
    if sizes and min(sizes) < BATCH_LEAST:
        in_memory = server.get("events", {}).get("messaging_broker", MEMORY_BROKER) == MEMORY_BROKER
        after = "drops events silently once 10,000 wait" if in_memory else "falls far behind"
        return "warning", f"API at {url} records about 100 events a second and {after}: set {ADVICE}"
    remembers = server.get("events", {}).get("expired_bucket_buffer")
    if remembers is not None and TypeAdapter(timedelta).validate_python(remembers) < REMEMBERS_LEAST:
        return "warning", f"API at {url} {FORGETS}"
    return "ok", f"API at {url}; its recorder keeps up with large batches"
