"""Every fault of a download: a paid clip is fetched until it is whole, and never bought again."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from dailies.domain.records import BatchRow
from dailies.domain.states import State
from dailies.storage import download
from tests.e2e.harness import World, named, sha256
from tests.e2e.invariants import assert_invariants
from tests.e2e.loopback import Elsewhere

PRIVATE = [
    "http://10.0.0.1/x", "http://192.168.1.1/x", "http://169.254.169.254/latest/meta-data", "http://[::1]/x",
    "http://[::ffff:10.0.0.1]/x", "http://[64:ff9b::a00:1]/x", "http://[2002:a00:1::]/x", "http://2130706433/x",
    "http://0x7f.1/x", "http://0177.0.0.1/x", "http://127.1/x", "http://localhost/x", "http://0.0.0.0/x",
    "https://[fd00::1]/x", "https://100.64.0.1/x", "https://user:hunter2@example.com/x", "file:///etc/passwd",
]  # fmt: skip


@pytest.mark.parametrize("provider", ["aiml", "onerouter"])
def test_a_download_that_is_not_the_whole_clip_is_fetched_again(hasty: None, world: World, provider: str) -> None:
    """Short, cut, empty, HTML, a gzip bomb, a reset, a 5xx: the next try brings the true bytes."""
    kinds = ["short", "cut", "empty", "html", "bomb", "reset", "close", "status"]
    world.csv(named(*kinds), provider=provider)
    for kind in kinds:
        world.sandbox.fault("download", kind, times=2, match=f"<{kind}>", status=503 if kind == "status" else None)
    result = world.run()
    assert result.code == 0, result.stderr
    assert_invariants(world)
    assert len(world.posts()) == len(kinds)


def test_a_line_that_never_lasts_for_a_whole_clip_brings_it_piece_by_piece(hasty: None, world: World) -> None:
    """Seven pieces in a visit of six tries: the next goes on from what this one has kept."""
    world.csv(1)
    world.run()
    (clip,) = world.clips().values()
    world.csv(named("pieces"))
    world.sandbox.fault("download", "pieces", times=None, size_bytes=len(clip) // 7 + 50)
    first = world.run()
    assert first.code == 1, "six pieces are not all"
    assert world.command("collect", "--json").code == 0
    assert_invariants(world)
    assert len(world.posts()) == 2


def test_a_url_that_expired_once_is_asked_for_again(each_world: World) -> None:
    """A fresh look at the job gives a fresh URL."""
    each_world.csv(2)
    each_world.sandbox.fault("download", "expired", match="clip 1")
    assert each_world.run().code == 0
    assert_invariants(each_world)


def test_an_address_is_tried_for_as_long_as_the_job_is_shown(hasty: None, world: World) -> None:
    """Refused for good is not lost: the clip waits, paid, run after run, and comes home when its address works."""
    world.csv(2)
    world.sandbox.fault("download", "expired", match="clip 1", times=None)
    first = world.run()
    assert (first.code, first.json["delivered"], first.json["failed"], first.waiting) == (1, 1, 0, 1)
    assert first.clip("clip-1")["state"] == "completed" and "403" in first.clip("clip-1")["error"]
    for _ in range(3):
        assert world.command("collect", "--json").code == 1
    again = assert_invariants(world)
    assert again and again.code == 0 and len(world.posts()) == 2


def test_an_address_that_works_only_after_a_while_comes_home_in_the_same_run(short_visits: None, world: World) -> None:
    """Storage that is behind, a CDN that has cached the miss: whatever it says meanwhile, many visits, one run, no POST."""
    statuses = (400, 401, 403, 404, 410, 425, 429, 500, 502, 503)
    world.csv(named(*map(str, statuses)))
    for status in statuses:
        world.sandbox.fault("download", "status", status=status, times=14, match=f"<{status}>")
    assert world.run().code == 0
    assert_invariants(world)
    assert len(world.posts()) == len(statuses)


def test_an_address_that_works_late_at_a_synchronous_provider_comes_home_too(short_visits: None, world: World) -> None:
    """There is no job to be asked for: its address is tried again."""
    world.csv(1, provider="onerouter")
    world.sandbox.fault("download", "status", status=404, times=14)
    assert world.run().code == 0
    assert_invariants(world)


def test_a_delivery_that_waits_keeps_no_place_from_others(
    short_visits: None, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With one place for deliveries, and one clip that can't be had for long, the others come home meanwhile."""
    monkeypatch.setattr("dailies.runtime.wiring.DELIVERIES_AT_ONCE", 1)
    world.csv(named("late", "a", "b", "c"))
    world.sandbox.fault("download", "status", status=404, times=20, match="<late>")
    assert world.run().code == 0
    with world.ledger() as ledger:
        order = sorted(ledger.rows("batch"), key=lambda row: str(row.attempt and row.attempt.stored_at))
    assert order[-1].id == "late"


def test_only_the_providers_own_word_again_and_again_makes_a_result_lost(
    hasty: None, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not once, not after trouble in between, not by a gateway's page; charged, on record, and not bought again."""
    monkeypatch.setattr("dailies.domain.results.GONE_FOR", timedelta(0))
    world.csv(1)
    world.sandbox.fault("download", "expired", times=None)
    gone = {"status": 404, "times": None, "after": 1}  # the first look shows it
    world.sandbox.fault("poll", "html", **gone)
    assert world.run().clip("clip-1")["state"] == "completed"

    def collect(times: int, kind: str, **fault: Any) -> str:
        world.sandbox.clear_faults()
        world.sandbox.fault("download", "expired", times=None)
        world.sandbox.fault("poll", kind, times=None, **fault)
        for _ in range(times):
            world.command("collect", "--json")
        [attempt] = world.attempts()
        return str(attempt.state)

    assert collect(4, "html", status=404) == "completed"
    assert collect(4, "status", status=503) == "completed"
    assert collect(2, "status", status=404) == "completed"
    world.sandbox.clear_faults()
    world.sandbox.fault("download", "expired", times=None)
    assert world.command("collect", "--json").code == 1  # it shows the job again: counted anew
    assert collect(2, "status", status=404) == "completed"
    assert collect(1, "status", status=404) == "result_lost"
    [attempt] = world.attempts()
    assert attempt.usd_charged and attempt.error and "403" in attempt.error
    assert_invariants(world)
    assert len(world.posts()) == 1


def test_a_job_that_can_not_be_asked_for_is_lost_only_when_its_results_life_is_over(
    hasty: None, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A synchronous answer's job is unknown to the provider from the first moment: that says nothing."""
    monkeypatch.setattr("dailies.domain.results.GONE_FOR", timedelta(0))
    world.csv(1, provider="onerouter")
    world.sandbox.fault("download", "expired", times=None)
    world.sandbox.fault("poll", "status", status=404, times=None)
    assert world.run().clip("clip-1")["state"] == "completed"
    for _ in range(4):
        world.command("collect", "--json")
    assert [a.state for a in world.attempts()] == [State.COMPLETED]
    monkeypatch.setattr("dailies.domain.results.GIVEN_UP_AFTER", timedelta(0))
    world.command("collect", "--json")
    assert [a.state for a in world.attempts()] == [State.RESULT_LOST]
    assert_invariants(world)
    assert len(world.posts()) == 1


def test_a_download_that_fails_for_good_waits_for_the_next_run(hasty: None, world: World) -> None:
    """Paid, on record, not failed; the next run fetches it without a POST."""
    kinds = ["cut", "html", "status", "reset"]
    world.csv(named(*kinds))
    for kind in kinds:
        world.sandbox.fault("download", kind, times=None, match=f"<{kind}>", status=500 if kind == "status" else None)
    first = world.run()
    assert (first.code, first.waiting, first.json["failed"]) == (1, 4, 0)
    for clip in first.json["clips"]:
        assert clip["state"] == "completed" and "download" in clip["error"]
    again = assert_invariants(world)
    assert again and again.code == 0 and len(world.posts()) == 4


def test_a_full_disk_is_said_with_what_to_do_and_the_clip_comes_home_once_there_is_room(
    hasty: None, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.csv(1)
    with monkeypatch.context() as full:
        full.setattr(download, "shutil", SimpleNamespace(disk_usage=lambda _: SimpleNamespace(free=0)))
        first = world.run()
    assert first.code == 1 and world.clips() == {}
    for said in (first.json["clips"][0]["error"], first.stderr):
        assert "no room for a download in" in said and "free some space" in said
    assert "make room soon, then dailies collect" in first.stderr
    assert world.command("collect").code == 0
    assert len(world.clips()) == len(world.charges()) == 1


def test_an_endless_download_is_cut_off(hasty: None, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the most bytes a clip may have."""
    monkeypatch.setattr(
        "dailies.storage.download.download.__kwdefaults__",
        {"max_bytes": 3_000_000, "deadline_s": 600, "max_redirects": 3},
    )
    world.csv(1)
    world.sandbox.fault("download", "endless")
    assert world.run().code == 0
    assert_invariants(world)


def test_a_download_of_one_byte_a_second_is_given_up_and_started_again(
    hasty: None, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At its total deadline, not at its next byte."""
    monkeypatch.setattr(
        "dailies.storage.download.download.__kwdefaults__", {"max_bytes": 2**31, "deadline_s": 0.5, "max_redirects": 3}
    )
    world.csv(1)
    world.sandbox.fault("download", "slow", interval_s=0.1)
    assert world.run().code == 0
    assert_invariants(world)


def test_a_redirect_to_a_private_address_is_refused_in_every_spelling(hasty: None, world: World) -> None:
    """Nothing is fetched from there; the clips wait, paid, and come home when their host behaves again."""
    world.csv(named(*map(str, range(len(PRIVATE)))))
    world.environ["DAILIES_TRUSTED_HOSTS"] = world.sandbox.url.removeprefix("http://")
    for n, address in enumerate(PRIVATE):
        world.sandbox.fault("download", "redirect", url=address, times=None, match=f"<{n}>")
    first = world.run()
    assert first.waiting == len(PRIVATE) and "hunter2" not in first.stdout + first.stderr
    again = assert_invariants(world)
    assert again and again.code == 0 and len(world.posts()) == len(PRIVATE)


def test_a_redirect_to_another_port_of_this_machine_is_refused(world: World) -> None:
    """Only the provider's own port was trusted."""
    world.csv(1)
    world.environ["DAILIES_TRUSTED_HOSTS"] = world.sandbox.url.removeprefix("http://")
    with Elsewhere(b"stolen") as other:
        world.sandbox.fault("download", "redirect", url=other.url, times=None)
        assert world.run().waiting == 1
        assert not other.requests
    assert_invariants(world)


def test_other_bytes_the_second_time_are_stored_as_they_came(hasty: None, world: World) -> None:
    """What the ledger says, what S3 holds and what came are the same bytes."""
    world.csv(1)
    world.sandbox.fault("download", "cut")
    world.sandbox.fault("download", "other")
    assert world.run().code == 0
    [attempt], [content] = world.attempts(), world.clips().values()
    assert attempt.sha256 == sha256(content) and attempt.state is State.STORED
    posts = len(world.posts())
    world.run()
    assert len(world.posts()) == posts


def test_a_whole_clip_that_is_not_what_was_bought_is_stored_and_marked(world: World) -> None:
    """Stored all the same, with the evidence for a refund in the report."""
    wrongs: dict[str, dict[str, Any]] = {
        "640": {"width": 640, "height": 360},
        "9": {"duration_s": 9},
        "sound": {"audio": False},
    }
    world.csv(named(*wrongs))
    for word, wrong in wrongs.items():
        world.sandbox.fault("download", "wrong", match=f"<{word}>", **wrong)
    assert world.run().code == 0
    report = (world.home / "reports" / "batch" / "credits.csv").read_text()
    with world.ledger() as ledger:
        for row in ledger.rows("batch"):
            assert row.attempt and row.attempt.mismatch and row.id in row.attempt.mismatch
            assert row.attempt.mismatch in report
    assert_invariants(world)


@pytest.mark.parametrize(
    ("model", "asked", "sentence"),
    [
        ("openai/sora-2-pro-i2v", {}, "asked for 1280x720, got 640x360"),
        ("google/veo-3.1-i2v", {"resolution": "1080p", "duration": "8"}, "asked for 1080p, got 360p (640x360)"),
        ("kling-video/v1.6/standard/image-to-video", {"resolution": "", "aspect_ratio": "", "duration": "5"}, None),
    ],
)
def test_another_size_than_ordered_is_marked_as_the_model_declares_it(
    world: World, model: str, asked: dict[str, str], sentence: str | None
) -> None:
    """Exact pixels, a size class, or nothing: stored all the same, and marked where something was promised."""
    world.csv([{"id": name, "prompt": f"<{name}>", "model": model, **asked} for name in ("small", "right")])
    world.sandbox.fault("download", "wrong", match="<small>", width=640, height=360)
    result = world.run()
    assert result.code == 0, result.stderr
    marked = {row.id: row.attempt.mismatch for row in rows_of(world) if row.attempt}
    assert marked == {"small": sentence, "right": None}


def rows_of(world: World) -> list[BatchRow]:
    """The rows of the world's batch."""
    with world.ledger() as ledger:
        return list(ledger.rows("batch"))
