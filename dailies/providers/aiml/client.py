"""AI/ML API: `POST /v2/video/generations` creates, `GET` of the same path fetches (documents: the seed, its OpenAPI)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from dailies.domain.account import AccountStatus
from dailies.domain.creates import PaidRequest, Reference
from dailies.domain.money import credits_to_usd, to_usd
from dailies.domain.outcomes import Answer, Fault
from dailies.providers.addresses import addresses_of
from dailies.providers.aiml.live import ask_aiml
from dailies.providers.base import (
    Created,
    Doubt,
    Found,
    Logged,
    LogUnavailable,
    Look,
    LookKind,
    Opening,
    Provider,
    look_of,
)
from dailies.providers.dialect import Reading, credits_in, id_in, id_of_address, job_objects, read, usable_id
from dailies.providers.http import ApiClient, MaySend, Reply, says_gone, words_in
from dailies.providers.live import Live
from dailies.providers.refusals import complaint_of, refusal
from dailies.providers.words import Phase, phase_of

GENERATIONS = "/v2/video/generations"
ID_NAMES = ("id", "generation_id", "task_id", "request_id")
LOG_PAGE = 100
LOG_MOST = 5000  # fifty pages: a run that looks for forgotten purchases waits seconds for it, not minutes


class Aiml(Provider):
    """The client of AI/ML API."""

    name = "aiml"
    takes_pictures = True

    def __init__(self, client: ApiClient) -> None:
        self._client = client
        self._repeats_ids = False

    def request(self, body: Mapping[str, Any], reference: Reference) -> PaidRequest:
        """One POST with our reference in a header, which the log shows again."""
        return PaidRequest(
            self._client.base_url + GENERATIONS, dict(body), {"X-Client-Request-Id": reference.attempt_id}
        )

    async def create(self, request: PaidRequest, may_send: MaySend) -> Created:
        """The answer's id is under `id` or `generation_id`, whichever 2xx it is."""
        reply = await self._client.send_once(request, may_send)
        return Created(reply if isinstance(reply, Fault) else self._answer(reply, request.body))

    def _answer(self, reply: Reply, sent: Mapping[str, Any]) -> Answer:
        if not 200 <= reply.status < 300:
            return self._refusal(reply, sent.get("model"))
        reading = priced(read(reply.body, addresses_of(sent)), reply)
        found = id_in(reply.body, ID_NAMES) or usable_id(reply.headers.get("x-inference-id"))
        found = found or (id_of_address(reading.url) if reading.url else None)
        return Answer(
            status=reply.status,
            generation_id=found,
            detail="accepted" if found else "",
            url=reading.url,
            usd_charged=reading.usd,
            credits_used=reading.credits_used,
            raw=b"" if found else self._client.whole(reply),
        )

    def _refusal(self, reply: Reply, model: object) -> Answer:
        """403 is an empty account, a key that may not, or a firewall's no to this one clip: the balance tells which. An id
        that a broken answer carries stands in its words."""
        answer, complaint = refusal(reply, model), complaint_of(reply.body)
        named = usable_id(reply.headers.get("x-inference-id"))
        return replace(
            answer,
            account_or_row=answer.account_or_row
            or (reply.status == 403 and not (complaint and complaint.about_the_clip)),
            detail=self._client.clean(answer.detail + (f" (generation {named})" if named else "")),
            raw=self._client.whole(reply) if id_in(reply.body, ID_NAMES) else b"",
        )

    async def look(self, generation_id: str) -> Look:
        """One GET. 404 right after the create, 5xx and resets all read as still generating."""
        reply = await self._client.get(GENERATIONS, {"generation_id": generation_id})
        if reply is None:
            return Look(LookKind.GENERATING, "no answer", transient=True)
        if not 200 <= reply.status < 300 or reply.body is None:
            return Look(LookKind.GENERATING, self._client.clean(words_in(reply)), transient=True, gone=says_gone(reply))
        if self._of_another(reply.body, generation_id):
            return Look(LookKind.GENERATING, "answered about another job", transient=True)
        return look_of(priced(read(reply.body), reply), self._client.clean)

    def _of_another(self, body: Any, generation_id: str) -> bool:
        """Whether an answer names other jobs only: a cache on the way may leave out the query that says which is asked for.

        Believed of a server that has repeated our ids before; another might use names of its own.
        """
        named = {found for place in job_objects(body) for name in ID_NAMES if (found := usable_id(place.get(name)))}
        if generation_id in named:
            self._repeats_ids = True
        return self._repeats_ids and bool(named) and generation_id not in named

    async def find(self, doubt: Doubt) -> Found | None:
        """`GET /v2/logs`: finished requests only, so nothing found may mean that it is still being generated."""
        failed = None
        async for entry in self._log(doubt.since, doubt.until):
            if entry.reference == doubt.reference.attempt_id or entry.found.generation_id == doubt.generation_id:
                if not entry.found.failed:
                    return entry.found
                failed = (
                    failed or entry.found
                )  # the provider may have tried again by itself, and that one is older in the list
        return failed

    async def finished(self, since: datetime, until: datetime) -> list[Logged]:
        """The same log, newest first, as far as LOG_MOST requests go."""
        found = []
        async for entry in self._log(since, until):
            if entry.reference:
                found.append(entry)
            if len(found) >= LOG_MOST:
                break
        return found

    async def _log(self, since: datetime, until: datetime) -> AsyncIterator[Logged]:
        window = {"start": _iso(since), "end": _iso(until), "limit": LOG_PAGE}
        offset, more = 0, True
        while more:
            reply = await self._client.get("/v2/logs", {**window, "offset": offset})
            if reply is None or reply.status != 200 or not isinstance(reply.body, dict):
                raise LogUnavailable("the provider's log can't be read now")
            rows = reply.body.get("data")
            rows = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
            for row in rows:
                entry = _logged(row)
                if entry:
                    yield entry
            offset += len(rows)
            pages = reply.body.get("pagination")
            more = bool(rows) and isinstance(pages, dict) and bool(pages.get("has_more"))

    async def live(self, names: Iterable[str], cache: Path) -> dict[str, Live]:
        """`GET /v1/models` and `/v1/models/deprecations`."""
        return await ask_aiml(self._client, names, cache / self.name)

    async def account_status(self) -> AccountStatus:
        """`GET /v2/billing`. Only a 401 is a refused key: a key may be barred from billing and still buy."""
        reply = await self._client.get("/v2/billing", {})
        if reply is not None and reply.status == 401:
            return AccountStatus(refused=self._client.clean(words_in(reply)))
        if reply is None or reply.status != 200 or not isinstance(reply.body, dict):
            return AccountStatus()
        try:
            return AccountStatus(balance_usd=to_usd(reply.body["current_balance"]))
        except (KeyError, ValueError):
            return AccountStatus()

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()


def open_client(opening: Opening) -> Aiml:
    """A client of these settings."""
    return Aiml(ApiClient(opening.base_url, opening.key, opening.create_timeout_s))


def _logged(row: Mapping[str, Any]) -> Logged | None:
    """One row of the log; None when it has no usable id."""
    reference, generation_id = row.get("client_request_id"), usable_id(row.get("inference_id"))
    if generation_id is None:
        return None
    try:
        created = datetime.fromisoformat(str(row.get("created")))
    except ValueError:
        created = datetime.now(UTC)
    cost, phase = row.get("cost"), phase_of(str(row.get("status")))
    usd, spent = _money(cost, "usd", "credits") if isinstance(cost, dict) else (None, None)
    found = Found(generation_id, phase is Phase.DONE, usd or Decimal(0), spent, phase is Phase.ENDED)
    created = created if created.tzinfo else created.replace(tzinfo=UTC)
    return Logged(reference if isinstance(reference, str) else "", created, found)


def priced(reading: Reading, reply: Reply) -> Reading:
    """A reading with what it cost: by the body's own word, else by the cost headers, which any answer may carry. There zero
    says nothing, for it is also the price of a question. Dollars follow from credits, never the other way round, and no dollars
    beside credits are none that were told."""
    spent = reading.credits_used
    usd = reading.usd
    if spent is not None and not usd:
        usd = credits_to_usd(spent)
    if usd is None and reading.phase is not Phase.ENDED:
        usd, spent = spent_by(reply.headers)
    return replace(reading, usd=usd, credits_used=spent)


def spent_by(headers: Mapping[str, str]) -> tuple[Decimal | None, int | None]:
    """Dollars and credits of the cost headers; None where there are none, and for zero."""
    usd, spent = headers.get("x-aimlapi-usd-spent", ""), headers.get("x-aimlapi-credits-used", "").strip()
    number = credits_in(spent) or 0
    dollars, _ = _money({"usd": usd} if usd.strip() else {}, "usd", "")
    return dollars or (credits_to_usd(number) if number else None), number or None


def _money(holder: Mapping[str, Any], usd_name: str, credits_name: str) -> tuple[Decimal | None, int | None]:
    """Dollars and credits as reported; dollars follow from credits, never the other way round."""
    spent = credits_in(holder.get(credits_name))
    usd = None if spent is None else credits_to_usd(spent)
    try:
        if isinstance(holder.get(usd_name), int | float | str) and not isinstance(holder[usd_name], bool):
            told = to_usd(holder[usd_name])
            usd = told or usd or told
    except ValueError:
        pass
    return usd, spent


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
