"""OpenRouter: `POST /videos`, then `GET /videos/ID`. Its list of models says sizes, seconds and prices; its results say what
they cost, and may need the key, at its own host only."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

import httpx

from dailies.domain.account import AccountStatus
from dailies.domain.creates import PaidRequest, Reference
from dailies.domain.money import to_usd
from dailies.domain.outcomes import Fault
from dailies.providers.base import Created, Look, LookKind, Opening, Provider, look_of
from dailies.providers.dialect import read, usable_id
from dailies.providers.http import ApiClient, KeyAuth, MaySend, json_in, words_in
from dailies.providers.jobs import job_answer, job_trouble, without
from dailies.providers.live import Live
from dailies.providers.openrouter.live import ask_openrouter
from dailies.providers.webhooks import BadSignature, Told, Unreadable, fresh, header

VIDEOS = "/videos"
ID_NAMES = ("id",)
FRAMES = {"image_url": "first_frame", "last_image_url": "last_frame"}
REFERENCES = "reference_images"


class OpenRouter(Provider):
    """The client of OpenRouter."""

    name = "openrouter"
    takes_pictures = True

    def __init__(self, client: ApiClient, opening: Opening) -> None:
        self._client, self._opening = client, opening

    def request(self, body: Mapping[str, Any], reference: Reference) -> PaidRequest:
        """Images are frames here, or references; the webhook is a field."""
        frames = [picture(body[name]) | {"frame_type": kind} for name, kind in FRAMES.items() if body.get(name)]
        references = [picture(url) for url in body.get(REFERENCES, ())]
        hook = self._opening.hook(self.name, reference)
        if isinstance(resolution := body.get("resolution"), str):
            body = {**body, "resolution": resolution.lower().replace("k", "K")}  # 4K and 768p here
        sent = (
            without(body, *FRAMES, REFERENCES)
            | ({"frame_images": frames} if frames else {})
            | ({"input_references": references} if references else {})
            | ({"callback_url": hook} if hook else {})
        )
        return PaidRequest(self._client.base_url + VIDEOS, sent)

    async def create(self, request: PaidRequest, may_send: MaySend) -> Created:
        """202 with the job's id."""
        reply = await self._client.send_once(request, may_send)
        if isinstance(reply, Fault):
            return Created(reply)
        return Created(job_answer(self._client, reply, request.body, request.body.get("model"), ID_NAMES))

    async def look(self, generation_id: str) -> Look:
        """The job. Signed addresses come first; its own need the key. With a key of the caller's own the cost is not told."""
        reply = await self._client.get(f"{VIDEOS}/{quote(generation_id, safe='')}", {})
        trouble = job_trouble(self._client, reply)
        if trouble or reply is None:
            return trouble or Look(LookKind.GENERATING, "no answer", transient=True)
        return self._read(reply.body)

    def _read(self, job: Any) -> Look:
        look = look_of(read(self._absolute(job)), self._client.clean)
        usage = job.get("usage") if isinstance(job, dict) else None
        return replace(look, usd_charged=None) if isinstance(usage, dict) and usage.get("is_byok") else look

    def _absolute(self, body: Any) -> Any:
        """Its addresses may be relative to its own."""
        if not isinstance(body, dict):
            return body
        whole = dict(body)
        for name in ("urls", "unsigned_urls"):
            if isinstance(body.get(name), list):
                whole[name] = [urljoin(self._client.base_url, url) for url in body[name] if isinstance(url, str)]
        return whole

    async def live(self, names: Iterable[str], cache: Path) -> dict[str, Live]:
        """`GET /videos/models`, which needs no key."""
        return await ask_openrouter(self._client, names, cache / self.name)

    async def account_status(self) -> AccountStatus:
        """`GET /credits`: what was paid in less what was used."""
        reply = await self._client.get("/credits", {})
        if reply is not None and reply.status == 401:
            return AccountStatus(refused=self._client.clean(words_in(reply)))
        try:
            data = reply.body["data"] if reply and reply.status == 200 else {}
            return AccountStatus(balance_usd=to_usd(data["total_credits"]) - to_usd(data["total_usage"]))
        except (KeyError, TypeError, ValueError):
            return AccountStatus()

    async def told(self, headers: Mapping[str, str], content: bytes, now: datetime) -> Told:
        """An event with the job in it, signed with the workspace's secret; without that secret it is a hint."""
        secret = self._opening.settings.get("OPENROUTER_WEBHOOK_SECRET", "")
        if secret:
            verify(secret, header(headers, "x-openrouter-signature"), content, now)
        body = json_in(content)
        data = body.get("data") if isinstance(body, dict) else None
        job_id = usable_id(data.get("id")) if isinstance(data, dict) else None
        if job_id is None:
            raise Unreadable("no data.id")
        look = self._read(data)
        return Told(job_id, bool(secret), None if look.kind is LookKind.GENERATING else look)

    def result_auth(self, url: str) -> httpx.Auth | None:
        """The key, for addresses of its own only."""
        given, ours = urlsplit(url), urlsplit(self._client.base_url)
        same = (given.scheme, given.hostname, given.port) == (ours.scheme, ours.hostname, ours.port)
        below = given.path.startswith(ours.path.rstrip("/") + VIDEOS + "/")
        return KeyAuth(self._client.key) if same and below and self._client.key else None

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()


def picture(url: str) -> dict[str, Any]:
    """An image as a part of the request."""
    return {"type": "image_url", "image_url": {"url": url}}


def verify(secret: str, signature: str, content: bytes, now: datetime) -> None:
    """`t=<unix>,v1=<hex>`, the HMAC of `<t>,<body>`. Raises BadSignature, for a moment too far away as well."""
    parts = dict(part.strip().partition("=")[::2] for part in signature.split(","))
    moment, digest = parts.get("t", ""), parts.get("v1", "")
    right = hmac.new(secret.encode(), f"{moment},".encode() + content, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(right.encode(), digest.encode()) or not fresh(moment, now):
        raise BadSignature("the signature is not OpenRouter's, or not of now")


def open_client(opening: Opening) -> OpenRouter:
    """A client of these settings."""
    return OpenRouter(ApiClient(opening.base_url, opening.key, opening.create_timeout_s), opening)
