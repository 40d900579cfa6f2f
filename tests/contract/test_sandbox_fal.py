"""The sandbox speaks fal's queue and platform as their documents write them."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from dailies.sandbox import Sandbox, SandboxConfig
from tests.contract.fronts import FAL_MODEL, KEYED, fal, keyed, receiver
from tests.contract.sandbox_calls import call, get


def ask(sandbox: Sandbox, path: str, **params: Any) -> Any:
    """One free question."""
    return call(sandbox, "GET", f"/fal{path}", key=None, headers=KEYED, params=params).json()


def test_the_addresses_drop_the_endpoints_last_part_and_lead_to_the_clip(sandbox: Sandbox) -> None:
    submitted = fal(sandbox).json()
    assert submitted["status_url"].endswith(f"/fal/fal-ai/kling-video/requests/{submitted['request_id']}/status")
    status = keyed(submitted["status_url"])
    assert (status.status_code, status.json()["status"]) == (200, "COMPLETED")
    video = keyed(submitted["response_url"]).json()["video"]
    assert "?" not in video["url"] and get(video["url"]).content[4:8] == b"ftyp"
    built = f"{sandbox.url}/fal/{FAL_MODEL}/requests/{submitted['request_id']}/status"
    assert keyed(built).status_code in (404, 405)


def test_while_it_goes_on_the_status_is_202_and_the_result_400() -> None:
    with Sandbox(SandboxConfig(time_scale=100, render="quick")) as slow:
        submitted = fal(slow).json()
        status = keyed(submitted["status_url"])
        assert (status.status_code, status.json()["status"]) == (202, "IN_QUEUE")
        assert keyed(submitted["response_url"]).status_code == 400


def test_two_equal_submits_are_two_requests(sandbox: Sandbox) -> None:
    assert fal(sandbox).json()["request_id"] != fal(sandbox).json()["request_id"]
    assert len(sandbox.charges()) == 2


def test_the_history_shows_what_was_asked_for_by_endpoint_and_window(sandbox: Sandbox) -> None:
    sandbox.fault("create", "lost", provider="fal")
    with pytest.raises(Exception, match="disconnected"):
        fal(sandbox, prompt="the lost one")
    now = datetime.now(UTC)
    window = {"start": (now - timedelta(minutes=5)).isoformat(), "end": (now + timedelta(minutes=5)).isoformat()}
    items = ask(sandbox, "/v1/models/requests/by-endpoint", endpoint_id=FAL_MODEL, expand="payloads", **window)["items"]
    assert [item["request_id"] for item in items] == [sandbox.charges()[0].generation_id]
    assert items[0]["json_input"]["prompt"] == "the lost one"
    assert ask(sandbox, "/v1/models/requests/by-endpoint", endpoint_id="fal-ai/other", **window)["items"] == []
    earlier = {"start": (now - timedelta(hours=2)).isoformat(), "end": (now - timedelta(hours=1)).isoformat()}
    assert ask(sandbox, "/v1/models/requests/by-endpoint", endpoint_id=FAL_MODEL, **earlier)["items"] == []


def test_the_history_may_be_late_or_ambiguous(sandbox: Sandbox) -> None:
    fal(sandbox)
    sandbox.fault("history", "missing", provider="fal")
    sandbox.fault("history", "ambiguous", provider="fal")
    counts = [len(ask(sandbox, "/v1/models/requests/by-endpoint", endpoint_id=FAL_MODEL)["items"]) for _ in range(3)]
    assert counts == [0, 2, 1]


def test_the_history_comes_in_pages(sandbox: Sandbox) -> None:
    for _ in range(3):
        fal(sandbox)
    path, seen, cursor = "/v1/models/requests/by-endpoint", [], None
    while True:
        page = ask(sandbox, path, endpoint_id=FAL_MODEL, limit=2, **({"cursor": cursor} if cursor else {}))
        seen += [item["request_id"] for item in page["items"]]
        cursor = page["next_cursor"]
        if not page["has_more"]:
            break
    assert sorted(seen) == sorted(charge.generation_id for charge in sandbox.charges())


def test_only_what_succeeded_is_billed_by_request_id(sandbox: Sandbox) -> None:
    good = fal(sandbox).json()["request_id"]
    fal(sandbox, prompt="this will-fail")
    events = ask(sandbox, "/v1/models/billing-events")["billing_events"]
    assert [(event["request_id"], event["cost_total"]) for event in events] == [(good, 1.12)]
    assert ask(sandbox, "/v1/models/billing-events", request_id="unknown")["billing_events"] == []


def test_prices_and_balance(sandbox: Sandbox) -> None:
    price = {"endpoint_id": FAL_MODEL, "unit_price": 0.224, "unit": "seconds", "currency": "USD"}
    assert ask(sandbox, "/v1/models/pricing", endpoint_id=FAL_MODEL)["prices"] == [price]
    assert ask(sandbox, "/v1/account/billing")["credits"] == {"current_balance": 1000.0, "currency": "USD"}


def test_a_failure_is_completed_with_an_error(sandbox: Sandbox) -> None:
    for prompt, status in (("this will-fail", 500), ("something forbidden", 422)):
        submitted = fal(sandbox, prompt=prompt).json()
        state = keyed(submitted["status_url"]).json()
        assert state["status"] == "COMPLETED" and state["error"]
        assert keyed(submitted["response_url"]).status_code == status


def test_a_queued_request_is_stopped_and_a_finished_one_is_not(sandbox: Sandbox) -> None:
    with Sandbox(SandboxConfig(time_scale=100, render="quick")) as slow:
        submitted = fal(slow).json()
        assert keyed(submitted["cancel_url"], "PUT").json() == {"status": "CANCELLATION_REQUESTED"}
        assert slow.charges()[0].refunded
    assert keyed(fal(sandbox).json()["cancel_url"], "PUT").status_code == 400


@pytest.mark.parametrize(
    "wrong", [{"image_url": "https://example.com/a.png"}, {"duration": 5}, {"start_image_url": None}]
)
def test_a_body_that_the_endpoint_does_not_take_is_422(sandbox: Sandbox, wrong: dict[str, Any]) -> None:
    answer = fal(sandbox, **wrong)
    assert answer.status_code == 422 and answer.json()["detail"][0]["msg"]
    assert sandbox.charges() == []


def verified(sandbox: Sandbox, headers: dict[str, str], body: bytes) -> bool:
    """Whether a webhook is signed by the key that the sandbox shows."""
    (key,) = get(f"{sandbox.url}/fal/.well-known/jwks.json").json()["keys"]
    public = Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(key["x"] + "="))
    names = ("request-id", "user-id", "timestamp")
    message = "\n".join([*(headers[f"x-fal-webhook-{name}"] for name in names), hashlib.sha256(body).hexdigest()])
    try:
        public.verify(bytes.fromhex(headers["x-fal-webhook-signature"]), message.encode())
    except InvalidSignature:
        return False
    return True


def test_the_webhook_is_signed_and_may_be_lost_doubled_forged_stale_or_out_of_order(sandbox: Sandbox) -> None:
    for kind in ("lost", "doubled", "forged", "stale", "out_of_order"):
        sandbox.fault("webhook", kind, provider="fal", match=f"<{kind}>")
    with receiver() as hook:
        for kind in ("lost", "doubled", "forged", "stale", "out_of_order"):
            fal(sandbox, hook=hook.url, prompt=f"<{kind}>")
        calls = hook.wait(6)
    said = [(verified(sandbox, headers, body), json.loads(body)["status"]) for headers, body in calls]
    assert sorted(said) == [(False, "OK"), (True, "IN_PROGRESS"), *[(True, "OK")] * 4]
    now = datetime.now(UTC).timestamp()
    assert sum(now - int(headers["x-fal-webhook-timestamp"]) > 300 for headers, _ in calls) == 1
