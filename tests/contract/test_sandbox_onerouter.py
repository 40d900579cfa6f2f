"""The sandbox speaks OneRouter's API as its documents write it, in both forms of the answer."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import httpx
import pytest

from dailies.sandbox import Sandbox, SandboxConfig
from tests.contract.sandbox_calls import call, data_uri, documented, get, onerouter


@pytest.fixture
def tasks() -> Iterator[Sandbox]:
    """A sandbox that answers with tasks."""
    with Sandbox(SandboxConfig(time_scale=0, render="quick", onerouter_form="task")) as sandbox:
        yield sandbox


def problem(answer: httpx.Response) -> int:
    """The status of a well-formed error."""
    error = answer.json()["error"]
    assert set(error) == {"code", "message", "type", "param"}
    return answer.status_code


def task(sandbox: Sandbox, task_id: str) -> Any:
    """One poll."""
    return call(sandbox, "GET", f"/v1/videos/tasks/{task_id}").json()["data"]


def test_the_answer_is_a_list_with_the_clip_as_documented(sandbox: Sandbox) -> None:
    answer = onerouter(sandbox)
    documented("onerouter", answer.json())
    (clip,) = answer.json()["data"]
    assert "%2F" in clip["url"]
    assert clip["video_id"] == sandbox.charges()[0].generation_id
    assert get(clip["url"]).content[4:8] == b"ftyp"


def test_a_url_whose_encoded_slash_was_normalised_is_turned_away(sandbox: Sandbox) -> None:
    url = onerouter(sandbox).json()["data"][0]["url"]
    assert get(url.replace("%2F", "/")).status_code == 403


def test_the_connection_is_held_until_the_clip_is_ready() -> None:
    with Sandbox(SandboxConfig(time_scale=0.005, render="quick")) as sandbox:
        answer = onerouter(sandbox)
        assert answer.elapsed.total_seconds() > 0.1
        assert get(answer.json()["data"][0]["url"]).status_code == 200


def test_a_long_hold_keeps_nobody_else_waiting_and_ends_with_the_sandbox() -> None:
    with ThreadPoolExecutor(1) as pool:
        with Sandbox(SandboxConfig(time_scale=100, render="quick")) as sandbox:
            held = pool.submit(onerouter, sandbox)
            while not sandbox.charges():
                assert call(sandbox, "GET", "/sandbox/health").status_code == 200
        assert held.exception(timeout=5) or held.result().status_code == 500


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"duration": 4}, "duration"),
        ({"duration": "5"}, "duration"),
        ({"resolution": "4k"}, "resolution"),
        ({"aspect_ratio": "1:1"}, "aspect_ratio"),
        ({"output_format": "b64_json"}, "output_format"),
        ({"seed": "7"}, "seed"),
        ({"image_url": data_uri()}, "public URL"),
        ({"image_url": "cat.png"}, "image_url"),
    ],
)
def test_a_body_the_documents_do_not_allow_is_400(sandbox: Sandbox, changes: dict[str, Any], field: str) -> None:
    answer = onerouter(sandbox, **changes)
    assert problem(answer) == 400
    assert field in answer.json()["error"]["message"]
    assert sandbox.charges() == []


@pytest.mark.parametrize(
    ("image", "changes", "usd"),
    [
        ("1280x720.jpg", {"resolution": "auto"}, "1.26"),
        ("720x1280.png", {"resolution": "auto", "aspect_ratio": "auto"}, "1.26"),
        ("1792x1024.jpg", {"resolution": "auto"}, "2.10"),
        ("1280x720.jpg", {"resolution": "1080p", "duration": "12"}, "6.30"),
    ],
)
def test_auto_follows_the_image_and_so_does_the_price(
    sandbox: Sandbox, image: str, changes: dict[str, Any], usd: str
) -> None:
    answer = onerouter(sandbox, image_url=f"{sandbox.url}/images/{image}", **changes)
    assert answer.status_code == 200
    assert sandbox.charges()[0].usd == Decimal(usd)


@pytest.mark.parametrize("authorization", ["Bearer sandbox-key", "sandbox-key"])
def test_the_key_is_taken_with_and_without_bearer(sandbox: Sandbox, authorization: str) -> None:
    headers = {"authorization": authorization}
    assert call(sandbox, "GET", "/v1/videos/tasks/none", key=None, headers=headers).status_code == 404


@pytest.mark.parametrize("key", [None, "wrong"])
def test_without_the_key_is_401(sandbox: Sandbox, key: str | None) -> None:
    assert problem(call(sandbox, "POST", "/v1/videos/generations", key=key, json={})) == 401


def test_moderation_is_403_and_costs_nothing(sandbox: Sandbox) -> None:
    assert problem(onerouter(sandbox, prompt="a forbidden dance")) == 403
    assert sandbox.charges() == []


def test_an_empty_account_is_402() -> None:
    with Sandbox(SandboxConfig(time_scale=0, balance_usd=Decimal(0))) as sandbox:
        assert problem(onerouter(sandbox)) == 402


def test_an_unknown_model_is_404(sandbox: Sandbox) -> None:
    assert problem(onerouter(sandbox, model="openai/sora-9")) == 404


def test_a_failed_clip_is_an_error_inside_http_200_and_refunded(sandbox: Sandbox) -> None:
    assert problem(onerouter(sandbox, prompt="will-fail")) == 200
    assert [charge.refunded for charge in sandbox.charges()] == [True]


def test_in_task_form_the_clip_is_polled_for(tasks: Sandbox) -> None:
    body = onerouter(tasks).json()
    assert set(body) == {"data"} and set(body["data"]) == {"task_id"}
    state = task(tasks, body["data"]["task_id"])
    assert (state["status"], state["cost"]) == ("completed", {"total_cost": 1.26})
    assert get(state["urls"][0]).status_code == 200


def test_in_task_form_a_failure_says_why(tasks: Sandbox) -> None:
    state = task(tasks, onerouter(tasks, prompt="will-fail").json()["data"]["task_id"])
    assert (state["status"], state["urls"], state["cost"]) == ("failed", [], {"total_cost": 0.0})
    assert state["fail_reason"]


def test_a_generation_of_one_provider_is_unknown_to_the_other(tasks: Sandbox) -> None:
    made = onerouter(tasks).json()["data"]["task_id"]
    assert call(tasks, "GET", "/v2/video/generations", params={"generation_id": made}).status_code == 404


def queue(sandbox: Sandbox, prompt: str = "she smiles", **changes: Any) -> httpx.Response:
    """An asynchronous create; a change to None leaves the field out."""
    image = {"type": "image_url", "image_url": {"url": f"{sandbox.url}/images/1280x720.jpg"}}
    body = {
        "model": "bytedance/seedance",
        "content": [{"type": "text", "text": prompt}, image],
        "duration": 5,
    } | changes
    body = {name: value for name, value in body.items() if value is not None}
    return call(sandbox, "POST", "/v1/images/generations", json=body)


def test_the_queue_answers_at_once_with_a_task_and_tells_its_end_in_its_own_dialect(sandbox: Sandbox) -> None:
    answer = queue(sandbox).json()
    assert (answer["code"], answer["message"], answer["data"]["object"]) == (200, "success", "video")
    (charge,) = sandbox.charges()
    assert answer["data"]["task_id"] == charge.generation_id and charge.generation_id.startswith("cgt-")
    done = task(sandbox, charge.generation_id)
    assert done["status"] == "SUCCESS" and done["fail_reason"] == done["data"]["content"]["video_url"]
    assert get(done["fail_reason"]).content[4:8] == b"ftyp"
    assert charge.usd == Decimal("0.50")


def test_the_queue_fails_and_refuses_as_the_video_endpoint_does(sandbox: Sandbox) -> None:
    failed = task(sandbox, queue(sandbox, "will-fail").json()["data"]["task_id"])
    assert failed["status"] == "FAILURE" and "could not" in failed["fail_reason"]
    assert problem(queue(sandbox, "a forbidden dance")) == 403
    assert problem(queue(sandbox, model="openai/sora-9")) == 404
    assert problem(queue(sandbox, duration="5")) == 400
    assert problem(queue(sandbox, content=None)) == 400
    assert problem(queue(sandbox, content=[{"type": "song"}])) == 400
    assert problem(queue(sandbox, model="openai/sora-2-pro-image-to-video")) == 400
    assert problem(onerouter(sandbox, model="bytedance/seedance")) == 400
    assert problem(call(sandbox, "GET", "/v1/videos/tasks/cgt-1")) == 404


def test_the_list_of_models_and_the_balance_are_there(sandbox: Sandbox) -> None:
    listed = call(sandbox, "GET", "/v1/models", key=None).json()
    documented("aiml-models", listed)
    ids = {entry["id"] for entry in listed["data"] if entry.get("category_type") == "Video"}
    assert ids == {"openai/sora-2-pro-image-to-video", "bytedance/seedance"}
    queue(sandbox)
    assert call(sandbox, "GET", "/v1/balance").json()["data"]["balance"] == 999.5
    assert problem(call(sandbox, "GET", "/v1/balance", key="wrong")) == 401
