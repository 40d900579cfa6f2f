"""The small parts of a report: what was decided, how to go on with a batch, posters from near and far, links, metrics."""

from __future__ import annotations

import logging
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from dailies.domain.brake import CreateResult, Phase
from dailies.domain.clip_line import Line, line_of
from dailies.domain.verdicts import Said, Verdict, Word
from dailies.ledger.metering import Metering
from dailies.report.decided import decided_lines, decided_sentence, decided_table
from dailies.report.gather import FEW, gather_posters
from dailies.report.links import PRESIGNED_S, on_disk, poster_file, poster_key, presigned
from dailies.report.prometheus import metrics_text
from dailies.report.runs import runs_of
from dailies.report.select import Selection, chosen
from dailies.report.sidecars import places_of, sidecar
from dailies.report.write import Places
from dailies.storage.s3 import StoreRefused, StoreTrouble
from tests.ledger.factories import NOON
from tests.report.factories import a_batch_row
from tests.unit.steps_bench import Shelf, fake


def a_line(number: int = 1, word: Word | None = None, note: str = "", take: str = "") -> Line:
    row = a_batch_row(number, clip={"take": take})
    said = Verdict(1, row.clip_key, NOON, "Ana", Said(word, note)) if word is not None else None
    return line_of(row._replace(verdict=said))


def test_what_was_decided_is_a_table_and_a_sentence() -> None:
    lines = [a_line(1, Word.KEEP, "the light"), a_line(2), a_line(3, Word.REJECT, take="warm-2"), a_line(4, Word.KEEP)]
    named = {"by": "Ana", "charged": "$1.26"}
    one = {"clip": "row-01", "take": "1", "verdict": "keep", "note": "the light"} | named
    three = {"clip": "row-03", "take": "warm-2", "verdict": "reject", "note": ""} | named
    assert decided_table(lines, 2) == [one, three] and len(decided_table(lines)) == 3
    assert decided_table([lines[0]._replace(verdict_by=None, usd_charged=None)]) == [one | {"by": "", "charged": "–"}]
    assert decided_sentence(lines) == "3 of 4 decided · 2 keep · 1 reject"
    rows = [a_batch_row(1), a_batch_row(2, None), a_batch_row(3)._replace(counted=False)]
    assert [line.id for line in decided_lines(rows)] == ["row-01"]


def test_a_batch_is_gone_on_with_as_it_was_asked_for() -> None:
    """One of an earlier version by its file; one whose file nobody knows is left out."""
    ledger: Any = fake(
        batch_asked={"new": {"prompts": "new.csv", "to": "s3://a/b"}, "old": {}, "lost": {}}.__getitem__,
        batch_source={"new": "elsewhere.csv", "old": "old.csv", "lost": None}.__getitem__,
        batch_destination={"new": None, "old": "s3://clips/old", "lost": "s3://c"}.__getitem__,
    )
    assert runs_of(ledger, ["new", "old", "lost"]) == {
        "new": "dailies run new.csv --to s3://a/b --batch new",
        "old": "dailies run old.csv --to s3://clips/old --batch old",
    }


def far_away(lines: list[Line]) -> Shelf:
    """A store with the posters of some clips."""
    shelf = Shelf()
    for line in lines:
        shelf.lay(poster_key(str(line.s3_uri)).removeprefix("s3://studio/"), b"a picture", "studio")
    return shelf


def test_posters_come_from_the_folder_the_reports_and_the_store(tmp_path: Path) -> None:
    here, near, far, nowhere = lines = [a_line(number) for number in range(1, 5)]
    out, reports = tmp_path / "out", tmp_path / "reports" / "monday" / "posters"
    for folder, line in ((out / "posters", here), (reports, near)):
        folder.mkdir(parents=True)
        (folder / poster_file(line)).write_bytes(b"a picture")
    shelf: Any = far_away([far])
    assert gather_posters(lines, out, Places(tmp_path), None) == 2
    assert gather_posters([*lines, nowhere._replace(s3_uri=None)], out, Places(tmp_path), shelf) == 3
    assert {path.name for path in (out / "posters").iterdir()} == {poster_file(one) for one in (here, near, far)}
    gather_posters([], tmp_path / "new", Places(tmp_path), None)
    assert (tmp_path / "new" / "posters").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("listed", [True, False])
def test_of_many_only_those_are_asked_for_that_are_there(tmp_path: Path, listed: bool) -> None:
    """Where the key may list."""
    lines = [a_line(number) for number in range(FEW + 1)]
    shelf: Any = far_away(lines[:2])
    asked: list[str] = []
    read = shelf.read

    def reading(bucket: str, key: str, most: int) -> bytes:
        asked.append(key)
        found: bytes = read(bucket, key, most)
        return found

    shelf.read = reading
    shelf.trouble = [] if listed else [StoreTrouble("HTTP 503")]
    assert gather_posters(lines, tmp_path, Places(tmp_path), shelf) == 2
    assert len(asked) == (2 if listed else FEW + 1)


def test_the_first_refusal_is_the_end_of_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    lines = [a_line(1)]
    shelf: Any = far_away(lines)
    shelf.trouble = [StoreRefused("AccessDenied", "it says no", 403)]
    assert gather_posters(lines, tmp_path, Places(tmp_path), shelf) == 0
    assert [message.partition(": ")[0] for message in caplog.messages] == ["no posters from S3"]


def test_signed_links_live_for_a_week_and_a_poster_of_this_disk_is_nearer(tmp_path: Path) -> None:
    line = a_line()
    signed: list[int] = []

    def presigner(bucket: str, lifetime_s: int) -> Any:
        signed.append(lifetime_s)
        return lambda key: f"https://{bucket}/{key}"

    key = str(line.s3_uri).removeprefix("s3://studio/")
    store: Any = fake(presigner=presigner)
    links = presigned(store, tmp_path)(line)
    assert links == (f"https://studio/{key}", f"https://studio/{poster_key(key)}") and signed == [PRESIGNED_S]
    assert on_disk(tmp_path, None)(line) == (None, None)
    (tmp_path / "posters").mkdir()
    (tmp_path / "posters" / poster_file(line)).write_bytes(b"a picture")
    assert on_disk(tmp_path, None)(line).poster == f"posters/{poster_file(line)}"
    assert presigned(store, tmp_path)(line).poster == f"posters/{poster_file(line)}"


def test_a_span_begins_with_its_first_moment_and_a_model_is_known_by_its_short_name() -> None:
    midnight = datetime(2026, 11, 21, tzinfo=UTC)
    first, last = (a_batch_row(n, created_at=midnight + timedelta(days=n - 1)) for n in (1, 2))
    assert chosen([first, last], Selection(since=midnight.date(), until=midnight.date())) == [first]
    for name in ("Sora-2-Pro-I2V", "openai/sora-2-pro-i2v"):
        assert chosen([first], Selection(model=name)) == [first]
    assert chosen([first], Selection(model="openai")) == []
    assert chosen([first, last], Selection(until=date.max)) == [first, last], "after which there is no moment"


def test_a_sidecar_is_json_that_people_can_read() -> None:
    assert sidecar({"id": "é", "n": 1}) == '{\n "id": "é",\n "n": 1\n}\n'.encode()
    row = a_batch_row(1)._replace(copy_uri="s3://other/place.mp4")
    assert row.attempt and row.attempt.s3_uri
    places = places_of([row])
    assert {uri: facts["s3_uri"] for uri, facts in places.items()} == {uri: uri for uri in places}
    assert row.attempt.s3_uri in places


def test_the_metrics_as_text() -> None:
    usd = {"quoted": Decimal("1.5"), "charged": Decimal(0), "at_risk": Decimal("0.25"), "kept": Decimal(1)}
    found = Metering(
        Counter({("stored", "aiml"): 2}),
        usd,
        {("aiml", CreateResult.ACCEPTED): 3},
        {"aiml": Phase.PROBING},
        4,
        5,
        6.5,
        0.5,
    )
    assert (
        metrics_text(found).decode()
        == """\
# HELP dailies_clips Clips by the attempt that speaks for each.
# TYPE dailies_clips gauge
dailies_clips{provider="aiml",state="stored"} 2.0
# HELP dailies_usd US dollars, by what they are.
# TYPE dailies_usd gauge
dailies_usd{kind="quoted"} 1.5
dailies_usd{kind="charged"} 0.0
dailies_usd{kind="at_risk"} 0.25
dailies_usd{kind="kept"} 1.0
# HELP dailies_creates_total Create requests sent, by what became of them.
# TYPE dailies_creates_total counter
dailies_creates_total{outcome="accepted",provider="aiml"} 3.0
# HELP dailies_brake 0 open, 1 probing, 2 halted.
# TYPE dailies_brake gauge
dailies_brake{provider="aiml"} 1.0
# HELP dailies_polls_total Times that a provider was asked how a clip stands.
# TYPE dailies_polls_total counter
dailies_polls_total 4.0
# HELP dailies_delivered_bytes_total Bytes of the clips that were brought home.
# TYPE dailies_delivered_bytes_total counter
dailies_delivered_bytes_total 5.0
# HELP dailies_oldest_unfinished_seconds Age of the oldest clip that is paid for, or may be, and not home.
# TYPE dailies_oldest_unfinished_seconds gauge
dailies_oldest_unfinished_seconds 6.5
# HELP dailies_ledger_seconds How long the ledger took to answer just now.
# TYPE dailies_ledger_seconds gauge
dailies_ledger_seconds 0.5
"""
    )
