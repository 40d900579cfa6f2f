"""What the outcome of a create means: the table of the guarantees, line by line."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dailies.domain.brake import LONGEST_WAIT_S
from dailies.domain.outcomes import (
    BARRED_IN_A_ROW,
    RETRY_AFTER_CAP_S,
    RETRY_AFTER_DEFAULT_S,
    Answer,
    Fault,
    Meaning,
    Streak,
    Verdict,
    asks_for_balance,
    judge,
    retry_after_s,
)
from dailies.domain.states import Failure

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)

TABLE = [
    ("never connected", Fault.NOT_CONNECTED, Meaning.TRY_AGAIN, Failure.NOT_SENT),
    ("no longer ours", Fault.NOT_OURS, Meaning.FAILED, Failure.NOT_SENT),
    ("200 with id", Answer(200, "gen-1"), Meaning.ACCEPTED, None),
    ("201 with id", Answer(201, "gen-1"), Meaning.ACCEPTED, None),
    ("202 with id", Answer(202, "gen-1"), Meaning.ACCEPTED, None),
    ("200 without id", Answer(200), Meaning.IN_DOUBT, None),
    ("204", Answer(204), Meaning.IN_DOUBT, None),
    ("200 with an empty id", Answer(200, ""), Meaning.IN_DOUBT, None),
    ("answer lost", Fault.ANSWER_LOST, Meaning.IN_DOUBT, None),
    ("429", Answer(429), Meaning.WAIT, Failure.BUSY),
    ("429 inside a 200", Answer(200, error_code=429), Meaning.WAIT, Failure.BUSY),
    *(
        (str(status), Answer(status), Meaning.FAILED, Failure.REFUSED)
        for status in (400, 403, 406, 413, 415, 416, 417, 422, 428, 451, 494, 497)
    ),
    ("404 that names the model", Answer(404, names_model=True), Meaning.FAILED, Failure.REFUSED),
    ("410 that names the model", Answer(410, names_model=True), Meaning.FAILED, Failure.REFUSED),
    *((f"{s} of the route", Answer(s), Meaning.FAILED, Failure.MISCONFIGURED) for s in (404, 405, 407, 410, 421, 426)),
    ("a gateway's 400", Answer(400, by_api=False), Meaning.FAILED, Failure.MISCONFIGURED),
    ("403 of the account or the row, unknown", Answer(403, account_or_row=True), Meaning.STOP, Failure.STOPPED),
    ("moderation inside a 200", Answer(200, error_code=403), Meaning.FAILED, Failure.REFUSED),
    ("401", Answer(401), Meaning.STOP, Failure.STOPPED),
    ("401 that the provider knows", Answer(401, bad_key=True), Meaning.STOP, Failure.STOPPED),
    ("out of credits at OneRouter", Answer(402, out_of_credits=True), Meaning.STOP, Failure.STOPPED),
    ("out of credits inside a 200", Answer(200, error_code=402, out_of_credits=True), Meaning.STOP, Failure.STOPPED),
    *(
        (str(status), Answer(status), Meaning.IN_DOUBT, None)
        for status in (408, 409, 418, 423, 424, 425, 444, 460, 499)
    ),
    ("521 that names a job", Answer(521, edge_ray=True, names_job=True), Meaning.IN_DOUBT, None),
    ("a redirect to the job", Answer(303, names_job=True), Meaning.IN_DOUBT, None),
    *((str(status), Answer(status), Meaning.IN_DOUBT, None) for status in (500, 501, 502, 503, 504, 507, 599)),
    *((str(s), Answer(s), Meaning.IN_DOUBT, None) for s in (520, 521, 522, 523, 524, 525, 526, 527, 530)),
    *(
        (f"{s} by the edge", Answer(s, edge_ray=True), Meaning.TRY_AGAIN, Failure.NOT_SENT)
        for s in (521, 523, 525, 526)
    ),
    *(
        (f"{s} by the edge", Answer(s, edge_ray=True), Meaning.IN_DOUBT, None)
        for s in (502, 503, 520, 522, 524, 527, 530)
    ),
    *(
        (f"530, {code}", Answer(530, edge_ray=True, edge_code=code), Meaning.TRY_AGAIN, Failure.NOT_SENT)
        for code in (1001, 1016, 1018, 1023, 1033)
    ),
    ("530, 1101", Answer(530, edge_ray=True, edge_code=1101), Meaning.IN_DOUBT, None),
    ("530, 1016, no edge", Answer(530, edge_code=1016), Meaning.IN_DOUBT, None),
    ("521 inside a 200", Answer(200, error_code=521, edge_ray=True), Meaning.IN_DOUBT, None),
    ("an id beside any edge", Answer(200, "gen-1", edge_ray=True, edge_code=1016), Meaning.ACCEPTED, None),
    ("500 inside a 200", Answer(200, error_code=500), Meaning.IN_DOUBT, None),
    ("no HTTP status", Answer(0), Meaning.IN_DOUBT, None),
    ("1xx", Answer(101), Meaning.IN_DOUBT, None),
    ("999", Answer(999), Meaning.IN_DOUBT, None),
    *((str(s), Answer(s), Meaning.FAILED, Failure.MISCONFIGURED) for s in (300, 301, 302, 303, 304, 307, 308)),
]


@pytest.mark.parametrize(("outcome", "meaning", "failure"), [pytest.param(*line[1:], id=line[0]) for line in TABLE])
def test_an_outcome_means(outcome: Answer | Fault, meaning: Meaning, failure: Failure | None) -> None:
    verdict = judge(outcome, NOW)
    assert (verdict.meaning, verdict.failure) == (meaning, failure)
    assert verdict.detail


@pytest.mark.parametrize(
    ("covered", "meaning", "failure", "words"),
    [
        (True, Meaning.FAILED, Failure.REFUSED, "has money"),
        (False, Meaning.STOP, Failure.STOPPED, "does not cover"),
        (None, Meaning.STOP, Failure.STOPPED, "can't be asked"),
    ],
)
def test_a_refusal_of_the_account_or_the_row_is_told_apart_by_the_balance(
    covered: bool | None, meaning: Meaning, failure: Failure, words: str
) -> None:
    answer = Answer(403, account_or_row=True, detail="HTTP 403: forbidden")
    assert asks_for_balance(answer) and not asks_for_balance(Answer(403)) and not asks_for_balance(Fault.ANSWER_LOST)
    verdict = judge(answer, NOW, covered)
    assert (verdict.meaning, verdict.failure) == (meaning, failure)
    assert "forbidden" in verdict.detail and words in verdict.detail


def weighed(streak: Streak, *answers: Answer) -> list[Failure | None]:
    """What each of these answers means after those before it, with money on the account."""
    return [streak.weigh(answer, judge(answer, NOW, True)).failure for answer in answers]


GOOD, NO_ROUTE, BARRED = Answer(200, "gen-1"), Answer(404), Answer(403, account_or_row=True)


@pytest.mark.parametrize("route", [NO_ROUTE, Answer(302), Answer(405), Answer(400, by_api=False)])
def test_a_refusal_of_the_route_stops_claiming_at_the_second_in_a_row(route: Answer) -> None:
    assert weighed(Streak(), route, route, route) == [Failure.MISCONFIGURED, Failure.STOPPED, Failure.STOPPED]
    assert weighed(Streak(), route, Answer(422), route) == [
        Failure.MISCONFIGURED,
        Failure.REFUSED,
        Failure.MISCONFIGURED,
    ]
    assert weighed(Streak(), GOOD, route, route, route) == [None, *[Failure.MISCONFIGURED] * 3]


def test_a_key_that_bars_every_clip_stops_claiming_and_one_clip_barred_does_not() -> None:
    assert weighed(Streak(), *[BARRED] * 6) == [*[Failure.REFUSED] * 4, *[Failure.STOPPED] * 2]
    assert weighed(Streak(), GOOD, *[BARRED] * 6) == [None, *[Failure.REFUSED] * 6]
    assert weighed(Streak(), *[BARRED] * 4, GOOD, *[BARRED] * 4)[5:] == [Failure.REFUSED] * 4


def test_the_providers_own_words_are_kept() -> None:
    assert judge(Answer(422, detail="the prompt is too long")).detail == "the prompt is too long"


@given(st.builds(Answer, st.integers(-1, 10_000), st.none() | st.text(), st.none() | st.integers(-1, 10_000)))
def test_what_may_have_been_charged_is_never_tried_again(answer: Answer) -> None:
    verdict = judge(answer, NOW)
    status = answer.error_code or answer.status
    if not 300 <= status < 500 or status in (408, 409, 425):
        assert verdict.meaning in (Meaning.ACCEPTED, Meaning.IN_DOUBT)
    if verdict.meaning is Meaning.ACCEPTED:
        assert answer.generation_id
    assert (verdict.failure is None) is (verdict.meaning in (Meaning.ACCEPTED, Meaning.IN_DOUBT))


SPELLINGS: list[tuple[str | None, float]] = [
    ("0", 0),
    ("3", 3),
    (" 3 ", 3),
    ("2.5", 2.5),
    ("-5", 0),
    ("1e9", RETRY_AFTER_CAP_S),
    ("1000000000", RETRY_AFTER_CAP_S),
    ("inf", RETRY_AFTER_CAP_S),
    ("-inf", 0),
    ("NaN", RETRY_AFTER_DEFAULT_S),
    ("soon", RETRY_AFTER_DEFAULT_S),
    ("", RETRY_AFTER_DEFAULT_S),
    ("   ", RETRY_AFTER_DEFAULT_S),
    (None, RETRY_AFTER_DEFAULT_S),
    ("3, 5", RETRY_AFTER_DEFAULT_S),
    ("\x00", RETRY_AFTER_DEFAULT_S),
    (format_datetime(NOW + timedelta(seconds=7), usegmt=True), 7),
    (format_datetime((NOW + timedelta(seconds=7)).astimezone(timezone(timedelta(hours=-8)))), 7),
    (format_datetime(NOW - timedelta(days=1), usegmt=True), 0),
    (format_datetime(NOW + timedelta(days=1), usegmt=True), RETRY_AFTER_CAP_S),
    ("Sat, 99 Foo 2026 12:00:07 GMT", RETRY_AFTER_DEFAULT_S),
]


@pytest.mark.parametrize(("text", "seconds"), SPELLINGS)
def test_retry_after_in_every_spelling(text: str | None, seconds: float) -> None:
    assert retry_after_s(text, NOW) == seconds
    assert judge(Answer(429, retry_after=text), NOW).wait_s == seconds


@given(st.none() | st.text())
def test_whatever_is_asked_for_the_wait_is_never_negative_and_never_long(text: str | None) -> None:
    assert 0 <= retry_after_s(text, NOW) <= RETRY_AFTER_CAP_S


def test_a_date_is_read_by_todays_clock_when_no_time_is_given() -> None:
    assert retry_after_s("Wed, 21 Oct 2015 07:28:00 GMT") == 0


@pytest.mark.parametrize("status", [500, 503, 520])
@pytest.mark.parametrize(("asked", "wait_s"), [("42", 42.0), ("1000000000", LONGEST_WAIT_S), ("-5", 0.0), (None, 0.0)])
def test_what_a_doubtful_answer_asks_to_wait_is_handed_to_the_brake(
    status: int, asked: str | None, wait_s: float
) -> None:
    """Up to a quarter of an hour; one that asks for nothing leaves the wait to the brake."""
    verdict = judge(Answer(status, retry_after=asked), NOW)
    assert (verdict.meaning, verdict.wait_s) == (Meaning.IN_DOUBT, wait_s)


def test_refusals_of_single_clips_bar_no_key_however_many() -> None:
    """Only those for which the balance had to be asked may be the key's."""
    streak, refused = Streak(), Answer(422)
    for _ in range(2 * BARRED_IN_A_ROW):
        assert streak.weigh(refused, judge(refused)) == judge(refused)


def test_refusals_that_look_like_clips_and_are_all_there_is_stop_the_claiming() -> None:
    streak, barred = Streak(), Answer(403, account_or_row=True, detail="forbidden")
    verdict = judge(barred, covered=True)
    for _ in range(BARRED_IN_A_ROW - 1):
        assert streak.weigh(barred, verdict) == verdict
    words = f"{verdict.detail}; so was every create before it"
    assert streak.weigh(barred, verdict) == Verdict(Meaning.STOP, words, Failure.STOPPED)


def test_a_claim_that_grew_too_old_says_why_nothing_was_sent() -> None:
    assert judge(Fault.NOT_OURS).detail == "not sent: this process was suspended for longer than its claim holds"
