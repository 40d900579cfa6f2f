"""Brings the configured Prefect API to the state that this repository describes: `make deploy`, as often as you like.

Work pool, global limits, the deployments of prefect.yaml, automations. What exists is updated, never doubled. A work pool
and limits are created once and then belong to operations: what was changed there is left, and said.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import yaml
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate, WorkPoolCreate, WorkPoolUpdate
from prefect.events.schemas.automations import AutomationCore
from prefect.exceptions import ObjectNotFound

from dailies.prefect_api.address import configured_api_url

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
POOL = "dailies"
POOL_TYPES = tuple(sorted(path.stem for path in (HERE / "work-pools").glob("*.json")))
NOTIFY_BLOCK = "dailies-notify"
HEARTBEAT = "PREFECT_FLOWS_HEARTBEAT_FREQUENCY"
PREFECTS_OWN_HEARTBEAT_S = 180
MISSED = 3  # heartbeats at least, before a run counts as gone

Say = Callable[[str], None]


async def ensure_pool(client: PrefectClient, kind: str, replace: bool, say: Say) -> None:
    """Create the work pool, or with `replace` give the existing one our template again."""
    template = json.loads((HERE / "work-pools" / f"{kind}.json").read_text())
    try:
        pool = await client.read_work_pool(POOL)
    except ObjectNotFound:
        await client.create_work_pool(WorkPoolCreate(name=POOL, type=kind, base_job_template=template))
        say(f"work pool {POOL} ({kind}): created")
        return
    if pool.type != kind:
        say(f"work pool {POOL}: is of type {pool.type} and stays so; delete it to have {kind}")
    elif replace:
        await client.update_work_pool(POOL, WorkPoolUpdate(base_job_template=template))
        say(f"work pool {POOL} ({kind}): template replaced")
    else:
        changed = "" if pool.base_job_template == template else " (its template differs from ours: --replace-template)"
        say(f"work pool {POOL} ({kind}): there already{changed}")


async def ensure_limits(client: PrefectClient, say: Say) -> None:
    """Create the global concurrency limits that do not exist."""
    for wanted in yaml.safe_load((HERE / "limits.yaml").read_text()):
        try:
            found = await client.read_global_concurrency_limit_by_name(wanted["name"])
            say(f"limit {found.name}: there already, {found.limit}{'' if found.active else ', switched off'}")
        except ObjectNotFound:
            await client.create_global_concurrency_limit(GlobalConcurrencyLimitCreate(**wanted))
            say(f"limit {wanted['name']}: created, {wanted['limit']}{'' if wanted['active'] else ', switched off'}")


async def ensure_automations(client: PrefectClient, say: Say) -> None:
    """Create or update every automation by its name; one that was paused stays paused."""
    notify = await notify_block(client)
    every_s = heartbeat_s((await client.read_work_pool(POOL)).base_job_template)
    if notify is None:
        say(f"no notification block {NOTIFY_BLOCK}: automations act, and tell nobody")
    wanted = yaml.safe_load((HERE / "automations.yaml").read_text())
    names = {action["run"] for automation in wanted for action in automation["actions"] if "run" in action}
    ids = {name: (await client.read_deployment_by_name(name)).id for name in names}
    for text in wanted:
        automation = automation_of(patient(text, every_s), ids, notify)
        found = await client.read_automations_by_name(automation.name)
        if not found:
            await client.create_automation(automation)
        else:
            automation.enabled = found[0].enabled
            await client.update_automation(found[0].id, automation)
        for extra in found[1:]:
            await client.delete_automation(extra.id)
        say(f"automation {automation.name}: {'updated' if found else 'created'}")


def heartbeat_s(template: Mapping[str, Any]) -> int:
    """Seconds between two heartbeats of a pool's runs, by its template. Pure."""
    env = template.get("variables", {}).get("properties", {}).get("env", {}).get("default") or {}
    return int(env.get(HEARTBEAT, PREFECTS_OWN_HEARTBEAT_S))


def patient(text: Mapping[str, Any], every_s: int) -> Mapping[str, Any]:
    """An automation that waits for heartbeats, waiting long enough for these; any other as it is. Pure."""
    trigger = text["trigger"]
    if "prefect.flow-run.heartbeat" not in trigger.get("after", ()):
        return text
    return {**text, "trigger": {**trigger, "within": max(trigger["within"], MISSED * every_s)}}


async def notify_block(client: PrefectClient) -> UUID | None:
    """The notification block, asked for by its name: there may be more blocks than a page holds."""
    wanted = {"is_anonymous": {"eq_": False}, "name": {"any_": [NOTIFY_BLOCK]}}
    answer = await client.request("POST", "/block_documents/filter", json={"block_documents": wanted})
    return next((UUID(block["id"]) for block in answer.json()), None)


def automation_of(text: Mapping[str, Any], deployments: Mapping[str, UUID], notify: UUID | None) -> AutomationCore:
    """One automation of automations.yaml as Prefect's model. Raises ValueError for what Prefect would not take. Pure."""
    actions = [_action(action, deployments, notify) for action in text["actions"]]
    kept = [action for action in actions if action] or [{"type": "do-nothing"}]
    return AutomationCore.model_validate({**text, "actions": kept})


def _action(short: Mapping[str, Any], deployments: Mapping[str, UUID], notify: UUID | None) -> dict[str, Any] | None:
    match dict(short):
        case {"run": name, **more} if more.keys() <= {"with"}:
            run = {"type": "run-deployment", "source": "selected", "deployment_id": deployments[name]}
            return {**run, "parameters": more["with"]} if more else run
        case {"state": {"type": state, "message": message}}:
            return {"type": "change-flow-run-state", "state": state, "message": message}
        case {"notify": {"subject": subject, "body": body}}:
            if notify is None:
                return None
            return {"type": "send-notification", "block_document_id": notify, "subject": subject, "body": body}
    raise ValueError(f"not an action: {short}")


def deploy_all() -> int:
    """`prefect deploy --all` on our prefect.yaml. Returns its exit code."""
    command = [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all"]
    return subprocess.run(command, cwd=ROOT, check=False).returncode  # noqa: S603 - our own arguments


async def deploy(kind: str, replace: bool, say: Say) -> int:
    """Everything, in the order in which one thing needs the other. Returns the exit code."""
    async with get_client() as client:
        say(f"Prefect API: {client.api_url}")
        await ensure_pool(client, kind, replace, say)
        await ensure_limits(client, say)
        code = await asyncio.to_thread(deploy_all)
        if code == 0:
            await ensure_automations(client, say)
        return code


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line. Exit code 2 when no Prefect API is configured."""
    parser = argparse.ArgumentParser(prog="make deploy", description=__doc__)
    parser.add_argument("--work-pool", choices=POOL_TYPES, default="process", help="where runs live (default: process)")
    parser.add_argument("--replace-template", action="store_true", help="give an existing work pool our template again")
    options = parser.parse_args(arguments)
    if not configured_api_url():
        print("no Prefect API is configured: set PREFECT_API_URL, such as http://127.0.0.1:4200/api", file=sys.stderr)
        return 2
    return asyncio.run(deploy(options.work_pool, options.replace_template, print))


if __name__ == "__main__":
    raise SystemExit(main())
