"""What kept seconds cost, what rejected takes did, and what another round would: pure figures."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from dailies.domain.records import BatchRow
from dailies.domain.states import State
from dailies.domain.takes import Take
from dailies.domain.verdicts import NOTHING_SAID, Said, Verdict, Word
from dailies.report.credits import credits_of, dump
from dailies.report.kept import kept_by, kept_json
from dailies.report.rounds import Round, is_sent_back, retake_round, round_of
from tests.ledger.factories import NOON
from tests.report.factories import a_batch_row


def judged(number: int, word: Word | None, **changes: Any) -> BatchRow:
    row = a_batch_row(number, State.STORED, **changes)
    return row._replace(verdict=Verdict(number, row.clip_key, NOON, "Ana", Said(word)) if word is not None else None)


ROWS = [
    judged(1, Word.KEEP, labels={"campaign": "spring"}), judged(2, Word.REJECT, labels={"campaign": "spring"}),
    judged(3, Word.KEEP, labels={"campaign": "autumn"}), judged(4, None, labels={}),
]  # fmt: skip


def test_each_groups_dollars_are_those_of_all_its_takes() -> None:
    """Four seconds kept of two clips at $1.26: 63 cents a second; the other campaign pays its clip alone."""
    found = kept_by(credits_of("monday", ROWS))
    spring, autumn, none = sorted(found["campaign"], key=lambda one: ("spring", "autumn", "–").index(one.value))
    assert (spring.kept, spring.kept_s, spring.usd_charged, spring.usd_rejected) == (
        1,
        4,
        Decimal("2.52"),
        Decimal("1.26"),
    )
    assert (spring.usd_per_kept_second, autumn.usd_per_kept_second) == (Decimal("0.63"), Decimal("0.315"))
    assert none.usd_per_kept_second is None and none.clips == 1
    assert [one.value for one in found["campaign"]] == ["spring", "autumn", "–"], "the dearest second first"


def test_the_groups_of_each_column_sum_to_the_whole() -> None:
    credits = credits_of("monday", ROWS)
    for groups in kept_by(credits).values():
        assert sum(one.usd_charged or 0 for one in groups) == credits.totals.usd_charged
        assert sum(one.usd_rejected for one in groups) == credits.totals.usd_rejected
        assert sum(one.kept for one in groups) == credits.totals.kept
    assert dump(kept_json(kept_by(credits)))


def test_while_nobody_has_decided_there_is_nothing_to_say() -> None:
    assert kept_by(credits_of("monday", [judged(1, None), judged(2, Word.RETAKE)])) == {}


def a_take(number: int, key: str, word: Word = Word.NONE, settled: bool = True, answers: str | None = None) -> Take:
    """A take that is delivered where it is the first, else under way or only planned."""
    return Take(number, key, Said(word) if word else NOTHING_SAID, settled, number == 1, False, answers)


def test_a_round_is_one_take_for_each_that_is_not_answered() -> None:
    row, other = judged(1, Word.RETAKE), judged(2, Word.RETAKE)._replace(usd_quoted=None)
    sent_back = {row.clip_key: row, other.clip_key: other}
    open_, unpriced = [a_take(1, row.clip_key, Word.RETAKE)], [a_take(1, other.clip_key, Word.RETAKE)]
    assert round_of(sent_back, [open_, unpriced]) == Round(2, Decimal("1.26"), 1)
    under_way = [*open_, a_take(2, "b" * 64, settled=True, answers=row.clip_key)]
    assert round_of(sent_back, [under_way]) == Round(0, Decimal(0), 0)
    planned = [*open_, a_take(2, "b" * 64, settled=False, answers=row.clip_key)]
    assert round_of(sent_back, [planned]).clips == 1


def test_as_json_a_group_is_named_by_its_place_alone() -> None:
    found = kept_json(kept_by(credits_of("monday", ROWS)))
    assert set(found) == {"model", "provider", "campaign"} and set(found["provider"]) == {"aiml"}
    assert found["campaign"]["autumn"] == {
        "clips": 1, "kept": 1, "kept_s": 4, "usd_charged": Decimal("1.26"), "usd_rejected": Decimal(0),
        "usd_per_kept_second": Decimal("0.315"),
    }  # fmt: skip


class Takes:
    """A ledger that knows of one row's takes."""

    def row_clip_of(self, keys: Any) -> dict[str, str]:
        assert list(keys) == [SENT_BACK.clip_key]
        return {SENT_BACK.clip_key: "base"}

    def takes_of(self, providers: Any) -> dict[str, Any]:
        assert providers == {"base": SENT_BACK.providers}
        return {"base": [a_take(1, SENT_BACK.clip_key, Word.RETAKE)]}


SENT_BACK = judged(5, Word.RETAKE)


def test_another_round_is_what_answers_everything_that_was_sent_back() -> None:
    others = [
        *ROWS, SENT_BACK._replace(counted=False), SENT_BACK._replace(retired=True), SENT_BACK._replace(forgotten=True),
    ]  # fmt: skip
    assert not any(map(is_sent_back, others)) and is_sent_back(SENT_BACK)
    takes: Any = Takes()
    assert retake_round(takes, others) == Round(0, Decimal(0), 0)
    assert (
        retake_round(takes, [SENT_BACK, *ROWS])
        == round_of({SENT_BACK.clip_key: SENT_BACK}, list(Takes().takes_of({"base": SENT_BACK.providers}).values()))
        != Round(0, Decimal(0), 0)
    )
