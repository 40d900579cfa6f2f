"""Takes on record, on both databases: one clip per number, for ever, and how each of a row's takes stands."""

from __future__ import annotations

from dataclasses import replace

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from dailies.domain.clips import Row
from dailies.domain.states import State
from dailies.domain.takes import Link, take_clip
from dailies.domain.verdicts import Said, Word
from dailies.ledger import AnotherFile, Ledger, TakenNumber
from dailies.ledger import tables as t
from tests.ledger.factories import USD, a_row, bring_to

BASE = a_row(1)
FURTHER = {n: replace(BASE, clip=take_clip(BASE.clip, n, BASE.clip.prompt, False)) for n in (2, 3)}
OTHER = replace(BASE, clip=take_clip(BASE.clip, 2, "another prompt", False))


def put(ledger: Ledger, *rows: Row, links: tuple[Link, ...] = (), part: bool = False) -> None:
    quotes = {row.clip.key: USD for row in rows}
    ledger.plan("smiles", "smiles.csv", "s3://clips/smiles", rows, quotes, part, takes=links)


def link(number: int, row: Row | None = None, answers: str | None = None) -> Link:
    return Link(BASE.clip.key, number, (row or FURTHER[number]).clip.key, answers)


def test_a_number_is_one_clips_for_ever(ledger: Ledger) -> None:
    put(ledger, BASE, FURTHER[2], links=(link(2),))
    put(ledger, BASE, FURTHER[2], links=(link(2, answers="x"),))
    assert ledger.links_of([BASE.clip.key]) == {BASE.clip.key: [link(2)]}
    with pytest.raises(TakenNumber):
        put(ledger, BASE, OTHER, links=(link(2, OTHER),))
    assert OTHER.clip.key not in {row.clip_key for row in ledger.rows("smiles")}, "nothing of that plan is on record"


def test_the_database_itself_keeps_numbers_and_clips_apart(ledger: Ledger) -> None:
    put(ledger, BASE, *FURTHER.values(), links=(link(2),))
    for number, row in ((2, FURTHER[3]), (3, FURTHER[2]), (1, FURTHER[3])):
        values = {"base_key": BASE.clip.key, "number": number, "clip_key": row.clip.key, "linked_at": ledger.now()}
        with pytest.raises(IntegrityError), ledger.engine.begin() as connection:
            connection.execute(sa.insert(t.take).values(**values))


def test_retakes_alone_are_asked_for_by_the_batchs_own_file_wherever_it_lies_now(ledger: Ledger) -> None:
    ledger.plan("smiles", "/first/smiles.csv", "s3://c/s", [BASE], {BASE.clip.key: USD})
    quotes = {FURTHER[2].clip.key: USD}
    ledger.plan("smiles", "/moved/smiles.csv", "s3://c/s", [FURTHER[2]], quotes, True, takes=(link(2),))
    with pytest.raises(AnotherFile):
        ledger.plan("smiles", "/other/smiles.csv", "s3://c/s", [OTHER], {OTHER.clip.key: USD}, True)


def test_how_a_rows_takes_stand(ledger: Ledger) -> None:
    put(ledger, BASE, *FURTHER.values(), links=(link(2), link(3, answers=FURTHER[2].clip.key)))
    bring_to(ledger, State.STORED, BASE.clip.key)
    bring_to(ledger, State.SUBMITTED, FURTHER[2].clip.key)
    ledger.judge({BASE.clip.key: Said(Word.KEEP)}, "Ana")
    one, two, three = ledger.takes_of({BASE.clip.key: ("aiml",)})[BASE.clip.key]
    assert (one.number, one.said.word, one.settled, one.delivered, one.failed) == (1, Word.KEEP, True, True, False)
    assert (two.number, two.settled, two.delivered, two.failed) == (2, True, False, False)
    assert (three.settled, three.answers) == (False, FURTHER[2].clip.key)
    assert three.clip is not None and three.clip.identity == FURTHER[3].clip.key
    assert ledger.row_clip_of([BASE.clip.key, FURTHER[2].clip.key]) == {FURTHER[2].clip.key: BASE.clip.key}
    assert ledger.row_clip_of([FURTHER[2].clip.key]) == {FURTHER[2].clip.key: BASE.clip.key}


def test_what_was_made_in_full_takes_its_drafts_place_and_no_other_row_leaves(ledger: Ledger) -> None:
    draft, final, beside = BASE, replace(BASE, clip=replace(BASE.clip, duration_s=12)), a_row(2)
    put(ledger, draft, FURTHER[2], beside, links=(link(2),))
    replaced = (draft.clip.key, FURTHER[2].clip.key)
    ledger.plan(
        "smiles", "smiles.csv", "s3://c/s", [final], {final.clip.key: USD}, part=True, replaced=replaced
    )  # fmt: skip
    left = {row.clip_key: row.retired for row in ledger.rows("smiles")}
    assert left == {final.clip.key: False, beside.clip.key: False, draft.clip.key: True, FURTHER[2].clip.key: True}
    assert set(ledger.clips_in("smiles")) == {final.clip.key, beside.clip.key, draft.clip.key}, "no further takes"
    assert ledger.clips_in("another") == {}
    put(ledger, draft, FURTHER[2], beside, links=(link(2),))  # all drafts once more
    again = {row.clip_key: row.retired for row in ledger.rows("smiles")}
    assert again == {final.clip.key: True, beside.clip.key: False, draft.clip.key: False, FURTHER[2].clip.key: False}


@pytest.mark.parametrize("earlier", [False, True], ids=["", "after a version that let it leave"])
def test_a_take_that_stays_is_a_row_though_nothing_is_planned_for_it(ledger: Ledger, earlier: bool) -> None:
    put(ledger, BASE, FURTHER[2], FURTHER[3], links=(link(2), link(3)))
    if earlier:
        put(ledger, BASE)
    ledger.plan(
        "smiles", "smiles.csv", "s3://c/s", [BASE], {BASE.clip.key: USD}, staying=(FURTHER[2].clip.key,)
    )  # fmt: skip
    left = {row.clip_key: row.retired for row in ledger.rows("smiles")}
    assert left == {BASE.clip.key: False, FURTHER[2].clip.key: False, FURTHER[3].clip.key: True}
