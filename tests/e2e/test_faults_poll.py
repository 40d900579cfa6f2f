"""Every fault of a poll: reading is repeated until it works, and a clip past its deadline is overdue, never failed."""

from __future__ import annotations

from typing import Any

import pytest

from dailies.domain.states import State
from tests.e2e.harness import World, named
from tests.e2e.invariants import assert_invariants

TROUBLES: dict[str, dict[str, object]] = {
    "404": {"kind": "status", "status": 404}, "500": {"kind": "status", "status": 500}, "503": {"kind": "status", "status": 503},
    "429": {"kind": "busy", "retry_after": "1"}, "401": {"kind": "status", "status": 401}, "html": {}, "empty": {}, "half": {},
    "close": {}, "reset": {}, "back": {}, "unknown": {}, "no_url": {}, "redirect": {},
}  # fmt: skip


def test_trouble_while_polling_passes(world: World) -> None:
    """404 at first, 5xx, resets, HTML, half a JSON, an unknown status, no URL, a status going back: polled again."""
    world.csv(named(*TROUBLES))
    for name, options in TROUBLES.items():
        fault: dict[str, Any] = {"kind": name, **options}
        world.sandbox.fault("poll", times=3, match=f"<{name}>", **fault)
    result = world.run()
    assert result.code == 0, result.stderr
    assert {name: result.clip(name)["polls"] for name in TROUBLES} == dict.fromkeys(TROUBLES, 4)
    assert_invariants(world)
    assert len(world.posts()) == len(TROUBLES)


def test_every_documented_word_for_not_ready_is_waited_for(world: World) -> None:
    """Without a warning, and the clip is delivered afterwards."""
    words = ["generating", "queued", "waiting", "active", "processing", "pending", "in_progress"]
    world.csv(named(*words))
    for word in words:
        world.sandbox.fault("poll", "say", say=word, times=2, match=f"<{word}>")
    result = world.run()
    assert result.code == 0 and "WARNING" not in result.stderr


def test_resets_that_go_on_past_the_deadline_make_a_clip_overdue_and_it_is_collected_later(each_world: World) -> None:
    """`dailies collect` brings it home without a POST."""
    each_world.csv(2)
    each_world.sandbox.fault("poll", "reset", times=None, match="clip 1")
    first = each_world.run(DAILIES_CLIP_DEADLINE_S="0.5")
    assert (first.code, first.json["overdue"], first.json["delivered"], first.json["failed"]) == (1, 1, 1, 0)
    assert each_world.command("status", "--json").json["unfinished"][0]["state"] == "submitted"
    each_world.sandbox.clear_faults()
    assert each_world.command("collect", "--json").json["remaining"] == 0
    assert_invariants(each_world)
    assert len(each_world.posts()) == 2


def test_a_generation_that_never_ends_is_overdue_and_never_failed_or_bought_again(world: World) -> None:
    """Run after run it stays overdue, and its money stays counted."""
    world.csv(1)
    world.sandbox.fault("poll", "never", times=None)
    for _ in range(2):
        result = world.run(DAILIES_CLIP_DEADLINE_S="0.4")
        assert (result.code, result.json["overdue"], result.json["failed"]) == (1, 1, 0)
        assert [attempt.state for attempt in world.attempts()] == [State.SUBMITTED]
    assert len(world.posts()) == 1
    assert_invariants(world)


@pytest.mark.parametrize("provider", ["aiml", "onerouter"])
def test_a_failed_generation_is_told_in_the_providers_words_and_not_bought_again(
    make_world: object, provider: str
) -> None:
    """Failed jobs are refunded: nothing is charged, and the other clip is delivered."""
    world = make_world(onerouter_form="task")  # type: ignore[operator]
    world.csv([{"id": "a", "prompt": "fine"}, {"id": "b", "prompt": "this one will-fail"}], provider=provider)
    first = world.run()
    assert (first.code, first.json["delivered"], first.json["failed"]) == (1, 1, 1)
    assert first.clip("b")["error"] and first.clip("b")["usd_charged"] == 0
    again = assert_invariants(world)
    assert again and again.json["failed"] == 1 and len(world.posts()) == 2


def test_a_failed_clip_is_made_again_when_a_person_says_so(world: World) -> None:
    """`resolve --resubmit` on a failed attempt lets the next run buy the clip again."""
    world.csv(1)
    world.sandbox.fault("poll", "failed")
    assert world.run().json["failed"] == 1
    assert world.command("resolve", world.attempts()[0].id, "--resubmit").code == 0
    world.resubmits = 1
    again = assert_invariants(world)
    assert again and again.code == 0


def test_dollars_in_place_of_credits_are_what_was_charged(world: World) -> None:
    """Some answers say usd_spent."""
    world.csv(1)
    world.sandbox.fault("poll", "usd_spent", times=None)
    result = world.run()
    assert result.json["usd_charged"] == float(world.charges()[0].usd) and result.json["credits_used"] is None


def test_words_that_nobody_knew_are_counted_and_shown(each_world: World) -> None:
    """In the report's technical part and its JSON, and in the status's: so that the table of words can grow."""
    each_world.csv(named("known", "strange"))
    each_world.sandbox.fault("poll", "say", say="rehearsing", times=3, match="<strange>")
    each_world.sandbox.fault("poll", "say", say="queued", times=2, match="<known>")
    assert each_world.run().code == 0
    seen = [{"provider": "aiml", "status": "rehearsing", "count": 3}]
    assert each_world.command("status", "--json").json["unknown_statuses"] == seen
    out = each_world.folder / "report"
    report = each_world.command("report", "--batch", "batch", "--out", str(out), "--json")
    assert report.json["unknown_statuses"] == seen
    page = (out / "report.html").read_text("utf-8")
    assert "Technical" in page and "<td>rehearsing</td>" in page


@pytest.mark.parametrize("say", ["never", "unknown"])
def test_what_is_overdue_and_failed_by_the_providers_log_is_failed(world: World, say: str) -> None:
    """Whatever its answers go on saying, the log is the provider's own word: failed, free, and not overdue for ever."""
    world.csv([{"id": "a", "prompt": "this one will-fail"}])
    world.sandbox.fault("poll", say, times=None)
    result = world.run(DAILIES_CLIP_DEADLINE_S="0.4")
    assert (result.json["failed"], result.json["overdue"]) == (1, 0)
    assert "log" in result.clip("a")["error"] and result.clip("a")["usd_charged"] == 0
    assert_invariants(world)
    assert len(world.posts()) == 1


def test_what_is_overdue_and_finished_by_the_providers_log_is_charged_and_waits(world: World) -> None:
    """The log gives no address: the charge is on record, the clip stays overdue and comes home when an answer has it."""
    world.csv(1)
    world.sandbox.fault("poll", "no_url", times=None)
    result = world.run(DAILIES_CLIP_DEADLINE_S="0.4")
    assert (result.json["failed"], result.json["overdue"]) == (0, 1)
    assert "gives no address" in result.clip("clip-1")["error"]
    assert result.json["usd_charged"] == float(world.charges()[0].usd)
    world.sandbox.clear_faults()
    again = assert_invariants(world)
    assert again and again.code == 0 and len(world.posts()) == 1


def test_a_log_that_cannot_be_read_changes_nothing_about_what_is_overdue(world: World) -> None:
    """Overdue as before, and collected later."""
    world.csv(1)
    world.sandbox.fault("poll", "never", times=None)
    world.sandbox.fault("logs", "status", times=None, status=503)
    result = world.run(DAILIES_CLIP_DEADLINE_S="0.4")
    assert (result.json["failed"], result.json["overdue"]) == (0, 1)
    assert_invariants(world)
