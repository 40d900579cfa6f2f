"""What providers whose creates answer with a job have in common: reading that answer, and looking at the job."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from dailies.domain.outcomes import Answer
from dailies.providers.addresses import addresses_of
from dailies.providers.base import Look, LookKind, look_of
from dailies.providers.complaints import MODERATION
from dailies.providers.dialect import id_in, read
from dailies.providers.http import ApiClient, Reply, says_gone, words_in
from dailies.providers.refusals import complaint_of, names_model, numbered, refusal


def job_answer(client: ApiClient, reply: Reply, sent: Any, model: object, id_names: Sequence[str]) -> Answer:
    """What a create's answer means where it is a job's id, or a refusal in HTTP's own statuses."""
    if not 200 <= reply.status < 300:
        return refused_job(client, reply, model, id_names)
    reading = read(reply.body, addresses_of(sent))
    found = id_in(reply.body, id_names)
    complaint = None if found else complaint_of(reply.body)
    return Answer(
        status=reply.status,
        generation_id=found,
        error_code=complaint.status if complaint else None,
        detail="accepted" if found else client.clean(words_in(reply)) if complaint else "",
        retry_after=reply.headers.get("retry-after"),
        url=reading.url if found else None,
        usd_charged=reading.usd if found else None,
        raw=b"" if found else client.whole(reply),
    )


def refused_job(client: ApiClient, reply: Reply, model: object, id_names: Sequence[str]) -> Answer:
    """A refusal. 403 is moderation where it says so; else it may be the account or this clip, and the balance tells which."""
    answer, complaint = refusal(reply, model), complaint_of(reply.body)
    moderated = complaint is not None and complaint.kind == MODERATION
    return replace(
        answer,
        account_or_row=answer.account_or_row or (reply.status == 403 and not moderated and not answer.out_of_credits),
        names_model=answer.names_model or names_model({"message": detail_of(reply)}, model),
        detail=client.clean(numbered(reply.status, detail_of(reply))),
        raw=client.whole(reply) if id_in(reply.body, id_names) else b"",
    )


def job_look(client: ApiClient, reply: Reply | None) -> Look:
    """What the answer to a question about a job says of it."""
    return job_trouble(client, reply) or look_of(read(reply.body if reply else None), client.clean)


def job_trouble(client: ApiClient, reply: Reply | None) -> Look | None:
    """Trouble on the way of a question, which reads as still generating; None where it was answered."""
    if reply is None:
        return Look(LookKind.GENERATING, "no answer", transient=True)
    if not 200 <= reply.status < 300 or reply.body is None:
        return Look(LookKind.GENERATING, client.clean(words_in(reply)), transient=True, gone=says_gone(reply))
    return None


def detail_of(reply: Reply) -> str:
    """The words of an answer that tells what is wrong under `detail`: a text, or a list of what is wrong with each field."""
    detail = reply.body.get("detail") if isinstance(reply.body, dict) else None
    if isinstance(detail, list):
        said = [f"{item.get('type')}: {item.get('msg')}" for item in detail if isinstance(item, dict)]
        return "; ".join(said) or words_in(reply)
    return detail if isinstance(detail, str) else words_in(reply)


def without(body: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """A body without these fields."""
    return {name: value for name, value in body.items() if name not in names}
