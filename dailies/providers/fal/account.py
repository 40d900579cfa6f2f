"""fal's own ledger: the billing events, by request; and what its history says of the endpoints that were billed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from dailies.domain.account import LogEntry, Posting
from dailies.domain.money import to_usd
from dailies.providers.base import AccountUnavailable, Opening
from dailies.providers.fal.client import BILLING, HISTORY, PLATFORM, QUEUE
from dailies.providers.http import ApiClient, words_in

PAGE, MOST_PAGES = 10_000, 1_000
WINDOW = timedelta(days=90)  # the longest that one question may span (documented)


class FalAccount:
    """Reads the account that the key belongs to. Needs a key that may see its billing."""

    def __init__(self, client: ApiClient) -> None:
        self._client = client
        self._platform = PLATFORM if client.base_url == QUEUE else client.base_url

    async def postings(self, since: datetime, until: datetime) -> list[Posting]:
        """Every billed request in the span; only what succeeded is billed. Raises AccountUnavailable."""
        return [_posting(row) async for row in self._rows(BILLING, {}, "billing_events", since, until, PAGE)]

    async def requests(self, since: datetime, until: datetime) -> list[LogEntry]:
        """Every request in the span at the endpoints that were billed in it. Raises AccountUnavailable."""
        billed = await self.postings(since, until)
        usd = {posting.generation_id: posting.usd for posting in billed}
        found = []
        for endpoint in sorted({posting.model for posting in billed if posting.model}):
            async for row in self._rows(HISTORY, {"endpoint_id": endpoint}, "items", since, until, 100):
                request_id = str(row.get("request_id"))
                at, succeeded = _moment(row.get("sent_at")), row.get("status_code") == 200
                found.append(LogEntry(at, request_id, None, succeeded, usd.get(request_id, to_usd(0)), endpoint))
        return found

    async def _rows(
        self, path: str, query: Mapping[str, Any], name: str, since: datetime, until: datetime, page: int
    ) -> AsyncIterator[Mapping[str, Any]]:
        start = since
        while start < until:
            end = min(start + WINDOW, until)
            asked: dict[str, Any] = {**query, "start": _iso(start), "end": _iso(end), "limit": page}
            for _ in range(MOST_PAGES):
                body = await self._page(path, asked, name)
                for row in body[name]:
                    yield row
                if not body.get("has_more") or not body.get("next_cursor"):
                    break
                asked["cursor"] = body["next_cursor"]
            start = end

    async def _page(self, path: str, query: Mapping[str, Any], name: str) -> Mapping[str, Any]:
        reply = await self._client.get(self._platform + path, query)
        if reply and reply.status == 200 and isinstance(reply.body, dict) and isinstance(reply.body.get(name), list):
            return reply.body
        said = self._client.clean(words_in(reply)) if reply else "no answer"
        raise AccountUnavailable(f"{path} can't be read ({said}): nothing was compared")

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()


def open_account(opening: Opening) -> FalAccount:
    """The account of the settings' key."""
    return FalAccount(ApiClient(opening.base_url, opening.key, opening.create_timeout_s, "Key "))


def _posting(row: Mapping[str, Any]) -> Posting:
    try:
        at, usd = _moment(row["timestamp"]), to_usd(row["cost_total"])
        return Posting(at, "BILLING_EVENT", usd, str(row["request_id"]), str(row["endpoint_id"]))
    except (KeyError, TypeError, ValueError) as error:
        raise AccountUnavailable("fal's billing has a row that can't be read: nothing was compared") from error


def _moment(text: object) -> datetime:
    moment = datetime.fromisoformat(str(text))
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
