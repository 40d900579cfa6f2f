"""What a clip needs from a person: its topic, and the commands that help, in the order in which they do."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from dailies.domain.clip_line import columns_of, line_of
from dailies.domain.records import OVERDUE, BatchRow
from dailies.domain.states import Failure, State
from dailies.report import advice
from dailies.report.advice import MEANING, Advice, Command, Topic, advice_for, doubt_commands, question_to, topics_of
from tests.report.factories import a_batch_row

RUN = "dailies run prompts.csv"
COLLECT = "dailies collect"
REFUND = Command("makes a letter with the evidence", "dailies report --batch monday --refund-pack")
NEVER = a_batch_row(1, None)


def failed(failure: Failure | None, **changes: Any) -> BatchRow:
    return a_batch_row(1, State.FAILED, failure=failure, **changes)


@pytest.mark.parametrize(("row", "topic"), [
    (NEVER, Topic.NOT_STARTED),
    (a_batch_row(1), Topic.DELIVERED),
    (a_batch_row(1, mismatch="asked for 1280x720, got 640x360"), Topic.MISMATCH),
    (a_batch_row(1)._replace(forgotten=True), Topic.FORGOTTEN),
    (a_batch_row(1)._replace(forgotten=True, counted=False), Topic.DELIVERED),
    (a_batch_row(1, State.IN_DOUBT), Topic.IN_DOUBT),
    (a_batch_row(1, State.SUBMITTED, error=f"{OVERDUE}: it takes long"), Topic.OVERDUE),
    (a_batch_row(1, State.SUBMITTED), Topic.INTERRUPTED),
    (NEVER._replace(counted=False), Topic.RETIRED),
    (failed(Failure.GENERATION)._replace(counted=False), Topic.RETIRED),
    (failed(Failure.MISCONFIGURED), Topic.NOT_SENT),
    (failed(Failure.BUSY), Topic.NOT_STARTED),
    (failed(Failure.REFUSED), Topic.REFUSED),
    (failed(Failure.GENERATION), Topic.FAILED),
    (a_batch_row(1, State.RESULT_LOST), Topic.LOST),
    (a_batch_row(1, State.ORPHANED, failure=Failure.GENERATION), Topic.LOST),
])  # fmt: skip
def test_each_clip_has_one_topic(row: BatchRow, topic: Topic) -> None:
    assert topics_of([row], columns_of([row])) == [topic]


def advised(topic: Topic, row: BatchRow = NEVER, run: str | None = RUN) -> Advice:
    found = advice_for(topic, line_of(row), run)
    assert found.topic is topic and found.commands == (*found.shared, *found.own)
    return found


@pytest.mark.parametrize("topic", [Topic.DELIVERED, Topic.RETIRED, Topic.FORGOTTEN])
def test_some_need_nothing(topic: Topic) -> None:
    assert advised(topic) == Advice(topic)


@pytest.mark.parametrize("topic", [Topic.NOT_SENT, Topic.NOT_STARTED])
def test_what_was_not_bought_is_gone_on_with_where_it_is_known_how(topic: Topic) -> None:
    assert advised(topic).commands == (Command("goes on with the rest of the batch", RUN),)
    assert advised(topic, run=None).commands == ()


@pytest.mark.parametrize("topic", [Topic.OVERDUE, Topic.INTERRUPTED])
def test_what_is_paid_is_brought_home(topic: Topic) -> None:
    assert advised(topic).commands == (Command("brings it home", COLLECT),)


def test_money_is_asked_back_before_it_is_spent_again() -> None:
    def again(kind: str) -> Command:
        return Command("buys them again, after a question", f"dailies retry --batch monday {kind}")

    assert advised(Topic.MISMATCH).shared == (REFUND,)
    assert advised(Topic.LOST).shared == (REFUND, again("--lost"))
    charged = failed(Failure.GENERATION, generation_id="g", usd_charged=Decimal("1.26"))
    assert advised(Topic.FAILED, charged).shared == (REFUND, again("--failed"))
    assert advised(Topic.FAILED, failed(Failure.GENERATION)).shared == (again("--failed"),)


def test_a_refused_row_is_changed_first() -> None:
    same = Command("asks once more in the same words", "dailies retry --batch monday --refused")
    assert advised(Topic.REFUSED).shared == (Command("after you have changed the prompt or the image", RUN), same)
    assert advised(Topic.REFUSED, run=None).shared == (same,)


def test_a_doubt_is_asked_about_and_then_settled_by_a_person() -> None:
    row = a_batch_row(1, State.IN_DOUBT, id="row")
    assert row.attempt
    found = advised(Topic.IN_DOUBT, row)
    assert found.shared == (Command(question_to("aiml"), COLLECT),)
    assert found.own == doubt_commands(row.attempt.id, Decimal("1.26"))
    which = f"dailies resolve {row.attempt.id[:8]}"
    assert [(one.hint, one.text) for one in found.own] == [
        ("the provider lists it: collect it", f"{which} --charged GENERATION_ID"),
        ("it was surely never charged", f"{which} --not-charged"),
        ("buy it again; $1.26 stays at risk", f"{which} --resubmit"),
    ]


def test_the_question_is_the_first_that_a_provider_can_be_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    assert question_to("aiml") == "asks AI/ML API's log again"
    assert question_to("nobody") == "takes in an answer that came late; nobody has nothing that could be asked"
    monkeypatch.setattr(advice, "QUESTIONS", {})
    assert question_to("aiml") == "takes in an answer that came late; AI/ML API has nothing that could be asked"


def test_each_topic_is_explained() -> None:
    assert list(MEANING) == list(Topic) and all(words.endswith(".") for words in MEANING.values())
