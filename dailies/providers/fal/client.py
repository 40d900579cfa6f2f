"""fal's queue: a submit answers with the addresses of its request, which are used as they are given.

They are built as the vendor's own client builds them for a request that only the history showed, and where an answer gives none
that the key may go to: what is accepted is paid for, and must be found again. What it cost is told by the billing
events, some time after its end.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import quote, urlencode, urljoin

import httpx

from dailies.domain.account import AccountStatus
from dailies.domain.creates import PaidRequest, Reference
from dailies.domain.kept_request import reduced
from dailies.domain.money import to_usd
from dailies.domain.outcomes import Fault
from dailies.providers.base import Created, Doubt, Found, LogUnavailable, Look, LookKind, Opening, Provider, look_of
from dailies.providers.dialect import read, usable_id
from dailies.providers.fal.keys import PublicKeys
from dailies.providers.http import ApiClient, MaySend, json_in
from dailies.providers.jobs import detail_of, job_answer, job_trouble, without
from dailies.providers.live import balance_in
from dailies.providers.webhooks import Told, Unreadable
from dailies.providers.words import Phase, phase_of

QUEUE, PLATFORM = "https://queue.fal.run", "https://api.fal.ai"
ID_NAMES = ("request_id",)
NO_RETRY = {"x-fal-no-retry": "1"}
HISTORY, BILLING = "/v1/models/requests/by-endpoint", "/v1/models/billing-events"
PAGE, MOST_PAGES = 100, 50
SECONDS_WITH_A_UNIT = ("fal-ai/veo",)
"""Endpoints that want `8s` where the others want `8`."""
SECONDS_AS_NUMBERS = ("fal-ai/wan/v2.7", "xai/")
"""Endpoints that want a number."""


@dataclass(frozen=True, slots=True)
class Links:
    """The addresses of one request."""

    status: str
    result: str
    cancel: str

    def handle(self, request_id: str) -> str:
        """As one text, to be kept beside the id."""
        return json.dumps({"id": request_id, "status": self.status, "result": self.result, "cancel": self.cancel})


class Fal(Provider):
    """The client of fal. `platform` is where history, billing and balance answer."""

    name = "fal"
    takes_pictures = True

    def __init__(self, client: ApiClient, opening: Opening) -> None:
        self._client, self._opening = client, opening
        self._platform = PLATFORM if client.base_url == QUEUE else client.base_url
        self._keys = PublicKeys(opening, own_hosts=client.base_url == QUEUE)

    def request(self, body: Mapping[str, Any], reference: Reference) -> PaidRequest:
        """The endpoint's own address, with its webhook; fal's own repeats are switched off."""
        endpoint, hook = str(body["model"]), self._opening.hook(self.name, reference)
        query = f"?{urlencode({'fal_webhook': hook})}" if hook else ""
        return PaidRequest(
            f"{self._client.base_url}/{quote(endpoint, safe='/')}{query}", spelled(endpoint, body), NO_RETRY
        )

    async def create(self, request: PaidRequest, may_send: MaySend) -> Created:
        """The answer is the request's id and its addresses."""
        reply = await self._client.send_once(request, may_send)
        if isinstance(reply, Fault):
            return Created(reply)
        answer = job_answer(self._client, reply, request.body, self._endpoint(request), ID_NAMES)
        if answer.generation_id is None:
            return Created(replace(answer, url=None))
        links = self._links(reply.body) or self._built(self._endpoint(request), answer.generation_id)
        return Created(replace(answer, handle=links.handle(answer.generation_id), url=None))

    async def look(self, generation_id: str) -> Look:
        """How it stands, and what came of it: two addresses. COMPLETED with an error is a failure, and costs nothing."""
        request_id, links = self._known(generation_id)
        if links is None:
            return Look(LookKind.GENERATING, f"fal gave no address for {request_id}", transient=True)
        reply = await self._client.get(links.status, {})
        trouble = job_trouble(self._client, reply)
        if trouble or reply is None:
            return trouble or Look(LookKind.GENERATING, "no answer", transient=True)
        look = look_of(replace(read(reply.body), url=None), self._client.clean)
        body = reply.body if isinstance(reply.body, dict) else {}
        done = phase_of(str(body.get("status"))) is Phase.DONE
        error = ended_with(body) if done or look.kind is LookKind.FAILED else None  # else of a run that is begun again
        if error or look.kind is LookKind.FAILED:
            return Look(LookKind.FAILED, self._client.clean(error or look.detail))
        if not done:
            return replace(look, transient=False)
        return await self._result(request_id, links)

    async def _result(self, request_id: str, links: Links) -> Look:
        reply = await self._client.get(links.result, {})
        if reply is not None and reply.status == 422 and _refuses_fields(reply.body):
            return Look(LookKind.FAILED, self._client.clean(detail_of(reply)))
        trouble = job_trouble(self._client, reply)
        if trouble or reply is None:
            return trouble or Look(LookKind.GENERATING, "no answer", transient=True)
        look = look_of(read(reply.body), self._client.clean)
        if look.kind is not LookKind.READY:
            return Look(LookKind.GENERATING, "completed, but without a URL", transient=True)
        return replace(look, detail="completed", strange="", usd_charged=await self._billed(request_id))

    async def find(self, doubt: Doubt) -> Found | None:
        """The one request of the endpoint, in the window, that asked for exactly this. Two are none."""
        if doubt.request is None:
            raise LogUnavailable("what was asked for is not on record any more")
        endpoint = self._endpoint(doubt.request)
        items = await self._history(endpoint, doubt.since, doubt.until)
        asked = reduced(doubt.request.body)
        same = {str(item["request_id"]): item for item in items if reduced(item.get("json_input")) == asked}
        if len(same) != 1:
            return None
        ((request_id, item),) = same.items()
        code = item.get("status_code")
        succeeded, failed = code == 200, isinstance(code, int) and code >= 400
        handle = self._built(endpoint, request_id).handle(request_id)
        usd = (await self._billed(request_id) if succeeded else None) or Decimal(0)
        return Found(request_id, succeeded, usd, None, failed, handle)

    async def _history(self, endpoint: str, since: datetime, until: datetime) -> list[Mapping[str, Any]]:
        query = {"endpoint_id": endpoint, "start": _iso(since), "end": _iso(until), "limit": PAGE, "expand": "payloads"}
        found: list[Mapping[str, Any]] = []
        for _ in range(MOST_PAGES):
            reply = await self._client.get(self._platform + HISTORY, query)
            items = reply.body.get("items") if reply and reply.status == 200 and isinstance(reply.body, dict) else None
            if not isinstance(items, list) or reply is None:
                raise LogUnavailable("fal's history can't be read now")
            found += [item for item in items if isinstance(item, dict) and usable_id(item.get("request_id"))]
            cursor = reply.body.get("next_cursor")
            if not reply.body.get("has_more") or not cursor:
                return found
            query["cursor"] = cursor
        raise LogUnavailable("fal's history has no end in this window")

    async def _billed(self, request_id: str) -> Decimal | None:
        """What a request cost, once that is posted."""
        reply = await self._client.get(self._platform + BILLING, {"request_id": request_id})
        rows = (
            reply.body.get("billing_events") if reply and reply.status == 200 and isinstance(reply.body, dict) else None
        )
        mine = [row for row in rows or [] if isinstance(row, dict) and row.get("request_id") == request_id]
        try:
            return sum((to_usd(row["cost_total"]) for row in mine), Decimal(0)) if mine else None
        except (KeyError, ValueError):
            return None

    async def account_status(self) -> AccountStatus:
        """The balance, where the key may ask for it; that it may not proves nothing of what it may buy."""
        reply = await self._client.get(f"{self._platform}/v1/account/billing", {"expand": "credits"})
        return AccountStatus(balance_usd=balance_in(reply.body) if reply is not None and reply.status == 200 else None)

    async def told(self, headers: Mapping[str, str], content: bytes, now: datetime) -> Told:
        """The result or an error, signed with one of fal's public keys."""
        await self._keys.verify(headers, content, now)
        body = json_in(content)
        request_id = usable_id(body.get("request_id")) if isinstance(body, dict) else None
        if request_id is None:
            raise Unreadable("no request_id")
        look = None
        if str(body.get("status")).upper() == "OK":
            look = look_of(read(body.get("payload")), self._client.clean)
        elif str(body.get("status")).upper() == "ERROR":
            look = Look(LookKind.FAILED, self._client.clean(str(body.get("error") or "failed")))
        return Told(request_id, True, look)

    def handle_of(self, generation_id: str, model: str) -> str | None:
        """A webhook gives no addresses, as the history gives none."""
        return self._built(model, generation_id).handle(generation_id)

    async def cancel(self, generation_id: str) -> bool | None:
        """A request that runs already may finish, and is paid then."""
        _, links = self._known(generation_id)
        reply = await self._client.ask("PUT", links.cancel) if links else None
        return reply is not None and 200 <= reply.status < 300

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()
        await self._keys.close()

    def _endpoint(self, request: PaidRequest) -> str:
        return request.address.removeprefix(f"{self._client.base_url}/").partition("?")[0]

    def _links(self, body: Any) -> Links | None:
        """The addresses that an answer gives, if they are where the key may go; a run can be looked at that can't be cancelled."""
        names = ("status_url", "response_url", "cancel_url")
        given = [body.get(name) for name in names] if isinstance(body, dict) else [None] * 3
        whole = [urljoin(f"{self._client.base_url}/", one) if isinstance(one, str) and one else "" for one in given]
        status, result, cancel = (address if self._is_ours(address) else "" for address in whole)
        return Links(status, result, cancel or f"{result}/cancel") if status and result else None

    def _known(self, handle: str) -> tuple[str, Links | None]:
        try:
            kept = json.loads(handle)
            links = Links(kept["status"], kept["result"], kept["cancel"])
        except (ValueError, TypeError, KeyError):
            return handle, None
        ours = all(self._is_ours(address) for address in (links.status, links.result, links.cancel))
        return str(kept.get("id", "")), links if ours else None

    def _is_ours(self, address: str) -> bool:
        """The key never goes to another host than the queue's own."""
        try:
            given, ours = (httpx.URL(text) for text in (address, self._client.base_url))
            return (given.scheme, given.host, given.port) == (ours.scheme, ours.host, ours.port)
        except httpx.InvalidURL:
            return False

    def _built(self, endpoint: str, request_id: str) -> Links:
        """The addresses of a request that only the history showed, as the vendor's own client makes them."""
        parts = endpoint.split("/")
        app = "/".join(parts[: 3 if parts[0] in ("workflows", "comfy") else 2])
        base = f"{self._client.base_url}/{app}/requests/{quote(request_id, safe='')}"
        return Links(f"{base}/status", base, f"{base}/cancel")


def open_client(opening: Opening) -> Fal:
    """A client of these settings."""
    return Fal(ApiClient(opening.base_url, opening.key, opening.create_timeout_s, "Key "), opening)


def spelled(endpoint: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """The endpoint's own JSON: no model, and the seconds as it wants them."""
    sent = without(body, "model")
    if isinstance(sent.get("duration"), int) and not endpoint.startswith(SECONDS_AS_NUMBERS):
        sent["duration"] = f"{sent['duration']}{'s' if endpoint.startswith(SECONDS_WITH_A_UNIT) else ''}"
    return sent


def ended_with(body: Mapping[str, Any]) -> str | None:
    """The error of a request that is completed without a result, behind its kind."""
    error, kind = body.get("error"), body.get("error_type")
    if not error and not kind:
        return None
    words = error if isinstance(error, str) else json.dumps(error)
    kind = "cancelled" if isinstance(kind, str) and "cancel" in kind.lower() else kind
    return f"{kind}: {words}" if kind else words


def _refuses_fields(body: Any) -> bool:
    """Whether an answer lists what is wrong with the request; words alone may say that it is not finished yet."""
    return isinstance(body, dict) and isinstance(body.get("detail"), list)


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
