"""What a provider's client makes of the bytes that answer a create: nothing that was in them is lost."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import anyio
import pytest
from pydantic import SecretStr

from dailies.domain.creates import Reference
from dailies.domain.outcomes import Answer, Fault, Meaning, judge
from dailies.providers.aiml.client import GENERATIONS, Aiml
from dailies.providers.base import Look, LookKind
from dailies.providers.http import ApiClient
from dailies.providers.onerouter.client import GENERATIONS as ROUTED
from dailies.providers.onerouter.client import OneRouter
from tests.unit.loopback import reply, serve

MP4, SENT = "https://cdn.example/clip.mp4?sig=a%2Fb", "https://cdn.example/first.mp4"
REFERENCE = Reference("ref", "key")
BODY = {"model": "m", "prompt": "x", "image_url": SENT}


def created(provider: type[Aiml] | type[OneRouter], answer: bytes, path: str) -> Answer | Fault:
    """The outcome of one create that is answered with these bytes."""

    async def story() -> Answer | Fault:
        async with serve({path: answer}) as here:
            client = provider(ApiClient(here.url(""), SecretStr("sk-secret"), 5))
            outcome = (await client.create(client.request(BODY, REFERENCE), lambda: True)).outcome
            await client.close()
            return outcome

    return anyio.run(story)


def aiml(body: Any, *headers: str, **options: Any) -> Answer:
    """AI/ML API's answer as it is read."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    outcome = created(Aiml, reply(content, *headers, **options), GENERATIONS)
    assert isinstance(outcome, Answer)
    return outcome


def routed(body: Any, **options: Any) -> Answer:
    """OneRouter's answer as it is read."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    outcome = created(OneRouter, reply(content, **options), ROUTED)
    assert isinstance(outcome, Answer)
    return outcome


@pytest.mark.parametrize(
    ("usage", "headers", "usd", "spent"),
    [
        ({}, ["x-aimlapi-usd-spent: 1.26", "x-aimlapi-credits-used: 2520000"], "1.26", 2520000),
        ({}, ["X-AIMLAPI-Credits-Used: 2520000"], "1.26", 2520000),
        ({"usd_spent": 1.5}, ["x-aimlapi-usd-spent: 1.26"], "1.5", None),  # the body's own word comes first
        ({"credits_used": 2000000}, ["x-aimlapi-usd-spent: 9"], "1", 2000000),
        (
            {"usd_spent": 0, "credits_used": 2000000},
            [],
            "1",
            2000000,
        ),  # no dollars beside credits are none that were told
        ({"usd_spent": 0, "credits_used": 0}, [], "0", 0),
        ({"usd_spent": 0}, [], "0", None),
        ({}, ["x-aimlapi-usd-spent: 0", "x-aimlapi-credits-used: 0"], None, None),  # the price of a question
        ({}, ["x-aimlapi-usd-spent: much", "x-aimlapi-credits-used: -4"], None, None),
        ({}, ["x-aimlapi-credits-used: 99999999999999999999999"], None, None),
        ({}, [], None, None),
    ],
)
def test_what_a_create_says_it_cost_is_read(usage: Any, headers: list[str], usd: str | None, spent: int | None) -> None:
    answer = aiml({"id": "gen-1", "status": "queued", "meta": {"usage": usage}}, *headers)
    assert answer.generation_id == "gen-1"
    if usage:  # a job that goes on tells its price in its own words only once it is done
        answer = aiml({"id": "gen-1", "status": "completed", "video": {"url": MP4}, "meta": {"usage": usage}}, *headers)
    assert (answer.usd_charged, answer.credits_used) == (Decimal(usd) if usd else None, spent)


def test_a_fetch_says_what_it_cost_by_header_where_its_body_does_not() -> None:
    async def story(body: dict[str, Any]) -> Look:
        head = reply(json.dumps(body).encode(), "x-aimlapi-usd-spent: 1.26")
        async with serve({GENERATIONS: head}) as here:
            client = Aiml(ApiClient(here.url(""), SecretStr("sk-secret"), 5))
            look = await client.look("gen-1")
            await client.close()
            return look

    done = anyio.run(story, {"id": "gen-1", "status": "completed", "video": {"url": MP4}})
    assert (done.kind, done.url, done.usd_charged) == (LookKind.READY, MP4, Decimal("1.26"))
    failed = anyio.run(story, {"id": "gen-1", "status": "error", "error": {"message": "no"}})
    assert (failed.kind, failed.usd_charged) == (LookKind.FAILED, None), "what failed is charged by its own word only"


def test_an_answer_that_breaks_off_is_read_as_far_as_it_came() -> None:
    whole = json.dumps({"id": "gen-1", "status": "queued"}).encode()
    assert aiml(whole, length=len(whole) + 100).generation_id == "gen-1"
    half = aiml(whole[:12], length=len(whole))
    assert judge(half).meaning is Meaning.IN_DOUBT and whole[:12] in half.raw
    assert created(Aiml, reply(b"", length=100), GENERATIONS) is Fault.ANSWER_LOST


def test_an_answer_is_read_whatever_its_wrapping_and_an_echo_of_ours_is_no_clip() -> None:
    assert routed({"data": {"task_id": "t-1"}}).generation_id == "t-1"
    assert routed({"code": 200, "message": "success", "data": {"task_id": "cgt-1"}}).generation_id == "cgt-1"
    for body in (
        {"data": [{"video": {"link": MP4}}]},
        {"result": {"files": [MP4]}},
        {"video": MP4},
        {"output": [{"uri": MP4}]},
    ):
        answer = routed(body)
        assert answer.url == MP4 and answer.generation_id and answer.generation_id.startswith("url-")
    both = routed({"data": [{"url": MP4, "video_id": "v-1"}], "original": SENT})
    assert (both.url, both.generation_id) == (MP4, "v-1")
    assert routed({"data": {"echo": SENT}}).url is None


def test_what_cannot_be_read_is_kept_whole_and_without_our_key() -> None:
    for body in (
        b"<html>sk-secret",
        b"",
        b'{"data": []}',
        b'{"data": [{"video_id": "' + b"x" * 10_000 + b'"}]}',
        b"[" * 100_000,
    ):
        answer = routed(body)
        assert judge(answer).meaning is Meaning.IN_DOUBT
        assert body.replace(b"sk-secret", b"***") in answer.raw and b"sk-secret" not in answer.raw


@pytest.mark.parametrize(
    ("error", "meaning"),
    [
        ({"error": {"code": "content_policy_violation", "message": "no"}}, Meaning.FAILED),
        ({"error": {"code": 402, "message": "top up"}}, Meaning.STOP),
        ({"error": {"type": "rate_limit_exceeded", "message": "slow"}}, Meaning.WAIT),
        ({"error": {"code": "invalid_request", "message": "duration"}}, Meaning.FAILED),
        ({"code": 400, "message": "duration is wrong", "data": None}, Meaning.FAILED),
        ({"error": {"code": 500, "message": "oops"}}, Meaning.IN_DOUBT),
        ({"error": "something"}, Meaning.IN_DOUBT),
        ({"error": {"code": 302, "message": "moved"}}, Meaning.IN_DOUBT),
        ({"error": {"code": 40001, "message": "who knows"}}, Meaning.IN_DOUBT),
        ({"error": {"code": 500, "message": "late"}, "data": {"task_id": "t-1"}}, Meaning.ACCEPTED),
    ],
)
def test_an_error_inside_a_200_means_what_it_says_and_an_id_beside_it_is_kept(error: Any, meaning: Meaning) -> None:
    assert judge(routed(error)).meaning is meaning
