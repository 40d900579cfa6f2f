"""What a clip needs from a person: in one sentence, with the very commands. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from typing import Any

from dailies.domain.clip_line import COLUMNS, Line
from dailies.domain.commands import COLLECT, command, refund_pack, resolve
from dailies.domain.money import show_usd
from dailies.domain.provider import SettledBy
from dailies.domain.records import BatchRow
from dailies.domain.standing import Outcome
from dailies.domain.states import Failure, State
from dailies.registry import declaration


class Topic(StrEnum):
    """How a clip is sorted in the report, the most urgent first; each has exactly one."""

    IN_DOUBT = "in doubt"
    LOST = "charged and lost"
    FAILED = "failed at the provider"
    REFUSED = "refused"
    NOT_SENT = "not sent"
    OVERDUE = "overdue"
    INTERRUPTED = "not home yet"
    MISMATCH = "not as ordered"
    NOT_STARTED = "not started"
    FORGOTTEN = "forgotten"
    RETIRED = "no longer in the CSV"
    DELIVERED = "delivered"


MEANING = {
    Topic.IN_DOUBT: "The create was sent and its answer was lost: each of these may have been charged. "
    "Nothing is bought again until that is settled.",
    Topic.LOST: "Charged, and no address leads to the clip any more. Ask for the money back; "
    "another one is a second charge.",
    Topic.FAILED: "Accepted, and then the provider failed to make it.",
    Topic.REFUSED: "The provider refused the request: not charged. The same words would be refused again.",
    Topic.NOT_SENT: "The request never reached the provider: not charged.",
    Topic.OVERDUE: "Paid, and still being made past the usual time; nothing is lost.",
    Topic.INTERRUPTED: "Paid, and the run was ended before these came home; nothing is lost.",
    Topic.MISMATCH: "Delivered, but not what was bought: worth asking for the money back.",
    Topic.NOT_STARTED: "Nothing was bought for these yet.",
    Topic.FORGOTTEN: "Removed because a person asked for it: only what these cost is on record. They are not made again.",
    Topic.RETIRED: "Bought for rows that have since left the CSV or changed: only their money counts here.",
    Topic.DELIVERED: "In S3, checked.",
}


@dataclass(frozen=True, slots=True)
class Command:
    """A command to copy, and what it does or when it is right."""

    hint: str
    text: str


@dataclass(frozen=True, slots=True)
class Advice:
    """What to do about one clip. `shared` serves every clip of the topic and batch, `own` this clip alone."""

    topic: Topic
    shared: tuple[Command, ...] = ()
    own: tuple[Command, ...] = ()

    @property
    def commands(self) -> tuple[Command, ...]:
        """All of them, in the order in which they help."""
        return (*self.shared, *self.own)


def advice_for(topic: Topic, line: Line, run: str | None = None) -> Advice:
    """The next commands for one clip; `run` goes on with its batch, where it is known how that was asked for."""
    on = Command("goes on with the rest of the batch", run) if run else None
    match topic:
        case Topic.DELIVERED | Topic.RETIRED | Topic.FORGOTTEN:
            return Advice(topic)
        case Topic.IN_DOUBT:
            return Advice(
                topic,
                (Command(question_to(line.provider), COLLECT),),
                doubt_commands(line.attempt or "", line.usd_at_risk),
            )
        case Topic.OVERDUE | Topic.INTERRUPTED:
            return Advice(topic, (Command("brings it home", COLLECT),))
        case Topic.MISMATCH:
            return Advice(topic, (_refund(line),))
        case Topic.LOST:
            return Advice(topic, (_refund(line), _retry(line, "--lost")))
        case Topic.FAILED:
            return Advice(topic, (*([_refund(line)] if line.usd_charged else []), _retry(line, "--failed")))
        case Topic.REFUSED:
            changed = [Command("after you have changed the prompt or the image", run)] if run else []
            return Advice(topic, (*changed, _retry(line, "--refused", "asks once more in the same words")))
        case Topic.NOT_SENT | Topic.NOT_STARTED:
            return Advice(topic, (on,) if on else ())


QUESTIONS = {
    SettledBy.LOG: "asks {}'s log again",
    SettledBy.OWN_ID: "asks {} again by our own id",
    SettledBy.HISTORY: "looks through {}'s history again",
    SettledBy.SAME_KEY: "takes in an answer that came late; a run asks {} by the same request with its own key, while that is known",
}
"""What can be asked about a lost answer, the first that a provider has; the last is no question of `collect`'s."""


def question_to(provider: str) -> str:
    """What `collect` does about a lost answer of this provider's."""
    known = declaration(provider)
    by, title = (known.settling.by, known.title) if known else ((), provider)
    words = next((words for way, words in QUESTIONS.items() if way in by), None)
    return (words or "takes in an answer that came late; {} has nothing that could be asked").format(title)


def topics_of(rows: Sequence[BatchRow], columns: Sequence[Sequence[Any]]) -> list[Topic]:
    """Where clips belong in the report; `columns` are those of the rows' lines."""
    counted, outcomes, mismatches = (columns[COLUMNS.index(name)] for name in ("counted", "outcome", "mismatch"))
    attempts = [row.attempt for row in rows]
    return [
        _topic(row.forgotten, counts, outcome, bool(mismatch), one and one.state, one and one.failure)
        for row, counts, outcome, mismatch, one in zip(rows, counted, outcomes, mismatches, attempts, strict=True)
    ]


@lru_cache
def _topic(  # all that it depends on, of which a hundred thousand clips have few kinds
    forgotten: bool, counted: bool, outcome: str, mismatch: bool, state: State | None, failure: Failure | None
) -> Topic:
    if forgotten and counted:
        return Topic.FORGOTTEN
    match Outcome(outcome):
        case Outcome.DELIVERED | Outcome.ALREADY_DELIVERED:
            return Topic.MISMATCH if mismatch else Topic.DELIVERED
        case Outcome.IN_DOUBT:
            return Topic.IN_DOUBT
        case Outcome.OVERDUE:
            return Topic.OVERDUE
        case Outcome.INTERRUPTED:
            return Topic.INTERRUPTED
        case Outcome.NOT_STARTED | Outcome.FAILED if not counted:
            return Topic.RETIRED
        case Outcome.NOT_STARTED:
            return Topic.NOT_SENT if failure is Failure.MISCONFIGURED else Topic.NOT_STARTED
        case Outcome.FAILED:
            if state in (State.RESULT_LOST, State.ORPHANED):
                return Topic.LOST
            if failure is Failure.REFUSED:
                return Topic.REFUSED
            return Topic.FAILED if failure in (Failure.GENERATION, None) else Topic.NOT_SENT


def _retry(line: Line, kind: str, hint: str = "buys them again, after a question") -> Command:
    return Command(hint, command("retry", "--batch", line.batch, kind))


def _refund(line: Line) -> Command:
    return Command("makes a letter with the evidence", refund_pack(line.batch))


def doubt_commands(attempt: str, usd_at_risk: Decimal) -> tuple[Command, ...]:
    """What a person may say about an attempt in doubt."""
    return (
        Command("the provider lists it: collect it", resolve(attempt, "--charged", "GENERATION_ID")),
        Command("it was surely never charged", resolve(attempt, "--not-charged")),
        Command(f"buy it again; {show_usd(usd_at_risk)} stays at risk", resolve(attempt, "--resubmit")),
    )
