"""What stands beside an answer is not the answer: a charge stays a charge, and a clip that is there comes home."""

from __future__ import annotations

import gzip
import json
import math
import zlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, cast

import anyio
import pytest
from pydantic import SecretStr

from dailies.domain.creates import PaidRequest, Reference
from dailies.domain.outcomes import Answer, Meaning, judge
from dailies.providers.aiml.client import Aiml
from dailies.providers.base import Doubt, Found, Logged, Look, LookKind, Opening
from dailies.providers.dialect import read
from dailies.providers.fal.client import Fal
from dailies.providers.http import ApiClient, Reply, json_in, unpacked
from dailies.providers.onerouter.client import OneRouter
from dailies.providers.refusals import refusal
from dailies.providers.runware.client import Runware
from dailies.providers.words import Phase

TASK, CLIP, MODEL = "11111111-2222-4333-8444-555555555555", "https://cdn.example/clip.mp4", "openai/sora-2-pro-i2v"
OPENING = cast(
    Opening, SimpleNamespace(hook=lambda *_: None, settings={}, base_url="https://queue.fal.run", create_timeout_s=5.0)
)


def replied(body: Any, status: int = 200, **headers: str) -> Reply:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Reply(status, {name.replace("_", "-"): value for name, value in headers.items()}, json_in(content), content)


class Wire(ApiClient):
    """Answers every question in turn, the last one again and again, and sends nothing."""

    def __init__(self, *replies: Reply, base_url: str = "https://queue.fal.run") -> None:
        self.base_url, self.key, self.replies, self.asked = base_url, SecretStr("sk"), list(replies), list[str]()

    async def send_once(self, paid: PaidRequest, may_send: Any) -> Reply:
        return self._next(paid.address)

    async def ask(self, method: str, path: str, **request: Any) -> Reply:
        return self._next(path)

    async def get(self, path: str, params: Any, headers: Any = None) -> Reply:
        return self._next(path)

    def _next(self, address: str) -> Reply:
        self.asked.append(address)
        return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]


def looked(client: Runware | Fal | Aiml, generation_id: str = TASK) -> Look:
    return anyio.run(client.look, generation_id)


def runware(reply: Reply) -> Runware:
    return Runware(Wire(reply), OPENING)


@pytest.mark.parametrize(
    "error",
    [
        {"code": "upstream_error", "message": "the task was submitted, but polling it failed: 429 Too Many Requests"},
        {"message": "submitted; a sign reads rate limit"},
        "rate limit while polling",
    ],
)
def test_too_many_requests_in_words_alone_may_follow_a_charge(error: Any) -> None:
    reply = replied({"error": error})
    assert judge(OneRouter(Wire(reply))._answer(reply, {"model": MODEL})).meaning is Meaning.IN_DOUBT


@pytest.mark.parametrize(
    ("body", "meaning"),
    [
        ({"id": "video_1", "status": "queued"}, Meaning.IN_DOUBT),
        ({"error": {"message": "521"}, "data": {"task_id": "t1"}}, Meaning.IN_DOUBT),
        ({"error": {"message": "521"}}, Meaning.TRY_AGAIN),
        (b"<html>", Meaning.TRY_AGAIN),
        (b"error code: 521", Meaning.TRY_AGAIN),
        ({"cloudflare_error": True, "status": 521, "title": "Web server is down"}, Meaning.TRY_AGAIN),
    ],
)
def test_an_edge_that_reached_nobody_names_no_job(body: Any, meaning: Meaning) -> None:
    assert judge(refusal(replied(body, 521, cf_ray="8f-FRA"), MODEL)).meaning is meaning


def test_a_redirect_that_names_the_job_is_no_wrong_address() -> None:
    assert judge(refusal(replied({"id": "video_1"}, 303), MODEL)).meaning is Meaning.IN_DOUBT
    assert judge(refusal(replied({"message": "moved"}, 303), MODEL)).meaning is Meaning.FAILED


@pytest.mark.parametrize("status", [400, 403, 422])
def test_a_refusal_whose_words_tell_of_money_is_weighed_by_the_balance(status: int) -> None:
    """They may quote the prompt; a code can't."""
    quoted = refusal(replied({"error": {"message": "an ATM screen reads: insufficient balance"}}, status), MODEL)
    assert quoted.account_or_row and not quoted.out_of_credits
    assert (
        judge(quoted, covered=True).meaning is Meaning.FAILED and judge(quoted, covered=False).meaning is Meaning.STOP
    )
    assert refusal(replied({"error": {"code": "insufficient_balance"}}, status), MODEL).out_of_credits


@pytest.mark.parametrize("refuses", [Aiml, OneRouter])
def test_each_provider_weighs_it_so(refuses: type[Aiml] | type[OneRouter]) -> None:
    reply = replied({"error": "a sign: insufficient balance"}, 422)
    answer = refuses(Wire(reply))._answer(reply, {"model": MODEL})
    assert answer.account_or_row and not answer.out_of_credits


ACKED, ERROR = {"taskType": "videoInference", "taskUUID": TASK}, {"taskUUID": TASK, "message": "no such host"}


@pytest.mark.parametrize(
    ("reply", "meaning"),
    [
        (replied({"data": [ACKED], "errors": [ERROR | {"code": "invalidWebhookURL"}]}), Meaning.ACCEPTED),
        (replied({"errors": [ERROR | {"code": "timeoutProvider"}]}, 400), Meaning.IN_DOUBT),
        (replied({"errors": [ERROR | {"code": "internalServerError"}]}, 400), Meaning.IN_DOUBT),
        (replied({"errors": [ERROR | {"code": "invalidDuration"}]}, 400), Meaning.FAILED),
    ],
)
def test_a_task_of_runware_that_was_taken_is_taken_whatever_else_is_said(reply: Reply, meaning: Meaning) -> None:
    answer = runware(reply)._answer(reply, {"taskUUID": TASK, "model": "klingai:1@1"})
    assert judge(answer).meaning is meaning
    assert bool(answer.raw) == (meaning is Meaning.IN_DOUBT)


def test_a_clip_of_runware_that_is_there_comes_home_though_its_webhook_failed() -> None:
    done = ACKED | {"status": "success", "videoURL": CLIP}
    look = looked(runware(replied({"data": [done], "errors": [ERROR | {"code": "webhookDeliveryFailed"}]})))
    assert (look.kind, look.url) == (LookKind.READY, CLIP)


def test_a_server_of_runware_that_is_in_trouble_ends_no_task() -> None:
    errors = {"errors": [ERROR | {"code": "maintenance", "taskType": "videoInference"}]}
    assert looked(runware(replied(errors, 503))).transient
    assert looked(runware(replied(errors))).kind is LookKind.FAILED


SUBMITTED = {"request_id": "r1", "status": "IN_QUEUE"}
HANDLE = {"id": "r1", "status": "https://queue.fal.run/fal-ai/x/requests/r1/status"}
BASE = "https://queue.fal.run/fal-ai/x/requests/r1"


def fal(*replies: Reply) -> Fal:
    return Fal(Wire(*replies), OPENING)


def test_an_error_of_fal_beside_a_run_that_goes_on_is_not_its_end() -> None:
    handle = json.dumps(HANDLE | {"result": BASE, "cancel": f"{BASE}/cancel"})
    again = {"status": "IN_PROGRESS", "error": "the runner was lost, it is begun again"}
    assert looked(fal(replied(again)), handle).kind is LookKind.GENERATING
    assert looked(fal(replied(again | {"status": "COMPLETED"})), handle).kind is LookKind.FAILED


@pytest.mark.parametrize(
    ("detail", "kind"),
    [("Request is still in progress", LookKind.GENERATING), ([{"type": "value_error", "msg": "no"}], LookKind.FAILED)],
)
def test_a_422_of_fal_is_an_end_where_it_lists_what_was_wrong(detail: Any, kind: LookKind) -> None:
    handle = json.dumps(HANDLE | {"result": BASE, "cancel": f"{BASE}/cancel"})
    assert looked(fal(replied({"status": "COMPLETED"}), replied({"detail": detail}, 422)), handle).kind is kind


@pytest.mark.parametrize(
    "links",
    [
        {"status_url": f"{BASE}/status", "response_url": BASE},
        {"status_url": "/fal-ai/x/requests/r1/status", "response_url": "/fal-ai/x/requests/r1"},
        {"status_url": BASE.replace(".run", ".run:443") + "/status", "response_url": BASE.replace(".run", ".run:443")},
        {"status_url": "https://elsewhere.example/r1/status", "response_url": "https://elsewhere.example/r1"},
        {},
    ],
)
def test_a_submit_of_fal_is_followed_whatever_links_it_gives_and_the_key_stays_at_home(links: dict[str, str]) -> None:
    paid = PaidRequest("https://queue.fal.run/fal-ai/x", {"prompt": "p"})
    client = fal(replied(SUBMITTED | links), replied({"status": "IN_QUEUE"}))

    async def story() -> Look:
        created = await client.create(paid, lambda: True)
        assert isinstance(created.outcome, Answer) and created.outcome.handle
        await client.cancel(created.outcome.handle)
        return await client.look(created.outcome.handle)

    assert anyio.run(story).detail == "IN_QUEUE"
    wire = cast(Wire, client._client)
    assert [address.replace(":443", "") for address in wire.asked[1:]] == [f"{BASE}/cancel", f"{BASE}/status"]


def test_a_part_that_was_cancelled_takes_no_finished_clip_away() -> None:
    done = {
        "id": "v",
        "status": "completed",
        "video": {"url": CLIP},
        "tasks": [{"name": "upscale", "status": "cancelled"}],
    }
    assert read(done).url == CLIP
    assert read(done | {"video": None}).phase is Phase.ENDED
    assert read({"status": "failed", "video": {"url": CLIP}}).phase is Phase.ENDED


@pytest.mark.parametrize(
    ("inner", "phase"), [("failed", Phase.ENDED), ("processing", Phase.GOING_ON), ("completed", Phase.DONE)]
)
def test_a_number_for_a_status_speaks_of_the_answer_alone(inner: str, phase: Phase) -> None:
    assert read({"status": "200", "data": {"status": inner, "video_url": CLIP}}).phase is phase


def test_an_answer_about_another_job_is_none_once_a_server_has_repeated_our_ids() -> None:
    mine = {"id": "mine", "status": "processing"}
    other = {"id": "other", "status": "completed", "video": {"url": CLIP}}
    client = Aiml(Wire(replied(mine), replied(other)))
    assert not looked(client, "mine").transient
    look = looked(client, "mine")
    assert (look.kind, look.transient, look.url) == (LookKind.GENERATING, True, None)
    assert looked(Aiml(Wire(replied(other))), "mine").url == CLIP, "a server may use names of its own"


NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
DOUBT = Doubt(Reference("mine", "key"), NOON, NOON, None, None)


class Log(Aiml):
    """Its log, newest first."""

    def __init__(self, *states: str) -> None:
        self.states = states

    async def _log(self, since: datetime, until: datetime) -> AsyncIterator[Logged]:
        for number, state in enumerate(self.states):
            found = Found(f"g{number}", state == "done", Decimal(1), None, state == "failed")
            yield Logged("mine", NOON, found)


@pytest.mark.parametrize(
    ("states", "found"),
    [(["failed", "done"], "g1"), (["done", "failed"], "g0"), (["failed", "failed"], "g0"), ([], None)],
)
def test_of_several_requests_under_one_reference_the_one_that_was_made_counts(
    states: list[str], found: str | None
) -> None:
    one = anyio.run(Log(*states).find, DOUBT)
    assert (one and one.generation_id) == found


@pytest.mark.parametrize(
    ("cost", "usd"),
    [
        ({"credits": 2520000}, "1.26"),
        ({"credits": "2520000"}, "1.26"),
        ({"credits": 2520000, "usd": 0}, "1.26"),
        ({"credits": math.inf}, "0"),
        ({"credits": -4}, "0"),
    ],
)
def test_the_log_tells_a_charge_in_whatever_form_and_rubbish_breaks_nothing(cost: dict[str, Any], usd: str) -> None:
    row = {"client_request_id": "mine", "inference_id": "g", "status": "success", "cost": cost}
    one = anyio.run(Aiml(Wire(replied({"data": [row]}))).find, DOUBT)
    assert one and one.usd_charged == Decimal(usd)


TEXT = b'{"id": "video_1", "status": "queued"}'


PACKED = {
    "plain": (TEXT, ""),
    "plain, said to be gzip": (TEXT, "gzip"),
    "plain, said to be deflate": (TEXT, "deflate"),
    "plain, said to be br": (TEXT, "br"),
    "gzip": (gzip.compress(TEXT), "gzip"),
    "gzip, not said": (gzip.compress(TEXT), ""),
    "zlib": (zlib.compress(TEXT), "deflate"),
    "deflate": (zlib.compress(TEXT)[2:-4], "deflate"),
    "gzip without its end": (gzip.compress(TEXT)[:-6], "gzip"),
}


@pytest.mark.parametrize(("content", "encoding"), PACKED.values(), ids=PACKED)
def test_an_answer_is_read_whatever_is_said_of_its_packing(content: bytes, encoding: str) -> None:
    assert unpacked(content, encoding, 1000) == TEXT


def test_what_is_no_packing_stays_and_what_is_endless_is_cut() -> None:
    film = b"\0\0\0\x18ftypmp42" + bytes(range(256)) * 9
    assert unpacked(film, "deflate", 10_000) == film and unpacked(film, "", 10_000) == film
    assert len(unpacked(gzip.compress(b"x" * 100_000), "gzip", 1000)) == 1000
