"""The refund pack: who was charged for nothing, with evidence, as a letter and a zip."""

from __future__ import annotations

import io
import json
import zipfile
from decimal import Decimal

import pytest

from dailies.domain.records import BatchRow
from dailies.domain.states import Failure, State
from dailies.report.reconcile import reconcile
from dailies.report.refund import Ground, claims_csv, letter, refund_claims, refund_files
from tests.ledger.factories import NOON
from tests.report.factories import MADE_AT, a_batch_row, mixed_rows
from tests.report.test_reconcile import NEXT_WEEK, posted

WRONG = "asked for 1280x720, got 640x360"


def test_wrong_broken_lost_and_failed_clips_that_were_charged_are_claimed() -> None:
    rows = [
        a_batch_row(1, mismatch=WRONG), a_batch_row(2, mismatch="it does not decode: no picture can be decoded"),
        a_batch_row(3, State.RESULT_LOST), a_batch_row(4, State.FAILED, generation_id="g", usd_charged=Decimal("1.26")),
    ]  # fmt: skip
    assert [claim.ground for claim in refund_claims(rows)] == [
        Ground.NOT_AS_ORDERED,
        Ground.BROKEN,
        Ground.LOST,
        Ground.FAILED,
    ]


def test_good_free_and_doubtful_clips_are_not_claimed() -> None:
    rows = [a_batch_row(1), a_batch_row(2, State.FAILED), a_batch_row(3, State.IN_DOUBT), a_batch_row(4, None),
            a_batch_row(5, State.SUBMITTED), a_batch_row(6, State.ORPHANED)]  # fmt: skip
    assert refund_claims(rows) == []


def test_a_failure_that_only_the_providers_ledger_charges_is_claimed_with_what_was_posted() -> None:
    row = a_batch_row(state=State.FAILED, generation_id="g")
    reconciliation = reconcile([row], {"g"}, [posted(row, Decimal("1.40"))], [], NOON, NEXT_WEEK, NEXT_WEEK, "aiml")
    (claim,) = refund_claims([row], reconciliation)
    assert (claim.ground, claim.usd, claim.usd_is_quote) == (Ground.FAILED, Decimal("1.40"), False)


def test_what_was_given_back_already_is_not_claimed_again() -> None:
    row = a_batch_row(mismatch=WRONG)
    postings = [posted(row), posted(row, -Decimal("1.26"), kind="REFUND")]
    reconciliation = reconcile([row], {"g"}, postings, [], NOON, NEXT_WEEK, NEXT_WEEK, "aiml")
    assert refund_claims([row], reconciliation) == []


def test_the_letter_says_what_was_asked_what_came_and_under_which_ids() -> None:
    row = a_batch_row(mismatch=WRONG)
    text = letter(refund_claims([row]), "aiml", MADE_AT)
    assert row.attempt and row.attempt.generation_id
    for words in ("Refund request: 1 generation, $1.26", row.attempt.generation_id, row.attempt.id, "d" * 64, WRONG,
                  "openai/sora-2-pro-i2v, 720p, 16:9, 4 s", "2026-11-21T12:00:00+00:00", "ab" * 32):  # fmt: skip
        assert words in text


def test_the_pack_has_a_letter_per_provider_the_facts_of_each_clip_and_its_still() -> None:
    claims = refund_claims(mixed_rows(40))
    files = refund_files(claims, MADE_AT, lambda claim: b"still")
    assert set(files) == {"refund-aiml.txt", "refund-pack.zip"}
    with zipfile.ZipFile(io.BytesIO(files["refund-pack.zip"])) as archive:
        names = archive.namelist()
        facts = json.loads(archive.read(next(name for name in names if name.startswith("generations/"))))
    assert len([name for name in names if name.startswith("posters/")]) == len(claims) == 3
    assert facts["usd"] and facts["evidence"] and facts["client_reference"]
    assert files == refund_files(claims, MADE_AT, lambda claim: b"still")


def test_a_hostile_error_stays_on_its_line_of_the_letter() -> None:
    row = a_batch_row(state=State.RESULT_LOST, error="gone\n\nPlease refund all to:\tme\x1b[31m")
    assert "evidence       gone Please refund all to: me [31m" in letter(refund_claims([row]), "aiml", MADE_AT)


def test_nothing_to_claim_makes_no_file() -> None:
    assert refund_files([], MADE_AT) == {}


def test_the_letter_as_it_is_sent() -> None:
    """Of its provider's charges alone, each on lines of its own, whatever the provider's words hold."""
    wrong = a_batch_row(1, mismatch=WRONG, generation_id="g-1")
    lost = a_batch_row(
        2, State.RESULT_LOST, generation_id="g-2", error="HTTP\n403\x07", usd_charged=None, completed_at=None
    )
    other = a_batch_row(3, State.RESULT_LOST)
    assert wrong.attempt and lost.attempt and other.attempt
    other = other._replace(attempts=(other.attempt._replace(provider="fal"),))
    assert (
        letter(refund_claims([wrong, other, lost]), "aiml", MADE_AT)
        == f"""\
Subject: Refund request: 2 generations, $2.52

Hello,

we were charged $2.52 for 2 generations that failed, can't be downloaded, are broken or are not what we
ordered. Please check them and refund the charges. Each one is listed with its id, the reference we sent with
the request (X-Client-Request-Id), our digest of the request, times in UTC, what we asked for and what came.

1. the clip is not what was ordered: $1.26
   generation     g-1
   reference      {wrong.attempt.id}
   request        {"d" * 64}
   asked for      openai/sora-2-pro-i2v, 720p, 16:9, 4 s
   came           3456789 bytes, SHA-256 {"ab" * 32}
   evidence       {WRONG}
   created        2026-11-21T12:00:00+00:00
   completed      2026-11-21T12:01:31+00:00

2. charged, and the clip can no longer be downloaded: $1.26 (as quoted)
   generation     g-2
   reference      {lost.attempt.id}
   request        {"d" * 64}
   asked for      openai/sora-2-pro-i2v, 720p, 16:9, 4 s
   came           no clip
   evidence       HTTP 403
   created        2026-11-21T12:00:00+00:00
   completed      never

The details are attached as claims.csv and one JSON file each.

Written 2026-11-23.
"""
    )


def test_the_facts_of_a_claim_are_plain_and_named() -> None:
    row = a_batch_row(1, mismatch=WRONG, generation_id="g-1", image_sha256="cd" * 32, clip={"options": {"seed": 7}})
    (claim,) = refund_claims([row])
    assert row.attempt and list(claim.facts().items()) == [
        ("ground", "the clip is not what was ordered"), ("evidence", WRONG), ("usd", "1.26"), ("usd_is", "charged"),
        ("credits_used", 2_520_000), ("provider", "aiml"), ("generation_id", "g-1"), ("client_reference", row.attempt.id),
        ("request_digest", "d" * 64), ("image_sha256", "cd" * 32), ("model", "openai/sora-2-pro-i2v"),
        ("asked", "openai/sora-2-pro-i2v, 720p, 16:9, 4 s, seed=7"), ("prompt", "prompt 1"),
        ("image", "https://pictures.example/cat.png"), ("created_at", "2026-11-21T12:00:00+00:00"),
        ("completed_at", "2026-11-21T12:01:31+00:00"), ("stored_at", "2026-11-21T12:01:35+00:00"),
        ("s3_uri", row.attempt.s3_uri), ("sha256", "ab" * 32), ("size_bytes", 3_456_789), ("id", "row-01"),
        ("batch", "monday"), ("clip_key", row.clip_key),
    ]  # fmt: skip
    assert claims_csv([]) == "\n" and claims_csv([claim]).splitlines()[0] == ",".join(claim.facts())


@pytest.mark.parametrize(("row", "ground"), [
    (a_batch_row(1, State.ORPHANED, failure=Failure.GENERATION, completed_at=NOON, usd_charged=Decimal(1)), Ground.LOST),
    (a_batch_row(1, State.ORPHANED, completed_at=NOON, usd_charged=Decimal(1)), None),
    (a_batch_row(1, State.ORPHANED, failure=Failure.GENERATION, usd_charged=Decimal(1)), Ground.FAILED),
    (a_batch_row(1, State.FAILED, generation_id="g", usd_charged=None), None),
    (a_batch_row(1, State.RESULT_LOST, usd_charged=Decimal(0)), None),
    (a_batch_row(1, State.FAILED, usd_charged=Decimal(1)), None),
])  # fmt: skip
def test_what_was_made_and_can_not_be_had_is_lost_and_what_was_not_made_failed(
    row: BatchRow, ground: Ground | None
) -> None:
    assert [claim.ground for claim in refund_claims([row])] == ([ground] if ground else [])


def test_a_clip_that_stands_in_two_batches_is_claimed_once() -> None:
    row = a_batch_row(1, State.RESULT_LOST)
    assert len(refund_claims([row, row._replace(batch="tuesday")])) == 1
