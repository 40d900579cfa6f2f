"""The sandbox speaks the AI/ML API as its documents write it."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from dailies.sandbox import Sandbox, SandboxConfig
from tests.contract.sandbox_calls import call, create, data_uri, documented, fetch, finished

LISTS = "/v2/logs", "/v2/billing", "/v2/billing/transactions"


@pytest.fixture
def slow_sandbox() -> Iterator[Sandbox]:
    """A sandbox whose generations outlive every test."""
    with Sandbox(SandboxConfig(time_scale=100, render="quick")) as sandbox:
        yield sandbox


def problem(answer: Any) -> tuple[int, str]:
    """The (status, error name) of a well-formed problem+json."""
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert set(body) == {"title", "status", "message", "requestId", "error"}
    assert body["status"] == answer.status_code
    assert set(body["error"]) == {"name", "message"}
    return answer.status_code, body["error"]["name"]


def test_create_answers_with_an_id_in_body_and_header_as_documented(sandbox: Sandbox) -> None:
    answer = create(sandbox)
    assert answer.status_code == 200
    documented("aiml-create", answer.json())
    assert answer.json()["status"] == "generating"
    assert answer.headers["x-inference-id"] == answer.json()["id"]
    assert answer.json()["id"].startswith("video_") and answer.json()["id"].endswith(":openai/sora-2-pro-i2v")


def test_poll_of_a_finished_clip_has_url_and_cost_as_documented(sandbox: Sandbox) -> None:
    answer = fetch(sandbox, create(sandbox).json()["id"])
    documented("aiml-fetch", answer.json())
    assert answer.json()["status"] == "completed"
    assert answer.json()["meta"] == {"usage": {"credits_used": 2_520_000}}
    assert answer.json()["video"]["url"].startswith(sandbox.url + "/files/")


def test_an_unfinished_clip_is_queued_after_it_was_generating(slow_sandbox: Sandbox) -> None:
    created = create(slow_sandbox).json()
    assert created["status"] == "generating"
    assert fetch(slow_sandbox, created["id"]).json() == {"id": created["id"], "status": "queued"}


def test_ids_of_other_models_are_21_characters_and_may_begin_with_a_dash(sandbox: Sandbox) -> None:
    made = [create(sandbox, model="klingai/video-v3-pro-image-to-video", **NO_SIZE).json()["id"] for _ in range(12)]
    assert {len(made_id) for made_id in made} == {21}
    assert any(made_id.startswith("-") for made_id in made)
    assert fetch(sandbox, made[0]).json()["status"] == "completed"


NO_SIZE: dict[str, Any] = {"resolution": None, "aspect_ratio": None}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"duration": "4"}, "duration"),
        ({"duration": 5}, "duration"),
        ({"duration": True}, "duration"),
        ({"resolution": "4k"}, "resolution"),
        ({"prompt": 7}, "prompt"),
        ({"prompt": None}, "prompt"),
        ({"image_url": None}, "image_url"),
        ({"fps": 24}, "fps"),
        ({"image_url": "cat.png"}, "image_url"),
        ({"image_url": "data:image/png;base64,AAAA"}, "image_url"),
        ({"image_url": "data:image/svg+xml,<svg/>"}, "image_url"),
        ({"image_url": data_uri(1280, 721)}, "1280x721"),
        ({"resolution": None}, "1792x1024"),
        ({"resolution": "1080p"}, "1792x1024"),
        ({"aspect_ratio": "9:16"}, "720x1280"),
        ({"model": None}, "model"),
    ],
)
def test_a_body_the_documents_do_not_allow_is_refused_and_costs_nothing(
    sandbox: Sandbox, changes: dict[str, Any], field: str
) -> None:
    answer = create(sandbox, **changes)
    assert problem(answer) == (400, "BadRequestError")
    assert field in answer.json()["message"]
    assert sandbox.charges() == []


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b"[" * 100_000])
def test_a_body_that_is_no_json_object_is_refused(sandbox: Sandbox, body: bytes) -> None:
    assert problem(call(sandbox, "POST", "/v2/video/generations", content=body))[0] == 400


@pytest.mark.parametrize(
    "changes",
    [
        {"resolution": "1080p", "image_url": data_uri(1792, 1024)},
        {"resolution": "1080p", "aspect_ratio": "9:16", "image_url": data_uri(1024, 1792)},
        {"aspect_ratio": "9:16", "image_url": data_uri(720, 1280, "png")},
        {"image_url": data_uri(1280, 720, "webp"), "duration": 12},
        {"image_url": "https://example.com/never-fetched.jpg"},
    ],
)
def test_the_documented_sizes_and_formats_are_accepted(sandbox: Sandbox, changes: dict[str, Any]) -> None:
    assert create(sandbox, **changes).status_code == 200


def test_an_image_on_loopback_is_fetched_and_measured(sandbox: Sandbox) -> None:
    assert create(sandbox, image_url=f"{sandbox.url}/images/1280x720.png").status_code == 200
    assert problem(create(sandbox, image_url=f"{sandbox.url}/images/100x100.png"))[0] == 400
    assert problem(create(sandbox, image_url=f"{sandbox.url}/images/none.png"))[0] == 400


@pytest.mark.parametrize("key", [None, "wrong"])
@pytest.mark.parametrize("path", ["/v2/video/generations?generation_id=x", *LISTS])
def test_without_the_key_nothing_is_told(sandbox: Sandbox, key: str | None, path: str) -> None:
    assert problem(call(sandbox, "GET", path, key=key))[0] == 401


def test_a_key_without_bearer_is_no_key(sandbox: Sandbox) -> None:
    assert create(sandbox, key=None, headers={"authorization": "sandbox-key"}).status_code == 401
    assert sandbox.charges() == []


def test_an_empty_set_of_keys_accepts_any_key_but_not_none() -> None:
    with Sandbox(SandboxConfig(time_scale=0, api_keys=frozenset())) as sandbox:
        assert create(sandbox, key="whatever").status_code == 200
        assert create(sandbox, key=None).status_code == 401


def test_an_unknown_model_or_generation_is_404(sandbox: Sandbox) -> None:
    assert problem(create(sandbox, model="openai/sora-9"))[0] == 404
    assert problem(fetch(sandbox, "no-such-id"))[0] == 404


def test_a_forbidden_prompt_is_refused_without_charge(sandbox: Sandbox) -> None:
    assert problem(create(sandbox, prompt="a forbidden dance")) == (400, "ContentModerationError")
    assert sandbox.charges() == []


def test_a_clip_that_fails_says_so_in_http_200_and_is_refunded(sandbox: Sandbox) -> None:
    made = create(sandbox, prompt="this will-fail").json()["id"]
    body = fetch(sandbox, made).json()
    documented("aiml-fetch", body)
    assert body["status"] == "error" and set(body["error"]) == {"name", "message"}
    assert [charge.refunded for charge in sandbox.charges()] == [True]
    row = call(sandbox, "GET", "/v2/logs").json()["data"][0]
    assert (row["status"], row["cost"]) == ("failed", {"usd": 0.0, "credits": 0})
    assert call(sandbox, "GET", "/v2/billing").json()["current_balance"] == 1000


def test_when_the_balance_is_spent_creates_get_403() -> None:
    with Sandbox(SandboxConfig(time_scale=0, balance_usd=Decimal("1.30"))) as sandbox:
        assert create(sandbox).status_code == 200
        assert problem(create(sandbox)) == (403, "InsufficientCreditsError")
        assert len(sandbox.charges()) == 1


def test_a_clip_costs_what_the_price_list_says(sandbox: Sandbox) -> None:
    create(sandbox, duration=8)
    create(sandbox, resolution=None, image_url=data_uri(1792, 1024))
    assert [(charge.usd, charge.credits) for charge in sandbox.charges()] == [
        (Decimal("2.52"), 5_040_000),
        (Decimal("2.10"), 4_200_000),
    ]


@pytest.mark.parametrize(
    ("sent", "stored"), [("clip-7:a.b_C", "clip-7:a.b_C"), ("not allowed", None), ("x" * 129, None), (None, None)]
)
def test_the_log_tells_our_own_reference_only_if_its_alphabet_is_the_documented_one(
    sandbox: Sandbox, sent: str | None, stored: str | None
) -> None:
    made = create(sandbox, headers={"x-client-request-id": sent} if sent else {}).json()["id"]
    body = call(sandbox, "GET", "/v2/logs", params={"period": "24h"}).json()
    documented("aiml-logs-v2", body)
    assert [(row["inference_id"], row["client_request_id"]) for row in body["data"]] == [(made, stored)]
    assert sandbox.charges()[0].client_request_id == stored


def test_the_log_holds_finished_requests_only(slow_sandbox: Sandbox) -> None:
    create(slow_sandbox)
    assert call(slow_sandbox, "GET", "/v2/logs").json()["data"] == []


def test_the_log_is_paged_newest_first(sandbox: Sandbox) -> None:
    made = [create(sandbox).json()["id"] for _ in range(3)]
    first = call(sandbox, "GET", "/v2/logs", params={"limit": 2}).json()
    rest = call(sandbox, "GET", "/v2/logs", params={"limit": 2, "offset": 2}).json()
    assert [row["inference_id"] for row in first["data"] + rest["data"]] == made[::-1]
    assert first["pagination"] == {"limit": 2, "offset": 0, "total": 3, "has_more": True}
    assert rest["pagination"]["has_more"] is False


def test_the_log_can_be_narrowed_by_model_and_status(sandbox: Sandbox) -> None:
    create(sandbox)
    create(sandbox, prompt="will-fail")

    def total(**params: Any) -> int:
        return int(call(sandbox, "GET", "/v2/logs", params=params).json()["pagination"]["total"])

    assert total(status="failed") == 1
    assert total(status=["failed", "succeeded"]) == 2
    assert total(model="sora-2-pro-i2v") == total(model="openai/sora-2-pro-i2v") == 2
    assert total(model="a,b") == 0


@pytest.mark.parametrize(
    "query",
    [
        "period=24h&start=2026-01-01T00:00:00Z&end=2026-01-02T00:00:00Z",
        "start=2026-01-01T00:00:00Z",
        "start=2026-01-02T00:00:00Z&end=2026-01-01T00:00:00Z",
        "start=2025-01-01T00:00:00Z&end=2026-01-01T00:00:00Z",
        "period=1w",
        "period=0h",
        "period=99999d",
        "limit=0",
        "limit=101",
        "limit=ten",
        "offset=-1",
        "status=succeeded,failed",
    ],
)
def test_a_log_query_the_documents_do_not_allow_is_400(sandbox: Sandbox, query: str) -> None:
    assert problem(call(sandbox, "GET", f"/v2/logs?{query}"))[0] == 400


def test_balance_and_transactions_tell_of_a_finished_clip(sandbox: Sandbox) -> None:
    made = create(sandbox).json()["id"]
    balance = call(sandbox, "GET", "/v2/billing").json()
    documented("aiml-billing-v2", balance)
    assert balance == {"current_balance": 998.74, "currency": "USD"}
    body = call(sandbox, "GET", "/v2/billing/transactions", params={"direction": "CHARGE"}).json()
    documented("aiml-billing-transactions-v2", body)
    (row,) = body["data"]
    assert (row["reference_id"], row["type"], row["amount"]) == (
        made,
        "MODEL_USAGE",
        {"usd": 1.26, "credits": 2_520_000},
    )


def test_a_charge_is_posted_only_some_time_after_the_clip_is_completed() -> None:
    with Sandbox(SandboxConfig(time_scale=0, billing_delay_s=3600)) as sandbox:
        create(sandbox)
        assert len(sandbox.charges()) == 1
        assert call(sandbox, "GET", "/v2/billing/transactions?type=MODEL_USAGE").json()["data"] == []
        assert call(sandbox, "GET", "/v2/billing").json()["current_balance"] == 1000


def test_transactions_are_paged_by_cursor(sandbox: Sandbox) -> None:
    made = [create(sandbox).json()["id"] for _ in range(3)]
    seen, cursor = [], None
    for _ in itertools.repeat(None, 10):
        params = {"limit": 1, "type": "MODEL_USAGE"} | ({"cursor": cursor} if cursor else {})
        body = call(sandbox, "GET", "/v2/billing/transactions", params=params).json()
        seen += [row["reference_id"] for row in body["data"]]
        cursor = body["pagination"]["next_cursor"]
        if cursor is None:
            break
    assert sorted(seen) == sorted(made)
    assert problem(call(sandbox, "GET", "/v2/billing/transactions?cursor=rubbish"))[0] == 400


def test_the_model_list_needs_no_key_and_quotes_the_price(sandbox: Sandbox) -> None:
    body = call(sandbox, "GET", "/v1/models?id=openai/sora-2-pro-i2v&include=pricing", key=None).json()
    documented("aiml-models", body)
    (model,) = body["data"]
    assert model["pricing"]["kind"] == "variants"
    assert {"when": {"resolution": "720p"}, "price": 0.315, "unit": "second", "per": 1} in model["pricing"]["variants"]


def test_the_whole_model_list_is_as_documented(sandbox: Sandbox) -> None:
    body = call(sandbox, "GET", "/v1/models?include=all").json()
    documented("aiml-models", body)
    assert len(body["data"]) > 80
    assert "pricing" not in call(sandbox, "GET", "/v1/models").json()["data"][0]
    assert call(sandbox, "GET", "/v1/models?id=nobody/nothing").json()["data"] == []


@pytest.mark.parametrize("path", ["/v1/models?include=pricing", "/v1/models/deprecations"])
def test_a_list_that_has_not_changed_is_304(sandbox: Sandbox, path: str) -> None:
    tag = call(sandbox, "GET", path).headers["etag"]
    again = call(sandbox, "GET", path, headers={"if-none-match": tag})
    assert (again.status_code, again.content) == (304, b"")
    sandbox.price("openai/sora-2-pro-i2v", Decimal("0.4"), "720p")
    sandbox.deprecate("openai/sora-2-pro-i2v")
    assert call(sandbox, "GET", path, headers={"if-none-match": tag}).headers["etag"] != tag


def test_a_withdrawn_model_is_gone_from_the_list_and_refused(sandbox: Sandbox) -> None:
    sandbox.withdraw("openai/sora-2-pro-i2v", shutdown_at="2026-09-24", replaced_by="google/veo-3.1-i2v")
    assert problem(create(sandbox))[0] == 404
    assert call(sandbox, "GET", "/v1/models?id=openai/sora-2-pro-i2v").json()["data"] == []
    body = call(sandbox, "GET", "/v1/models/deprecations").json()
    documented("aiml-model-deprecations", body)
    (entry,) = body["data"]
    assert (entry["status"], entry["shutdown_at"], entry["replaced_by"]) == (
        "withdrawn",
        "2026-09-24",
        "google/veo-3.1-i2v",
    )


def test_a_deprecated_model_is_still_served(sandbox: Sandbox) -> None:
    sandbox.deprecate("openai/sora-2-pro-i2v", shutdown_at="2027-01-01")
    assert create(sandbox).status_code == 200
    assert call(sandbox, "GET", "/v1/models/deprecations?status=deprecated").json()["data"][0]["status"] == "deprecated"
    assert call(sandbox, "GET", "/v1/models/deprecations?status=withdrawn").json()["data"] == []


def test_a_new_price_counts_for_the_next_create(sandbox: Sandbox) -> None:
    sandbox.price("openai/sora-2-pro-i2v", Decimal("0.5"), "720p")
    create(sandbox)
    assert sandbox.charges()[0].usd == Decimal("2.0")


def test_past_the_rate_limit_is_429() -> None:
    with Sandbox(SandboxConfig(time_scale=0, rate_limit_per_s=0.001)) as sandbox:
        assert create(sandbox).status_code == 200
        assert problem(create(sandbox))[0] == 429
        assert len(sandbox.charges()) == 1


@pytest.mark.parametrize(
    ("model", "changes"),
    [
        ("google/veo-3.1-i2v", {"duration": 8, "generate_audio": False}),
        ("bytedance/seedance-2-0", {"duration": 5, "resolution": "480p", "aspect_ratio": "21:9"}),
        ("klingai/video-v3-pro-image-to-video", {"duration": 3} | NO_SIZE),
        ("minimax/hailuo-2.3", {"duration": 6, "resolution": "768P", "aspect_ratio": None}),
        ("minimax/h3", {"resolution": "2K", "aspect_ratio": None, "ratio": "1:1"}),
        ("luma/ray-2", {"duration": 5, "image_url": None, "keyframes": {"frame0": {"url": data_uri()}}}),
    ],
)
def test_models_with_other_fields_are_served_by_their_own_documents(
    sandbox: Sandbox, model: str, changes: dict[str, Any]
) -> None:
    generation_id, _ = finished(sandbox, model=model, **changes)
    assert sandbox.charges()[0].generation_id == generation_id
    assert sandbox.charges()[0].usd > 0


def test_every_request_is_on_record(sandbox: Sandbox) -> None:
    create(sandbox, headers={"x-client-request-id": "attempt-1"})
    fetch(sandbox, "nothing")
    assert [(seen.method, seen.path, seen.client_request_id) for seen in sandbox.requests()] == [
        ("POST", "/v2/video/generations", "attempt-1"),
        ("GET", "/v2/video/generations", None),
    ]


def test_a_charge_in_json_is_the_charge_in_the_list(sandbox: Sandbox) -> None:
    create(sandbox, headers={"x-client-request-id": "attempt-1"})
    (charge,) = json.loads(call(sandbox, "GET", "/sandbox/charges", key=None).text)
    assert Decimal(charge["usd"]) == Decimal("1.26")
    assert charge["client_request_id"] == "attempt-1"
    assert charge["refunded"] is False
