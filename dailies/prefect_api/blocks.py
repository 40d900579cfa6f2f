"""Settings that a team keeps on its Prefect server: what neither the environment nor `.env` says.

Secret blocks     the key of each provider (such as aiml-api-key), and dailies-ledger-url
Variables         any setting under its name in lower case, such as dailies_to, and the store's address and region
AWS Credentials   a block named dailies-aws (from prefect-aws); it need not be installed on the worker

What stands there is read or refused, never passed over: a cap that nobody reads holds nothing back.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from json import JSONDecodeError
from typing import Any

import httpx
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.objects import Variable
from prefect.exceptions import ObjectNotFound

from dailies.errors import Misconfigured
from dailies.settings import NAMES, SECRET_BLOCKS, SECRETS, sources

VARIABLE_PREFIX = "dailies_"
AWS_VARIABLES = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_REGION", "AWS_DEFAULT_REGION")
AWS_BLOCK = ("dailies-aws", "aws-credentials")
AWS_FIELDS = {
    "aws_access_key_id": "AWS_ACCESS_KEY_ID",
    "aws_secret_access_key": "AWS_SECRET_ACCESS_KEY",
    "aws_session_token": "AWS_SESSION_TOKEN",
    "region_name": "AWS_DEFAULT_REGION",
}


UNREADABLE = (httpx.HTTPError, ObjectNotFound, JSONDecodeError)
"""What an API that can't be asked makes of a question: a wrong path answers 404, or with a page."""


async def read_blocks() -> dict[str, str]:
    """What the configured Prefect API holds for settings that are said nowhere nearer, by their environment names.

    Raises Misconfigured when it holds something that can't be used, and one of UNREADABLE when it can't be asked.
    """
    missing = {source.name for source in sources() if source.source == "default"}
    async with get_client() as client:
        found = await _variables(client)
        found |= await _secrets(client, [name for name in SECRET_BLOCKS if name in missing])
        return found | await _aws(client)


async def blocks_if_reachable() -> dict[str, str]:
    """The same for showing them: nothing where the API does not answer."""
    try:
        return await read_blocks()
    except UNREADABLE:
        return {}


async def _variables(client: PrefectClient) -> dict[str, str]:
    others = [name.lower() for name in (*NAMES, *AWS_VARIABLES) if not name.lower().startswith(VARIABLE_PREFIX)]
    found = {}
    for wanted in ({"like_": VARIABLE_PREFIX}, {"any_": others}):
        async for variable in _all_variables(client, wanted):
            if variable.name.startswith(VARIABLE_PREFIX) or variable.name in others:
                found[variable.name.upper()] = _text(variable)
    return found


async def _all_variables(client: PrefectClient, name: Mapping[str, object]) -> AsyncIterator[Variable]:
    """Every Variable with such a name, page by page, in the pages of the server: it says how long one may be."""
    offset = 0
    while True:
        query = {"variables": {"name": name}, "offset": offset}
        page: Sequence[Variable] = Variable.model_validate_list(
            (await client.request("POST", "/variables/filter", json=query)).json()
        )
        for variable in page:
            yield variable
        if not page:
            return
        offset += len(page)


def _text(variable: Variable) -> str:
    """A Variable's value as the environment would say it. Raises Misconfigured for what no setting is."""
    name, value = variable.name, variable.value
    if name in SECRETS:
        raise Misconfigured(
            f"the Prefect Variable {name} would show a key to everybody: keep it in the Secret block "
            f"{SECRET_BLOCKS[name.upper()]}, and delete the Variable. Nothing was bought.",
            trouble="prefect",
        )
    if isinstance(value, bool) or not isinstance(value, str | int | float) or not str(value).strip():
        raise Misconfigured(
            f"the Prefect Variable {name} holds neither text nor a number: give it one, or delete it. Nothing was bought.",
            trouble="prefect",
        )
    return str(value)


async def _secrets(client: PrefectClient, names: Iterable[str]) -> dict[str, str]:
    found = {name: await _block(client, SECRET_BLOCKS[name], "secret") for name in names}
    return {name: _secret(name, data) for name, data in found.items() if data}


def _secret(name: str, data: Mapping[str, Any]) -> str:
    value = data.get("value")
    if not isinstance(value, str) or not value.strip():
        raise Misconfigured(
            f"the Prefect Secret block {SECRET_BLOCKS[name]} holds no text: save it again, or delete it. Nothing was bought.",
            trouble="prefect",
        )
    return value


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
