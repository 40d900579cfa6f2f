"""The step that buys: what each answer of the sender means, when a create is sent again, and what stops a provider."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest
from sqlalchemy.exc import OperationalError

from dailies.domain.brake import GivenUp, Hold, Phase
from dailies.domain.caps import Caps, ColumnCap
from dailies.domain.creates import PaidRequest
from dailies.domain.outcomes import Meaning, Verdict
from dailies.domain.records import Attempt
from dailies.domain.states import Failure, State
from dailies.errors import Busy, DailiesError, MaybeCharged, Misconfigured, NotSent, Refused, Stopped
from dailies.ledger import Unclaimed
from dailies.ledger.file import LedgerVanished
from dailies.planning.batch import Batch
from dailies.runtime import Runtime
from dailies.sender.line import SenderEnded
from dailies.sender.protocol import Broken, Ended, NotClaimed, NotTaken, Parked, Repetition, Result, Sold
from dailies.steps import create
from dailies.steps.create import AlreadyTaken, BudgetReached, create_clip, repeat_create
from dailies.steps.prepare import Prepared
from tests.ledger.factories import USD, FakeClock, a_clip, a_row, bring_to, claim
from tests.unit.steps_bench import Bench, Ordered, bench_on, row_of

NEVER_SENT = Verdict(Meaning.TRY_AGAIN, "could not connect: nothing was sent", Failure.NOT_SENT)
BUSY = Verdict(Meaning.WAIT, "too many requests", Failure.BUSY, 0.0)
LOST = Verdict(Meaning.IN_DOUBT, "the request was sent and its answer was lost")


@pytest.fixture
def bench(sqlite_url: str, tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.setattr(create, "SEND_PAUSES_S", (0.0, 0.0, 0.0))
    yield from bench_on(sqlite_url, tmp_path, clock)


def buy(bench: Bench, batch: Batch, *creates: Ordered, provider: str = "aiml") -> Attempt:
    """Buy the batch's only row."""
    bench.sender.creates = list(creates)
    return bench.run(create_clip, batch, batch.plan.rows[0], provider)


def ended(attempt: Attempt, verdict: Verdict) -> Ended:
    return Ended(1, attempt.id, verdict)


def test_what_is_sold_is_remembered_until_it_is_home(bench: Bench) -> None:
    """And what the sender was told is the plan's: quote, caps, place and the digest of the request."""
    batch = bench.batch(caps=Caps(batch_usd=Decimal(9)))
    attempt = bring_to(bench.ledger, State.SUBMITTED, batch.plan.rows[0].clip.key)
    assert buy(bench, batch, Ordered(None, Sold(1, attempt))) == attempt
    assert list(bench.bought) == [attempt.id] and bench.bought[attempt.id].known.destination == "s3://clips/smiles"
    assert bench.bought[attempt.id].known.source == "smiles.csv"
    (order,) = bench.sender.orders
    assert (order.usd_quoted, order.caps.batch_usd, order.batch, order.source) == (USD, 9, "smiles", "smiles.csv")
    assert (order.destination, order.provider, order.row) == ("s3://clips/smiles", "aiml", batch.plan.rows[0])
    assert order.body["prompt"] == "prompt 1" and len(order.digest) == 64 and order.at_once >= 1


def test_the_digest_of_a_request_is_that_of_what_it_asks_for(bench: Bench) -> None:
    """The same for the same; another for another prompt or provider; an address's signature changes nothing."""
    digests = []
    for prompt, source in (("a", "x"), ("a", "x?X-Amz-Signature=1"), ("b", "x")):
        clip = a_clip(prompt)
        image = clip.image._replace(source=f"https://pictures.example/{source}")
        batch = bench.batch(rows=(a_row(1, replace(clip, image=image)),))
        with pytest.raises(AlreadyTaken):
            buy(bench, batch, Ordered(NotClaimed(1, Unclaimed.TAKEN)))
        digests.append(bench.sender.orders[-1].digest)
    assert digests[0] == digests[1] != digests[2]


@pytest.mark.parametrize(
    ("failure", "kind", "words"),
    [
        (Failure.REFUSED, Refused, "row-1: refused by aiml: no. Not charged; change the row to try again"),
        (None, Refused, "row-1: refused by aiml: no. Not charged; change the row to try again"),
        (Failure.GENERATION, Refused, "row-1: refused by aiml: no. Not charged; change the row to try again"),
        (Failure.NOT_SENT, NotSent, "row-1: no. Not charged; run again when aiml can be reached"),
        (Failure.MISCONFIGURED, Misconfigured, "row-1: no. Not charged"),
        (Failure.BUSY, Busy, "row-1: aiml was too busy for too long. Not charged; run again later"),
        (Failure.STOPPED, Stopped, "aiml refuses every clip: no. row-1 was not charged; the rest is not started"),
    ],
)
def test_each_failure_is_an_error_that_says_that_nothing_was_charged(
    bench: Bench, failure: Failure | None, kind: type[DailiesError], words: str
) -> None:
    """And only what is the account's stops the provider."""
    batch = bench.batch()
    attempt = claim(bench.ledger, batch.plan.rows[0].clip.key)
    with pytest.raises(kind) as error:
        buy(bench, batch, Ordered(None, ended(attempt, Verdict(Meaning.FAILED, "no", failure))))
    assert str(error.value) == words and type(error.value) is kind
    assert bench.halted == ({"aiml": "no"} if failure is Failure.STOPPED else {}) and bench.bought == {}


def test_a_lost_answer_is_in_doubt_and_remembered(bench: Bench) -> None:
    """With what it may have cost, and how it is settled."""
    batch = bench.batch()
    attempt = bench.attempt(State.IN_DOUBT, batch)
    with pytest.raises(MaybeCharged) as error:
        buy(bench, batch, Ordered(None, ended(attempt, LOST)))
    said = str(error.value)
    assert said.startswith(f"row-1: {LOST.detail}. It may have cost $1.26 and is not bought again; `")
    assert attempt.id[:8] in said and list(bench.bought) == [attempt.id] and bench.halted == {}


def test_a_doubt_that_is_also_the_accounts_stops_the_provider(bench: Bench) -> None:
    batch = bench.batch()
    attempt = bench.attempt(State.IN_DOUBT, batch)
    with pytest.raises(MaybeCharged):
        buy(bench, batch, Ordered(None, ended(attempt, replace(LOST, failure=Failure.STOPPED))))
    assert bench.halted == {"aiml": LOST.detail}
    with pytest.raises(Stopped, match="not started; aiml was stopped"):
        buy(bench, batch)
    assert len(bench.sender.orders) == 1


@pytest.mark.parametrize("broken", [Broken(1, "a defect"), NotClaimed(1, "late")])
def test_a_sender_that_breaks_off_leaves_a_doubt(bench: Bench, broken: Broken) -> None:
    """After the claim, whatever it says then."""
    with pytest.raises(MaybeCharged, match="row-1: the process that sends broke off"):
        buy(bench, bench.batch(), Ordered(None, broken))
    with pytest.raises(MaybeCharged, match="row-1: the process that sends broke off"):
        buy(bench, bench.batch(), Ordered(Broken(1, "a defect")))


@pytest.mark.parametrize(
    ("refusal", "kind", "words"),
    [
        (Unclaimed.TAKEN, AlreadyTaken, "row-1: somebody else was faster"),
        (Unclaimed.BATCH_BUDGET, BudgetReached, f"row-1: the {Unclaimed.BATCH_BUDGET} is used up; nothing more"),
        (Unclaimed.DAY_BUDGET, BudgetReached, f"row-1: the {Unclaimed.DAY_BUDGET} is used up; nothing more"),
        (Unclaimed.MONTH_BUDGET, BudgetReached, f"row-1: the {Unclaimed.MONTH_BUDGET} is used up; nothing more"),
        (Unclaimed.COLUMN_BUDGET, BudgetReached, "row-1: the budget of campaign=spring is used up; nothing more"),
        ("database is locked", NotSent, "row-1: not claimed, so nothing was sent: database is locked"),
        (GivenUp(5), Stopped, "row-1: not started; aiml was stopped: its last 5 answers were lost"),
    ],
)
def test_a_claim_that_is_not_granted_says_why(
    bench: Bench, refusal: object, kind: type[DailiesError], words: str
) -> None:
    """Nothing is sent; only a brake that has given up stops the provider."""
    caps = Caps(columns=(ColumnCap("campaign", "spring", USD), ColumnCap("campaign", "autumn", USD)))
    with pytest.raises(kind) as error:
        buy(bench, bench.batch(caps=caps), Ordered(NotClaimed(1, refusal)))  # type: ignore[arg-type]
    assert str(error.value).startswith(words) and type(error.value) is kind
    assert bench.halted == ({"aiml": "its last 5 answers were lost"} if isinstance(refusal, GivenUp) else {})
    if isinstance(error.value, BudgetReached):
        assert error.value.trouble == "budget"


def test_the_budgets_of_all_columns_that_hold_for_a_row_are_named(bench: Bench) -> None:
    caps = Caps(columns=(ColumnCap("campaign", "spring", USD), ColumnCap("client", "acme", USD)))
    batch = bench.batch(rows=(a_row(1, labels={"campaign": "spring", "client": "acme"}),), caps=caps)
    with pytest.raises(BudgetReached, match="the budget of campaign=spring or client=acme is used up"):
        buy(bench, batch, Ordered(NotClaimed(1, Unclaimed.COLUMN_BUDGET)))


def test_the_budget_of_a_row_without_a_cap_by_column_is_its_own(bench: Bench) -> None:
    with pytest.raises(BudgetReached, match="the budget of its row is used up"):
        buy(bench, bench.batch(), Ordered(NotClaimed(1, Unclaimed.COLUMN_BUDGET)))


def test_who_is_held_or_not_taken_asks_again(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    """A hold is told once, when it begins."""
    batch = bench.batch()
    attempt = bring_to(bench.ledger, State.SUBMITTED, batch.plan.rows[0].clip.key)
    held = [Ordered(NotClaimed(1, Hold(0.0, Phase.HALTED, 3))) for _ in range(2)]
    many = Ordered(NotClaimed(1, Hold(0.0, Phase.OPEN)))
    with caplog.at_level(logging.WARNING, "dailies.create"):
        assert buy(bench, batch, *held, many, Ordered(NotTaken(1)), Ordered(None, Sold(1, attempt))) == attempt
    assert len(bench.sender.orders) == 5 and bench.halted == {}
    assert [r.getMessage() for r in caplog.records if "last 3 answers" in r.getMessage()] == [
        "aiml's last 3 answers were lost: nothing more is sent there; one create is tried in 0 s"
    ]


def test_a_single_hold_is_told_too(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    batch = bench.batch()
    attempt = bring_to(bench.ledger, State.SUBMITTED, batch.plan.rows[0].clip.key)
    with caplog.at_level(logging.WARNING, "dailies.create"):
        buy(bench, batch, Ordered(NotClaimed(1, Hold(0.0, Phase.HALTED, 3))), Ordered(None, Sold(1, attempt)))
    assert sum("last 3 answers" in record.getMessage() for record in caplog.records) == 1


def test_what_was_never_sent_is_sent_again_a_few_times(bench: Bench) -> None:
    """Then it is set free."""
    batch = bench.batch()
    attempt = claim(bench.ledger, batch.plan.rows[0].clip.key)
    parked = Parked(1, NEVER_SENT)
    ordered = Ordered(None, parked, parked, parked, parked, ended(attempt, NEVER_SENT))
    with pytest.raises(NotSent):
        buy(bench, batch, ordered)
    assert (ordered.sent_again, ordered.given_up) == (create.SEND_TRIES - 1, 1)


def test_a_refusal_for_being_too_many_uses_no_try(bench: Bench) -> None:
    """It waits for room, and is sold in the end."""
    batch = bench.batch()
    attempt = bring_to(bench.ledger, State.SUBMITTED, batch.plan.rows[0].clip.key)
    parked = [Parked(1, BUSY)] * 2 + [Parked(1, NEVER_SENT)] * 2
    ordered = Ordered(None, *parked, Sold(1, attempt))
    assert buy(bench, batch, ordered) == attempt and (ordered.sent_again, ordered.given_up) == (4, 0)


@pytest.mark.parametrize("why", ["patience", "interrupted", "moving on"])
def test_patience_ends_and_so_does_a_run_that_is_stopped(
    bench: Bench, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row that names another provider is patient for a shorter while."""
    row = row_of(a_row(1), ("aiml", "onerouter") if why == "moving on" else ("aiml",))
    batch = bench.batch(rows=(row,))
    attempt = claim(bench.ledger, row.clip.key)
    if why == "interrupted":
        bench.interrupted = True
    else:
        monkeypatch.setattr(create, "BUSY_FOR_S" if why == "patience" else "BUSY_BEFORE_MOVING_ON_S", -1.0)
        monkeypatch.setattr(create, "_room", _no_wait)
    ordered = Ordered(None, Parked(1, BUSY), ended(attempt, BUSY))
    with pytest.raises(Busy):
        buy(bench, batch, ordered)
    assert (ordered.sent_again, ordered.given_up) == (0, 1)


async def _no_wait(*_: object) -> None:
    return None


def test_a_provider_without_room_is_passed_by_where_another_may_be_asked(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is built or ordered."""
    monkeypatch.setattr(create, "BUSY_BEFORE_MOVING_ON_S", 0.01)
    monkeypatch.setattr("dailies.runtime.limiter.AdaptiveLimiter.room", _for_ever)
    row = row_of(a_row(1), ("aiml", "onerouter"))
    with pytest.raises(Busy, match="aiml was too busy for too long"):
        buy(bench, bench.batch(rows=(row,)))
    assert bench.sender.orders == []


def test_at_a_rows_last_provider_room_is_waited_for(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(create, "BUSY_BEFORE_MOVING_ON_S", 0.0)
    monkeypatch.setattr("dailies.runtime.limiter.CreateRequest.room", _a_moment)
    row = row_of(a_row(1), ("onerouter", "aiml"))
    with pytest.raises(AlreadyTaken):
        buy(bench, bench.batch(rows=(row,)), Ordered(NotClaimed(1, Unclaimed.TAKEN)))


async def _a_moment(*_: object) -> None:
    await anyio.sleep(0.01)


async def _for_ever(*_: object) -> None:
    await anyio.sleep_forever()


def test_a_sender_that_ended_before_its_claim_is_replaced_once(bench: Bench) -> None:
    """Nothing was claimed, so nothing was sent."""
    gone = SenderEnded("nobody", None)
    with pytest.raises(
        NotSent, match=r"row-1: the process that sends has ended before it claimed the clip. Not charged"
    ):
        buy(bench, bench.batch(), Ordered(gone), Ordered(gone))
    assert len(bench.sender.orders) == create.SENDERS_TRIED
    batch = bench.batch()
    attempt = bring_to(bench.ledger, State.SUBMITTED, batch.plan.rows[0].clip.key)
    assert buy(bench, batch, Ordered(gone), Ordered(None, Sold(1, attempt))) == attempt


@pytest.mark.parametrize("state", [State.SUBMITTED, State.IN_DOUBT, State.FAILED])
@pytest.mark.parametrize("known_by", ["its id", "its owner"])
def test_what_an_ended_sender_has_left_is_read_from_the_ledger(bench: Bench, state: State, known_by: str) -> None:
    """Bought, in doubt, or free: never bought again by this run."""
    batch = bench.batch()
    attempt = bench.attempt(state, batch)
    gone = SenderEnded("nobody", attempt.id) if known_by == "its id" else SenderEnded(attempt.owner, None)
    ordered = Ordered(None, gone)
    if state is State.SUBMITTED:
        assert buy(bench, batch, ordered).id == attempt.id and list(bench.bought) == [attempt.id]
        return
    with pytest.raises(MaybeCharged if state is State.IN_DOUBT else NotSent) as error:
        buy(bench, batch, ordered)
    assert str(error.value).startswith(f"row-1: {attempt.error}") and len(bench.sender.orders) == 1


def test_a_ledger_that_can_not_be_asked_about_an_ended_sender_leaves_a_doubt(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = bench.batch()
    monkeypatch.setattr(bench.ledger, "reap", _away)
    with pytest.raises(MaybeCharged, match=r"can't be asked what became of it \(OperationalError\). It is not bought"):
        buy(bench, batch, Ordered(None, SenderEnded("x", "y")))


def _away(*_: object) -> None:
    raise OperationalError("select", {}, Exception("away"))


def test_a_ledger_that_vanished_stops_all_buying(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the order, and what is in hand is put into the spool."""
    batch = bench.batch(2)
    bench.attempt(State.SUBMITTED, batch, 1)

    def vanished() -> None:
        raise LedgerVanished("the ledger's file is gone")

    monkeypatch.setattr(bench.ledger, "require_at_its_path", vanished)
    bench.clock.advance(timedelta(seconds=1).total_seconds())
    with pytest.raises(Stopped, match="row-1: not started; the ledger's file is gone"):
        buy(bench, batch)
    assert bench.sender.orders == [] and set(bench.halted.values()) == {"the ledger's file is gone"}
    assert len(bench.halted) > 3


def test_a_ledger_that_vanished_while_a_claim_was_refused_stops_all_buying(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sender's words are about a file that is not the ledger any more."""
    looks = [None, LedgerVanished("the ledger's file is gone")]

    def vanishes() -> None:
        if found := looks.pop(0):
            raise found

    monkeypatch.setattr(bench.ledger, "require_at_its_path", vanishes)
    with pytest.raises(Stopped, match="row-1: not started; the ledger's file is gone"):
        buy(bench, bench.batch(), Ordered(NotClaimed(1, "no such table")))
    assert set(bench.halted.values()) == {"the ledger's file is gone"}


def test_at_a_stopped_provider_nothing_is_built(bench: Bench) -> None:
    """And what is to be ordered again meets the stop as well."""
    bench.halted["aiml"] = "no credits"
    with pytest.raises(Stopped, match="row-1: not started; aiml was stopped: no credits"):
        buy(bench, bench.batch(usd=None))  # it has no price, which nobody finds out
    bench.halted.clear()

    class Late(Ordered):
        async def claimed(self) -> Result | None:
            bench.halted["aiml"] = "no credits"
            return NotTaken(1)

    with pytest.raises(Stopped, match="row-1: not started; aiml was stopped: no credits"):
        buy(bench, bench.batch(), Late(None))
    assert len(bench.sender.orders) == 1


def test_what_was_ordered_is_waited_for_although_the_run_is_cancelled(bench: Bench) -> None:
    """Until its answer is on record and remembered."""
    batch = bench.batch()
    attempt = bring_to(bench.ledger, State.SUBMITTED, batch.plan.rows[0].clip.key)

    async def cancelled(runtime: Runtime) -> None:
        with anyio.CancelScope() as scope:

            class Slow(Ordered):
                async def result(self) -> Result:
                    scope.cancel()
                    await anyio.lowlevel.checkpoint()
                    return Sold(1, attempt)

            bench.sender.creates = [Slow(None)]
            await create_clip(runtime, batch, batch.plan.rows[0], "aiml")

    bench.run(cancelled)
    assert list(bench.bought) == [attempt.id] and bench.bought[attempt.id].known.row.id == "row-1"


def test_what_was_bought_counts_at_its_provider_until_its_place_is_left(bench: Bench) -> None:
    """And at no other; a create that is refused counts no more."""
    batch = bench.batch()
    row = batch.plan.rows[0]
    attempt = bring_to(bench.ledger, State.SUBMITTED, row.clip.key)

    async def held(runtime: Runtime) -> tuple[int, int]:
        limiter = runtime.limiter("aiml")
        async with limiter.slot(row.clip.key):
            with pytest.raises(AlreadyTaken):
                await create_clip(runtime, batch, row, "aiml")
            before = limiter.ceiling.held + limiter.ceiling.unanswered
            await create_clip(runtime, batch, row, "aiml")
            return before, limiter.ceiling.held

    bench.sender.creates = [Ordered(NotClaimed(1, Unclaimed.TAKEN)), Ordered(None, Sold(1, attempt))]
    assert bench.run(held) == (0, 1)


def repetition(bench: Bench) -> tuple[Prepared, Attempt]:
    """An attempt in doubt, whose request is ready to be sent once more."""
    batch = bench.batch()
    doubt = bench.attempt(State.IN_DOUBT, batch)
    request = PaidRequest("https://api.example/v1", {"prompt": "she smiles"}, {"Idempotency-Key": "k"})
    return Prepared(batch, batch.plan.rows[0], "aiml", {}, "d" * 64, USD, (doubt.id, request)), doubt


def test_a_request_is_repeated_as_it_was_sent(bench: Bench) -> None:
    """By the sender; the clip counts at its provider, and is remembered."""
    prepared, doubt = repetition(bench)
    bench.sender.creates = [Ordered(None, Sold(1, doubt))]

    async def repeated(runtime: Runtime) -> tuple[Attempt, int]:
        limiter = runtime.limiter("aiml")
        async with limiter.slot(prepared.row.clip.key):
            return await repeat_create(runtime, prepared), limiter.ceiling.held

    assert bench.run(repeated) == (doubt, 1) and list(bench.bought) == [doubt.id]
    (order,) = bench.sender.orders
    assert isinstance(order, Repetition) and (order.attempt_id, order.row) == (doubt.id, prepared.row)
    assert prepared.again and (order.request, order.provider, order.source, order.destination) == (
        prepared.again[1], "aiml", "smiles.csv", "s3://clips/smiles",
    )  # fmt: skip
    assert order.at_once and order.at_once >= 1


def test_at_a_stopped_provider_nothing_is_repeated(bench: Bench) -> None:
    prepared, _ = repetition(bench)
    bench.halted["aiml"] = "no credits"
    with pytest.raises(Stopped, match="row-1: not started; aiml was stopped: no credits"):
        bench.run(repeat_create, prepared)
    assert bench.sender.orders == []


@pytest.mark.parametrize("allowed", [True, False])
def test_a_clip_without_a_price_is_sent_only_where_that_was_asked_for(bench: Bench, allowed: bool) -> None:
    batch = bench.batch(usd=None, request={"allow_unpriced": allowed})
    if not allowed:
        with pytest.raises(Refused, match="row-1: no price is known at aiml; nothing was sent"):
            buy(bench, batch)
        assert bench.sender.orders == []
        return
    with pytest.raises(AlreadyTaken):
        buy(bench, batch, Ordered(NotClaimed(1, Unclaimed.TAKEN)))
    assert bench.sender.orders[0].usd_quoted == Decimal(0)
