"""OneRouter (Infron): `POST /v1/videos/generations` holds the connection until the clip is ready, or answers with a task.
Models that the catalog calls asynchronous go into its queue (`POST /v1/images/generations`, for clips too), at another host.

One reader for all: a list under `data` is a result, an object is a task. Errors may come inside an HTTP 200, so the
body is looked at first; here 403 is moderation and 402 is an empty account, the opposite of AI/ML API.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from dailies.domain.account import AccountStatus
from dailies.domain.creates import PaidRequest, Reference
from dailies.domain.outcomes import Answer, Fault
from dailies.providers.addresses import addresses_of
from dailies.providers.base import Created, Look, LookKind, Opening, Provider, look_of
from dailies.providers.dialect import Reading, id_in, id_of_address, read
from dailies.providers.http import ApiClient, MaySend, Reply, says_gone, words_in
from dailies.providers.live import Live, ask_list, balance_in
from dailies.providers.refusals import complaint_of, names_model, numbered, refusal

GENERATIONS = "/v1/videos/generations"
QUEUE = "/v1/images/generations"
TASKS = "/v1/videos/tasks/"
MODELS, BALANCE = "/v1/models", "/v1/balance"
ID_NAMES = ("task_id", "video_id", "id", "request_id", "generation_id")


@dataclass(frozen=True, slots=True)
class Hosts:
    """Where its parts answer."""

    video: str = "https://video.onerouter.pro"
    queue: str = "https://image.onerouter.pro"
    models: str = "https://llm.onerouter.pro"
    account: str = "https://api.onerouter.pro"

    @classmethod
    def below(cls, base_url: str) -> Hosts:
        """Its own hosts, or all of them at this address where it is another than the usual one."""
        usual = cls()
        return usual if base_url == usual.video else cls(base_url, base_url, base_url, base_url)


class OneRouter(Provider):
    """The client of OneRouter. `queued` are its names of the models that go into its queue."""

    name = "onerouter"
    takes_pictures = True

    def __init__(self, client: ApiClient, hosts: Hosts | None = None, queued: Set[str] = frozenset()) -> None:
        self._client, self._queued = client, queued
        self._hosts = hosts or Hosts.below(client.base_url)

    def request(self, body: Mapping[str, Any], reference: Reference) -> PaidRequest:
        """One POST to the video endpoint, or into the queue."""
        queued = body.get("model") in self._queued
        address = self._hosts.queue + QUEUE if queued else self._hosts.video + GENERATIONS
        return PaidRequest(address, dict(body), {"X-Client-Request-Id": reference.attempt_id})

    async def create(self, request: PaidRequest, may_send: MaySend) -> Created:
        """It may take minutes. Its answer is the clip itself, or a task to look at."""
        reply = await self._client.send_once(request, may_send)
        return Created(reply if isinstance(reply, Fault) else self._answer(reply, request.body))

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
            detail="accepted" if found else words,
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
            account_or_row=blocked or answer.account_or_row,
            detail=self._client.clean(f"{answer.detail}; refused by the provider's edge" if blocked else answer.detail),
            raw=self._client.whole(reply) if id_in(reply.body, ID_NAMES) else b"",
        )

    async def look(self, generation_id: str) -> Look:
        """`GET /v1/videos/tasks/{task_id}`. A synchronous result has no task: its URL is all there ever was."""
        reply = await self._client.get(f"{self._hosts.video}{TASKS}{quote(generation_id, safe='')}", {})
        if reply is None:
            return Look(LookKind.GENERATING, "no answer", transient=True)
        if not 200 <= reply.status < 300 or reply.body is None:
            return Look(LookKind.GENERATING, self._client.clean(words_in(reply)), transient=True, gone=says_gone(reply))
        return look_of(read(reply.body), self._client.clean)

    async def live(self, names: Iterable[str], cache: Path) -> dict[str, Live]:
        """The public list of models, which nobody documents: whether a model is served, and nothing else."""
        return await ask_list(self._client, self._hosts.models + MODELS, names, cache / self.name)

    async def account_status(self) -> AccountStatus:
        """The balance, in whatever shape. Its refusal proves nothing of the key: nobody documents this question."""
        reply = await self._client.get(self._hosts.account + BALANCE, {})
        return AccountStatus(balance_usd=balance_in(reply.body) if reply is not None and reply.status == 200 else None)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()


def open_client(opening: Opening) -> OneRouter:
    """A client of these settings."""
    scheme = "" if opening.settings["ONEROUTER_AUTH"] == "raw" else "Bearer "
    client = ApiClient(opening.base_url, opening.key, opening.create_timeout_s, scheme)
    return OneRouter(client, queued=opening.queued)


def _generation_id(body: Any, reading: Reading) -> str | None:
    """The task's id, or the clip's; where a clip came without any, a name made from its address: it is ours, keep it."""
    return id_in(body, ID_NAMES) or (id_of_address(reading.url) if reading.url else None)
