"""A request is kept small, and made again to the byte, or not at all."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from dailies.domain.creates import PaidRequest, Reference
from dailies.domain.kept_request import LONGEST_TEXT, content_digest, keep, reduced
from dailies.domain.outcomes import Answer, Fault, Meaning, judge, unproven
from dailies.domain.pictures import Picture
from dailies.domain.states import Failure

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
IMAGE = "data:image/png;base64," + "iVBORw0KGgo=" * 1000
BODY = {"prompt": "a café, 東京", "images": [{"url": IMAGE}], "seed": 7, "cfg": 0.5, "audio": None}
REQUEST = PaidRequest("https://api.example/v1/video", BODY, {"Idempotency-Key": "k"})
REFERENCE = Reference("attempt", "k")


def test_a_large_body_is_kept_as_its_recipe_and_comes_back_to_the_byte() -> None:
    kept = keep(REQUEST, REFERENCE, NOON)
    assert IMAGE not in str(kept) and len(str(kept)) < 1000 and kept.needs_texts
    again = kept.again([IMAGE])
    assert again == REQUEST and again.content == REQUEST.content


@pytest.mark.parametrize("texts", [[], [IMAGE + "x"], [IMAGE[:-1]]])
def test_without_the_very_text_there_is_no_request(texts: list[str]) -> None:
    """Another picture under the same key would be another order."""
    assert keep(REQUEST, REFERENCE, NOON).again(texts) is None


def test_a_small_one_needs_nothing_and_one_that_was_changed_on_record_is_none() -> None:
    kept = keep(replace(REQUEST, body={"prompt": "p" * LONGEST_TEXT}), REFERENCE, NOON)
    assert not kept.needs_texts and kept.again() is not None
    assert replace(kept, body={"prompt": "q"}).again() is None


def test_two_bodies_are_compared_in_their_reduced_form() -> None:
    assert reduced(reduced(BODY)) == reduced(BODY) != reduced({**BODY, "images": [{"url": IMAGE[:-1]}]})


def test_the_bytes_do_not_depend_on_where_the_body_was_read_from() -> None:
    assert content_digest(REQUEST) == content_digest(replace(REQUEST, body=dict(BODY), headers={}))
    assert REQUEST.content.startswith('{"prompt":"a café, 東京","images"'.encode())


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 409, 413, 415, 422, 429])
def test_no_refusal_of_a_repeat_proves_that_nothing_was_charged(status: int) -> None:
    """A 422 there means that the key is used; every other one speaks of the repeat and not of the first request."""
    first = judge(Answer(status))
    verdict = unproven(first)
    assert verdict.meaning is Meaning.IN_DOUBT
    assert verdict.failure is first.failure, "what it says of the account still stops the claiming"


def test_a_repeat_that_was_never_sent_proves_nothing_and_an_id_settles_it() -> None:
    assert unproven(judge(Fault.NOT_CONNECTED)).meaning is Meaning.IN_DOUBT
    assert unproven(judge(Fault.NOT_OURS)).meaning is Meaning.IN_DOUBT
    assert unproven(judge(Answer(200, "generation"))).meaning is Meaning.ACCEPTED
    assert judge(Answer(402, out_of_credits=True)).failure is Failure.STOPPED


def test_a_long_text_that_is_no_unicode_has_a_digest_too() -> None:
    one, two = (reduced({"p": lone * (LONGEST_TEXT + 1)}) for lone in ("\ud800", "\ud801"))
    assert one != two and one["p"].keys() == two["p"].keys() != set()


def test_what_has_no_place_in_a_request_is_named() -> None:
    with pytest.raises(TypeError, match=r"^set has no place in a request$"):
        _ = replace(REQUEST, body={"x": {1}}).content
    picture = Picture("cat.png", "ab" * 32, "png", 9)
    with pytest.raises(ValueError, match=r"^a request whose pictures are not at hand$"):
        _ = replace(REQUEST, body={"x": picture}).content
    with pytest.raises(TypeError, match=r"^a picture in a body is no text; it is written with the body$"):
        str(picture)
