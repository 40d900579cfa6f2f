"""The sandbox speaks Higgsfield's API as its documents write it, above all what an Idempotency-Key means."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dailies.sandbox import Sandbox, SandboxConfig
from tests.contract.fronts import HIGGSFIELD_MODEL, KEYED, higgsfield, image, keyed, receiver
from tests.contract.sandbox_calls import KEY, call, get


def test_a_request_is_looked_at_by_the_address_that_its_create_gave(sandbox: Sandbox) -> None:
    created = higgsfield(sandbox).json()
    assert set(created) == {"status", "request_id", "status_url", "cancel_url"} and created["status"] == "queued"
    state = keyed(created["status_url"]).json()
    assert state["status"] == "completed" and state["expires_at"]
    assert get(state["video"]["url"]).content[4:8] == b"ftyp"


def test_the_same_key_and_request_is_the_same_generation(sandbox: Sandbox) -> None:
    first = higgsfield(sandbox, key="k-1").json()
    again = higgsfield(sandbox, key="k-1").json()
    assert again["request_id"] == first["request_id"]
    assert [charge.client_request_id for charge in sandbox.charges()] == ["k-1"]


def test_the_order_of_fields_is_free_and_an_omitted_field_is_not(sandbox: Sandbox) -> None:
    first = higgsfield(sandbox, key="k-1").json()
    body = {"resolution": "720p", "duration": 5, "image_url": image(sandbox), "prompt": "she smiles"}
    headers = KEYED | {"idempotency-key": "k-1"}
    again = call(sandbox, "POST", f"/higgsfield/{HIGGSFIELD_MODEL}", key=None, headers=headers, json=body)
    assert again.json()["request_id"] == first["request_id"]
    assert higgsfield(sandbox, key="k-1", resolution=None).status_code == 422


@pytest.mark.parametrize(
    "other",
    [{"prompt": "she frowns"}, {"image_url": "https://example.com/a.png?sig=2"}, {"hook": "http://127.0.0.1:9/x"}],
)
def test_the_same_key_with_another_request_is_422_and_nothing_is_made(sandbox: Sandbox, other: dict[str, Any]) -> None:
    higgsfield(sandbox, key="k-1")
    assert higgsfield(sandbox, key="k-1", **other).status_code == 422
    assert len(sandbox.charges()) == 1


def test_a_key_past_its_time_buys_again(sandbox: Sandbox) -> None:
    first = higgsfield(sandbox, key="k-1").json()
    sandbox.fault("create", "key_expired", provider="higgsfield")
    assert higgsfield(sandbox, key="k-1").json()["request_id"] != first["request_id"]
    assert len(sandbox.charges()) == 2


def test_a_refused_request_uses_no_key_up(sandbox: Sandbox) -> None:
    assert higgsfield(sandbox, key="k-1", duration=99).status_code == 422
    assert higgsfield(sandbox, key="k-1").status_code == 200


def test_a_charged_request_that_answered_500_is_found_by_its_key(sandbox: Sandbox) -> None:
    sandbox.fault("create", "charged_status", provider="higgsfield")
    assert higgsfield(sandbox, key="k-1").status_code == 500
    assert higgsfield(sandbox, key="k-1").json()["request_id"] == sandbox.charges()[0].generation_id
    assert len(sandbox.charges()) == 1


def test_what_is_not_fit_to_be_shown_ends_nsfw_and_is_given_back(sandbox: Sandbox) -> None:
    created = higgsfield(sandbox, prompt="something forbidden").json()
    assert keyed(created["status_url"]).json()["status"] == "nsfw"
    assert sandbox.charges()[0].refunded


def test_the_estimate_is_the_price_and_costs_nothing(sandbox: Sandbox) -> None:
    body = {"prompt": "she smiles", "image_url": image(sandbox), "duration": 5, "resolution": "720p"}
    answer = call(sandbox, "POST", f"/higgsfield/estimate/{HIGGSFIELD_MODEL}", key=None, headers=KEYED, json=body)
    assert answer.json() == {"credits": "5.600", "usd": "0.350"} and sandbox.charges() == []


def test_only_what_is_queued_can_be_cancelled() -> None:
    with Sandbox(SandboxConfig(time_scale=100, render="quick")) as slow:
        created = higgsfield(slow).json()
        assert keyed(created["cancel_url"], "POST").status_code == 202
        assert keyed(created["status_url"]).json()["status"] == "canceled"
        assert keyed(created["cancel_url"], "POST").status_code == 400
        assert slow.charges()[0].refunded


def test_a_deleted_request_is_unknown(sandbox: Sandbox) -> None:
    created = higgsfield(sandbox).json()
    address = created["status_url"].removesuffix("/status")
    assert keyed(address, "DELETE").status_code == 204
    assert keyed(created["status_url"]).status_code == 404


def test_a_file_goes_by_the_upload(sandbox: Sandbox) -> None:
    path = "/higgsfield/files/generate-upload-url"
    slot = call(sandbox, "POST", path, key=None, headers=KEYED, json={"content_type": "image/jpeg"}).json()
    keyed(slot["upload_url"], "PUT", content=get(image(sandbox)).content)
    assert higgsfield(sandbox, image_url=slot["public_url"]).status_code == 200


def test_keys_have_two_parts(sandbox: Sandbox) -> None:
    for wrong in (f"Bearer {KEY}", f"Key {KEY}", "Key a:b"):
        answer = call(
            sandbox, "POST", f"/higgsfield/{HIGGSFIELD_MODEL}", key=None, headers={"authorization": wrong}, json={}
        )
        assert answer.status_code == 401


@pytest.mark.parametrize(
    "wrong", [{"seed": 7}, {"duration": "5"}, {"image_url": "data:image/png;base64,AA=="}, {"prompt": None}]
)
def test_a_body_that_the_model_does_not_take_is_422(sandbox: Sandbox, wrong: dict[str, Any]) -> None:
    assert higgsfield(sandbox, **wrong).status_code == 422
    assert sandbox.charges() == []


def test_the_webhook_tells_the_final_status_once_for_a_key(sandbox: Sandbox) -> None:
    with receiver() as hook:
        first = higgsfield(sandbox, key="k-1", hook=hook.url).json()
        higgsfield(sandbox, key="k-1", hook=hook.url)
        higgsfield(sandbox, key="k-2", hook=hook.url)
        calls = hook.wait(2)
    told = [json.loads(body)["request_id"] for _, body in calls]
    assert told.count(first["request_id"]) == 1 and all(json.loads(body)["status"] == "completed" for _, body in calls)
