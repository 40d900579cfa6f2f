"""Marks of footage on record, on both databases: null, none, some; beside the attempt, moving nothing of it."""

from __future__ import annotations

from dailies.domain.marks import Kind, Mark, Marks
from dailies.domain.states import State
from dailies.ledger import Ledger
from tests.ledger.factories import MakeLedger, bring_to, plan

SOME = Marks((Mark(Kind.BLACK, 0.0, 1.25, 1.25), Mark(Kind.FIRST_FRAME, 0.0, 0.0, 0.31)))


def test_a_clip_that_nobody_looked_at_has_no_marks_and_one_that_is_fine_has_none_of_them(ledger: Ledger) -> None:
    """The two are told apart, and a look changes nothing else."""
    (key,) = plan(ledger)
    stored = bring_to(ledger, State.STORED, key)
    assert stored.marks is None
    for marks in (Marks(), SOME):
        ledger.record_marks(stored.id, marks)
        assert ledger.attempt(stored.id) == stored._replace(marks=marks)


def test_what_is_not_delivered_gets_no_marks(ledger: Ledger) -> None:
    """A look that comes after its clip was reopened says nothing about the next file."""
    (key,) = plan(ledger)
    completed = bring_to(ledger, State.COMPLETED, key)
    ledger.record_marks(completed.id, SOME)
    assert ledger.attempt(completed.id) == completed


def test_who_looked_need_not_own_the_clip(make_ledger: MakeLedger) -> None:
    """Marks are no move."""
    one, two = make_ledger(), make_ledger()
    (key,) = plan(one)
    stored = bring_to(one, State.STORED, key)
    two.record_marks(stored.id, SOME)
    found = one.attempt(stored.id)
    assert found is not None and found.marks == SOME and found.owner == stored.owner
