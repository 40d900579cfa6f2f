"""Every fault shows on the wire what it says, strikes whom it should, and charges what it says."""

from __future__ import annotations

import gzip
import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, get_args

import httpx
import pytest

from dailies.sandbox import Sandbox
from dailies.sandbox.faults import KINDS, Where
from tests.contract.fronts import FAL_MODEL, KEYED
from tests.contract.sandbox_calls import call, create, fetch, finished, get, onerouter, stream

LOST = httpx.RemoteProtocolError
RESET = httpx.ReadError


def raw(url: str) -> bytes:
    """Every byte the server sends for one GET, until it ends the connection."""
    parts = httpx.URL(url)
    with socket.create_connection((parts.host, parts.port or 80), timeout=10) as wire:
        wire.sendall(b"GET " + parts.raw_path + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        return b"".join(iter(lambda: wire.recv(65536), b""))


# Create


@pytest.mark.parametrize("api", [create, onerouter])
@pytest.mark.parametrize(
    ("kind", "options", "error", "charges"),
    [
        ("lost", {}, LOST, 1),
        ("lost", {"end": "reset"}, RESET, 1),
        ("close", {}, LOST, 0),
        ("reset", {}, RESET, 0),
    ],
)
def test_a_lost_connection_is_charged_only_if_it_was_lost_after_acceptance(
    sandbox: Sandbox, api: Any, kind: str, options: dict[str, Any], error: type[Exception], charges: int
) -> None:
    sandbox.fault("create", kind, **options)
    with pytest.raises(error):
        api(sandbox)
    assert len(sandbox.charges()) == charges
    assert api(sandbox).status_code == 200
    assert len(sandbox.charges()) == charges + 1


def test_a_connection_closed_without_a_byte_is_just_that(sandbox: Sandbox) -> None:
    _, url = finished(sandbox)
    sandbox.fault("download", "close")
    assert raw(url) == b""


@pytest.mark.parametrize("api", [create, onerouter])
def test_a_late_answer_is_charged_at_once_and_right_when_it_comes(sandbox: Sandbox, api: Any) -> None:
    sandbox.fault("create", "late", delay_s=0.3)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(api, sandbox)
        while not sandbox.charges():
            assert not answer.done()
        assert answer.result().elapsed.total_seconds() >= 0.3
    assert answer.result().status_code == 200


@pytest.mark.parametrize("api", [create, onerouter])
@pytest.mark.parametrize("status", [400, 401, 402, 403, 408, 409, 413, 500, 502, 503, 504, 524])
@pytest.mark.parametrize("body", ["problem", "html"])
def test_any_error_status_can_be_had_without_a_charge(sandbox: Sandbox, api: Any, status: int, body: str) -> None:
    sandbox.fault("create", "status", status=status, body=body)
    answer = api(sandbox)
    assert answer.status_code == status
    assert ("html" in answer.headers["content-type"]) == (body == "html")
    assert sandbox.charges() == []


@pytest.mark.parametrize("text", ["0", "3", "Wed, 21 Oct 2026 07:28:00 GMT", "-5", "1000000000", "soon", ""])
def test_a_429_carries_any_retry_after(sandbox: Sandbox, text: str) -> None:
    sandbox.fault("create", "busy", retry_after=text)
    answer = create(sandbox)
    assert (answer.status_code, answer.headers["retry-after"]) == (429, text)
    assert sandbox.charges() == []


def test_a_429_may_come_without_retry_after(sandbox: Sandbox) -> None:
    sandbox.fault("create", "busy")
    assert "retry-after" not in create(sandbox).headers


def test_the_older_error_body_has_its_status_as_text(sandbox: Sandbox) -> None:
    sandbox.fault("create", "status", status=503, body="legacy")
    assert create(sandbox).json()["statusCode"] == "503"


@pytest.mark.parametrize("api", [create, onerouter])
@pytest.mark.parametrize("kind", ["charged_status", "charged_html", "charged_empty", "charged_half", "charged_no_id"])
def test_a_charged_create_can_come_back_without_a_usable_id(sandbox: Sandbox, api: Any, kind: str) -> None:
    sandbox.fault("create", kind)
    answer = api(sandbox)
    (charge,) = sandbox.charges()
    assert answer.status_code == (500 if kind == "charged_status" else 200)
    assert f'"{charge.generation_id}"' not in answer.text + str(answer.headers)
    match kind:
        case "charged_html":
            assert answer.text.startswith("<html>")
        case "charged_empty":
            assert answer.content == b""
        case "charged_half":
            assert answer.text.startswith("{")
            with pytest.raises(json.JSONDecodeError):
                answer.json()
        case "charged_no_id":
            assert answer.json()


def test_an_absurd_id_has_ten_thousand_characters(sandbox: Sandbox) -> None:
    sandbox.fault("create", "charged_absurd_id", times=2)
    assert len(create(sandbox).json()["id"]) == 10_000
    assert len(onerouter(sandbox).json()["data"][0]["video_id"]) == 10_000
    assert len(sandbox.charges()) == 2


def test_the_same_id_twice_is_charged_twice(sandbox: Sandbox) -> None:
    first = create(sandbox).json()["id"]
    sandbox.fault("create", "same_id")
    assert create(sandbox).json()["id"] == first
    assert [charge.generation_id for charge in sandbox.charges()] == [first, first]


def test_an_id_may_have_its_other_name(sandbox: Sandbox) -> None:
    sandbox.fault("create", "renamed_id")
    assert create(sandbox).json()["generation_id"] == sandbox.charges()[0].generation_id


def test_a_redirect_leads_to_another_host(sandbox: Sandbox) -> None:
    sandbox.fault("create", "redirect", url="http://192.0.2.9/v2")
    answer = create(sandbox)
    assert (answer.status_code, answer.headers["location"]) == (302, "http://192.0.2.9/v2")
    assert sandbox.charges() == []


def test_a_gateways_page_is_502_html_without_a_charge(sandbox: Sandbox) -> None:
    sandbox.fault("create", "html")
    answer = create(sandbox)
    assert (answer.status_code, answer.headers["content-type"]) == (502, "text/html; charset=utf-8")
    assert sandbox.charges() == []


def test_an_error_may_come_inside_http_200(sandbox: Sandbox) -> None:
    sandbox.fault("create", "error_in_200", status=429)
    answer = onerouter(sandbox)
    assert (answer.status_code, answer.json()["error"]["code"]) == (200, 429)
    assert sandbox.charges() == []


def test_the_log_finds_what_a_lost_answer_was_charged_for(sandbox: Sandbox) -> None:
    sandbox.fault("create", "lost")
    with pytest.raises(LOST):
        create(sandbox, headers={"x-client-request-id": "attempt-9"})
    (row,) = call(sandbox, "GET", "/v2/logs").json()["data"]
    assert (row["client_request_id"], row["inference_id"]) == ("attempt-9", sandbox.charges()[0].generation_id)


# Whom it strikes


def test_a_fault_strikes_as_often_as_asked(sandbox: Sandbox) -> None:
    sandbox.fault("create", "status", status=503, times=2)
    assert [create(sandbox).status_code for _ in range(3)] == [503, 503, 200]


def test_a_fault_for_ever_ends_when_it_is_taken_back(sandbox: Sandbox) -> None:
    sandbox.fault("create", "status", status=503, times=None)
    assert [create(sandbox).status_code for _ in range(3)] == [503, 503, 503]
    sandbox.clear_faults()
    assert create(sandbox).status_code == 200


def test_a_fault_can_spare_the_first(sandbox: Sandbox) -> None:
    sandbox.fault("create", "status", status=503, after=1)
    assert [create(sandbox).status_code for _ in range(3)] == [200, 503, 200]


def test_a_fault_strikes_only_what_matches(sandbox: Sandbox) -> None:
    sandbox.fault("create", "status", status=503, match="sunrise", times=None)
    assert create(sandbox, prompt="a sunset").status_code == 200
    assert create(sandbox, prompt="a sunrise").status_code == 503
    generation_id = create(sandbox, prompt="a sunset").json()["id"]
    sandbox.fault("poll", "status", status=404, match=generation_id)
    assert fetch(sandbox, create(sandbox, prompt="noon").json()["id"]).status_code == 200
    assert fetch(sandbox, generation_id).status_code == 404


def test_a_fault_strikes_only_its_provider(sandbox: Sandbox) -> None:
    sandbox.fault("create", "status", status=503, provider="onerouter")
    assert create(sandbox).status_code == 200
    assert onerouter(sandbox).status_code == 503


def test_one_fault_strikes_exactly_one_of_many_at_once(sandbox: Sandbox) -> None:
    sandbox.fault("create", "status", status=503)
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda _: create(sandbox).status_code, range(16)))
    assert sorted(statuses) == [200] * 15 + [503]
    assert len(sandbox.charges()) == 15


def test_a_refused_request_uses_up_no_fault(sandbox: Sandbox) -> None:
    sandbox.fault("create", "status", status=503)
    assert create(sandbox, duration=5).status_code == 400
    assert create(sandbox).status_code == 503


@pytest.mark.parametrize(("where", "kind"), [("create", "slow"), ("poll", "lost"), ("download", "nonsense")])
def test_a_fault_that_does_not_exist_is_refused(sandbox: Sandbox, where: Where, kind: str) -> None:
    with pytest.raises(ValueError, match=kind):
        sandbox.fault(where, kind)


# Reading


@pytest.mark.parametrize("where", ["poll", "logs", "billing", "models"])
@pytest.mark.parametrize("kind", ["status", "busy", "html", "redirect", "close", "reset", "empty", "half", "delay"])
def test_every_reading_call_can_go_wrong_and_be_well_again(sandbox: Sandbox, where: Where, kind: str) -> None:
    generation_id = create(sandbox).json()["id"]
    path = {"logs": "/v2/logs", "billing": "/v2/billing", "models": "/v1/models"}.get(
        where, f"/v2/video/generations?generation_id={generation_id}"
    )
    sandbox.fault(where, kind, delay_s=0.05)
    try:
        answer = call(sandbox, "GET", path)
        statuses = {"status": 500, "busy": 429, "html": 502, "redirect": 302}
        assert answer.status_code == statuses.get(kind, 200)
        assert answer.elapsed.total_seconds() >= 0.05
        assert (answer.content == b"") == (kind in ("empty", "redirect"))
    except (RESET, LOST):
        assert kind in ("close", "reset")
    assert call(sandbox, "GET", path).json()
    assert len(sandbox.charges()) == 1


@pytest.mark.parametrize(
    ("kind", "options", "status"),
    [
        ("never", {}, "generating"),
        ("back", {}, "queued"),
        ("unknown", {}, "rehearsing"),
        ("say", {"say": "waiting"}, "waiting"),
    ],
)
def test_a_poll_can_tell_another_status(sandbox: Sandbox, kind: str, options: dict[str, Any], status: str) -> None:
    generation_id = create(sandbox).json()["id"]
    sandbox.fault("poll", kind, **options)
    assert fetch(sandbox, generation_id).json() == {"id": generation_id, "status": status}
    assert fetch(sandbox, generation_id).json()["status"] == "completed"


def test_a_completed_clip_can_lack_its_url(sandbox: Sandbox) -> None:
    generation_id = create(sandbox).json()["id"]
    sandbox.fault("poll", "no_url")
    body = fetch(sandbox, generation_id).json()
    assert body["status"] == "completed" and "video" not in body


def test_a_generation_can_fail_for_good_and_is_refunded(sandbox: Sandbox) -> None:
    generation_id = create(sandbox).json()["id"]
    sandbox.fault("poll", "failed")
    assert [fetch(sandbox, generation_id).json()["status"] for _ in range(2)] == ["error", "error"]
    assert sandbox.charges()[0].refunded


def test_usage_can_be_told_in_dollars(sandbox: Sandbox) -> None:
    generation_id = create(sandbox).json()["id"]
    sandbox.fault("poll", "usd_spent")
    assert fetch(sandbox, generation_id).json()["meta"] == {"usage": {"usd_spent": 1.26}}


# Download


def test_an_expired_url_is_403_and_the_next_one_works(sandbox: Sandbox) -> None:
    generation_id, url = finished(sandbox)
    sandbox.fault("download", "expired")
    assert get(url).status_code == 403
    assert get(fetch(sandbox, generation_id).json()["video"]["url"]).status_code == 200


def test_a_url_can_be_dead_for_ever(sandbox: Sandbox) -> None:
    _, url = finished(sandbox)
    sandbox.fault("download", "status", status=404, times=None)
    assert [get(url).status_code for _ in range(3)] == [404, 404, 404]


def test_a_short_download_tells_the_whole_length_and_closes_half_way(sandbox: Sandbox) -> None:
    _, url = finished(sandbox)
    whole = get(url).content
    sandbox.fault("download", "short", times=2)
    head, _, body = raw(url).partition(b"\r\n\r\n")
    assert f"Content-Length: {len(whole)}".encode() in head
    assert body == whole[: len(whole) // 2]
    with pytest.raises(LOST):
        get(url)


def test_a_cut_download_ends_in_good_order_without_a_length(sandbox: Sandbox) -> None:
    _, url = finished(sandbox)
    whole = get(url).content
    sandbox.fault("download", "cut")
    answer = get(url)
    assert answer.content == whole[: len(whole) // 2]
    assert "content-length" not in answer.headers


def test_a_download_can_be_reset_half_way(sandbox: Sandbox) -> None:
    _, url = finished(sandbox)
    sandbox.fault("download", "reset")
    with pytest.raises(RESET):
        get(url)


@pytest.mark.parametrize(("kind", "start"), [("empty", b""), ("html", b"<html>")])
def test_a_download_can_be_something_else_entirely(sandbox: Sandbox, kind: str, start: bytes) -> None:
    _, url = finished(sandbox)
    sandbox.fault("download", kind)
    answer = get(url)
    assert answer.status_code == 200
    assert answer.content[:6] == start


def test_a_gzip_bomb_is_small_on_the_wire_and_large_unpacked(sandbox: Sandbox) -> None:
    _, url = finished(sandbox)
    sandbox.fault("download", "bomb", size_bytes=3 * 2**20)
    with stream(url) as answer:
        assert answer.headers["content-encoding"] == "gzip"
        packed = b"".join(answer.iter_raw())
    assert len(packed) < 10_000
    assert len(gzip.decompress(packed)) == 3 * 2**20


def test_an_endless_download_goes_on(sandbox: Sandbox) -> None:
    _, url = finished(sandbox)
    sandbox.fault("download", "endless")
    with stream(url) as answer:
        seen = 0
        for chunk in answer.iter_raw():
            seen += len(chunk)
            if seen > 8 * 2**20:
                break
    assert call(sandbox, "GET", "/sandbox/health").status_code == 200


def test_a_slow_download_drips(sandbox: Sandbox) -> None:
    _, url = finished(sandbox)
    sandbox.fault("download", "slow", interval_s=0.05)
    with stream(url) as answer:
        begun = time.monotonic()
        drips = answer.iter_raw(chunk_size=1)
        assert b"".join(next(drips) for _ in range(5)) == get(url).content[:5]
        assert time.monotonic() - begun >= 0.15


def test_a_download_can_lead_elsewhere(sandbox: Sandbox) -> None:
    _, url = finished(sandbox)
    sandbox.fault("download", "redirect", url="http://169.254.169.254/latest")
    answer = get(url)
    assert (answer.status_code, answer.headers["location"]) == (302, "http://169.254.169.254/latest")


def test_the_bytes_can_differ_the_second_time(sandbox: Sandbox) -> None:
    _, url = finished(sandbox)
    sandbox.fault("download", "other", after=1)
    first, second, third = (get(url).content for _ in range(3))
    assert first == third != second


def test_every_kind_of_fault_has_an_answer(sandbox: Sandbox) -> None:
    """No kind that can be asked for ends in an answer the sandbox didn't mean to give."""
    for where in get_args(Where):
        if where == "webhook":
            continue  # it is no answer; `test_sandbox_fal.py` receives every kind
        for kind in KINDS[where]:
            sandbox.reset()
            generation_id, url = finished(sandbox)
            sandbox.fault(where, kind, delay_s=0.001, interval_s=0, size_bytes=10, status=599)
            paths = {"logs": "/v2/logs", "billing": "/v2/billing/transactions", "models": "/v1/models/deprecations"}
            try:
                if where == "create":
                    create(sandbox)
                elif where == "poll":
                    fetch(sandbox, generation_id)
                elif where == "history":
                    history = {"endpoint_id": FAL_MODEL}
                    path = "/fal/v1/models/requests/by-endpoint"
                    call(sandbox, "GET", path, key=None, headers=KEYED, params=history)
                elif where == "download":
                    with stream(url) as answer:
                        next(answer.iter_raw(), b"")
                else:
                    call(sandbox, "GET", paths[where])
            except (LOST, RESET):
                assert kind in ("close", "reset", "lost", "short")
            assert call(sandbox, "GET", "/sandbox/faults").json() == [], f"{where} {kind} was not met"
