"""OneRouter (Infron): `POST /v1/videos/generations` holds the connection until the clip is ready, or answers with a task.

One parser for both: a list under `data` is a result, an object is a task. Errors may come inside an HTTP 200, so the
body is looked at first; here 403 is moderation and 402 is an empty account, the opposite of AI/ML API.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

from dailies.domain.account import Standing
from dailies.domain.outcomes import Answer, Fault
from dailies.providers.addresses import addresses_of
from dailies.providers.base import Created, Found, Logged, LogUnavailable, Look, LookKind, look_of
from dailies.providers.dialect import Reading, id_in, id_of_address, read
from dailies.providers.http import ApiClient, MaySend, Reply, words_in
from dailies.providers.live import Live, LiveUnavailable
from dailies.providers.refusals import complaint_of, names_model, numbered, refusal

GENERATIONS = "/v1/videos/generations"
TASKS = "/v1/videos/tasks/"
ID_NAMES = ("task_id", "video_id", "id", "request_id", "generation_id")


class OneRouter:
    """The provider `onerouter`."""

    name = "onerouter"
    result_life: timedelta | None = None
    creates_at_once: int | None = None

    def __init__(self, client: ApiClient) -> None:
        self._client = client

    async def create(self, body: Mapping[str, Any], reference: str, may_send: MaySend) -> Created:
        """One POST that may take minutes. Its answer is the clip itself, or a task to look at."""
        reply = await self._client.post_once(GENERATIONS, body, {"X-Client-Request-Id": reference}, may_send)
        return Created(reply if isinstance(reply, Fault) else self._answer(reply, body))

    def _answer(self, reply: Reply, sent: Mapping[str, Any]) -> Answer:
        if not 200 <= reply.status < 300:
            return self._refusal(reply, sent.get("model"))
        reading = read(reply.body, addresses_of(sent))
        found = _generation_id(reply.body, reading)
        complaint = None if found else complaint_of(reply.body)
        code = complaint.status if complaint else None
        words = self._client.clean(numbered(code, words_in(reply))) if code else ""
        return Answer(
            status=reply.status,
            generation_id=found,
            error_code=code,
            out_of_credits=code == 402,
            names_model=names_model(reply.body, sent.get("model")),
            words="accepted" if found else words,
            retry_after=reply.headers.get("retry-after"),
            url=reading.url,
            usd_charged=reading.usd,
            credits_used=reading.credits_used,
            raw=b"" if found else self._client.whole(reply),
        )

    def _refusal(self, reply: Reply, model: object) -> Answer:
        """Here 403 in the API's own voice is moderation; a gateway's page is its edge, which may mean us all."""
        answer = refusal(reply, model)
        blocked = reply.status == 403 and not answer.by_api
        return replace(
            answer,
            account_or_row=blocked,
            words=self._client.clean(f"{answer.words}; refused by the provider's edge" if blocked else answer.words),
            raw=self._client.whole(reply) if id_in(reply.body, ID_NAMES) else b"",
        )

    async def look(self, generation_id: str) -> Look:
        """`GET /v1/videos/tasks/{task_id}`. A synchronous result has no task: its URL is all there ever was."""
        reply = await self._client.get(TASKS + quote(generation_id, safe=""), {})
        if reply is None:
            return Look(LookKind.GENERATING, "no answer", trouble=True)
        if not 200 <= reply.status < 300 or reply.body is None:
            return Look(LookKind.GENERATING, self._client.clean(words_in(reply)), trouble=True)
        return look_of(read(reply.body), self._client.clean)

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


def _generation_id(body: Any, reading: Reading) -> str | None:
    """The task's id, or the clip's; where a clip came without any, a name made from its address: it is ours, keep it."""
    return id_in(body, ID_NAMES) or (id_of_address(reading.url) if reading.url else None)
