"""The sandbox speaks OpenRouter's video API as its documents write it."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from dailies.sandbox import Sandbox, SandboxConfig
from tests.contract.fronts import OPENROUTER_MODEL, openrouter, receiver
from tests.contract.sandbox_calls import call, get


@pytest.fixture(scope="module")
def copyless() -> Iterator[Sandbox]:
    """A sandbox that keeps no copies of clips."""
    with Sandbox(SandboxConfig(time_scale=0, render="quick", openrouter_copies=False)) as sandbox:
        yield sandbox


def fetch(sandbox: Sandbox, job_id: str) -> Any:
    """One look."""
    return call(sandbox, "GET", f"/openrouter/videos/{job_id}").json()


def test_a_job_is_accepted_with_202_and_tells_its_cost_when_done(sandbox: Sandbox) -> None:
    answer = openrouter(sandbox)
    assert answer.status_code == 202 and answer.json()["status"] == "pending"
    job = fetch(sandbox, answer.json()["id"])
    assert (job["status"], job["usage"]) == ("completed", {"cost": 0.75, "is_byok": False})
    assert get(job["urls"][0]).content[4:8] == b"ftyp" and job["expires_at"]


def test_without_a_copy_the_clip_needs_the_key(copyless: Sandbox) -> None:
    job = fetch(copyless, openrouter(copyless).json()["id"])
    assert "urls" not in job
    path = job["unsigned_urls"][0].removeprefix(copyless.url)
    assert call(copyless, "GET", path, key=None).status_code == 401
    assert call(copyless, "GET", path).content[4:8] == b"ftyp"


def test_there_is_no_key_so_two_equal_jobs_are_two(sandbox: Sandbox) -> None:
    assert openrouter(sandbox).json()["id"] != openrouter(sandbox).json()["id"]
    assert len(sandbox.charges()) == 2


@pytest.mark.parametrize(
    "wrong",
    [
        {"duration": 99},
        {"resolution": "8K"},
        {"image_url": "x"},
        {"frame_images": [{"url": "x"}]},
        {"duration": "5"},
        {"prompt": None},
    ],
)
def test_a_value_outside_the_list_is_400(sandbox: Sandbox, wrong: dict[str, Any]) -> None:
    answer = openrouter(sandbox, **wrong)
    assert answer.status_code == 400 and answer.json()["error"]["code"] == 400
    assert sandbox.charges() == []


def test_refusals_have_their_statuses(sandbox: Sandbox) -> None:
    assert openrouter(sandbox, model="nobody/nothing").status_code == 404
    assert openrouter(sandbox, prompt="something forbidden").status_code == 403
    assert call(sandbox, "POST", "/openrouter/videos", key="wrong", json={}).status_code == 401
    with Sandbox(SandboxConfig(time_scale=0, balance_usd=Decimal("0.1"))) as poor:
        assert openrouter(poor).status_code == 402


def test_the_list_says_what_a_model_takes_and_costs_without_a_key(sandbox: Sandbox) -> None:
    data = call(sandbox, "GET", "/openrouter/videos/models", key=None).json()["data"]
    entry = next(entry for entry in data if entry["id"] == OPENROUTER_MODEL)
    assert entry["pricing_skus"]["per-video-second-720p"] == "0.15" and 5 in entry["supported_durations"]


def test_money_is_told_by_generation_and_by_account(sandbox: Sandbox) -> None:
    job = fetch(sandbox, openrouter(sandbox).json()["id"])
    generation = call(sandbox, "GET", "/openrouter/generation", params={"id": job["generation_id"]}).json()["data"]
    assert generation["total_cost"] == 0.75
    assert call(sandbox, "GET", "/openrouter/credits").json()["data"] == {"total_credits": 1000.0, "total_usage": 0.75}


def test_the_webhook_carries_the_job_and_its_signature(sandbox: Sandbox) -> None:
    sandbox.fault("webhook", "forged", provider="openrouter", match="<forged>")
    with receiver() as hook:
        job_id = openrouter(sandbox, callback_url=hook.url).json()["id"]
        openrouter(sandbox, callback_url=hook.url, prompt="<forged>")
        calls = hook.wait(2)
    good = []
    for headers, body in calls:
        moment, _, digest = headers["x-openrouter-signature"].partition(",v1=")
        right = hmac.new(b"sandbox-webhook-secret", f"{moment[2:]},".encode() + body, hashlib.sha256).hexdigest()
        if digest == right:
            good.append(json.loads(body))
    assert [(told["type"], told["data"]["id"]) for told in good] == [("video.generation.completed", job_id)]
