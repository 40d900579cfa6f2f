"""AI/ML API's own account: `GET /v2/billing/transactions` and `GET /v2/logs`, read whole for a span of time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from dailies.domain.account import LogEntry, Posting
from dailies.domain.money import to_usd
from dailies.patience import tried_again
from dailies.providers.base import Account, AccountUnavailable, Opening
from dailies.providers.http import ApiClient, Reply, words_in

PAGE = 100  # the most that both operations give at once (documented)
LOG_WINDOW = timedelta(days=90)  # of /v2/logs: 92 days are documented
PAUSES_S = (0.5, 2.0, 10.0, 60.0)  # 200 calls a minute are allowed, so a minute's pause always helps
MOST_PAGES = 10_000
CHARGE, GIVEN_BACK = "CHARGE", {"REFUND", "ADJUSTMENT", "MODEL_USAGE"}


class AimlAccount(Account):
    """Reads the account that the key belongs to. Spends nothing."""

    def __init__(self, client: ApiClient) -> None:
        self._client = client

    async def postings(self, since: datetime, until: datetime) -> list[Posting]:
        """Every charge, refund and adjustment in the span; payments and bonuses are left out. Raises AccountUnavailable."""
        query: dict[str, Any] = {"from": _iso(since), "to": _iso(until), "limit": PAGE}
        found: list[Posting] = []
        if since >= until:
            return found
        for _ in range(MOST_PAGES):
            body = await self._page("/v2/billing/transactions", query)
            found += [posting for row in body["data"] for posting in [_posting(row)] if posting]
            cursor = (body.get("pagination") or {}).get("next_cursor")
            if not cursor or cursor == query.get("cursor"):
                return found
            query["cursor"] = cursor
        raise AccountUnavailable("the provider's ledger has no end: choose a shorter span with --since and --until")

    async def requests(self, since: datetime, until: datetime) -> list[LogEntry]:
        """Every finished request in the span. Raises AccountUnavailable."""
        return [entry async for entry in self._requests(since, until)]

    async def _requests(self, since: datetime, until: datetime) -> AsyncIterator[LogEntry]:
        start = since
        while start < until:
            end, offset = min(start + LOG_WINDOW, until), 0
            while True:
                query = {"start": _iso(start), "end": _iso(end), "limit": PAGE, "offset": offset}
                body = await self._page("/v2/logs", query)
                for row in body["data"]:
                    yield _entry(row)
                offset += len(body["data"])
                if not body["data"] or not (body.get("pagination") or {}).get("has_more"):
                    break
            start = end

    async def _page(self, path: str, query: Mapping[str, Any]) -> dict[str, Any]:
        """One page, asked for again where that may help."""
        reply = await tried_again(partial(self._client.get, path, query), PAUSES_S, enough=_final)
        if reply and _is_page(reply):
            return dict(reply.body)
        said = self._client.clean(words_in(reply)) if reply else "no answer"
        raise AccountUnavailable(f"{path} can't be read ({said}): nothing was compared")

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()


def open_account(opening: Opening) -> AimlAccount:
    """The account of the key."""
    return AimlAccount(ApiClient(opening.base_url, opening.key, opening.create_timeout_s))


def _is_page(reply: Reply) -> bool:
    return reply.status == 200 and isinstance(reply.body, dict) and isinstance(reply.body.get("data"), list)


def _final(reply: Reply | None) -> bool:
    """Whether asking once more can't change the answer: a page, or a refusal."""
    return reply is not None and (_is_page(reply) or (400 <= reply.status < 500 and reply.status != 429))


def _posting(row: Mapping[str, Any]) -> Posting | None:
    """A row that moved money for work done; None for top-ups. The amount's sign is in `direction` (documented)."""
    try:
        kind, charged = str(row["type"]), row["direction"] == CHARGE
        usd = to_usd(row["amount"]["usd"])
        at = _moment(row["created_at"])
    except (KeyError, TypeError, ValueError) as error:
        raise AccountUnavailable("the provider's ledger has a row that can't be read: nothing was compared") from error
    if not charged and kind not in GIVEN_BACK:
        return None
    return Posting(at, kind, usd if charged else -usd, row.get("reference_id"), row.get("model"))


def _entry(row: Mapping[str, Any]) -> LogEntry:
    try:
        usd, at = to_usd((row.get("cost") or {}).get("usd") or 0), _moment(row["created"])
        succeeded = row["status"] == "succeeded"
        return LogEntry(at, str(row["inference_id"]), row.get("client_request_id"), succeeded, usd, str(row["model"]))
    except (KeyError, TypeError, ValueError) as error:
        raise AccountUnavailable("the provider's log has a row that can't be read: nothing was compared") from error


def _moment(text: object) -> datetime:
    moment = datetime.fromisoformat(str(text))
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
