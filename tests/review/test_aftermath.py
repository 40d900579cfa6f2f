"""What follows a verdict: the sidecar says it, others hear of it, and nothing of that ever harms the verdict."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from typing import Any

import pytest

from dailies.domain.records import BatchRow
from dailies.domain.verdicts import Said, Verdict, Word
from dailies.prefect_api import verdicts
from dailies.report.decided import decided_lines, decided_sentence, decided_table
from dailies.report.links import sidecar_key
from dailies.review.aftermath import Aftermath
from dailies.storage.s3 import S3
from tests.e2e.harness import s3_client
from tests.review.conftest import Studio


@pytest.fixture
def s3(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> S3:
    for name, value in studio.environ.items():
        if name.startswith("AWS_"):
            monkeypatch.setenv(name, value)
    return S3()


def sidecars(studio: Studio) -> list[dict[str, Any]]:
    """What lies beside the clips."""
    client = s3_client(studio.s3_url)
    found = client.list_objects_v2(Bucket=studio.bucket)["Contents"]
    names = [entry["Key"] for entry in found if entry["Key"].endswith(".json")]
    return [json.loads(client.get_object(Bucket=studio.bucket, Key=name)["Body"].read()) for name in names]


def test_a_verdict_reaches_the_sidecar_those_who_listen_and_the_sum(studio: Studio, s3: S3) -> None:
    first, other = studio.shoot([("a", ""), ("b", "")])
    ledger, heard = studio.ledger(), list[tuple[str, str]]()
    sums: dict[str, str] = {}

    def listen(entries: Sequence[Verdict], rows: Sequence[BatchRow]) -> None:
        heard.extend(
            (row.id, str(entry.said.word)) for entry in entries for row in rows if row.clip_key == entry.clip_key
        )

    def sum_up(batch: str, rows: Sequence[BatchRow]) -> None:
        sums[batch] = decided_sentence(decided_lines(rows))

    told = Aftermath(ledger, s3, listen, sum_up)
    told(ledger.judge({first: Said(Word.KEEP)}, "Ana"))
    told(ledger.judge({first: Said(Word.REJECT)}, "Chidi"))
    told([])
    told.close()
    ledger.close()
    assert heard == [("a", "keep"), ("a", "reject")] and sums == {"monday": "1 of 2 decided · 1 reject"}
    (told_beside,) = sidecars(studio)
    assert told_beside["verdict"]["word"] == "reject" and told_beside["verdict"]["by"] == "Chidi"
    assert sidecar_key(told_beside["s3_uri"].split("/", 3)[3]).endswith(".json") and other


def test_a_listener_that_breaks_or_hangs_holds_nobody_up(studio: Studio, s3: S3) -> None:
    (key,) = studio.shoot([("a", "")])
    ledger, released, over = studio.ledger(), threading.Event(), threading.Event()

    def hang(*_: object) -> None:
        released.wait(60)
        over.set()
        raise RuntimeError("nobody listens")

    told = Aftermath(ledger, s3, hang)
    told(ledger.judge({key: Said(Word.KEEP)}, "Ana"))
    told.close(within_s=0.01)
    assert not over.is_set()
    released.set()
    told.close()
    assert over.is_set()
    assert studio.said() == {"a/1": "keep"}
    ledger.close()


def test_events_say_what_was_decided_by_whom_and_no_word_of_a_note_or_a_prompt(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = studio.shoot([("a", ""), ("b", ""), ("c", ""), ("d", "")])
    words = (Word.KEEP, Word.RETAKE, Word.REJECT, Word.NONE)
    ledger = studio.ledger()
    said = {key: Said(word, "too dark", "<brighter>") for key, word in zip(keys, words, strict=True)}
    entries, rows = ledger.judge(said, "Ana"), ledger.rows("monday")
    ledger.close()
    sent: list[dict[str, Any]] = []
    monkeypatch.setattr(verdicts, "emit_event", lambda **event: sent.append(event))
    verdicts.announce(entries, rows)
    assert [event["event"] for event in sent] == ["dailies.clip.kept", "dailies.clip.retake", "dailies.clip.rejected"]
    assert [event["resource"]["prefect.resource.id"] for event in sent] == [f"dailies.clip.{key}" for key in keys[:3]]
    roles = {related["prefect.resource.role"]: related["prefect.resource.name"] for related in sent[0]["related"]}
    assert roles == {"batch": "monday", "model": "openai/sora-2-pro-i2v", "provider": "aiml"}
    assert sent[0]["payload"]["by"] == "Ana" and sent[0]["payload"]["usd"] == "1.26"
    assert "too dark" not in json.dumps(sent) and "brighter" not in json.dumps(sent)


def test_the_table_holds_what_was_decided(studio: Studio) -> None:
    first, *_ = studio.shoot([("a", ""), ("a", "2")])
    ledger = studio.ledger()
    ledger.judge({first: Said(Word.KEEP, "the light")}, "Ana")
    lines = decided_lines(ledger.rows("monday"))
    ledger.close()
    assert decided_table(lines) == [
        {"clip": "a", "take": "1", "verdict": "keep", "by": "Ana", "note": "the light", "charged": "$1.26"}
    ]
    assert decided_sentence(lines) == "1 of 2 decided · 1 keep"
