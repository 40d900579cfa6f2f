"""Our ledger against the provider's: every kind of difference has a row with its reason, and the sums add up."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from dailies.domain.account import LogEntry, Posting
from dailies.domain.money import ZERO
from dailies.domain.records import BatchRow
from dailies.domain.states import Failure, State
from dailies.errors import BadInput
from dailies.ledger import Ledger
from dailies.providers.aiml.account import AimlAccount
from dailies.providers.base import AccountUnavailable
from dailies.providers.http import ApiClient
from dailies.report.reconcile import Reconciliation, Verdict, reconcile, reconciliation_csv, together
from dailies.report.select import Selection
from dailies.sandbox import Sandbox, SandboxConfig
from dailies.settings import Settings
from dailies.steps.reconcile import learn_charges, read_reconciliation, reconciliation_of, to_read
from tests.contract.sandbox_calls import KEY, SORA, create
from tests.ledger.factories import NOON, bring_to
from tests.report.factories import a_batch_row

USD = Decimal("1.26")
NEXT_WEEK = NOON + timedelta(days=7)


def reconciliation(
    rows: Sequence[BatchRow], postings: Sequence[Posting] = (), logs: Sequence[LogEntry] = (), **options: Any
) -> Reconciliation:
    """The comparison over a span that holds everything, read a week later."""
    known = {a.generation_id for row in rows for a in row.attempts if a.generation_id}
    span = {"since": NOON - timedelta(days=30), "until": NEXT_WEEK, "read_at": NEXT_WEEK} | options
    return reconcile(rows, known, postings, logs, **span, provider="aiml")


def posted(row: BatchRow, usd: Decimal = USD, **changes: Any) -> Posting:
    """The charge of a row's generation."""
    assert row.attempt
    return replace(Posting(NOON + timedelta(minutes=2), "MODEL_USAGE", usd, row.attempt.generation_id, SORA), **changes)


def only(result: Reconciliation) -> tuple[Verdict, str]:
    """The single row and its note."""
    (entry,) = result.entries
    return entry.verdict, entry.note


def test_what_was_quoted_answered_and_posted_alike_agrees_to_the_cent() -> None:
    rows = [a_batch_row(n) for n in range(3)]
    result = reconciliation(rows, [posted(row) for row in rows])
    assert result.differences == ()
    assert "$3.78 posted by aiml, $3.78 in our ledger: they agree to the cent" in result.sentence()


def test_a_charge_that_is_not_posted_yet_is_noted_for_a_day_and_missing_after_it() -> None:
    row = a_batch_row()
    logged = LogEntry(NOON, row.attempt.generation_id or "", row.attempt.id, True, USD, SORA) if row.attempt else None
    assert logged
    verdict, note = only(reconciliation([row], logs=[logged], read_at=NOON + timedelta(hours=2)))
    assert verdict is Verdict.NOT_POSTED and "its log says $1.26" in note
    verdict, note = only(reconciliation([row]))
    assert verdict is Verdict.NOT_CHARGED and "its log does not list it either" in note


def test_another_price_is_listed_with_all_three_amounts() -> None:
    row = a_batch_row()
    verdict, note = only(reconciliation([row], [posted(row, Decimal("1.40"))]))
    assert (verdict, note) == (Verdict.PRICE, "quoted $1.26, answered $1.26, posted $1.40")
    dearer = a_batch_row(usd_charged=Decimal("1.40"))
    assert only(reconciliation([dearer], [posted(dearer, Decimal("1.40"))]))[0] is Verdict.PRICE


def test_a_failed_generation_that_was_charged_all_the_same_is_listed() -> None:
    row = a_batch_row(state=State.FAILED, generation_id="gen-1")
    verdict, note = only(reconciliation([row], [posted(row)]))
    assert verdict is Verdict.FAILED_CHARGED and "$1.26 was posted" in note


def test_a_failed_generation_that_was_refunded_sums_up_to_nothing() -> None:
    row = a_batch_row(state=State.FAILED, generation_id="gen-1")
    result = reconciliation([row], [posted(row), posted(row, -USD, kind="REFUND")])
    assert only(result)[0] is Verdict.REFUNDED
    assert result.usd_theirs == result.usd_ours == ZERO


def test_a_charge_that_is_not_in_our_ledger_is_listed_with_its_sender_if_the_log_tells() -> None:
    stranger = Posting(NOON, "MODEL_USAGE", USD, "gen-x", "openai/gpt-5")
    assert only(reconciliation([], [stranger])) == (
        Verdict.NOT_OURS,
        "someone else used the key, or another ledger of ours did",
    )
    signed = LogEntry(NOON, "gen-x", "their-script-7", True, USD, "openai/gpt-5")
    assert "their-script-7" in only(reconciliation([], [stranger], [signed]))[1]


def test_a_create_in_doubt_that_the_provider_charged_is_found_by_our_reference() -> None:
    row = a_batch_row(state=State.IN_DOUBT)
    assert row.attempt
    logged = LogEntry(NOON, "gen-lost", row.attempt.id, True, USD, SORA)
    result = reconciliation([row], [Posting(NOON, "MODEL_USAGE", USD, "gen-lost", SORA)], [logged])
    assert only(result) == (Verdict.FOUND, f"dailies resolve {row.attempt.id[:8]} --charged=gen-lost")


def test_a_price_that_the_answer_did_not_tell_is_learned() -> None:
    row = a_batch_row(usd_charged=None)
    assert only(reconciliation([row], [posted(row)]))[0] is Verdict.LEARNED


def test_payments_are_no_charges_and_an_expiry_is_named() -> None:
    expiry = Posting(NOON, "CREDITS_EXPIRED", Decimal(5))
    assert only(reconciliation([], [expiry])) == (Verdict.OTHER, "credits expired, without a generation of ours")


def test_a_charge_of_another_span_of_ours_is_not_called_a_strangers() -> None:
    row = a_batch_row()
    result = reconcile(
        [],
        {row.attempt.generation_id or ""} if row.attempt else (),
        [posted(row)],
        [],
        NOON,
        NEXT_WEEK,
        NEXT_WEEK,
        "aiml",
    )
    assert result.entries == ()


def test_clips_of_a_provider_without_a_ledger_are_counted_and_left_out() -> None:
    row = a_batch_row()
    assert row.attempt
    other = row._replace(attempts=(row.attempt._replace(provider="onerouter"),))
    assert "1 attempts ($1.26) at providers without a ledger" in reconciliation([other]).sentence()


def test_refused_and_unsent_clips_need_no_posting() -> None:
    refused = a_batch_row(state=State.FAILED, failure=Failure.REFUSED, generation_id=None)
    assert reconciliation([refused, a_batch_row(2, None)]).entries == ()


AMOUNTS = st.decimals("0.01", "9.99", places=2)


@given(st.lists(st.tuples(AMOUNTS, st.one_of(st.none(), AMOUNTS), st.lists(AMOUNTS, max_size=2), st.sampled_from(
    [State.STORED, State.FAILED, State.SUBMITTED, State.IN_DOUBT, State.RESULT_LOST, State.ORPHANED])), max_size=12),
    st.lists(AMOUNTS, max_size=4))  # fmt: skip
def test_the_sums_differ_by_exactly_what_the_rows_differ_by(rows: list[Any], strangers: list[Decimal]) -> None:
    made = [
        a_batch_row(
            n,
            state,
            usd_quoted=quoted,
            usd_charged=answered,
            **({} if state is State.IN_DOUBT else {"generation_id": f"g{n}"}),
        )
        for n, (quoted, answered, _, state) in enumerate(rows)
    ]
    postings = [
        posted(row, usd)
        for row, (_, _, charges, state) in zip(made, rows, strict=True)
        if state is not State.IN_DOUBT
        for usd in charges
    ]
    postings += [Posting(NOON, "MODEL_USAGE", usd, f"stranger-{n}") for n, usd in enumerate(strangers)]
    result = reconciliation(made, postings)
    assert result.usd_theirs - result.usd_ours == sum((entry.usd_difference for entry in result.entries), ZERO)
    assert result.usd_theirs == sum((posting.usd for posting in postings), ZERO)
    assert all(entry.note for entry in result.differences)


def test_the_csv_has_every_row_differences_first_and_no_formula() -> None:
    good, bad = a_batch_row(1), a_batch_row(2, id="=cmd()")
    text = reconciliation_csv(reconciliation([good, bad], [posted(good), posted(bad, Decimal("9.99"))]))
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["verdict"] for row in rows] == ["price changed", "agrees"]
    assert (rows[0]["id"], rows[0]["usd_difference"]) == ("'=cmd()", "8.73")


# Against the sandbox's account, over HTTP.


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A provider whose clips are ready at once and posted at once."""
    with Sandbox(SandboxConfig(time_scale=0.0, render="quick")) as sandbox:
        yield sandbox


def bought(sandbox: Sandbox, number: int, state: State = State.STORED, **changes: Any) -> BatchRow:
    """A clip that the sandbox has charged, as our ledger has it."""
    attempt = changes.pop("reference", f"{number:032x}")
    answer = create(sandbox, headers={"X-Client-Request-Id": attempt}, prompt=f"clip {number}", duration=4).json()
    now, generation = datetime.now(UTC), None if state is State.IN_DOUBT else answer["id"]
    done = now if state in (State.STORED, State.COMPLETED) else None
    return a_batch_row(
        number, state, id=f"row-{number}", generation_id=generation, created_at=now, completed_at=done, **changes
    )


def compared(
    sandbox: Sandbox, rows: Sequence[BatchRow], selection: Selection | None = None, key: str = KEY
) -> Reconciliation:
    """Read the sandbox's account and compare, waiting for nothing."""

    async def read() -> Reconciliation:
        account = AimlAccount(ApiClient(sandbox.url, SecretStr(key), 10))
        try:
            return await read_reconciliation(account, rows, selection or Selection(), "aiml", pauses_s=())
        finally:
            await account.close()

    return asyncio.run(read())


def real_price(row: BatchRow, sandbox: Sandbox) -> BatchRow:
    """The same row with the sandbox's price as answered and quoted."""
    usd = sandbox.charges()[0].usd
    return row._replace(
        usd_quoted=usd, attempts=tuple(a._replace(usd_quoted=usd, usd_charged=usd) for a in row.attempts)
    )


def test_the_sandboxes_bill_and_ours_agree_over_several_pages(sandbox: Sandbox) -> None:
    rows = [real_price(bought(sandbox, n), sandbox) for n in range(130)]
    result = compared(sandbox, rows)
    assert {entry.verdict for entry in result.entries} == {Verdict.AGREES}
    assert result.usd_theirs == sum(charge.usd for charge in sandbox.charges())


def test_every_kind_of_difference_with_the_sandboxes_bill(sandbox: Sandbox) -> None:
    good = real_price(bought(sandbox, 1), sandbox)
    sandbox.price(SORA, Decimal(1))
    dearer = real_price(bought(sandbox, 2), sandbox)
    failed = bought(sandbox, 3, State.FAILED)
    doubt = a_batch_row(4, State.IN_DOUBT)
    assert doubt.attempt
    bought(sandbox, 4, State.IN_DOUBT, reference=doubt.attempt.id)
    bought(sandbox, 5, reference="somebody-else")
    missing = a_batch_row(6, generation_id="never-there", created_at=datetime.now(UTC) - timedelta(days=3),
                          completed_at=datetime.now(UTC) - timedelta(days=3))  # fmt: skip
    result = compared(sandbox, [good, dearer, failed, doubt, missing])
    found = {entry.verdict: entry for entry in result.differences}
    assert set(found) == {Verdict.PRICE, Verdict.FAILED_CHARGED, Verdict.FOUND, Verdict.NOT_OURS, Verdict.NOT_CHARGED}
    assert "somebody-else" in found[Verdict.NOT_OURS].note
    assert result.usd_theirs == sum(charge.usd for charge in sandbox.charges())


def test_a_late_posting_is_awaited_and_then_noted() -> None:
    with Sandbox(SandboxConfig(time_scale=0.0, render="quick", billing_delay_s=3600)) as sandbox:
        assert only(compared(sandbox, [bought(sandbox, 1)]))[0] is Verdict.NOT_POSTED


def test_a_posting_that_arrives_while_we_wait_is_taken() -> None:
    with Sandbox(SandboxConfig(time_scale=0.0, render="quick", billing_delay_s=0.3)) as sandbox:
        row = real_price(bought(sandbox, 1), sandbox)

        async def read() -> Reconciliation:
            account = AimlAccount(ApiClient(sandbox.url, SecretStr(KEY), 10))
            try:
                return await read_reconciliation(account, [row], Selection(), "aiml", pauses_s=(0.1,) * 50)
            finally:
                await account.close()

        assert only(asyncio.run(read()))[0] is Verdict.AGREES


@pytest.mark.parametrize("kind", ["empty", "half", "html", "status", "busy", "reset"])
def test_one_bad_answer_of_the_account_is_asked_again(sandbox: Sandbox, kind: str) -> None:
    row = real_price(bought(sandbox, 1), sandbox)
    sandbox.fault("billing", kind)
    assert only(compared(sandbox, [row]))[0] is Verdict.AGREES


def test_a_key_that_may_not_read_the_account_is_an_error_and_compares_nothing(sandbox: Sandbox) -> None:
    with pytest.raises(AccountUnavailable, match="nothing was compared"):
        compared(sandbox, [], key="another-key")


def test_what_was_learned_is_written_down(ledger: Ledger) -> None:
    stored = bring_to(ledger, State.STORED)
    row = ledger.rows("smiles")[0]
    assert stored.usd_charged is None
    result = reconciliation([row], [posted(row, Decimal("1.30"))])
    assert learn_charges(ledger, result) == 1
    found = ledger.attempt(stored.id)
    assert found and (found.usd_charged, found.credits_used) == (Decimal("1.3"), 2_600_000)


def test_a_span_of_days_leaves_strangers_outside_it_alone(sandbox: Sandbox) -> None:
    bought(sandbox, 1)
    today = datetime.now(UTC).date()
    assert compared(sandbox, [], Selection(since=today + timedelta(days=2))).entries == ()
    assert (
        compared(sandbox, [], Selection(since=today - timedelta(days=9), until=today - timedelta(days=7))).entries == ()
    )
    assert len(compared(sandbox, [], Selection(since=today - timedelta(days=9))).entries) == 1


def at(provider: str, number: int, **changes: Any) -> BatchRow:
    """A delivered row that was bought there."""
    row = a_batch_row(number)
    assert row.attempt
    return row._replace(attempts=(row.attempt._replace(provider=provider, **changes),))


def test_the_ledgers_of_all_who_publish_one_are_one_table() -> None:
    rows = [at("aiml", 1), at("fal", 2), at("runware", 3)]
    known = {a.generation_id for row in rows for a in row.attempts if a.generation_id}
    span = (NOON - timedelta(days=30), NEXT_WEEK, NEXT_WEEK)
    read = [
        reconcile(rows, known, [posted(row)], (), *span, name) for name, row in (("aiml", rows[0]), ("fal", rows[1]))
    ]
    whole = together(read, rows)
    assert [(entry.provider, entry.verdict) for entry in whole.entries] == [
        ("aiml", Verdict.AGREES),
        ("fal", Verdict.AGREES),
    ]
    assert (whole.usd_ours, whole.usd_theirs) == (2 * USD, 2 * USD)
    assert (whole.left_out, whole.usd_left_out) == (1, USD), "runware alone has none, and its answer's cost is said"
    assert "$2.52 posted by aiml and fal" in whole.sentence()
    assert together(read[:1], rows) is read[0], "one ledger is as it always was"


def test_those_with_a_key_where_something_was_bought_are_read() -> None:
    rows, everything = [at("aiml", 1), at("fal", 2), at("runware", 3)], Selection()
    both = Settings(aiml_api_key=SecretStr("k"), fal_api_key=SecretStr("k"))
    assert to_read(both, rows, everything) == ["aiml", "fal"]
    assert to_read(both, rows[1:], everything) == ["fal"]
    assert to_read(both, rows[2:], everything) == ["aiml"], "nothing there: the first, as ever"
    assert to_read(Settings(aiml_api_key=SecretStr("k")), rows, everything) == ["aiml"]
    assert to_read(both, rows, Selection(provider="fal")) == ["fal"]
    with pytest.raises(BadInput, match="runware publishes no ledger"):
        to_read(both, rows, Selection(provider="runware"))


@pytest.mark.parametrize("unreadable", [{"fal"}, {"aiml", "fal"}])
def test_one_that_can_not_be_read_is_left_out_beside_another(
    monkeypatch: pytest.MonkeyPatch, unreadable: set[str]
) -> None:
    rows = [at("aiml", 1), at("fal", 2)]

    class Silent:
        async def close(self) -> None: ...

    async def read(
        _account: object, everything: Sequence[BatchRow], _selection: Selection, name: str
    ) -> Reconciliation:
        if name in unreadable:
            raise AccountUnavailable(f"{name} says no")
        return reconcile(everything, (), (), (), NOON, NEXT_WEEK, NEXT_WEEK, name)

    monkeypatch.setattr("dailies.steps.reconcile.open_account", lambda *_: Silent())
    monkeypatch.setattr("dailies.steps.reconcile.read_reconciliation", read)
    both = Settings(aiml_api_key=SecretStr("k"), fal_api_key=SecretStr("k"))
    if len(unreadable) == len(rows):
        with pytest.raises(AccountUnavailable, match="fal says no"):
            asyncio.run(reconciliation_of(both, rows, Selection()))
        return
    found = asyncio.run(reconciliation_of(both, rows, Selection()))
    assert found.provider == "aiml" and found.left_out == 1


def test_what_their_ledger_says_less_is_said_so() -> None:
    rows = [a_batch_row(1), a_batch_row(2)]
    found = reconciliation(rows, [posted(rows[0]), posted(rows[1], Decimal(1))])
    assert found.sentence() == ("$2.26 posted by aiml, $2.52 in our ledger: $0.26 less. 1 price changed (−$0.26)")
    dearer = reconciliation(rows, [posted(rows[0]), posted(rows[1], Decimal(2))])
    assert dearer.sentence().startswith("$3.26 posted by aiml, $2.52 in our ledger: $0.74 more. ")


def test_a_failure_is_told_with_its_reason_and_without_a_charge_agrees() -> None:
    failed = a_batch_row(state=State.FAILED, generation_id="g")
    assert only(reconciliation([failed], [posted(failed)]))[1] == "failed (the upstream failed), and $1.26 was posted"
    silent = a_batch_row(state=State.FAILED, generation_id="g", error=None)
    assert only(reconciliation([silent], [posted(silent)]))[1] == "failed (no reason), and $1.26 was posted"
    assert only(reconciliation([failed])) == (Verdict.AGREES, "failed, not charged")


def test_an_attempt_is_told_for_the_batch_that_made_it() -> None:
    """Whichever of its rows comes first."""
    row = a_batch_row(1)
    other = row._replace(batch="tuesday", id="other")
    for rows in ([row, other], [other, row]):
        (entry,) = reconciliation(rows, [posted(row)]).entries
        assert (entry.batch, entry.id, entry.usd_quoted) == ("monday", "row-01", USD)


def test_a_day_is_when_a_charge_is_missing_and_the_end_of_a_span_is_outside_it() -> None:
    row = a_batch_row(completed_at=NOON)
    assert only(reconciliation([row], read_at=NOON + timedelta(days=1)))[0] is Verdict.NOT_CHARGED
    assert only(reconciliation([row], read_at=NOON + timedelta(hours=23)))[0] is Verdict.NOT_POSTED
    stranger = Posting(NEXT_WEEK, "MODEL_USAGE", USD, "gen-x", SORA)
    assert reconciliation([], [stranger]).entries == ()
