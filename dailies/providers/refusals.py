"""What an answer that accepts nothing says, whichever provider it is from: the part of it that all of them share."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

from dailies.domain.outcomes import Answer, Fault, Streak, Verdict, asks_for_balance, judge
from dailies.providers.base import Provider
from dailies.providers.complaints import Complaint, complaint_in
from dailies.providers.dialect import id_in, job_objects
from dailies.providers.http import Reply, words_in

EDGE = "cf-ray"  # Cloudflare puts it into every answer that passes it; both providers stand behind it
_EDGE_CODE = re.compile(rb"error(?:[ _-]?code)?[\"']?[ :=]{0,3}(1\d{3})\b", re.IGNORECASE)
_EDGE_LETTERS = 65_536
_NAMED = re.compile(r"\bmodels?\b", re.IGNORECASE)
_PATHS = re.compile(r"\S*/\S*")
JOBS = ("generation_id", "video_id", "task_id", "job_id", "taskUUID", "id")
"""Names under which a job's id stands in any provider's answer."""


def refusal(reply: Reply, model: object) -> Answer:
    """An answer that is no 2xx, before its provider's own dialect is heard. `model` is the one that was asked for."""
    complaint = complaint_of(reply.body)
    kind = complaint.kind if complaint else None
    broke = kind == 402 and reply.status in (400, 403, 422, 429)
    quoted = broke and reply.status != 429 and complaint is not None and complaint.by_words
    named = id_in(reply.body, JOBS) is not None
    ray = EDGE in reply.headers
    return Answer(
        status=reply.status,
        bad_key=reply.status == 401 or (reply.status == 403 and kind == 401),
        out_of_credits=reply.status == 402 or (broke and not quoted),
        account_or_row=quoted,
        names_model=names_model(reply.body, model),
        names_job=named,
        by_api=isinstance(reply.body, dict),
        edge_ray=ray,
        edge_code=edge_code(reply.content) if ray else None,
        detail=numbered(reply.status, words_in(reply)),
        retry_after=reply.headers.get("retry-after"),
    )


def numbered(status: int, words: str) -> str:
    """Words with the status before them, once."""
    return words if words.startswith(f"HTTP {status}") else f"HTTP {status}: {words}"


def complaint_of(body: Any) -> Complaint | None:
    """The error that a body tells of."""
    return complaint_in(body, list(job_objects(body)))


def edge_code(content: bytes) -> int | None:
    """The edge's own code, as it stands in its page, its text or its JSON (`error code: 1016`, `"error_code":1033`)."""
    found = _EDGE_CODE.search(content[:_EDGE_LETTERS])
    return int(found[1]) if found else None


def names_model(body: Any, model: object) -> bool:
    """Whether an error speaks of the model: then the route is right and the model is not served. A path is no word."""
    if not isinstance(body, dict):
        return False
    error = body.get("error")
    holders = [body, error] if isinstance(error, dict) else [body]
    texts = [
        str(holder[name])
        for holder in holders
        for name in ("message", "code", "type", "param", "name")
        if holder.get(name)
    ]
    text = " ".join([*texts, error if isinstance(error, str) else ""])
    if isinstance(model, str) and model and model.casefold() in text.casefold():
        return True
    return bool(_NAMED.search(_PATHS.sub(" ", text).replace("_", " ")))


async def weighed(
    provider: Provider, outcome: Answer | Fault, streak: Streak, usd_needed: Callable[[], Awaitable[Decimal]]
) -> Verdict:
    """What a create's outcome means. Where the account or the clip may be meant, the balance is asked, which is free; it has
    money when it covers `usd_needed`: this clip and what is in flight there, whose charges may not be posted yet."""
    covered = await _covered(provider, usd_needed) if asks_for_balance(outcome) else None
    return streak.weigh(outcome, judge(outcome, covered=covered))


async def _covered(provider: Provider, usd_needed: Callable[[], Awaitable[Decimal]]) -> bool | None:
    try:
        balance = (await provider.account_status()).balance_usd
        return None if balance is None else balance > 0 and balance >= await usd_needed()
    except Exception:  # noqa: BLE001 - the refusal must be recorded whatever becomes of this question
        return None
