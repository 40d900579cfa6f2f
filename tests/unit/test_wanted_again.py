"""Which clips a person may want again, and why each is not there; what a run would go on with by itself is none of them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from dailies.domain.records import BatchRow
from dailies.domain.retry import CANCELLED, Again, Kind, kind_of, to_retry
from dailies.domain.states import RETRYABLE, Failure, State
from tests.ledger.factories import NOON, USD, a_clip, an_attempt

FAILED: dict[str, Any] = {"state": State.FAILED, "failure": Failure.GENERATION, "error": "the upstream failed"}
ORPHAN: dict[str, Any] = {"state": State.ORPHANED, "generation_id": "g"}


def a_row(number: int = 1, usd: Decimal | None = USD, **attempt: Any) -> BatchRow:
    attempts = (an_attempt(**attempt),) if attempt else ()
    clip = a_clip()
    return BatchRow("smiles", number, f"row-{number}", clip, clip.key, ("aiml",), usd, attempts=attempts)


@pytest.mark.parametrize(("attempt", "kind"), [
    (FAILED, Kind.FAILED),
    (FAILED | {"failure": Failure.REFUSED}, Kind.REFUSED),
    (FAILED | {"error": f"{CANCELLED} by a person"}, Kind.CANCELLED),
    (FAILED | {"failure": Failure.CANCELLED, "error": CANCELLED}, Kind.CANCELLED),
    (FAILED | {"error": f"not {CANCELLED}"}, Kind.FAILED),
    (FAILED | {"error": None}, Kind.FAILED),
    (ORPHAN | {"failure": Failure.GENERATION}, Kind.FAILED),
    (ORPHAN, None),  # it is still polled
    (ORPHAN | {"failure": Failure.GENERATION, "s3_uri": "s3://clips/a.mp4"}, None),  # it came home
    ({"state": State.RESULT_LOST}, Kind.LOST),
    *(({"state": State.FAILED, "failure": why}, None) for why in RETRYABLE),  # a run buys it by itself
    *(({"state": state, "failure": Failure.GENERATION}, None)
      for state in (State.SUBMITTING, State.SUBMITTED, State.COMPLETED, State.IN_DOUBT, State.SUPERSEDED)),
])  # fmt: skip
def test_why_a_clip_is_not_there(attempt: dict[str, Any], kind: Kind | None) -> None:
    assert kind_of(an_attempt(**attempt)) is kind


def test_only_the_kinds_that_are_asked_for_of_rows_that_are_still_wanted() -> None:
    failed, lost = a_row(1, **FAILED), a_row(2, state=State.RESULT_LOST)
    delivered = a_row(3, state=State.STORED, s3_uri="s3://clips/a.mp4")
    rows = [failed._replace(retired=True), a_row(4), delivered, failed, lost._replace(forgotten=True), lost]
    assert to_retry(rows, [Kind.FAILED]) == [Again(failed, Kind.FAILED, failed.attempts[0])]
    assert [again.row for again in to_retry(rows, list(Kind))] == [failed, lost]
    assert to_retry(rows, []) == []


def test_what_it_costs_is_todays_quote_else_what_it_was_quoted_at_then_and_what_it_did_cost_the_charge() -> None:
    attempt = an_attempt(usd_quoted=Decimal(2), created_at=NOON, **FAILED)
    for today, usd in ((Decimal(3), Decimal(3)), (Decimal(0), Decimal(0)), (None, Decimal(2))):
        assert Again(a_row(usd=today), Kind.FAILED, attempt).usd == usd
    assert Again(a_row(), Kind.FAILED, attempt).usd_paid == 0
    assert Again(a_row(), Kind.LOST, attempt._replace(usd_charged=Decimal(5))).usd_paid == 5
