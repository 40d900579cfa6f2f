"""What the outcome of a paid create means. One pure function, tested as a table (source: the guarantees).

The question is always the same: can this have been charged? Only what surely was not may be tried again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from enum import StrEnum

from dailies.domain.brake import LONGEST_WAIT_S
from dailies.domain.states import Failure

RETRY_AFTER_CAP_S = 30.0  # a provider that asks for an hour is asked again after this; 429 costs nothing
RETRY_AFTER_DEFAULT_S = 2.0


class Fault(StrEnum):
    """Why there is no HTTP answer at all."""

    NOT_CONNECTED = "not connected"  # refused, DNS, TLS handshake, connect timeout, pool timeout: nothing was sent
    ANSWER_LOST = "answer lost"  # read or write timeout, reset, protocol error: the request may have been accepted


class Meaning(StrEnum):
    """What the program does next."""

    ACCEPTED = "accepted"
    TRY_AGAIN = "try again"  # never sent: a few more tries, then failed, not charged
    WAIT = "wait"  # too busy: everyone slows down, no attempt is used up
    FAILED = "failed"  # this clip only; not charged
    STOP = "stop"  # every clip at this provider; not charged
    IN_DOUBT = "in doubt"


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer to a create: what its meaning depends on, and all that it told of the clip.

    `error_code` is a code inside the body, which OneRouter may put into an HTTP 200. `url` is the finished clip's address
    (a secret), where the answer carries it; dollars and credits are None where it does not say. `raw` is the whole
    answer, without secrets, where it has no id that could be read: it may be all there is of a paid clip.
    """

    status: int
    generation_id: str | None = None
    error_code: int | None = None
    out_of_credits: bool = False
    bad_key: bool = False
    words: str = ""
    retry_after: str | None = None
    url: str | None = field(default=None, repr=False)
    usd_charged: Decimal | None = None
    credits_used: int | None = None
    raw: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an outcome means, why in words for people, and how long to wait where waiting is meant."""

    meaning: Meaning
    words: str
    failure: Failure | None = None
    wait_s: float = 0.0


MAYBE_CHARGED = frozenset({408, 409, 425})
STATUS_WORDS = {
    400: "invalid request",
    404: "not served",
    413: "too large",
    415: "wrong media type",
    422: "invalid request",
}


def judge(outcome: Answer | Fault, now: datetime | None = None) -> Verdict:
    """The table of the guarantees. `now` is only needed to read a Retry-After that is a date."""
    match outcome:
        case Fault.NOT_CONNECTED:
            return Verdict(Meaning.TRY_AGAIN, "could not connect: nothing was sent", Failure.NOT_SENT)
        case Fault.ANSWER_LOST:
            return Verdict(Meaning.IN_DOUBT, "the request was sent and its answer was lost")
    return _judge_answer(outcome, now)


def _judge_answer(answer: Answer, now: datetime | None) -> Verdict:
    status = answer.error_code or answer.status
    words = answer.words or STATUS_WORDS.get(status, f"HTTP {status}")
    if answer.bad_key or answer.out_of_credits or status == 401:
        return Verdict(Meaning.STOP, words, Failure.STOPPED)
    if 200 <= status < 300:
        if answer.generation_id:
            return Verdict(Meaning.ACCEPTED, words)
        return Verdict(Meaning.IN_DOUBT, answer.words or f"HTTP {status} without a generation id")
    if 300 <= status < 400:
        return Verdict(
            Meaning.FAILED,
            f"redirected (HTTP {status}), not followed with the key: check the base URL",
            Failure.MISCONFIGURED,
        )
    if status == 429:
        return Verdict(Meaning.WAIT, words, Failure.BUSY, retry_after_s(answer.retry_after, now))
    if 400 <= status < 500 and status not in MAYBE_CHARGED:
        return Verdict(Meaning.FAILED, words, Failure.REFUSED)
    wait_s = retry_after_s(answer.retry_after, now, LONGEST_WAIT_S) if answer.retry_after else 0.0
    return Verdict(Meaning.IN_DOUBT, words, wait_s=wait_s)


def retry_after_s(text: str | None, now: datetime | None = None, cap_s: float | None = None) -> float:
    """Seconds to wait by a Retry-After in any spelling: seconds or an HTTP date; capped, never negative; rubbish is ignored."""
    if text is None or not text.strip():
        return RETRY_AFTER_DEFAULT_S
    text = text.strip()
    try:
        seconds = float(text)
        if seconds != seconds:
            return RETRY_AFTER_DEFAULT_S
    except ValueError:
        try:
            when = parsedate_to_datetime(text)
        except (ValueError, TypeError, OverflowError):
            return RETRY_AFTER_DEFAULT_S
        when = when if when.tzinfo else when.replace(tzinfo=UTC)
        seconds = (when - (now or datetime.now(UTC))).total_seconds()
    return min(RETRY_AFTER_CAP_S if cap_s is None else cap_s, max(0.0, seconds))
