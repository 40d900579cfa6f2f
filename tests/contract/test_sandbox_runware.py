"""The sandbox speaks Runware's API as its documents write it: tasks in an array, under ids that the caller makes."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from dailies.sandbox import Sandbox
from tests.contract.fronts import look, receiver, runware, task
from tests.contract.sandbox_calls import get


def test_a_task_is_acknowledged_under_the_callers_own_id_and_looked_at_by_it(sandbox: Sandbox) -> None:
    wanted = task(sandbox)
    acknowledged = runware(sandbox, wanted)
    assert acknowledged.json() == {"data": [{"taskType": "videoInference", "taskUUID": wanted["taskUUID"]}]}
    (result,) = look(sandbox, wanted["taskUUID"])["data"]
    assert (result["status"], result["cost"], result["taskUUID"]) == ("success", 0.925, wanted["taskUUID"])
    assert get(result["videoURL"]).content[4:8] == b"ftyp"
    assert [charge.client_request_id for charge in sandbox.charges()] == [wanted["taskUUID"]]


def test_the_cost_is_told_only_where_it_was_asked_for(sandbox: Sandbox) -> None:
    wanted = task(sandbox, includeCost=None)
    runware(sandbox, wanted)
    assert "cost" not in look(sandbox, wanted["taskUUID"])["data"][0]


def test_a_second_task_under_an_id_is_refused_whatever_stands_in_it(sandbox: Sandbox) -> None:
    wanted = task(sandbox)
    runware(sandbox, wanted)
    for again in (wanted, wanted | {"positivePrompt": "she frowns"}):
        answer = runware(sandbox, again)
        (error,) = answer.json()["errors"]
        assert (answer.status_code, error["code"], error["taskUUID"]) == (400, "conflictTaskUUID", wanted["taskUUID"])
    assert len(sandbox.charges()) == 1


def test_an_id_that_was_forgotten_is_unknown_and_buys_again(sandbox: Sandbox) -> None:
    wanted = task(sandbox)
    runware(sandbox, wanted)
    sandbox.fault("create", "key_expired", provider="runware")
    assert runware(sandbox, wanted).status_code == 200
    assert len(sandbox.charges()) == 2


def test_an_unknown_id_is_an_error_inside_a_200(sandbox: Sandbox) -> None:
    unknown = str(uuid.uuid4())
    answer = look(sandbox, unknown)
    assert answer["data"] == [] and answer["errors"][0]["taskUUID"] == unknown


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"taskUUID": "f1b4f2a2-0000-1000-8000-000000000000"}, "taskUUID"),
        ({"taskUUID": None}, "taskUUID"),
        ({"deliveryMethod": "sync"}, "deliveryMethod"),
        ({"outputFormat": "mp4"}, "outputFormat"),
        ({"duration": 7}, "duration"),
        ({"prompt": "she smiles"}, "prompt"),
        ({"numberResults": 2}, "numberResults"),
        ({"frameImages": [{"frame": "first"}]}, "frameImages"),
    ],
)
def test_a_field_that_the_documents_do_not_allow_is_refused(
    sandbox: Sandbox, changes: dict[str, Any], field: str
) -> None:
    answer = runware(sandbox, task(sandbox, **changes))
    assert answer.status_code == 400 and field in answer.json()["errors"][0]["message"]
    assert sandbox.charges() == []


def test_refusals_have_their_statuses(sandbox: Sandbox) -> None:
    assert runware(sandbox, task(sandbox), key=None).status_code == 401
    assert runware(sandbox, task(sandbox, model="nobody:1@1")).status_code == 404
    assert (
        runware(sandbox, task(sandbox, positivePrompt="something forbidden")).json()["errors"][0]["code"]
        == "contentModeration"
    )
    assert sandbox.charges() == []


def test_the_key_may_stand_in_the_first_task(sandbox: Sandbox) -> None:
    login = {"taskType": "authentication", "apiKey": "sandbox-key"}
    assert runware(sandbox, login, task(sandbox), key=None).status_code == 200
    assert runware(sandbox, login | {"apiKey": "another"}, task(sandbox), key=None).status_code == 401


def test_a_failed_task_is_told_among_the_errors(sandbox: Sandbox) -> None:
    wanted = task(sandbox, positivePrompt="this will-fail")
    runware(sandbox, wanted)
    answer = look(sandbox, wanted["taskUUID"])
    assert answer["data"] == [] and answer["errors"][0]["taskUUID"] == wanted["taskUUID"]


def test_details_hold_what_was_asked_for(sandbox: Sandbox) -> None:
    wanted = task(sandbox)
    runware(sandbox, wanted)
    details = runware(sandbox, {"taskType": "getTaskDetails", "taskUUID": wanted["taskUUID"]}).json()["data"][0]
    assert details["request"] == [wanted]


def test_the_webhook_tells_the_result(sandbox: Sandbox) -> None:
    with receiver() as hook:
        wanted = task(sandbox, webhookURL=hook.url)
        runware(sandbox, wanted)
        ((_, body),) = hook.wait(1)
    assert wanted["taskUUID"].encode() in body and b"videoURL" in body
