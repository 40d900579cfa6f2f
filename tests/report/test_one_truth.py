"""Whatever happened: every view that covers all adds up to the ledger, and nothing unknown counts as zero."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dailies.domain.clip_line import Line
from dailies.domain.figures import Totals
from dailies.domain.money import ZERO, sum_usd
from dailies.domain.records import Attempt, BatchRow
from dailies.domain.standing import Outcome
from dailies.domain.states import Failure, State
from dailies.domain.verdicts import Said, Verdict, Word
from dailies.report.charts import charts_of
from dailies.report.credits import answer_json, credits_of, csv_pieces, table_rows, totals_markdown
from dailies.report.focus import focus_csv
from dailies.report.select import Selection, chosen, grouped
from tests.report.factories import a_batch_row, an_attempt_of, sum_of

FIRST = datetime(2026, 11, 1, 12, tzinfo=UTC)
PROVIDERS = ("aiml", "onerouter")
BATCHES = ("monday", "tuesday")
ENDED = (State.FAILED, State.SUPERSEDED, State.ORPHANED)
SPEAKING = (
    None,
    State.SUBMITTING,
    State.SUBMITTED,
    State.COMPLETED,
    State.STORED,
    State.RESULT_LOST,
    State.IN_DOUBT,
    *ENDED,
)
cents = st.integers(1, 999).map(lambda n: Decimal(n) / 100)


@st.composite
def attempts(draw: st.DrawFn, clip_key: str, state: State, no: int) -> Attempt:
    charge = draw(st.one_of(st.none(), st.just(ZERO), cents))
    known = {} if state in (State.SUBMITTING, State.IN_DOUBT, State.SUPERSEDED) else {"usd_charged": charge}
    at = FIRST + timedelta(days=draw(st.integers(0, 3)))
    made = an_attempt_of(
        clip_key, "row", state, draw(st.sampled_from(BATCHES)), usd_quoted=draw(cents), created_at=at, **known
    )
    return made._replace(id=f"{clip_key}-{no}", no=no, provider=draw(st.sampled_from(PROVIDERS)))


@st.composite
def histories(draw: st.DrawFn) -> list[BatchRow]:
    """A ledger's rows: clips in one batch or both, some edited away, each with up to three attempts."""
    rows = []
    for number in range(draw(st.integers(0, 5))):
        plain = a_batch_row(number, None)
        earlier = [draw(st.sampled_from(ENDED)) for _ in range(draw(st.integers(0, 2)))]
        last = draw(st.sampled_from(SPEAKING))
        states = [*earlier, *([last] if last else [])]
        tried = tuple(draw(attempts(plain.clip_key, state, no)) for no, state in enumerate(states, 1))
        word = draw(st.sampled_from([None, *Word]))
        verdict = Verdict(number + 1, plain.clip_key, FIRST, "ann", Said(word)) if word is not None else None
        for batch in draw(st.sampled_from([BATCHES, BATCHES[:1], BATCHES[1:]])):
            rows.append(plain._replace(batch=batch, attempts=tried, verdict=verdict, retired=draw(st.booleans())))
    return rows


def ledger_sums(rows: Sequence[BatchRow]) -> tuple[Decimal, Decimal, Decimal, int]:
    """Charged, unreported at the quote, at risk, and how many are unreported: each attempt of the ledger once."""
    every = {attempt.id: attempt for row in rows for attempt in row.attempts}.values()
    silent = [a for a in every if a.unreported]
    return (
        sum_usd(a.usd_charged for a in every if a.generation_id),
        sum_usd(a.usd_quoted for a in silent),
        sum_usd(a.usd_at_risk for a in every),
        len(silent),
    )


def shown_sums(lines: Sequence[Line]) -> tuple[Decimal, Decimal, Decimal, int]:
    return shown(sum_of(lines).totals())


def shown(totals: Totals) -> tuple[Decimal, Decimal, Decimal, int]:
    return totals.usd_charged or ZERO, totals.usd_unreported_quoted, totals.usd_at_risk, totals.unreported


def added(parts: Sequence[Totals]) -> tuple[Decimal, Decimal, Decimal, int]:
    sums = [shown(totals) for totals in parts]
    return tuple(sum((s[i] for s in sums), 0 if i == 3 else ZERO) for i in range(4))  # type: ignore[return-value]


def by_column(rows: Sequence[BatchRow], name: str) -> dict[str, Totals]:
    """As `dailies report --group-by` shows it."""
    return grouped(rows, credits_of("", rows), name)


@example([a_batch_row(1, None)._replace(retired=True)])
@given(histories())
def test_every_view_that_covers_all_adds_up_to_the_ledger(rows: list[BatchRow]) -> None:
    whole, everything = ledger_sums(rows), chosen(rows, Selection())
    assert shown_sums(credits_of("all", everything).lines) == whole
    by_provider = [credits_of("", chosen(rows, Selection(provider=name))).totals for name in PROVIDERS]
    assert added(by_provider) == whole
    days = [date(2026, 11, n) for n in range(1, 5)]
    assert added([credits_of("", chosen(rows, Selection(since=day, until=day))).totals for day in days]) == whole
    for column in (
        "provider",
        "day",
        "batch",
        "model",
        "state",
        "outcome",
        "verdict",
        *(["campaign"] if credits_of("", everything).lines else []),  # rows that left the CSV unbought have no line
    ):
        assert added([*by_column(everything, column).values()]) == whole


@given(histories())
def test_files_json_and_pictures_say_what_the_ledger_says(rows: list[BatchRow]) -> None:
    charged, unreported, risk, silent = ledger_sums(rows)
    credits = credits_of("all", chosen(rows, Selection()))
    cells = list(csv.DictReader(io.StringIO(b"".join(csv_pieces(credits)).decode())))
    assert sum_usd(Decimal(row["usd_charged"]) for row in cells if row["usd_charged"]) == charged
    assert sum_usd(Decimal(row["usd_unreported_quoted"]) for row in cells) == unreported
    assert sum_usd(credits.by_day.values()) == charged + unreported + risk
    assert shown_sums(credits.at_providers) == (charged, unreported, risk, silent)
    answer = answer_json(credits, None)
    assert answer["usd_unreported_quoted"] == pytest.approx(float(unreported)) and answer["unreported"] == silent
    assert answer["usd_charged"] is None or answer["usd_charged"] == pytest.approx(float(charged))
    clips = [*answer["clips"], *answer.get("uncounted", ())]
    assert sum(clip["usd_charged"] or 0 for clip in clips) == pytest.approx(float(charged))
    assert answer["rows"] == len(answer["clips"]) == sum(answer[outcome] for outcome in Outcome)
    assert len(table_rows(credits)) == len(clips) and credits.totals.sentence() in totals_markdown(credits, None)


@given(histories())
def test_the_charges_for_finance_are_those_of_the_ledger(rows: list[BatchRow]) -> None:
    """FOCUS has each reported charge once: over all batches, and by provider, day, verdict and batch as the report has it."""
    charged, *_ = ledger_sums(rows)
    assert billed(chosen(rows, Selection())) == charged
    for name in PROVIDERS:
        there = chosen(rows, Selection(provider=name))
        assert billed(there) == (credits_of("", there).totals.usd_charged or ZERO)
    days = [date(2026, 11, n) for n in range(1, 5)]
    assert sum_usd(billed(chosen(rows, Selection(since=day, until=day))) for day in days) == charged
    for batch in {row.batch for row in rows}:
        of_one = chosen(rows, Selection(batch=batch))
        assert billed(of_one) == (credits_of(batch, of_one).totals.usd_charged or ZERO)


def billed(rows: Sequence[BatchRow]) -> Decimal:
    return sum_usd(Decimal(row["BilledCost"]) for row in csv.DictReader(io.StringIO(focus_csv(rows))))


@given(histories())
def test_verdicts_divide_the_same_money(rows: list[BatchRow]) -> None:
    """What was rejected is part of what was charged, and a kept second bears every charged dollar, whoever reads it where."""
    charged, *_ = ledger_sums(rows)
    credits = credits_of("all", chosen(rows, Selection()))
    totals, answer = credits.totals, answer_json(credits, None)
    by_word = by_column(chosen(rows, Selection()), "verdict")
    rejected = {
        a.id: a for row in rows if said_of(row) == Word.REJECT for a in row.attempts if a.generation_id
    }.values()
    assert totals.usd_rejected == sum_usd(a.usd_charged for a in rejected) <= charged
    assert totals.usd_rejected == sum_usd(some.usd_rejected for some in by_word.values())
    assert totals.kept == sum(some.kept for some in by_word.values())
    kept_s = sum(line.duration_s or 0 for line in credits.lines if line.counted and line.verdict == Word.KEEP)
    assert (totals.usd_per_kept_second is None) == (not kept_s or totals.usd_charged is None)
    if totals.usd_per_kept_second is not None:
        assert totals.usd_per_kept_second * kept_s == pytest.approx(charged, abs=Decimal("1e-6"))
    per_second = None if totals.usd_per_kept_second is None else float(totals.usd_per_kept_second)
    assert (answer["kept"], answer["usd_per_kept_second"]) == (totals.kept, per_second)
    assert answer["usd_rejected"] == pytest.approx(float(totals.usd_rejected))


def said_of(row: BatchRow) -> Word | None:
    return row.verdict.said.word if row.verdict else None


@given(histories())
def test_a_clip_is_counted_once_however_its_attempts_are_divided(rows: list[BatchRow]) -> None:
    everything = chosen(rows, Selection())
    counted = sum_of(credits_of("", everything).lines).totals().rows
    for column in ("provider", "day", "batch"):
        assert sum(some.rows for some in by_column(everything, column).values()) == counted


def test_a_row_that_was_edited_after_it_was_delivered_keeps_its_money() -> None:
    edited = a_batch_row(1)._replace(retired=True)
    credits = credits_of("monday", [edited, a_batch_row(2)])
    assert credits.totals.rows == 1 and credits.totals.usd_charged == Decimal("2.52")
    answer = answer_json(credits, None)
    assert [clip["id"] for clip in answer["clips"]] == ["row-02"] and [c["id"] for c in answer["uncounted"]] == [
        "row-01"
    ]


def test_charges_that_nobody_reported_are_null_and_in_the_sentence() -> None:
    credits = credits_of("monday", [a_batch_row(1, usd_charged=None), a_batch_row(2, usd_charged=None)])
    assert answer_json(credits, None)["usd_charged"] is None
    assert credits.totals.sentence() == "2 of 2 delivered · 2 not reported (about $2.52 quoted)"
    assert credits_of("monday", []).totals.usd_charged == ZERO


def test_an_attempt_that_failed_elsewhere_first_is_money_there_and_a_clip_here() -> None:
    row = a_batch_row(1)
    first = an_attempt_of(row.clip_key, "row-01", State.FAILED, usd_charged=Decimal("0.40"))._replace(
        provider="onerouter"
    )
    row = row._replace(attempts=(first._replace(generation_id="g-1", no=0), *row.attempts))
    there = credits_of("", chosen([row], Selection(provider="onerouter"))).totals
    assert (there.rows, there.usd_charged) == (0, Decimal("0.40"))
    bars, _ = charts_of(credits_of("", [row]).sums)
    (by_provider,) = [one for one in bars if one.column == "provider"]
    assert {bar.name: (bar.clips, bar.charged) for bar in by_provider.bars} == {
        "aiml": (1, "$1.26"),
        "onerouter": (0, "$0.40"),
    }
    here = credits_of("", chosen([row], Selection(provider="aiml"))).totals
    assert (here.rows, here.delivered, here.usd_charged) == (1, 1, Decimal("1.26"))


def test_options_have_their_columns_on_the_rows_that_have_them() -> None:
    with_options = a_batch_row(1, clip={"options": {"seed": 7, "generate_audio": False}})
    credits = credits_of("monday", [with_options, a_batch_row(2, labels={"seed": "of the team"})])
    cells = list(csv.DictReader(io.StringIO(b"".join(csv_pieces(credits)).decode())))
    assert [row["seed"] for row in cells] == ["7", "of the team"] and cells[0]["generate_audio"] == "false"
    assert answer_json(credits, None)["clips"][0]["options"] == {"seed": "7", "generate_audio": "false"}
    assert {*by_column([with_options], "seed")} == {"7"}


@pytest.mark.parametrize(("state", "changes", "expected"), [
    (State.SUBMITTED, {"error": "overdue: generating"}, Outcome.OVERDUE), (State.SUBMITTED, {}, Outcome.INTERRUPTED),
    (State.COMPLETED, {"error": "the download fails"}, Outcome.INTERRUPTED), (State.ORPHANED, {}, Outcome.INTERRUPTED),
    (State.ORPHANED, {"failure": Failure.GENERATION}, Outcome.FAILED),
])  # fmt: skip
def test_interrupted_is_a_word_of_its_own(state: State, changes: dict[str, Any], expected: Outcome) -> None:
    line = credits_of("monday", [a_batch_row(1, state, **changes)]).lines[0]
    assert line.outcome == expected
