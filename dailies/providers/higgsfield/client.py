"""Higgsfield: `POST /ENDPOINT` under an Idempotency-Key. It tells no cost of a request, so the estimate, which is exact for the
account, is asked for free right before it; what failed, was flagged or cancelled costs nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any
from urllib.parse import quote, urlencode

from dailies.domain.creates import PaidRequest, Reference
from dailies.domain.money import to_usd
from dailies.domain.outcomes import Answer, Fault
from dailies.providers.base import Created, Look, Opening, Provider
from dailies.providers.dialect import usable_id
from dailies.providers.http import ApiClient, MaySend, json_in
from dailies.providers.jobs import job_answer, job_look, without
from dailies.providers.webhooks import Told, Unreadable

ID_NAMES = ("request_id",)
KEY_HEADER = "Idempotency-Key"


class Higgsfield(Provider):
    """The client of Higgsfield."""

    name = "higgsfield"

    def __init__(self, client: ApiClient, opening: Opening) -> None:
        self._client, self._opening = client, opening

    def request(self, body: Mapping[str, Any], reference: Reference) -> PaidRequest:
        """The model's own address; its webhook stands there too, and belongs to what the key stands for."""
        hook = self._opening.hook(self.name, reference)
        query = f"?{urlencode({'hf_webhook': hook})}" if hook else ""
        address = f"{self._client.base_url}/{_path(str(body['model']))}{query}"
        return PaidRequest(address, without(body, "model"), {KEY_HEADER: reference.attempt_id})

    async def create(self, request: PaidRequest, may_send: MaySend) -> Created:
        """Its price first, then the request, once."""
        endpoint = request.address.removeprefix(f"{self._client.base_url}/").partition("?")[0]
        usd = await self._estimate(endpoint, request.body)
        reply = await self._client.send_once(request, may_send)
        if isinstance(reply, Fault):
            return Created(reply)
        answer: Answer = job_answer(self._client, reply, request.body, endpoint, ID_NAMES)
        return Created(replace(answer, usd_charged=usd) if answer.generation_id else answer)

    async def look(self, generation_id: str) -> Look:
        """`GET /requests/ID/status`; `nsfw` and `canceled` are ends like `failed`, and cost nothing."""
        return job_look(self._client, await self._client.get(f"/requests/{quote(generation_id, safe='')}/status", {}))

    async def estimate(self, body: Mapping[str, Any]) -> Decimal | None:
        """`POST /estimate/ENDPOINT` with the body of the create."""
        return await self._estimate(_path(str(body["model"])), without(body, "model"))

    async def _estimate(self, endpoint: str, body: Mapping[str, Any]) -> Decimal | None:
        reply = await self._client.ask("POST", f"/estimate/{endpoint}", json=dict(body))
        try:
            return to_usd(reply.body["usd"]) if reply and reply.status == 200 else None
        except (KeyError, TypeError, ValueError):
            return None

    async def told(self, headers: Mapping[str, str], content: bytes, now: datetime) -> Told:
        """The final status, unsigned: a hint."""
        body = json_in(content)
        request_id = usable_id(body.get("request_id")) if isinstance(body, dict) else None
        if request_id is None:
            raise Unreadable("no request_id")
        return Told(request_id, signed=False)

    async def cancel(self, generation_id: str) -> bool | None:
        """Only while it is queued."""
        reply = await self._client.ask("POST", f"/requests/{quote(generation_id, safe='')}/cancel")
        return reply is not None and 200 <= reply.status < 300

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()


def open_client(opening: Opening) -> Higgsfield:
    """A client of these settings; the key is `ID:SECRET`."""
    return Higgsfield(ApiClient(opening.base_url, opening.key, opening.create_timeout_s, "Key "), opening)


def _path(endpoint: str) -> str:
    return quote(endpoint, safe="/")
