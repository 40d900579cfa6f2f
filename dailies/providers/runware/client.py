"""Runware: one address takes arrays of tasks. Each task has a UUID that its caller made: the id by which it is asked for.

A second task under the same UUID is refused (`conflictTaskUUID`): to our own repeat that is the proof that the first arrived.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from dailies.domain.creates import PaidRequest, Reference
from dailies.domain.outcomes import Answer, Fault
from dailies.providers.base import Created, Doubt, Found, LogUnavailable, Look, LookKind, Opening, Provider, look_of
from dailies.providers.complaints import MAYBE_CHARGED
from dailies.providers.dialect import read, usable_id
from dailies.providers.http import ApiClient, MaySend, Reply, json_in, words_in
from dailies.providers.jobs import job_trouble, refused_job
from dailies.providers.refusals import names_model, numbered
from dailies.providers.webhooks import Told, Unreadable

CONFLICT = "conflictTaskUUID"
ID_NAMES = ("taskUUID",)
ASKING = ("getResponse", "getTaskDetails")
_MEANINGS = (
    (401, ("apikey", "unauthorized", "authentication")),
    (402, ("insufficient", "balance", "credit")),
    (403, ("moderation", "nsfw", "unsafe", "contentfilter")),
    (429, ("ratelimit", "toomany", "concurren")),
    (500, ("timeout", "provider", "internal", "server")),
    (400, ("invalid", "unsupported", "missing", "required", "notsupported")),
)
"""Parts of its error codes, which it calls still being standardised, in the words of HTTP; the first that fits counts."""


class Runware(Provider):
    """The client of Runware."""

    name = "runware"
    takes_pictures = True

    def __init__(self, client: ApiClient, opening: Opening) -> None:
        self._client, self._opening = client, opening

    def request(self, body: Mapping[str, Any], reference: Reference) -> PaidRequest:
        """One task under our own UUID, delivered later, with its cost."""
        task: dict[str, Any] = {
            "taskType": "videoInference",
            "taskUUID": reference.key,
            "deliveryMethod": "async",
            "includeCost": True,
            "outputType": "URL",
            "outputFormat": "MP4",
            **body,
        }
        hook = self._opening.hook(self.name, reference)
        return PaidRequest(self._client.base_url, [task | ({"webhookURL": hook} if hook else {})])

    async def create(self, request: PaidRequest, may_send: MaySend) -> Created:
        """The answer repeats the task's UUID, or tells an error by it, inside a 200 as outside."""
        reply = await self._client.send_once(request, may_send)
        return Created(reply if isinstance(reply, Fault) else self._answer(reply, request.body[0]))

    def _answer(self, reply: Reply, task: Mapping[str, Any]) -> Answer:
        task_uuid = str(task["taskUUID"])
        error = next(iter(errors_of(reply.body, task_uuid)), None)
        if error and error.get("code") == CONFLICT:
            return Answer(status=200, generation_id=task_uuid, detail="accepted before: the task is known")
        if 200 <= reply.status < 300 and items_of(reply.body, task_uuid):  # an error beside it is about something else
            return Answer(status=reply.status, generation_id=task_uuid, detail="accepted")
        if error is None and 200 <= reply.status < 300:
            return Answer(status=reply.status, raw=self._client.whole(reply))
        return self._refused(reply, error, task)

    def _refused(self, reply: Reply, error: Mapping[str, Any] | None, task: Mapping[str, Any]) -> Answer:
        """A refusal by its code where that is understood, else by its status. An error in a 200 whose code says nothing may
        have been charged."""
        answer = refused_job(self._client, reply, task.get("model"), ())
        in_200, meant = reply.status < 300, meaning_of(str(error.get("code", ""))) if error else None
        if error:
            words = numbered(meant or reply.status, f"{error.get('code')}: {error.get('message')}")
            named = error.get("parameter") == "model" or names_model(dict(error), task.get("model"))
            answer = replace(answer, detail=self._client.clean(words), names_model=named)
        maybe = meant is not None and meant >= MAYBE_CHARGED
        if reply.status >= 500 or (meant is None and not in_200):
            return answer
        return replace(
            answer,
            error_code=(meant or MAYBE_CHARGED) if in_200 or maybe else None,
            bad_key=meant == 401 or reply.status == 401,
            out_of_credits=meant == 402 or reply.status == 402,
            account_or_row=answer.account_or_row and meant not in (400, 403),
            raw=self._client.whole(reply) if maybe or (in_200 and meant is None) else b"",
        )

    async def look(self, generation_id: str) -> Look:
        """`getResponse`. An error about the task itself is its end; one about the question is trouble."""
        reply = await self._ask(generation_id)
        trouble = job_trouble(self._client, reply)
        if reply is None or (trouble and (reply.status >= 500 or not isinstance(reply.body, dict))):
            return trouble or Look(LookKind.GENERATING, "no answer", transient=True)
        items = items_of(reply.body, generation_id)
        found = look_of(read(items[0]), self._client.clean) if items else None
        if found and found.kind is LookKind.READY:  # an error beside it is about something else, such as a webhook
            return found
        for error in errors_of(reply.body, generation_id):
            words = self._client.clean(f"{error.get('code')}: {error.get('message')}")
            if of_the_question(error):
                return Look(LookKind.GENERATING, words, transient=True, gone=says_unknown(error))
            return Look(LookKind.FAILED, words)
        return found or trouble or Look(LookKind.GENERATING, self._client.clean(words_in(reply)), transient=True)

    async def find(self, doubt: Doubt) -> Found | None:
        """By our own UUID. That it is unknown proves nothing: how long a task is known is not documented."""
        if not doubt.reference.key:
            raise LogUnavailable("its own id is not on record")
        look = await self.look(doubt.reference.key)
        if look.gone:
            return None
        if look.transient and not look.strange:
            raise LogUnavailable(look.detail)
        usd, failed = look.usd_charged or Decimal(0), look.kind is LookKind.FAILED
        return Found(doubt.reference.key, look.kind is LookKind.READY, usd, None, failed)

    async def told(self, headers: Mapping[str, str], content: bytes, now: datetime) -> Told:
        """The result, unsigned: a hint."""
        body = json_in(content)
        items = [
            item for name in ("data", "errors") for item in (body.get(name) if isinstance(body, dict) else None) or []
        ]
        candidates = [body, *items] if isinstance(body, dict) else []
        found = (usable_id(item.get("taskUUID")) for item in candidates if isinstance(item, dict))
        task_uuid = next((one for one in found if one), None)
        if task_uuid is None:
            raise Unreadable("no taskUUID")
        return Told(task_uuid, signed=False)

    async def _ask(self, task_uuid: str) -> Reply | None:
        question = [{"taskType": "getResponse", "taskUUID": task_uuid}]
        return await self._client.ask("POST", self._client.base_url, json=question)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()


def open_client(opening: Opening) -> Runware:
    """A client of these settings."""
    return Runware(ApiClient(opening.base_url, opening.key, opening.create_timeout_s), opening)


def items_of(body: Any, task_uuid: str, under: str = "data") -> list[Mapping[str, Any]]:
    """What an answer says of this task."""
    items = body.get(under) if isinstance(body, dict) else None
    return [item for item in items or [] if isinstance(item, dict) and item.get("taskUUID") == task_uuid]


def errors_of(body: Any, task_uuid: str) -> list[Mapping[str, Any]]:
    """The errors of this task; where an answer names no task in its only error, that one is meant."""
    named = items_of(body, task_uuid, "errors")
    every = body.get("errors") if isinstance(body, dict) else None
    lone: list[Mapping[str, Any]] = [e for e in every or [] if isinstance(e, dict) and not e.get("taskUUID")]
    return named or (lone if every and len(every) == len(lone) == 1 else [])


def meaning_of(code: str) -> int | None:
    """An error code in the words of HTTP; None for one that is not understood."""
    return next((status for status, parts in _MEANINGS if any(part in code.lower() for part in parts)), None)


def of_the_question(error: Mapping[str, Any]) -> bool:
    """Whether an error is about having asked, and not about the task: then nothing is known of the task's end."""
    asked = error.get("taskType") in ASKING or error.get("parameter") == "taskUUID" or not error.get("taskUUID")
    return asked or meaning_of(str(error.get("code", ""))) in (401, 429)


def says_unknown(error: Mapping[str, Any]) -> bool:
    """Whether it says that it does not know the task."""
    said = f"{error.get('code')} {error.get('message')}".lower().replace(" ", "")
    return any(part in said for part in ("notfound", "notask", "unknown", "nosuch", "doesnotexist"))
