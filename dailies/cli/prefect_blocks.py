"""Settings that a team keeps on its Prefect server: what neither the environment nor `.env` says.

Secret blocks     aiml-api-key, onerouter-api-key, dailies-ledger-url
Variables         any setting under its name in lower case, such as dailies_to
AWS Credentials   a block named dailies-aws (from prefect-aws); it need not be installed on the worker
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import httpx
from prefect.client.orchestration import PrefectClient, get_client
from prefect.exceptions import ObjectNotFound

from dailies.settings import SECRET_BLOCKS, sources

VARIABLE_PREFIX = "dailies_"
AWS_BLOCK = ("dailies-aws", "aws-credentials")
AWS_FIELDS = {
    "aws_access_key_id": "AWS_ACCESS_KEY_ID",
    "aws_secret_access_key": "AWS_SECRET_ACCESS_KEY",
    "aws_session_token": "AWS_SESSION_TOKEN",
    "region_name": "AWS_DEFAULT_REGION",
}
MOST_VARIABLES = 200


async def read_blocks() -> dict[str, str]:
    """What the configured Prefect API holds for settings that are said nowhere nearer, by their environment names."""
    missing = {source.name for source in sources() if source.source == "default"}
    async with get_client() as client:
        found = await _variables(client)
        found |= await _secrets(client, [name for name in SECRET_BLOCKS if name in missing])
        return found | await _aws(client)


async def blocks_if_reachable() -> dict[str, str]:
    """The same for showing them: nothing where the API does not answer."""
    try:
        return await read_blocks()
    except httpx.HTTPError:
        return {}


async def _variables(client: PrefectClient) -> dict[str, str]:
    named = await client.read_variables(limit=MOST_VARIABLES)
    ours = {variable.name.upper(): variable.value for variable in named if variable.name.startswith(VARIABLE_PREFIX)}
    return {name: str(value) for name, value in ours.items() if value is not None}


async def _secrets(client: PrefectClient, names: Iterable[str]) -> dict[str, str]:
    found = {name: await _block(client, SECRET_BLOCKS[name], "secret") for name in names}
    return {name: str(data["value"]) for name, data in found.items() if data and data.get("value")}


async def _aws(client: PrefectClient) -> dict[str, str]:
    data = await _block(client, *AWS_BLOCK) or {}
    values: dict[str, Any] = {name: data.get(field) for field, name in AWS_FIELDS.items()}
    values["AWS_ENDPOINT_URL_S3"] = (data.get("aws_client_parameters") or {}).get("endpoint_url")
    return {name: str(value) for name, value in values.items() if value}


async def _block(client: PrefectClient, name: str, kind: str) -> Mapping[str, Any] | None:
    try:
        return (await client.read_block_document_by_name(name, kind, include_secrets=True)).data
    except ObjectNotFound:
        return None
