"""The record of verdicts on both databases: appended to, the latest stands, all of a file or nothing."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from dailies.domain.states import State
from dailies.domain.verdicts import NOTHING_SAID, Said, Word
from dailies.ledger import Ledger
from dailies.ledger import tables as t
from tests.ledger.factories import FakeClock, MakeLedger, bring_to, plan

KEEP, RETAKE = Said(Word.KEEP), Said(Word.RETAKE, "too dark", "brighter")


def entries(ledger: Ledger) -> int:
    with ledger.engine.connect() as connection:
        return int(connection.execute(sa.select(sa.func.count()).select_from(t.verdict)).scalar_one())


def test_the_latest_verdict_stands_and_the_earlier_ones_stay_on_record(ledger: Ledger, clock: FakeClock) -> None:
    (key,) = plan(ledger)
    ledger.judge({key: KEEP}, "Ana")
    clock.advance(60)
    ledger.judge({key: RETAKE}, "Bo")
    (row,) = ledger.rows("smiles")
    assert row.verdict is not None
    assert (row.verdict.said, row.verdict.author, row.verdict.at) == (RETAKE, "Bo", clock.now)
    assert [(one.said.word, one.author) for one in ledger.verdict_history(key)] == [
        (Word.KEEP, "Ana"),
        (Word.RETAKE, "Bo"),
    ]


def test_what_stands_already_is_not_said_again(ledger: Ledger) -> None:
    one, two = plan(ledger, 2)
    assert len(ledger.judge({one: KEEP, two: NOTHING_SAID}, "Ana")) == 1
    assert ledger.judge({one: KEEP, two: NOTHING_SAID}, "Bo") == []
    assert entries(ledger) == 1


def test_verdicts_on_many_clips_are_on_record_all_or_none(ledger: Ledger) -> None:
    (key,) = plan(ledger)
    with pytest.raises(KeyError):
        ledger.judge({key: KEEP, "f" * 64: KEEP}, "Ana")
    assert entries(ledger) == 0


def test_undo_is_an_entry_of_its_own(ledger: Ledger) -> None:
    (key,) = plan(ledger)
    ledger.judge({key: KEEP}, "Ana")
    ledger.judge({key: RETAKE}, "Ana")
    undone = [ledger.undo_verdict(key, "Bo") for _ in range(3)]
    assert [one and one.said for one in undone] == [KEEP, NOTHING_SAID, None]
    assert entries(ledger) == 4
    (row,) = ledger.rows("smiles")
    assert row.verdict is not None and row.verdict.said == NOTHING_SAID


def test_an_undo_never_takes_back_what_its_author_has_not_seen(ledger: Ledger) -> None:
    (key,) = plan(ledger)
    (seen,) = ledger.judge({key: KEEP}, "Ana")
    ledger.judge({key: RETAKE}, "Bo")
    assert ledger.undo_verdict(key, "Ana", seen=seen.id) is None and entries(ledger) == 2
    assert ledger.undo_verdict(key, "Bo", seen=seen.id), "his own, though its number has not reached his page"
    latest = ledger.verdict_history(key)[-1]
    undone = ledger.undo_verdict(key, "Ana", seen=latest.id)
    assert undone is not None and undone.said == NOTHING_SAID


def test_several_people_see_what_the_others_said(make_ledger: MakeLedger, clock: FakeClock) -> None:
    ana, bo = make_ledger(), make_ledger()
    one, two = plan(ana, 2)
    ana.judge({one: KEEP}, "Ana")
    (seen,) = bo.verdicts_after(0)
    clock.advance(120)
    bo.judge({two: RETAKE}, "Bo")
    assert [(entry.clip_key, entry.author) for entry in ana.verdicts_after(seen.id)] == [(two, "Bo")]


def test_an_entry_that_became_visible_late_is_shown_again(ledger: Ledger, clock: FakeClock) -> None:
    """Two transactions may commit in another order than they took their numbers."""
    (key,) = plan(ledger)
    (entry,) = ledger.judge({key: KEEP}, "Ana")
    clock.advance(10)
    assert [one.id for one in ledger.verdicts_after(entry.id)] == [entry.id]
    clock.advance(60)
    assert ledger.verdicts_after(entry.id) == []


def test_comments_stand_in_the_order_of_the_clip(ledger: Ledger) -> None:
    (key,) = plan(ledger)
    ledger.comment(key, "Ana", 3.25, "the hand")
    ledger.comment(key, "Bo", 1.5, "a flash")
    assert [(one.second, one.text, one.author) for one in ledger.comments(key)] == [
        (1.5, "a flash", "Bo"),
        (3.25, "the hand", "Ana"),
    ]
    with pytest.raises(KeyError):
        ledger.comment("f" * 64, "Ana", 0, "nothing")


@pytest.mark.parametrize("broken", [{"word": "maybe"}, {"author": ""}], ids=str)
def test_the_table_itself_refuses_what_is_no_verdict(ledger: Ledger, broken: dict[str, str]) -> None:
    (key,) = plan(ledger)
    values = {"clip_key": key, "at": ledger.now(), "author": "Ana", "word": "keep", "note": "", "prompt": ""}
    with pytest.raises(IntegrityError), ledger.engine.begin() as connection:
        connection.execute(t.verdict.insert().values(**(values | broken)))


def test_a_verdict_touches_no_attempt(ledger: Ledger) -> None:
    attempt = bring_to(ledger, State.STORED)
    ledger.judge({attempt.clip_key: KEEP}, "Ana")
    assert ledger.attempt(attempt.id) == attempt
