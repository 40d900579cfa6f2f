"""What the outcome of a paid create means. One pure function, tested as a table (source: the guarantees).

The question is always the same: can this have been charged? Only what surely was not may be tried again.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
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
    NOT_OURS = "not ours"  # the claim had grown too old before the request could be sent: nothing was sent
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

    `error_code` is a code inside the body, which OneRouter may put into an HTTP 200. What a status says of the account is
    the provider's to declare: `bad_key`, `out_of_credits`, or `account_or_row` where it may be either and the balance tells.
    `names_model`: it speaks of the model, so the route is right. `names_job`: it holds what may be a job's id. `by_api`: the
    API's own voice, not a gateway's page.
    `edge_ray`: an edge stands before the provider and let this answer pass or wrote it, with `edge_code` as its own code.

    `url` is the finished clip's address (a secret), where the answer carries it; dollars and credits are None where it does
    not say. `handle` is by what the provider is asked for the job, where its id alone is not enough: the addresses that it
    gave. `raw` is the answer that may mean a charge and has no id that could be read: it is all there is of a paid clip.
    """

    status: int
    generation_id: str | None = None
    error_code: int | None = None
    out_of_credits: bool = False
    bad_key: bool = False
    account_or_row: bool = False
    names_model: bool = False
    names_job: bool = False
    by_api: bool = True
    edge_ray: bool = False
    edge_code: int | None = None
    detail: str = ""
    retry_after: str | None = None
    url: str | None = field(default=None, repr=False)
    usd_charged: Decimal | None = None
    credits_used: int | None = None
    raw: bytes = field(default=b"", repr=False)
    handle: str | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an outcome means, why in words for people, and how long to wait where waiting is meant."""

    meaning: Meaning
    detail: str
    failure: Failure | None = None
    wait_s: float = 0.0


SURE_REFUSALS = frozenset({
    400, 401, 402, 403, 404, 405, 406, 407, 410, 411, 413, 414, 415, 416, 417, 421, 422, 426, 428, 429, 431, 451, 494, 495, 496, 497,
})  # fmt: skip
"""What a server, or nginx before it (494 to 497), says before it carries a request out. Others may come from a gateway that gave
up after it had been passed on (408, 425, 444, 460, 499), or speak of what exists by then (409)."""
ORIGIN_NEVER_REACHED = frozenset({521, 523, 525, 526})
ORIGIN_UNKNOWN = frozenset({1001, 1016, 1018, 1023, 1033})
"""An edge's own codes behind its 530 (Cloudflare's documents): it could not resolve the origin, or found no tunnel to it."""
ROUTE = frozenset({404, 405, 407, 410, 421, 426})
"""Refusals that speak of the address and not of the clip, unless they name the model."""
STATUS_WORDS = {
    400: "invalid request",
    404: "not served",
    413: "too large",
    415: "wrong media type",
    422: "invalid request",
}


def unproven(verdict: Verdict) -> Verdict:
    """What a verdict means in the end for a create that was sent again with its own key: only an id settles it, for every
    refusal speaks of the repeat, and the first request may have been accepted."""
    if verdict.meaning in (Meaning.ACCEPTED, Meaning.IN_DOUBT):
        return verdict
    return replace(verdict, meaning=Meaning.IN_DOUBT, detail=f"asked again with its own key: {verdict.detail}")


def asks_for_balance(outcome: Answer | Fault) -> bool:
    """Whether only the balance can tell if a refusal is the account's or this clip's own."""
    return isinstance(outcome, Answer) and outcome.account_or_row


def judge(outcome: Answer | Fault, now: datetime | None = None, covered: bool | None = None) -> Verdict:
    """The table of the guarantees. `now` is only needed to read a Retry-After that is a date; `covered` says whether the
    account's balance covers this clip, where that was asked (None: nobody knows)."""
    match outcome:
        case Fault.NOT_CONNECTED:
            return Verdict(Meaning.TRY_AGAIN, "could not connect: nothing was sent", Failure.NOT_SENT)
        case Fault.NOT_OURS:
            words = "not sent: this process was suspended for longer than its claim holds"
            return Verdict(Meaning.FAILED, words, Failure.NOT_SENT)
        case Fault.ANSWER_LOST:
            return Verdict(Meaning.IN_DOUBT, "the request was sent and its answer was lost")
    return _judge_answer(outcome, now, covered)


def _judge_answer(answer: Answer, now: datetime | None, covered: bool | None) -> Verdict:
    status = answer.error_code or answer.status
    words = answer.detail or STATUS_WORDS.get(status, f"HTTP {status}")
    if 200 <= status < 300:
        if answer.generation_id:
            return Verdict(Meaning.ACCEPTED, words)
        return Verdict(Meaning.IN_DOUBT, answer.detail or f"HTTP {status} without a generation id")
    if never_reached(answer):
        return Verdict(Meaning.TRY_AGAIN, f"{words}: the provider's server was never reached", Failure.NOT_SENT)
    if answer.bad_key or answer.out_of_credits or status == 401:
        return Verdict(Meaning.STOP, words, Failure.STOPPED)
    if answer.account_or_row:
        return _account_or_row(words, covered)
    if 300 <= status < 400 and not answer.names_job:
        return Verdict(
            Meaning.FAILED,
            f"redirected (HTTP {status}), not followed with the key: check the base URL",
            Failure.MISCONFIGURED,
        )
    if status == 429:
        return Verdict(Meaning.WAIT, words, Failure.BUSY, retry_after_s(answer.retry_after, now))
    if status in SURE_REFUSALS:
        return _refusal(answer, status, words)
    wait_s = retry_after_s(answer.retry_after, now, LONGEST_WAIT_S) if answer.retry_after else 0.0
    return Verdict(Meaning.IN_DOUBT, words, wait_s=wait_s)


def never_reached(answer: Answer) -> bool:
    """Whether an edge says that it never reached the provider's server. Only its own answer counts, never a code in a body."""
    if not answer.edge_ray or answer.names_job:
        return False
    return answer.status in ORIGIN_NEVER_REACHED or (answer.status == 530 and answer.edge_code in ORIGIN_UNKNOWN)


def _account_or_row(words: str, covered: bool | None) -> Verdict:
    if covered:
        return Verdict(Meaning.FAILED, f"{words} (the account has money, so this clip was refused)", Failure.REFUSED)
    why = "the balance can't be asked" if covered is None else "the balance does not cover it"
    return Verdict(Meaning.STOP, f"{words} ({why})", Failure.STOPPED)


def _refusal(answer: Answer, status: int, words: str) -> Verdict:
    """A sure no: to this clip, or to the address it was sent to, which says nothing of the clip."""
    misrouted = status in ROUTE and not answer.names_model
    if misrouted or (status == 400 and not answer.by_api):
        return Verdict(Meaning.FAILED, f"{words}: check the base URL", Failure.MISCONFIGURED)
    return Verdict(Meaning.FAILED, words, Failure.REFUSED)


MISROUTED_IN_A_ROW = 2
BARRED_IN_A_ROW = 5


@dataclass(slots=True)
class Streak:
    """What creates at one provider have met since the start of the run, and what the next refusal means by that.

    A refusal that is the route's stops all claiming when it comes twice in a row and no create was ever accepted. The same
    holds for refusals that look like single clips' (403 with money there) when there is nothing else: then the key is barred.
    """

    accepted: bool = False
    misrouted: int = 0
    barred: int = 0

    def weigh(self, outcome: Answer | Fault, verdict: Verdict) -> Verdict:
        """Note one verdict; the verdict as it is, or the one that stops claiming."""
        if verdict.meaning is Meaning.ACCEPTED:
            self.accepted = True
        self.misrouted = self.misrouted + 1 if verdict.failure is Failure.MISCONFIGURED else 0
        self.barred = self.barred + 1 if asks_for_balance(outcome) and verdict.failure is Failure.REFUSED else 0
        if self.accepted or (self.misrouted < MISROUTED_IN_A_ROW and self.barred < BARRED_IN_A_ROW):
            return verdict
        return Verdict(Meaning.STOP, f"{verdict.detail}; so was every create before it", Failure.STOPPED)


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
