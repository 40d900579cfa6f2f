"""One row as a report tells it, and what rows come to together: no charge is left out, none is guessed."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from dailies.domain.clip_line import Line, line_of
from dailies.domain.figures import Sum
from dailies.domain.marks import Marks
from dailies.domain.money import ZERO
from dailies.domain.origin import Origin
from dailies.domain.records import OVERDUE, BatchRow
from dailies.domain.standing import FORGOTTEN, WAITING_FAILURES, Outcome, outcome_of, shown_state
from dailies.domain.states import Failure, State
from dailies.domain.verdicts import Said, Verdict, Word
from tests.ledger.factories import NOON
from tests.report.factories import a_batch_row, an_attempt_of, sum_of

ONE = Decimal("1.26")
MARKS, ORIGIN = Marks(), Origin(True, "trainedAlgorithmicMedia")


def row(state: State | None = State.STORED, number: int = 1, **changes: Any) -> BatchRow:
    return a_batch_row(number, state, **changes)


def judged(of: BatchRow, word: Word, note: str = "") -> BatchRow:
    return of._replace(verdict=Verdict(1, of.clip_key, NOON, "Ana", Said(word, note)))


@pytest.mark.parametrize(("clip", "outcome", "state"), [
    (row(None), Outcome.NOT_STARTED, "planned"),
    (row(State.SUPERSEDED), Outcome.NOT_STARTED, "planned"),
    (row(State.STORED), Outcome.DELIVERED, "stored"),
    (row(State.ORPHANED, s3_uri="s3://clips/late.mp4"), Outcome.DELIVERED, "stored"),
    (row(State.FAILED), Outcome.FAILED, "failed"),
    (row(State.FAILED, failure=Failure.REFUSED), Outcome.FAILED, "failed"),
    *((row(State.FAILED, failure=why), Outcome.NOT_STARTED, "planned") for why in WAITING_FAILURES),
    (row(State.RESULT_LOST), Outcome.FAILED, "result_lost"),
    (row(State.IN_DOUBT), Outcome.IN_DOUBT, "in_doubt"),
    (row(State.SUBMITTING), Outcome.IN_DOUBT, "submitting"),
    (row(State.SUBMITTED), Outcome.INTERRUPTED, "submitted"),
    (row(State.SUBMITTED, error=f"{OVERDUE}: an hour"), Outcome.OVERDUE, "submitted"),
    (row(State.COMPLETED), Outcome.INTERRUPTED, "completed"),
    (row(State.ORPHANED, failure=Failure.GENERATION), Outcome.FAILED, "orphaned"),
])  # fmt: skip
def test_how_a_clip_stands(clip: BatchRow, outcome: Outcome, state: str) -> None:
    assert (outcome_of(clip), shown_state(clip)) == (outcome, state)


def test_what_was_there_before_the_run_is_told_from_what_it_brought() -> None:
    there = row()
    assert outcome_of(there, frozenset({there.clip_key})) is Outcome.ALREADY_DELIVERED
    assert outcome_of(there, frozenset({"another"})) is Outcome.DELIVERED
    assert outcome_of(row(State.SUBMITTED), frozenset({row(State.SUBMITTED).clip_key})) is Outcome.INTERRUPTED


def test_a_forgotten_clip_failed_for_a_run_and_stays_what_it_was_for_whoever_looks_later() -> None:
    gone = row()._replace(forgotten=True)
    assert (outcome_of(gone, frozenset()), outcome_of(gone)) == (Outcome.FAILED, Outcome.DELIVERED)
    assert line_of(gone).error == FORGOTTEN


def test_a_row_of_the_report() -> None:
    delivered = judged(
        row(marks=MARKS, origin=ORIGIN, mismatch="720p asked", created_at=NOON + timedelta(microseconds=5)),
        Word.KEEP,
        "yes",
    )
    (attempt,) = delivered.attempts
    line = line_of(delivered)
    assert (line.row, line.id, line.clip_key, line.batch) == (1, "row-01", delivered.clip_key, "monday")
    assert (line.state, line.outcome, line.provider, line.attempt, line.attempts) == (
        "stored", "delivered", "aiml", attempt.id, 1,
    )  # fmt: skip
    clip = delivered.clip
    assert (line.model, line.resolution, line.aspect_ratio, line.duration_s, line.take, line.prompt, line.image) == (
        clip.model, clip.resolution, clip.aspect_ratio, clip.duration_s, clip.take, clip.prompt, clip.image.source,
    )  # fmt: skip
    assert (line.generation_id, line.s3_uri, line.sha256, line.size_bytes) == (
        attempt.generation_id, attempt.s3_uri, attempt.sha256, attempt.size_bytes,
    )  # fmt: skip
    assert (line.usd_quoted, line.usd_charged, line.usd_at_risk, line.credits_used) == (ONE, ONE, ZERO, 2_520_000)
    assert (line.unreported, line.usd_unreported_quoted, line.seconds, line.polls) == (0, ZERO, 91.0, 4)
    assert (line.created_at, line.stored_at) == ("2026-11-21T12:00:00+00:00", "2026-11-21T12:01:35+00:00")
    assert (line.mismatch, line.error, line.counted) == ("720p asked", None, True)
    assert (line.verdict, line.verdict_by, line.verdict_note) == ("keep", "Ana", "yes")
    assert (line.marks, line.c2pa, line.digital_source_type) == (MARKS, True, "trainedAlgorithmicMedia")


def test_a_row_that_was_never_bought_says_nothing_that_nobody_knows() -> None:
    line = line_of(row(None)._replace(usd_quoted=None))
    assert line.provider == "aiml", "where it would be bought"
    unknown = (
        "attempt", "generation_id", "s3_uri", "sha256", "size_bytes", "usd_quoted", "usd_charged", "credits_used", "seconds",
        "created_at", "stored_at", "mismatch", "error", "verdict", "verdict_by", "verdict_note", "marks", "c2pa",
        "digital_source_type",
    )  # fmt: skip
    assert all(getattr(line, name) is None for name in unknown)
    assert (line.attempts, line.polls, line.unreported, line.usd_at_risk + line.usd_unreported_quoted) == (
        0,
        0,
        0,
        ZERO,
    )


def test_seconds_are_told_to_the_tenth() -> None:
    assert line_of(row(completed_at=NOON + timedelta(seconds=91.26))).seconds == 91.3


def test_its_quote_is_what_the_attempt_was_quoted_at_where_the_row_has_one() -> None:
    bought = row(usd_quoted=Decimal(2))
    assert line_of(bought._replace(usd_quoted=Decimal(3))).usd_quoted == 2
    assert line_of(bought._replace(usd_quoted=None)).usd_quoted is None
    assert line_of(row(None)._replace(usd_quoted=Decimal(3))).usd_quoted == 3


def test_what_is_said_of_the_clip_itself_is_said_of_a_delivered_one_alone() -> None:
    line = line_of(row(State.SUBMITTED, marks=MARKS, origin=ORIGIN, error="it was slow"))
    assert (line.marks, line.c2pa, line.digital_source_type, line.error) == (None, None, None, "it was slow")
    assert line_of(row(error="an old error")).error is None


def test_where_this_batch_has_a_copy_of_its_own_it_lies_there_once_it_is_delivered() -> None:
    assert line_of(row()._replace(copy_uri="s3://other/a.mp4")).s3_uri == "s3://other/a.mp4"
    assert line_of(row(State.SUBMITTED)._replace(copy_uri="s3://other/a.mp4")).s3_uri is None


def test_a_word_that_was_taken_back_is_none_and_its_note_stays() -> None:
    line = line_of(judged(row(), Word.NONE, "look again"))
    assert (line.verdict, line.verdict_by, line.verdict_note) == (None, "Ana", "look again")


def test_money_is_that_of_all_attempts() -> None:
    plain = row(None)
    states = (State.SUPERSEDED, State.FAILED, State.SUBMITTED)
    tried = [an_attempt_of(plain.clip_key, "row-01", state)._replace(no=no) for no, state in enumerate(states, 1)]
    line = line_of(plain._replace(attempts=tuple(tried)))
    assert (line.attempts, line.polls, line.state) == (3, 12, "submitted")
    assert (line.unreported, line.usd_unreported_quoted, line.usd_at_risk) == (1, ONE, ONE)
    assert line.usd_charged is None, "the one that failed has no id, so nobody said a charge"
    two = [an_attempt_of(plain.clip_key, "row-01", State.STORED)._replace(no=no, credits_used=no) for no in (1, 2)]
    line = line_of(plain._replace(attempts=tuple(two)))
    assert (line.usd_charged, line.credits_used) == (2 * ONE, 3)


@pytest.mark.parametrize(("retired", "counted"), [(True, False), (False, True)])
def test_a_row_that_left_the_file_is_no_row_of_the_batch(retired: bool, counted: bool) -> None:
    assert line_of(row()._replace(retired=retired)).counted is counted
    assert not line_of(row()._replace(counted=False)).counted


def lines() -> list[Line]:
    """Two delivered, of which one is kept and one rejected; one accepted and not told, one in doubt, one that left the file."""
    return [
        line_of(judged(row(number=1), Word.KEEP), frozenset({row(number=1).clip_key})),
        line_of(judged(row(number=2), Word.REJECT)),
        line_of(row(State.SUBMITTED, 3)),
        line_of(row(State.IN_DOUBT, 4)),
        line_of(row(number=5)._replace(retired=True)),
        line_of(row(None, 6)),
    ]


def test_the_figures_of_a_batch() -> None:
    totals = sum_of(lines()).totals()
    assert (totals.rows, totals.delivered, totals.already_delivered, totals.interrupted) == (5, 1, 1, 1)
    assert (totals.in_doubt, totals.not_started, totals.failed, totals.overdue) == (1, 1, 0, 0)
    assert totals.usd_quoted == 5 * ONE, "of its rows"
    assert totals.usd_charged == 3 * ONE, "of every line, a row or not"
    assert (totals.usd_at_risk, totals.unreported, totals.usd_unreported_quoted) == (ONE, 1, ONE)
    assert (totals.credits_used, totals.kept, totals.usd_rejected) == (3 * 2_520_000, 1, ONE)
    assert totals.usd_per_kept_second == (3 * ONE / 4).quantize(Decimal("1e-9"))
    assert totals.sentence() == (
        "2 of 5 delivered (1 earlier) · 1 in doubt · 1 interrupted · 1 not started · "
        "$3.78 charged, 1 not reported (about $1.26 quoted), $1.26 at risk"
    )
    assert not totals.complete
    assert sum_of(lines()[:2]).totals().complete and sum_of(lines()[1:2]).totals().complete


def test_a_failure_and_what_is_overdue_are_in_the_sentence() -> None:
    some = [line_of(row(State.FAILED)), line_of(row(State.SUBMITTED, 2, error=f"{OVERDUE}: an hour", usd_charged=ZERO))]
    assert sum_of(some).totals().sentence() == "0 of 2 delivered · 1 failed · 1 overdue · $0.00 charged"


def test_what_was_spent_and_what_was_asked_for() -> None:
    found = sum_of(lines())
    assert found.usd_spent == 5 * ONE and found.usd_asked == 5 * ONE
    assert (found.rows, sum_of([]).rows, sum_of([]).usd_spent) == (5, 0, ZERO)


def test_a_charge_that_nobody_reported_is_not_zero() -> None:
    assert sum_of(lines()[2:3]).totals().usd_charged is None
    assert sum_of(lines()[2:3]).totals().money() == "1 not reported (about $1.26 quoted)"
    assert sum_of(lines()[5:]).totals().money() == "$0.00 charged"
    assert sum_of(lines()[2:3]).totals().usd_per_kept_second is None


def test_two_sums_together_are_the_sum_of_all_and_each_stays_what_it_was() -> None:
    """In whichever order, and where one of them knows no charge."""
    every = lines()
    for at in range(len(every) + 1):
        one, two = sum_of(every[:at]), sum_of(every[at:])
        before = one.totals(), two.totals()
        both = one.and_also(two)
        assert _all(both) == _all(two.and_also(one)) == _all(sum_of(every))
        assert (one.totals(), two.totals()) == before
    copy = sum_of(every[:2]).copy()
    copy.add(every[2])
    assert _all(copy) == _all(sum_of(every[:3]))


def _all(found: Sum) -> tuple[object, ...]:
    return found.totals(), found.usd_asked, found.usd_spent, found.kept_s


def test_lines_that_are_alike_are_summed_up_as_one_after_another() -> None:
    lines = [line_of(judged(row(State.STORED), word)) for word in (Word.KEEP, Word.REJECT)]
    lines += [line_of(row(state)) for state in (State.IN_DOUBT, State.SUBMITTED, State.RESULT_LOST, None)]
    for line in lines:
        at_once = Sum()
        at_once.add(line, 3)
        assert at_once.totals() == sum_of([line] * 3).totals() and at_once.usd_asked == sum_of([line] * 3).usd_asked


def test_figures_of_several_lines_add_up() -> None:
    doubt, sent = row(State.IN_DOUBT), row(State.STORED, usd_charged=None)
    found = sum_of(line_of(one) for one in (doubt, sent, doubt, sent))
    assert (found.usd_at_risk, found.usd_unreported, found.unreported) == (2 * ONE, 2 * ONE, 2)
    assert found.count[Outcome.IN_DOUBT] == found.count[Outcome.DELIVERED] == 2
