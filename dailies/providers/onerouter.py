"""OneRouter (Infron): `POST /v1/videos/generations` holds the connection until the clip is ready, or answers with a task.

One parser for both: a list under `data` is a result, an object is a task. Errors may come inside an HTTP 200, so the
body is looked at first; here 403 is moderation and 402 is an empty account, the opposite of AI/ML API.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import quote

from dailies.domain.account import Standing
from dailies.domain.money import ZERO, to_usd
from dailies.domain.outcomes import Answer, Fault
from dailies.providers.base import Created, Found, Logged, LogUnavailable, Look, LookKind
from dailies.providers.http import ApiClient, Reply, usable_id, words_in
from dailies.providers.live import Live, LiveUnavailable

GENERATIONS = "/v1/videos/generations"
TASKS = "/v1/videos/tasks/"
FAILED = {"failed", "error", "failure", "cancelled", "canceled"}
DONE = {"completed", "succeeded", "success", "done", "finished"}
NAMED_CODES = {"rate_limit": 429, "insufficient": 402, "moderation": 403, "content_policy": 403, "api_key": 401}
"""Parts of textual error codes inside an HTTP 200 and what they mean; any other text leaves the charge in doubt."""


class OneRouter:
    """The provider `onerouter`."""

    name = "onerouter"
    creates_at_once: int | None = None

    def __init__(self, client: ApiClient) -> None:
        self._client = client

    async def create(self, body: Mapping[str, Any], reference: str) -> Created:
        """One POST that may take minutes. Its answer is the clip itself, or a task to look at."""
        reply = await self._client.post_once(GENERATIONS, body, {"X-Client-Request-Id": reference})
        if isinstance(reply, Fault):
            return Created(reply)
        data = reply.body.get("data") if isinstance(reply.body, dict) else None
        look = read_result(data) if 200 <= reply.status < 300 else None
        return Created(self._answer(reply, data, look), look)

    def _answer(self, reply: Reply, data: object, look: Look | None) -> Answer:
        ok = 200 <= reply.status < 300
        found = _generation_id(data, look) if ok else None
        error = reply.body.get("error") if isinstance(reply.body, dict) else None
        code = _code(error) if error and not found else None
        status = code or reply.status
        words = "accepted" if found else self._client.clean(words_in(reply)) if error or not ok else ""
        blocked = status == 403 and not isinstance(reply.body, dict)  # the edge, not the moderation
        if blocked:
            words = "the provider's edge refused the request (403 without a JSON body)"
        return Answer(
            status=reply.status,
            generation_id=found,
            error_code=code,
            bad_key=status == 401 or blocked,
            out_of_credits=status == 402,
            words=words if found or not words else f"HTTP {status}: {words}",
            retry_after=reply.headers.get("retry-after"),
            url=look.url if look else None,
            usd_charged=look.usd_charged if look else None,
            raw=b"" if found else self._client.whole(reply),
        )

    async def look(self, generation_id: str) -> Look:
        """`GET /v1/videos/tasks/{task_id}`. A synchronous result has no task: its URL is all there ever was."""
        reply = await self._client.get(TASKS + quote(generation_id, safe=""), {})
        if reply is None:
            return Look(LookKind.GENERATING, "no answer", trouble=True)
        data = reply.body.get("data") if isinstance(reply.body, dict) else None
        if not 200 <= reply.status < 300 or not isinstance(data, dict):
            return Look(LookKind.GENERATING, self._client.clean(words_in(reply)), trouble=True)
        return read_task(data, self._client)

    async def find(self, reference: str, since: datetime, until: datetime) -> Found | None:
        """No log of requests is documented: what is in doubt here, only a person can settle."""
        raise LogUnavailable("OneRouter documents no log of requests")

    async def finished(self, since: datetime, until: datetime) -> list[Logged]:
        """No log of requests is documented."""
        raise LogUnavailable("OneRouter documents no log of requests")

    async def live(self, names: Iterable[str], cache: Path) -> dict[str, Live]:
        """Nothing is documented that says which models are served."""
        raise LiveUnavailable("it documents no list of models")

    async def standing(self) -> Standing:
        """Nothing is documented that says it."""
        return Standing()

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()


def read_result(data: object) -> Look | None:
    """The synchronous form: the first entry of the list that has a URL, kept exactly as it is written (`%2F` too)."""
    if isinstance(data, list):
        for entry in data:
            if isinstance(entry, dict) and isinstance(entry.get("url"), str) and entry["url"]:
                return Look(LookKind.READY, "ready", entry["url"])
    return None


def read_task(data: Mapping[str, Any], client: ApiClient) -> Look:
    """The task form: its URL stands under `urls`, `video_url` or `outputs`, whichever the upstream uses."""
    status = str(data.get("status") or "").lower()
    usd = _cost(data.get("cost"))
    url = _first_url(data.get("urls")) or _first_url(data.get("video_url")) or _first_url(data.get("outputs"))
    if status in FAILED:
        words = client.clean(str(data.get("fail_reason") or "failed without a reason"))
        return Look(LookKind.FAILED, words, None, usd if usd is not None else ZERO)
    if url and (status in DONE or not status):
        return Look(LookKind.READY, status, url, usd)
    return Look(LookKind.GENERATING, status or "no status")


def _generation_id(data: object, look: Look | None) -> str | None:
    """`video_id`, `task_id`, or, where a clip came without any id, a name made from its address: it is ours, keep it."""
    if isinstance(data, dict):
        return usable_id(data.get("task_id")) or usable_id(data.get("id"))
    if isinstance(data, list):
        for entry in data:
            if isinstance(entry, dict) and usable_id(entry.get("video_id")):
                return usable_id(entry["video_id"])
    if look and look.url:
        return "url-" + hashlib.sha256(look.url.split("?")[0].encode()).hexdigest()[:32]
    return None


def _first_url(value: object) -> str | None:
    if isinstance(value, str) and value:
        return value
    if isinstance(value, dict):
        return _first_url(value.get("url"))
    if isinstance(value, list):
        return next((url for url in map(_first_url, value) if url), None)
    return None


def _cost(cost: object) -> Decimal | None:
    try:
        return to_usd(cost["total_cost"]) if isinstance(cost, dict) and cost.get("total_cost") is not None else None
    except ValueError:
        return None


def _code(error: object) -> int:
    """The numeric meaning of an error object; 500 (maybe charged) where it can't be told."""
    code = error.get("code") if isinstance(error, dict) else None
    if isinstance(code, int) and not isinstance(code, bool):
        return code
    if isinstance(code, str):
        if code.isdigit():
            return int(code)
        for part, number in NAMED_CODES.items():
            if part in code.lower():
                return number
    return 500
