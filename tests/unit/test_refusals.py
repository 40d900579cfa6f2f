"""What an answer that accepts nothing says: whose refusal it is, by the answer's own words and headers."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any, cast

import anyio
import httpx
import pytest

from dailies.domain.account import AccountStatus
from dailies.domain.outcomes import Answer, Fault, Meaning, Streak, judge
from dailies.domain.states import Failure
from dailies.providers.base import Provider
from dailies.providers.http import Reply, json_in
from dailies.providers.refusals import edge_code, names_model, refusal, weighed

MODEL = "openai/sora-2-pro-i2v"


def reply(status: int, body: Any = None, headers: dict[str, str] | None = None) -> Reply:
    """An answer as the client reads it."""
    content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    return Reply(status, httpx.Headers(headers or {}), json_in(content), content)


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"message": f"Model not found: {MODEL}"}, True),
        ({"error": {"message": "unknown", "code": "model_not_found"}}, True),
        ({"error": {"message": "unknown value", "param": "model"}}, True),
        ({"error": "No such model"}, True),
        ({"message": "This model was withdrawn on 2026-09-24"}, True),
        ({"message": "Cannot POST /v1/v2/video/generations", "error": "Not Found", "statusCode": 404}, False),
        ({"message": "Cannot POST /v1/models/v2/video/generations"}, False),
        ({"message": "no route https://api.example/models/x"}, False),
        ({"detail": "Not Found"}, False),
        (b"<html>no such model</html>", False),
        (None, False),
        ([], False),
    ],
)
def test_a_404_that_speaks_of_the_model_is_known_from_one_of_the_route(body: Any, named: bool) -> None:
    assert names_model(reply(404, body).body, MODEL) is named


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"error code: 1016", 1016),
        (b"<h1>Error 1033</h1> Cloudflare Tunnel error", 1033),
        (b'{"title": "Error 1016: Origin DNS error", "status": 530, "error_code": 1016}', 1016),
        (b'{"error_code":1001}', 1001),
        (b"error code: 502", None),
        (b"10160 errors", None),
        (b"", None),
    ],
)
def test_the_edges_own_code_is_read_in_all_its_forms(content: bytes, code: int | None) -> None:
    assert edge_code(content) == code


def test_a_never_reached_origin_is_believed_only_with_the_edges_own_mark() -> None:
    page = b"error code: 1016"
    assert judge(refusal(reply(530, page, {"CF-RAY": "8f-FRA"}), MODEL)).failure is Failure.NOT_SENT
    assert judge(refusal(reply(530, page), MODEL)).meaning is Meaning.IN_DOUBT
    assert judge(refusal(reply(521, b"<html>", {"cf-ray": "8f-FRA"}), MODEL)).meaning is Meaning.TRY_AGAIN
    assert judge(refusal(reply(521, b"<html>", {"server": "cloudflare"}), MODEL)).meaning is Meaning.IN_DOUBT
    assert judge(refusal(reply(524, b"<html>", {"cf-ray": "8f-FRA"}), MODEL)).meaning is Meaning.IN_DOUBT


@pytest.mark.parametrize(
    ("status", "body", "failure"),
    [
        (400, {"error": {"code": "insufficient_balance", "message": "top up"}}, Failure.STOPPED),
        (429, {"error": {"type": "insufficient_quota", "message": "You exceeded your quota"}}, Failure.STOPPED),
        (422, {"message": "the prompt asks for not enough credits at the end"}, Failure.REFUSED),
        (400, {"error": {"code": "insufficient_resolution", "message": "too small"}}, Failure.REFUSED),
        (
            403,
            {"error": {"name": "InvalidApiKey", "message": "api_key disabled", "code": "api_key_disabled"}},
            Failure.STOPPED,
        ),
        (402, {"message": "pay"}, Failure.STOPPED),
        (401, b"<html>", Failure.STOPPED),
        (429, {"error": {"type": "rate_limit"}}, Failure.BUSY),
        (404, {"detail": "Not Found"}, Failure.MISCONFIGURED),
        (400, b"<html>The plain HTTP request was sent to HTTPS port</html>", Failure.MISCONFIGURED),
    ],
)
def test_whose_refusal_it_is(status: int, body: Any, failure: Failure) -> None:
    assert judge(refusal(reply(status, body), MODEL)).failure is failure


class Account:
    """A provider of which only the balance can be asked."""

    def __init__(self, balance: Decimal | None) -> None:
        self.balance, self.asked = balance, 0

    async def account_status(self) -> AccountStatus:
        self.asked += 1
        return AccountStatus(balance_usd=self.balance)


@pytest.mark.parametrize(
    ("balance", "needed", "failure"),
    [
        ("1000", "1.26", Failure.REFUSED),
        ("1.26", "1.26", Failure.REFUSED),
        ("1.25", "1.26", Failure.STOPPED),
        ("0", "0", Failure.STOPPED),
        ("5", "5.04", Failure.STOPPED),  # what is in flight there counts: its charges are posted later
        (None, "1.26", Failure.STOPPED),
        ("1000", None, Failure.STOPPED),  # the ledger is away: the refusal is recorded all the same
    ],
)
def test_a_403_is_the_rows_only_where_the_balance_covers_it(
    balance: str | None, needed: str | None, failure: Failure
) -> None:
    async def usd_needed() -> Decimal:
        if needed is None:
            raise OSError("the ledger is away")
        return Decimal(needed)

    account = Account(None if balance is None else Decimal(balance))
    answer = Answer(403, account_or_row=True, detail="HTTP 403: forbidden")
    verdict = anyio.run(weighed, cast(Provider, account), answer, Streak(), usd_needed)
    assert (verdict.failure, account.asked) == (failure, 1)
    anyio.run(weighed, cast(Provider, account), Fault.ANSWER_LOST, Streak(), usd_needed)
    assert account.asked == 1, "only where it can tell something"
