"""The refund pack: who was charged for nothing, with evidence, as a letter and a zip."""

from __future__ import annotations

import io
import json
import zipfile
from decimal import Decimal

from dailies.domain.states import State
from dailies.report.reconcile import reconcile
from dailies.report.refund import Ground, letter, refund_claims, refund_files
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
