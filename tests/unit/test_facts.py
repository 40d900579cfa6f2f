"""All that is known of a clip: each key has its line in the documents, and no secret is among them."""

from __future__ import annotations

import re
from pathlib import Path

from dailies.domain.clips import Image
from dailies.domain.marks import Kind, Mark, Marks
from dailies.domain.origin import Origin
from dailies.domain.states import State
from dailies.domain.verdicts import Said, Verdict, Word
from dailies.report.credits import credits_of, csv_pieces
from dailies.report.facts import SCHEMA, facts_of, is_facts
from dailies.report.sidecars import places_of, sidecar
from tests.ledger.factories import NOON
from tests.report.factories import a_batch_row

PAGE = Path(__file__).resolve().parents[2] / "docs" / "provenance.md"
SIGNED = "https://pictures.example/cat.png?X-Amz-Signature=s3cr3t"
ROW = a_batch_row(
    1, State.STORED, origin=Origin(True, "trainedAlgorithmicMedia"), marks=Marks((Mark(Kind.BLACK, 0.0, 1.2, 1.2),)),
    clip={"image": Image(SIGNED, 1280, 720, "PNG"), "options": {"seed": 7, "last_image": SIGNED}},
)  # fmt: skip
JUDGED = ROW._replace(verdict=Verdict(3, ROW.clip_key, NOON, "Ana", Said(Word.KEEP, "the light")))


def test_each_key_is_documented_and_no_other() -> None:
    documented = re.findall(r"^\| `(\w+)` \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    facts = facts_of(JUDGED)
    inner = [*facts["image"], *facts["settings"], *facts["verdict"], *facts["marks"][0]]
    assert sorted(set(documented)) == sorted({*facts, *inner})


def test_a_clip_is_told_whole() -> None:
    facts = facts_of(JUDGED)
    assert facts["schema"] == SCHEMA and is_facts(facts) and not is_facts({"schema": "lottie"})
    assert (facts["prompt"], facts["provider"], facts["usd_charged"]) == ("prompt 1", "aiml", 1.26)
    assert facts["settings"]["options"]["seed"] == 7 and facts["own"] == {"campaign": "spring"}
    assert facts["verdict"]["word"] == "keep" and facts["verdict"]["by"] == "Ana"
    assert (facts["c2pa"], facts["digital_source_type"]) == (True, "trainedAlgorithmicMedia")
    assert facts["marks"] == [{"kind": "black", "from_s": 0.0, "to_s": 1.2, "value": 1.2}]


def test_no_signature_travels() -> None:
    assert b"s3cr3t" not in sidecar(facts_of(JUDGED))


def test_what_is_not_known_is_null() -> None:
    facts = facts_of(a_batch_row(2, None))
    assert (
        facts["state"] == "planned"
        and facts["usd_charged"] is facts["s3_uri"] is facts["c2pa"] is facts["marks"] is None
    )


def test_a_clip_that_was_forgotten_has_no_place() -> None:
    assert places_of([ROW]) and places_of([ROW._replace(forgotten=True)]) == {}


def test_the_copy_of_another_batch_tells_of_its_row() -> None:
    other = ROW._replace(batch="tuesday", id="sunrise", copy_uri="s3://studio/tuesday/sunrise.mp4")
    found = places_of([ROW, other])
    assert {uri: facts["id"] for uri, facts in found.items()} == {
        ROW.attempts[0].s3_uri: "row-01", "s3://studio/tuesday/sunrise.mp4": "sunrise",
    }  # fmt: skip
    assert all(facts["s3_uri"] == uri for uri, facts in found.items())


def test_the_report_has_the_columns() -> None:
    header, first = b"".join(csv_pieces(credits_of("monday", [ROW]))).decode().splitlines()
    cells = dict(zip(header.split(","), first.split(","), strict=True))
    assert (cells["c2pa"], cells["digital_source_type"]) == ("True", "trainedAlgorithmicMedia")


def test_a_delivered_clip_is_told_to_the_second_and_the_cent() -> None:
    row = a_batch_row(1, generation_id="g-1", image_sha256="cd" * 32)
    assert row.attempt
    earlier = row.attempt._replace(id="e", state=State.FAILED, generation_id="g-0", s3_uri=None, error="it failed")
    facts = facts_of(row._replace(attempts=(earlier, row.attempt)))
    told = {
        "state": "stored", "error": None, "attempt": row.attempt.id, "generation_id": "g-1", "request_digest": "d" * 64,
        "created_at": "2026-11-21T12:00:00+00:00", "completed_at": "2026-11-21T12:01:31+00:00",
        "stored_at": "2026-11-21T12:01:35+00:00", "usd_quoted": 1.26, "usd_charged": 1.26, "credits_used": 2_520_000,
        "attempts": 2, "usd_charged_in_all": 2.52, "s3_uri": row.attempt.s3_uri, "sha256": "ab" * 32, "size_bytes": 3_456_789,
        "mismatch": None, "verdict": None,
    }  # fmt: skip
    assert {name: facts[name] for name in told} == told and facts["image"]["sent_sha256"] == "cd" * 32
    of_the_earlier = facts_of(row, earlier)
    assert (of_the_earlier["state"], of_the_earlier["error"], of_the_earlier["size_bytes"]) == (
        "failed",
        "it failed",
        None,
    )
