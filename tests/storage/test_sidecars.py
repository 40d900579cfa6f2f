"""The sidecar beside each clip: written once, replaced by its ETag alone, and never in anybody's way."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from dailies.cli.app import main
from dailies.domain.marks import Marks
from dailies.domain.records import Attempt, Copy
from dailies.domain.verdicts import Said, Word
from dailies.ledger import Ledger
from dailies.report.links import sidecar_key
from dailies.report.sidecars import keep_all_sidecars, keep_sidecars
from dailies.storage.s3 import S3
from tests.e2e.harness import s3_client
from tests.e2e.s3_proxy import FaultyStore
from tests.ledger.factories import claim, open_ledger, plan

KEY = "smiles/row-1-0123456789ab.mp4"


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with closing(open_ledger(f"sqlite:///{tmp_path}/ledger.db")) as opened:
        yield opened


@pytest.fixture
def stored(ledger: Ledger, bucket: str) -> Attempt:
    """One delivered clip, by the record."""
    attempt = ledger.mark_submitted(claim(ledger, plan(ledger)[0]).id, "video_1")
    ready = ledger.record_completed(attempt, "https://cdn.example/clip.mp4")
    return ledger.record_stored(ready.id, f"s3://{bucket}/{KEY}", "ab" * 32, 7)


def content(front: FaultyStore, bucket: str, key: str = sidecar_key(KEY)) -> dict[str, Any]:
    """The sidecar as it lies there."""
    found = s3_client(front.behind).get_object(Bucket=bucket, Key=key)
    assert found["ContentType"] == "application/json"
    told: dict[str, Any] = json.loads(found["Body"].read())
    return told


def test_it_lies_beside_the_clip_and_follows_what_is_said(
    front: FaultyStore, s3: S3, bucket: str, ledger: Ledger, stored: Attempt
) -> None:
    keep_sidecars(ledger, s3, stored.clip_key, only=stored.s3_uri)
    assert content(front, bucket)["marks"] is None and content(front, bucket)["verdict"] is None
    ledger.record_marks(stored.id, Marks())
    ledger.judge({stored.clip_key: Said(Word.KEEP)}, "Ana")
    keep_all_sidecars(ledger, s3, [stored.clip_key])
    assert content(front, bucket)["marks"] == [] and content(front, bucket)["verdict"]["word"] == "keep"


def test_what_it_says_already_is_not_written_again(
    front: FaultyStore, s3: S3, bucket: str, ledger: Ledger, stored: Attempt
) -> None:
    keep_sidecars(ledger, s3, stored.clip_key)
    keep_sidecars(ledger, s3, stored.clip_key)
    assert len(front.puts) == 1


def test_of_two_writers_the_later_word_stands(
    front: FaultyStore, s3: S3, bucket: str, ledger: Ledger, stored: Attempt, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One is held between its look and its put; meanwhile the other says keep. By its ETag the first one sees that."""
    keep_sidecars(ledger, s3, stored.clip_key)
    ledger.record_marks(stored.id, Marks())
    put, once = s3.put, [True]

    def slow_put(*arguments: Any, **more: Any) -> None:
        if once and once.pop():
            ledger.judge({stored.clip_key: Said(Word.KEEP)}, "Ana")
            keep_sidecars(ledger, S3(), stored.clip_key)
        put(*arguments, **more)

    monkeypatch.setattr(s3, "put", slow_put)
    keep_sidecars(ledger, s3, stored.clip_key)
    assert content(front, bucket)["verdict"]["word"] == "keep"


def test_a_strangers_file_of_that_name_stays(
    front: FaultyStore, s3: S3, bucket: str, ledger: Ledger, stored: Attempt
) -> None:
    s3_client(front.behind).put_object(
        Bucket=bucket, Key=sidecar_key(KEY), Body=b'{"mine": 1}', ContentType="application/json"
    )
    keep_sidecars(ledger, s3, stored.clip_key, only=stored.s3_uri)
    assert content(front, bucket) == {"mine": 1}


def test_a_store_that_is_away_is_a_line_in_the_log(
    bucket: str, ledger: Ledger, stored: Attempt, caplog: pytest.LogCaptureFixture
) -> None:
    class Away:
        def open(self, *_: object) -> None:
            raise OSError("no route to host")

    with caplog.at_level(logging.INFO, "dailies.sidecars"):
        keep_sidecars(ledger, Away(), stored.clip_key)  # type: ignore[arg-type]
    assert "is not up to date: no route to host" in caplog.text
    found = ledger.attempt(stored.id)
    assert found and found.delivered


def test_a_copy_has_its_own(front: FaultyStore, s3: S3, bucket: str, ledger: Ledger, stored: Attempt) -> None:
    plan(ledger, batch="tuesday")
    ledger.copied([Copy("tuesday", stored.clip_key, f"s3://{bucket}/tuesday/row-1-0123456789ab.mp4")])
    keep_sidecars(ledger, s3, stored.clip_key)
    assert content(front, bucket)["batch"] == "smiles"
    assert content(front, bucket, "tuesday/row-1-0123456789ab.json")["batch"] == "tuesday"


def test_nothing_is_written_of_what_was_forgotten(
    front: FaultyStore, s3: S3, bucket: str, ledger: Ledger, stored: Attempt
) -> None:
    ledger.mark_forgotten([stored.clip_key])
    keep_sidecars(ledger, s3, stored.clip_key, only=stored.s3_uri)
    assert "Contents" not in s3_client(front.behind).list_objects_v2(Bucket=bucket)


def test_a_clip_of_an_earlier_version_has_none_until_a_report_is_asked_for_them(
    front: FaultyStore, bucket: str, stored: Attempt, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setenv("DAILIES_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DAILIES_LEDGER_URL", f"sqlite:///{tmp_path}/ledger.db")
    assert main(["report", "--batch", "smiles", "--json"]) == 0
    assert "Contents" not in s3_client(front.behind).list_objects_v2(Bucket=bucket), "a report alone writes nothing"
    for _ in range(2):
        assert main(["report", "--batch", "smiles", "--sidecars", "--json"]) == 0
        assert "sidecars: beside 1 of 1 clips" in capsys.readouterr().err
        assert content(front, bucket)["clip_key"] == stored.clip_key
    monkeypatch.setattr(S3, "open", lambda *_: (_ for _ in ()).throw(OSError("away")))
    assert main(["report", "--batch", "smiles", "--sidecars"]) == 0, "a report is no verdict on the store"
    assert "beside 0 of 1 clips: the store did not take the others" in capsys.readouterr().err
