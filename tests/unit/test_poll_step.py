"""The step that looks once: what each answer puts on record, when a clip is overdue, and when the next look is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from dailies.domain.creates import Accepted
from dailies.domain.polling import first_look_s
from dailies.domain.records import Attempt
from dailies.domain.states import Failure, State
from dailies.errors import GenerationFailed
from dailies.ledger import LostOwnership
from dailies.logs import about
from dailies.providers.base import Found, LogUnavailable, Look, LookKind
from dailies.runtime.schedules import PollSchedules
from dailies.steps.forgotten import remember
from dailies.steps.poll import Overdue, StillGenerating, poll_once
from dailies.steps.schedule import USUAL_S, deadline_s, past_deadline, schedule, until
from tests.ledger.factories import USD, FakeClock, bring_to, claim
from tests.unit.steps_bench import FAILED, GENERATING, READY, Bench, bench_on, catalog

LONGEST_S = catalog().find("openai/sora-2-pro-i2v").longest_s


@pytest.fixture
def bench(sqlite_url: str, tmp_path: Path, clock: FakeClock) -> Iterator[Bench]:
    yield from bench_on(sqlite_url, tmp_path, clock)


def away(*_: object, **__: object) -> None:
    """A ledger that can't be reached."""
    raise OperationalError("select", {}, Exception("away"))


def test_a_clip_that_is_ready_is_on_record_with_what_it_cost(bench: Bench) -> None:
    attempt = bench.attempt()
    bench.vendor.looks = [replace(READY, usd_charged=Decimal("1.3"), credits_used=1_300_000)]
    done = bench.run(poll_once, attempt.id)
    assert (done.state, done.result_url, done.usd_charged) == (State.COMPLETED, READY.url, Decimal("1.3"))
    assert (done.credits_used, done.polls) == (1_300_000, 1)
    assert bench.vendor.asked == [("look", attempt.generation_id)]
    assert bench.run(poll_once, attempt.id) == bench.again(done) and len(bench.vendor.asked) == 1, "it is known"


def test_it_is_asked_for_by_its_handle_where_it_has_one(bench: Bench) -> None:
    batch = bench.batch()
    attempt = claim(bench.ledger, batch.plan.rows[0].clip.key)
    bench.ledger.mark_submitted(attempt.id, Accepted("video_1", handle="https://api.example/video_1"))
    with pytest.raises(StillGenerating, match=r"^generating$"):
        bench.run(poll_once, attempt.id)
    assert bench.vendor.asked == [("look", "https://api.example/video_1")]


def test_each_look_is_counted_and_a_strange_word_is_kept(bench: Bench) -> None:
    """A look that met trouble is told too, and moves nothing."""
    attempt = bench.attempt()
    bench.vendor.looks = [
        GENERATING,
        replace(GENERATING, strange="marinating"),
        Look(LookKind.GENERATING, "HTTP 502", transient=True),
    ]
    for words in ("generating", "generating", "HTTP 502"):
        with pytest.raises(StillGenerating, match=f"^{words}$"):
            bench.run(poll_once, attempt.id)
    assert bench.again(attempt).polls == 3 and bench.again(attempt).state is State.SUBMITTED
    assert [(seen.provider, seen.status) for seen in bench.ledger.unknown_statuses()] == [("aiml", "marinating")]


@pytest.mark.parametrize(("said", "charged"), [(None, "0"), ("0", "0"), ("0.5", "0.5")])
def test_a_generation_that_failed_cost_what_the_provider_says(bench: Bench, said: str | None, charged: str) -> None:
    """Nothing, where it says nothing."""
    attempt = bench.attempt()
    bench.vendor.looks = [replace(FAILED, usd_charged=None if said is None else Decimal(said))]
    with pytest.raises(GenerationFailed) as error:
        bench.run(poll_once, attempt.id)
    assert str(error.value) == f"aiml failed to make it: the upstream failed. Charged: ${Decimal(charged):.2f}"
    now = bench.again(attempt)
    assert (now.state, now.failure, now.usd_charged) == (State.FAILED, Failure.GENERATION, Decimal(charged))
    assert now.error == "the upstream failed"
    with pytest.raises(GenerationFailed, match=f"attempt {attempt.id[:8]} is failed: the upstream failed"):
        bench.run(poll_once, attempt.id)
    assert len(bench.vendor.asked) == 1


def test_what_was_never_accepted_is_not_looked_at(bench: Bench) -> None:
    attempt = bench.attempt(State.IN_DOUBT)
    with pytest.raises(GenerationFailed, match="is in_doubt: answer lost"):
        bench.run(poll_once, attempt.id)
    assert bench.vendor.asked == []


def test_past_its_deadline_a_clip_is_overdue_and_not_failed(bench: Bench) -> None:
    """To the second; its note says so, and it comes home later."""
    attempt = bench.attempt()
    bench.clock.advance(LONGEST_S)
    with pytest.raises(StillGenerating):
        bench.run(poll_once, attempt.id)
    assert not bench.again(attempt).overdue
    bench.clock.advance(1)
    with pytest.raises(
        Overdue, match=r"^still generating past its deadline; paid, and collected later: dailies collect$"
    ):
        bench.run(poll_once, attempt.id)
    assert bench.again(attempt).error == "overdue: generating" and bench.again(attempt).state is State.SUBMITTED
    bench.vendor.looks = [READY]
    assert bench.run(poll_once, attempt.id).state is State.COMPLETED


FOUND = Found("video_x", True, Decimal("1.3"), 1_300_000)


def overdue(bench: Bench, found: Found | Exception | None, *looks: Look) -> tuple[str, str]:
    """The attempt as it is, and the words, after a look past the deadline."""
    attempt = bench.attempt()
    bench.clock.advance(LONGEST_S + 1)
    generation_id = str(attempt.generation_id)
    if isinstance(found, Found) and found.generation_id == "its own":
        found = replace(found, generation_id=generation_id)
    bench.vendor.found, bench.vendor.looks = found, [GENERATING, *looks]
    try:
        words = str(bench.run(poll_once, attempt.id).state)
    except (Overdue, GenerationFailed) as error:
        words = f"{type(error).__name__}: {error}"
    return attempt.id, words


def test_the_log_knows_that_an_overdue_clip_failed(bench: Bench) -> None:
    attempt_id, words = overdue(bench, replace(FOUND, succeeded=False, failed=True, usd_charged=Decimal("0.2")))
    assert words == "GenerationFailed: aiml failed to make it: the provider's log says that it failed. Charged: $0.20"
    found = bench.ledger.attempt(attempt_id)
    assert found and (found.state, found.usd_charged) == (State.FAILED, Decimal("0.2"))


def test_the_log_knows_an_overdue_clip_under_another_id(bench: Bench) -> None:
    """Which is looked at; ready there, it is home."""
    _, words = overdue(bench, FOUND, READY)
    assert words == "completed" and bench.vendor.asked[-1] == ("look", "video_x")


def test_under_another_id_it_is_asked_for_by_the_logs_handle(bench: Bench) -> None:
    _, words = overdue(bench, replace(FOUND, handle="https://api.example/x"), READY)
    assert words == "completed" and bench.vendor.asked[-1] == ("look", "https://api.example/x")


@pytest.mark.parametrize("generation_id", ["its own", "video_x"])
def test_what_the_log_says_that_it_cost_is_on_record_although_no_address_leads_to_it(
    bench: Bench, generation_id: str, caplog: pytest.LogCaptureFixture
) -> None:
    attempt_id, words = overdue(bench, replace(FOUND, generation_id=generation_id))
    assert words.startswith("Overdue: still generating (finished by the provider's log, which gives no address) past")
    assert caplog.messages[-1].endswith(": generating (finished by the provider's log, which gives no address)")
    found = bench.ledger.attempt(attempt_id)
    assert found and (found.usd_charged, found.credits_used, found.overdue) == (Decimal("1.3"), 1_300_000, True)


@pytest.mark.parametrize(
    "found", [None, LogUnavailable("closed"), replace(FOUND, succeeded=False), replace(FOUND, usd_charged=Decimal(0))]
)
def test_a_log_that_tells_nothing_changes_nothing(bench: Bench, found: Found | Exception | None) -> None:
    attempt_id, words = overdue(bench, found)
    assert words.startswith("Overdue: still generating") and bench.vendor.asked[1][0] == "find"
    assert bench.vendor.asked[1][1].reference.attempt_id == attempt_id
    now = bench.ledger.attempt(attempt_id)
    assert now and (now.usd_charged, now.state) == (None, State.SUBMITTED)


def test_a_ledger_that_is_away_is_waited_for(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the look, and after it."""
    attempt = bench.attempt()
    for method in ("record_polled", "attempt"):
        with monkeypatch.context() as patch:
            patch.setattr(bench.ledger, method, away)
            with pytest.raises(StillGenerating, match=r"^the ledger can't be reached \(OperationalError\)$"):
                bench.run(poll_once, attempt.id)
    assert len(bench.vendor.asked) == 1


def test_who_lost_the_attempt_to_another_owner_is_told(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    attempt = bench.attempt()

    def taken(*_: object, **__: object) -> None:
        raise LostOwnership(attempt.id)

    monkeypatch.setattr(bench.ledger, "record_completed", taken)
    bench.vendor.looks = [READY]
    with pytest.raises(LostOwnership):
        bench.run(poll_once, attempt.id)


@pytest.mark.parametrize("forgets", ["at once", "at the end"])
def test_what_the_ledger_has_forgotten_and_the_run_has_not_is_on_record_again(
    bench: Bench, forgets: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And looked at later."""
    batch = bench.batch()
    attempt = bench.attempt(State.SUBMITTED, batch)
    remember(bench.runtime(), batch, batch.plan.rows[0], attempt)
    with bench.ledger.engine.begin() as connection:
        for table in ("event", "attempt"):
            connection.exec_driver_sql(f"DELETE FROM {table}")
    if forgets == "at the end":
        monkeypatch.setattr("dailies.steps.poll.attempt_on_record", _known(attempt))
    with pytest.raises(StillGenerating) as error:
        bench.run(poll_once, attempt.id)
    said = {"at once": "generating", "at the end": "the ledger had forgotten it, it is on record again"}
    assert str(error.value) == said[forgets] and bench.again(attempt).generation_id == attempt.generation_id


def _known(attempt: Attempt) -> Callable[..., Awaitable[Attempt]]:
    async def known(*_: object) -> Attempt:
        return attempt

    return known


def test_what_nobody_remembers_is_an_error(bench: Bench) -> None:
    with pytest.raises(KeyError, match="no attempt nobody"):
        bench.run(poll_once, "nobody")


def test_the_deadline_is_the_settings_else_the_models_else_the_usual(bench: Bench) -> None:
    attempt = bench.attempt()
    assert bench.run(deadline_s, attempt) == LONGEST_S
    bench.batches.add(bench.batch(on_record=False))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bench.ledger, "rows_of_clips", away)
        assert bench.run(deadline_s, attempt) == LONGEST_S, "the batch in hand knows the clip"
        assert bench.run(deadline_s, attempt._replace(clip_key="another")) == USUAL_S[1]
    assert bench.run(deadline_s, attempt._replace(clip_key="another")) == USUAL_S[1]
    bench.settings = {"dailies_clip_deadline_s": 7.0}
    assert bench.run(deadline_s, attempt) == 7.0
    bench.clock.advance(7)
    assert not bench.run(past_deadline, attempt)
    bench.clock.advance(0.1)
    assert bench.run(past_deadline, attempt)


def test_a_young_clip_is_looked_at_later_and_an_old_one_now(bench: Bench) -> None:
    """By the settings' own pauses where they are set."""
    bench.settings = {"dailies_poll_first_s": 10.0, "dailies_poll_cap_s": 20.0}
    attempt = bench.attempt()
    plan = bench.run(schedule, attempt.id)
    assert plan.first_look == bench.clock.now + timedelta(seconds=10)
    assert plan.delays_s and max(plan.delays_s) <= 20 and plan.delays_s[-1] == 20
    assert plan.retries * 20 >= LONGEST_S
    bench.clock.advance(4)
    assert bench.run(schedule, attempt.id).first_look == bench.clock.now + timedelta(seconds=6)
    bench.clock.advance(3600)
    late = bench.run(schedule, attempt.id)
    assert late.first_look <= bench.clock.now + timedelta(seconds=20)


@pytest.mark.parametrize("state", [State.COMPLETED, State.STORED])
def test_what_is_ready_is_looked_at_now(bench: Bench, state: State) -> None:
    bench.settings = {"dailies_poll_first_s": 10.0}
    plan = bench.run(schedule, bench.attempt(state).id)
    assert plan.first_look == bench.clock.now and plan.delays_s[0] == 10


def test_no_wait_is_longer_than_the_deadline(bench: Bench) -> None:
    bench.settings = {"dailies_poll_first_s": 10.0, "dailies_clip_deadline_s": 3.0}
    plan = bench.run(schedule, bench.attempt().id)
    assert plan.first_look == bench.clock.now + timedelta(seconds=3) and set(plan.delays_s) == {3.0}


def test_while_the_ledger_is_away_a_clip_is_looked_at_now_and_patiently(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempt = bench.attempt()
    monkeypatch.setattr(bench.ledger, "attempt", away)
    plan = bench.run(schedule, attempt.id)
    assert plan.first_look == bench.clock.now and plan.delays_s[-1] == 15.0
    assert plan.delays_s[0] == 1.0 and plan.retries * 15 >= USUAL_S[1]


def test_without_settings_the_waits_are_learned_from_clips_like_it(bench: Bench) -> None:
    batch = bench.batch(2)
    ready = bench.attempt(State.SUBMITTED, batch)
    plan = bench.run(schedule, bring_to(bench.ledger, State.SUBMITTED, batch.plan.rows[1].clip.key).id)
    typical = catalog().find("openai/sora-2-pro-i2v").typical_s
    assert 0 < (plan.first_look - bench.clock.now).total_seconds() <= typical and ready.usd_quoted == USD


class Learned:
    """What waits are learned from: each kind of clip that is asked for, with its usual time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[tuple[object, float]] = []
        self.waits = [30.0, 5.0]
        monkeypatch.setattr(PollSchedules, "delays", self.delays)

    async def delays(self, kind: object, typical_s: float) -> list[float]:
        self.asked.append((kind, typical_s))
        return self.waits


def test_waits_are_learned_by_provider_model_resolution_and_length(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a clip that nobody can tell about, by its provider alone and the usual time."""
    learned = Learned(monkeypatch)
    attempt = bench.attempt()
    found = bench.run(schedule, attempt.id)
    assert found.first_look == bench.clock.now + timedelta(seconds=30) and found.delays_s == [5.0]
    monkeypatch.setattr(bench.ledger, "rows_of_clips", lambda _: [])
    bench.run(schedule, attempt.id)
    model = catalog().find("openai/sora-2-pro-i2v")
    assert learned.asked == [
        (("aiml", model.id, "720p", 4), model.typical_s), (("aiml", "", None, None), USUAL_S[0]),
    ]  # fmt: skip


def test_a_clip_s_age_counts_from_when_it_was_accepted(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not from its claim, which may have waited; a single wait is gone on with."""
    Learned(monkeypatch).waits[:] = [30.0]
    attempt = claim(bench.ledger, bench.batch().plan.rows[0].clip.key)
    bench.clock.advance(25)
    bench.ledger.mark_submitted(attempt.id, "video_1")
    bench.clock.advance(10)
    found = bench.run(schedule, attempt.id)
    assert found.first_look == bench.clock.now + timedelta(seconds=20) and found.delays_s == [30.0]


@pytest.mark.parametrize("first_s", [None, 10.0])
def test_the_first_wait_of_the_settings_else_follows_the_usual_time(bench: Bench, first_s: float | None) -> None:
    bench.settings = {"dailies_poll_cap_s": 60.0} | ({"dailies_poll_first_s": first_s} if first_s else {})
    found = bench.run(schedule, bench.attempt().id)
    usual = first_look_s(catalog().find("openai/sora-2-pro-i2v").typical_s, 60.0)
    assert found.first_look == bench.clock.now + timedelta(seconds=first_s or usual) and found.delays_s[-1] == 60


@pytest.mark.parametrize(("ahead_s", "slept_s"), [(7.5, 7.5), (0.0, 0.0), (-3.0, 0.0)])
def test_a_moment_of_the_ledgers_time_is_waited_for(
    bench: Bench, ahead_s: float, slept_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not at all when it is past."""
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr("dailies.steps.schedule.anyio.sleep", sleep)
    bench.run(until, bench.clock.now + timedelta(seconds=ahead_s))
    assert slept == [slept_s]


def test_trouble_at_a_look_is_a_line_of_the_log(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    attempt = bench.attempt()
    bench.vendor.looks = [Look(LookKind.GENERATING, "HTTP 502", transient=True)]
    with pytest.raises(StillGenerating):
        bench.run(poll_once, attempt.id)
    (said,) = [record for record in caplog.records if record.name == "dailies.poll"]
    assert said.getMessage() == f"aiml · {attempt.generation_id}: HTTP 502"
    assert vars(said).items() >= about(attempt).items()


def test_when_a_clip_was_last_being_made_is_on_record(bench: Bench) -> None:
    """By the provider's own word: trouble at a look says nothing of it."""
    attempt = bench.attempt()

    def last() -> object:
        with bench.ledger.engine.connect() as connection:
            return connection.exec_driver_sql("SELECT generating_at FROM attempt").scalar()

    bench.vendor.looks = [Look(LookKind.GENERATING, "HTTP 502", transient=True), GENERATING, FAILED]
    seen = []
    for _ in range(3):
        bench.clock.advance(1)
        with pytest.raises((StillGenerating, GenerationFailed)):
            bench.run(poll_once, attempt.id)
        seen.append(last())
    assert seen[0] is None and seen[1] == seen[2] and str(seen[1]).startswith("2026-11-21 12:00:02")


def test_another_id_by_the_log_is_a_line_of_the_log(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    attempt_id, _ = overdue(bench, FOUND, READY)
    found = bench.ledger.attempt(attempt_id)
    assert found and f"{found.generation_id} · ready as video_x, by the provider's log" in caplog.messages
