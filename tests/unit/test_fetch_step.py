"""The step that asks for a paid clip's bytes: what is taken, what is kept until better comes, and when hope ends."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from dailies.domain.records import Attempt
from dailies.domain.states import State
from dailies.errors import DeliveryDelayed, Misconfigured, ResultLost
from dailies.ledger import LostOwnership
from dailies.media.containers import Container
from dailies.media.wholeness import Grade, Verdict
from dailies.net import Trust, UnsafeUrl
from dailies.providers.base import Look
from dailies.runtime import Runtime
from dailies.steps import fetch as steps_fetch
from dailies.steps.fetch import PATIENCE, Fetched, NotYet, fetch
from dailies.storage.download import Download, DownloadFailed, UrlExpired
from dailies.storage.rest import Rest
from tests.ledger.factories import FakeClock
from tests.unit.steps_bench import FAILED, GENERATING, READY, Bench, bench_on

URL = "https://cdn.example/clip.mp4?signature=s3cr3t"
GRADES = {
    b"whole": Verdict(Grade.WHOLE, Container.MP4), b"film": Verdict(Grade.WHOLE, Container.WEBM),
    b"odd": Verdict(Grade.ODD, Container.MP4, "can't prove it"), b"cut": Verdict(Grade.CUT, Container.MP4, "cut short"),
    b"what": Verdict(Grade.UNKNOWN, None, "unknown bytes"), b"page": Verdict(Grade.NO_CLIP, None, "a page"),
}  # fmt: skip
GONE = replace(FAILED, gone=True, detail="no such job")


class Visits:
    """Visits to a clip's address with the network doubled: `answers` are what comes, the last again and again."""

    def __init__(self, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        self.bench = bench
        self.answers: list[bytes | Exception] = []
        self.urls: list[str] = []
        self.ways: list[dict[str, Any]] = []
        self.judged: list[bool | None] = []
        self.broke_off = ""
        self.rest: Rest | None = None
        self.meanwhile: Callable[[Path], None] = lambda path: None
        monkeypatch.setattr(steps_fetch, "PAUSES_S", (0.0, 0.0))
        monkeypatch.setattr(steps_fetch, "download", self.download)
        monkeypatch.setattr(steps_fetch, "judge", self.judge)

    async def download(self, url: str, folder: Path, attempt_id: str, **ways: Any) -> Download:
        self.urls.append(url)
        self.ways.append(ways)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        folder.mkdir(exist_ok=True)
        digest = hashlib.sha256(answer).hexdigest()
        path = folder / f"{attempt_id}.{digest}"
        path.write_bytes(answer)
        return Download(path, len(answer), digest, True, self.broke_off, self.rest)

    def judge(self, path: Path, told_whole: bool | None) -> Verdict:
        self.judged.append(told_whole)
        verdict = GRADES[path.read_bytes().partition(b" ")[0]]
        self.meanwhile(path)
        return verdict

    def visit(self, attempt: Attempt, *answers: bytes | Exception) -> Fetched:
        self.answers = [*answers]
        return self.bench.run(fetch, attempt)

    def lay(self, attempt: Attempt, content: bytes, ending: str = "", digest: str = "") -> Path:
        """A file that an earlier visit has kept."""
        path = self.bench.folder / "downloads" / f"{attempt.id}.{digest or hashlib.sha256(content).hexdigest()}{ending}"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        return path

    @property
    def kept(self) -> list[bytes]:
        """What the folder of downloads holds."""
        return sorted(path.read_bytes() for path in (self.bench.folder / "downloads").iterdir())


@pytest.fixture
def bench(sqlite_url: str, tmp_path: Path, clock: FakeClock) -> Iterator[Bench]:
    for bench in bench_on(sqlite_url, tmp_path, clock):
        bench.vendor.looks = [READY]
        yield bench


@pytest.fixture
def visits(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Visits:
    return Visits(bench, monkeypatch)


@pytest.fixture
def attempt(bench: Bench) -> Attempt:
    return bench.attempt(State.COMPLETED)


def test_a_whole_clip_is_taken_at_once(visits: Visits, attempt: Attempt) -> None:
    """And from the disk when it is asked for again."""
    found = visits.visit(attempt, b"whole")
    assert (found.odd, found.container, found.content_type) == ("", Container.MP4, "video/mp4")
    assert visits.urls == [URL] and visits.bench.vendor.asked == [] and visits.judged == [True]
    assert found.file.path.name == f"{attempt.id}.{hashlib.sha256(b'whole').hexdigest()}.mp4"
    again = visits.visit(attempt, b"page")
    assert again.file.path == found.file.path and (again.file.size_bytes, len(visits.urls)) == (5, 1)
    assert again.container is Container.MP4 and visits.judged == [True, None]


def test_a_file_that_is_not_what_its_name_says_is_fetched_again(visits: Visits, attempt: Attempt) -> None:
    """Files of others, and of another length of name, are nobody's business."""
    visits.lay(attempt, b"whole garbled", ".mp4", "0" * 64)
    visits.lay(attempt._replace(id="f" * 32), b"whole other", ".mp4")
    visits.lay(attempt, b"whole long", ".part.mp4")
    assert visits.visit(attempt, b"whole").file.path.read_bytes() == b"whole"
    assert visits.kept == [b"whole", b"whole long", b"whole other"]


def test_what_is_no_mp4_is_taken_and_marked(visits: Visits, attempt: Attempt) -> None:
    assert visits.visit(attempt, b"film").odd == "a WebM instead of an MP4"
    assert steps_fetch._taken(Download(Path("x"), 1, "x"), GRADES[b"what"]) == Fetched(
        Download(Path("x"), 1, "x"), None, "no known kind of video; unknown bytes"
    )
    assert Fetched(Download(Path("x"), 1, "x"), None).content_type == "application/octet-stream"


def test_what_can_not_prove_to_be_whole_is_taken_when_the_same_came_twice(visits: Visits, attempt: Attempt) -> None:
    found = visits.visit(attempt, b"odd 1", b"odd 2", b"odd 1")
    assert (found.odd, found.file.path.read_bytes(), len(visits.urls)) == ("can't prove it", b"odd 1", 3)
    assert visits.kept == [b"odd 1"] and len(visits.bench.vendor.asked) == 2


def test_what_an_earlier_visit_kept_counts(visits: Visits, attempt: Attempt) -> None:
    visits.lay(attempt, b"odd 1")
    assert visits.visit(attempt, b"odd 1").file.path.suffix == ".mp4" and len(visits.urls) == 1


@pytest.mark.parametrize(
    ("answers", "kept"),
    [
        ((b"cut", b"cut longer", b"cut"), b"cut longer"), ((b"odd", b"cut much longer", b"page"), b"odd"),
        ((b"what longer", b"cut", b"what longest"), b"cut"), ((b"cut a", b"cut b", b"page"), b"cut b"),
    ],
)  # fmt: skip
def test_the_best_that_came_is_kept_until_better_comes(
    visits: Visits, attempt: Attempt, answers: tuple[bytes, ...], kept: bytes
) -> None:
    """By its grade, then by its length, then the latest; and the clip waits, paid."""
    with pytest.raises(NotYet, match=r"^the download fails: .*\. Nothing is lost: run again, or dailies collect$"):
        visits.visit(attempt, *answers)
    assert visits.kept == [kept] and len(visits.urls) == 3
    now = visits.bench.again(attempt)
    assert now.state is State.COMPLETED and str(now.error).startswith("the download fails: ")


NAMED = Rest('"the file"', 12)


def test_of_what_broke_off_the_rest_is_asked_for_and_after_a_refusal_the_whole(
    visits: Visits, attempt: Attempt
) -> None:
    visits.rest = NAMED
    with pytest.raises(DeliveryDelayed):
        visits.visit(attempt, b"cut a", UrlExpired("403"), b"cut ab")
    begun = [way["begun"] and way["begun"].size_bytes for way in visits.ways]
    assert begun == [None, 5, None] and visits.kept == [b"cut ab"]


def test_a_refusal_of_the_rest_says_nothing_of_the_whole(visits: Visits, attempt: Attempt) -> None:
    """Its job unknown and its life over, a clip is lost only once its address is refused."""
    visits.rest, visits.bench.vendor.looks = NAMED, [GONE]
    visits.bench.clock.advance(timedelta(days=30).total_seconds())
    with pytest.raises(DeliveryDelayed):
        visits.visit(attempt, b"cut a", b"cut ab", UrlExpired("403"))
    assert visits.visit(attempt, UrlExpired("403")).odd.startswith("all that came")


@pytest.mark.parametrize(
    ("first", "begun"),
    [(b"cut a", b"cut abc"), (b"cut x", None), (b"cut abcd", b"cut abcd")],
    ids=["its begin", "another file", "more"],
)
def test_what_an_earlier_visit_kept_is_gone_on_from_where_it_is_the_same_file(
    visits: Visits, attempt: Attempt, first: bytes, begun: bytes | None
) -> None:
    visits.lay(attempt, b"cut abc")
    visits.rest = NAMED
    visits.visit(attempt, first, b"whole")
    asked = visits.ways[1]["begun"]
    assert (asked and asked.path.name) == (begun and f"{attempt.id}.{hashlib.sha256(begun).hexdigest()}")


def test_what_came_to_its_end_is_fetched_from_its_begin(visits: Visits, attempt: Attempt) -> None:
    visits.visit(attempt, b"cut", b"whole")
    assert [way["begun"] for way in visits.ways] == [None, None]


def test_why_nothing_was_taken_is_said(visits: Visits, attempt: Attempt) -> None:
    visits.broke_off = "the line broke"
    with pytest.raises(NotYet, match=r"^the download fails: the line broke; cut short\."):
        visits.visit(attempt, b"cut")
    with pytest.raises(NotYet, match=r"^the download fails: HTTP 502\."):
        visits.visit(attempt, DownloadFailed("HTTP 502"))


def test_after_a_while_a_run_visits_no_more(visits: Visits, attempt: Attempt) -> None:
    """To the second; then what came twice is taken although nobody knows what it is."""
    visits.bench.clock.advance(PATIENCE.total_seconds() - 1)
    with pytest.raises(NotYet):
        visits.visit(attempt, b"what")
    visits.bench.clock.advance(1)
    with pytest.raises(DeliveryDelayed) as error:
        visits.visit(attempt, b"page")
    assert type(error.value) is DeliveryDelayed
    found = visits.visit(attempt, b"what")
    assert (found.odd, found.container) == ("no known kind of video; unknown bytes", None)


def test_a_fresh_look_may_show_another_address(visits: Visits, attempt: Attempt) -> None:
    """Which is tried, and on record with what the provider says of the cost."""
    moved = replace(READY, url="https://cdn.example/moved.mp4")
    visits.bench.vendor.looks = [moved]
    assert visits.visit(attempt, UrlExpired("HTTP 403"), b"whole").odd == ""
    assert visits.urls == [URL, moved.url] and visits.bench.vendor.asked == [("look", attempt.generation_id)]
    now = visits.bench.again(attempt)
    assert (now.result_url, now.usd_charged, now.credits_used) == (moved.url, moved.usd_charged, moved.credits_used)


def test_without_an_address_the_provider_is_asked_first(visits: Visits, attempt: Attempt) -> None:
    assert visits.visit(attempt._replace(result_url=None), b"whole").odd == "" and visits.urls == [READY.url]
    other = visits.bench.attempt(State.COMPLETED, visits.bench.batch(2), 1)._replace(result_url=None)
    visits.bench.vendor.looks = [GENERATING]
    with pytest.raises(NotYet, match=rf"a fresh look at {other.generation_id} gives no address \(generating\)"):
        visits.visit(other, b"whole")
    with pytest.raises(NotYet, match="the download fails: there is no address"):
        visits.visit(other._replace(generation_id=None), b"whole")
    assert len(visits.urls) == 1


@pytest.mark.parametrize(
    ("trouble", "words", "told"),
    [
        (Misconfigured("the disk is full"), r"^the disk is full\. Nothing is lost", 1),
        (UnsafeUrl("it leads home"), r"^its address is refused: it leads home\. Nothing is lost", 0),
    ],
)
def test_what_no_further_try_heals_is_said_at_once(
    visits: Visits, attempt: Attempt, trouble: Exception, words: str, told: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR, "dailies.fetch")
    with pytest.raises(DeliveryDelayed, match=words) as error:
        visits.visit(attempt, trouble)
    assert len(visits.urls) == 1 and type(error.value) is DeliveryDelayed
    assert str(visits.bench.again(attempt).error) in str(error.value) and len(caplog.messages) == told


def gone(visits: Visits, attempt: Attempt, *answers: bytes | Exception, look: Look = GONE) -> Fetched:
    visits.bench.vendor.looks = [look]
    return visits.visit(attempt, *answers)


def test_a_clip_is_lost_when_its_address_is_refused_its_job_unknown_and_its_life_over(
    visits: Visits, attempt: Attempt
) -> None:
    """Not by one of these alone."""
    refused = UrlExpired("HTTP 403")
    with pytest.raises(NotYet):
        gone(visits, attempt, refused)
    visits.bench.clock.advance(timedelta(days=30).total_seconds())
    with pytest.raises(DeliveryDelayed, match="HTTP 502"):
        gone(visits, attempt, DownloadFailed("HTTP 502"))
    with pytest.raises(DeliveryDelayed, match="HTTP 403"):
        gone(visits, attempt, refused, look=GENERATING)
    with pytest.raises(DeliveryDelayed, match="HTTP 403"):
        gone(visits, attempt, refused, look=READY)
    assert visits.bench.again(attempt).state is State.COMPLETED
    with pytest.raises(ResultLost, match=r"^paid, and no URL leads to it any more: HTTP 403\. See dailies status"):
        gone(visits, attempt, refused)
    assert visits.bench.again(attempt).state is State.RESULT_LOST


def test_what_had_come_of_a_lost_clip_is_stored_as_evidence(visits: Visits, attempt: Attempt) -> None:
    visits.lay(attempt, b"cut")
    visits.bench.clock.advance(timedelta(days=30).total_seconds())
    found = gone(visits, attempt, UrlExpired("HTTP 403"))
    assert found.odd == "all that came before its address ended: cut short" and found.file.path.read_bytes() == b"cut"
    assert visits.bench.again(attempt).state is State.COMPLETED


def test_each_word_that_a_job_is_gone_or_there_again_is_on_record(visits: Visits, attempt: Attempt) -> None:
    with pytest.raises(NotYet):
        gone(visits, attempt, UrlExpired("HTTP 403"))
    with pytest.raises(NotYet):
        gone(visits, attempt, UrlExpired("HTTP 403"), look=READY)
    with pytest.raises(NotYet):
        gone(visits, attempt, UrlExpired("HTTP 403"), look=READY)
    assert [note for note in visits.bench.notes(attempt) if note.startswith(("gone", "shown"))] == [
        "gone: no such job", "shown again",
    ]  # fmt: skip


def test_an_address_is_asked_as_its_provider_wants_it(
    visits: Visits, attempt: Attempt, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the run's own client, within its trust, with what a result needs to be shown."""
    visits.bench.http = "the client"
    monkeypatch.setattr(visits.bench.vendor, "result_auth", lambda url: f"key for {url}")
    visits.visit(attempt, b"whole")
    assert visits.ways == [{"client": "the client", "trust": Trust(), "auth": f"key for {URL}", "begun": None}]


def test_a_full_disk_is_told_once_for_all_clips(
    visits: Visits, attempt: Attempt, caplog: pytest.LogCaptureFixture
) -> None:
    other = visits.bench.attempt(State.COMPLETED, visits.bench.batch(2), 1)
    visits.answers = [Misconfigured("the disk is full")]

    async def both(runtime: Runtime) -> None:
        for one in (attempt, other):
            with pytest.raises(DeliveryDelayed):
                await fetch(runtime, one)

    visits.bench.run(both)
    assert [message for message in caplog.messages if "disk" in message] == [
        "the disk is full. What is paid for waits at its provider: make room soon, then dailies collect"
    ]


def test_what_another_process_has_taken_meanwhile_is_taken_too(visits: Visits, attempt: Attempt) -> None:
    """The same bytes, under the name of what is whole."""

    def taken(path: Path) -> None:
        if path.suffix != ".mp4":
            path.rename(f"{path}.mp4")

    visits.meanwhile = taken
    found = visits.visit(attempt, b"film")
    assert (found.odd, found.container) == ("a WebM instead of an MP4", Container.WEBM)
    assert found.file.path.suffix == ".mp4" and len(visits.urls) == 1 and visits.judged == [True, None]


def test_what_another_process_has_in_hand_is_waited_for(visits: Visits, attempt: Attempt) -> None:
    visits.meanwhile = Path.unlink
    with pytest.raises(NotYet, match=r"^the download fails: another process has its file in hand\."):
        visits.visit(attempt, b"whole")


def test_a_provider_without_a_key_says_so_where_there_is_no_address(visits: Visits, attempt: Attempt) -> None:
    """Where there is one it may work all the same."""
    visits.bench.vendor.looks = [Misconfigured("no key for aiml")]
    assert visits.visit(attempt, DownloadFailed("HTTP 502"), b"whole").odd == ""
    other = visits.bench.attempt(State.COMPLETED, visits.bench.batch(2), 1)._replace(result_url=None)
    with pytest.raises(NotYet, match=r"^the download fails: no key for aiml\."):
        visits.visit(other, b"whole")


@pytest.mark.parametrize(
    "error", [LostOwnership("somebody"), OSError("disk"), OperationalError("", {}, Exception("away"))]
)
def test_a_fresh_address_is_tried_though_the_ledger_does_not_take_it(
    visits: Visits, attempt: Attempt, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise error

    monkeypatch.setattr(visits.bench.ledger, "record_completed", refuse)
    visits.bench.vendor.looks = [replace(READY, url="https://cdn.example/moved.mp4")]
    assert visits.visit(attempt, UrlExpired("HTTP 403"), b"whole").odd == ""


def test_the_same_address_is_not_put_on_record_again(
    visits: Visits, attempt: Attempt, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(visits.bench.ledger, "record_completed", None)
    assert visits.visit(attempt, UrlExpired("HTTP 403"), b"whole").odd == ""


@pytest.mark.parametrize("error", [OSError("disk"), OperationalError("", {}, Exception("away"))])
def test_a_clip_waits_while_the_ledger_is_away(
    visits: Visits,
    attempt: Attempt,
    error: Exception,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Nothing is called lost then, and the reason is a line of the log."""

    def refuse(*_: object) -> None:
        raise error

    for name in ("history", "note_error"):
        monkeypatch.setattr(visits.bench.ledger, name, refuse)
    visits.bench.clock.advance(timedelta(days=30).total_seconds())
    with pytest.raises(DeliveryDelayed, match=r"^the download fails: HTTP 403\. Nothing is lost"):
        gone(visits, attempt, UrlExpired("HTTP 403"))
    assert f"the ledger can't be told that {attempt.id} is delayed: the download fails: HTTP 403" in caplog.messages


def test_a_job_that_failed_since_is_as_gone_as_one_that_is_unknown(visits: Visits, attempt: Attempt) -> None:
    with pytest.raises(NotYet):
        gone(visits, attempt, UrlExpired("HTTP 403"), look=FAILED)
    assert "gone: the upstream failed" in visits.bench.notes(attempt)


@pytest.mark.parametrize("knew", [True, False])
def test_a_job_that_its_provider_has_shown_and_forgets_for_an_hour_is_lost(visits: Visits, knew: bool) -> None:
    """Three times in a row. One that it never knew is hoped for as long as results live."""
    submitted = visits.bench.attempt(State.SUBMITTED)
    if knew:
        visits.bench.ledger.record_polled(submitted, True)
    visits.bench.clock.advance(3600)
    attempt = visits.bench.again(visits.bench.ledger.record_completed(submitted, URL))
    for kind in (NotYet, DeliveryDelayed):
        with pytest.raises(kind):
            gone(visits, attempt, UrlExpired("HTTP 403"))
        visits.bench.clock.advance(1800)
    with pytest.raises(ResultLost if knew else DeliveryDelayed):
        gone(visits, attempt, UrlExpired("HTTP 403"))


def test_without_any_address_a_clip_whose_job_is_gone_is_lost_as_well(visits: Visits, attempt: Attempt) -> None:
    visits.bench.clock.advance(timedelta(days=30).total_seconds())
    with pytest.raises(ResultLost, match="gives no address"):
        gone(visits, attempt._replace(result_url=None), b"whole")
    assert visits.urls == []


def test_of_all_that_earlier_visits_kept_the_best_stays(visits: Visits, attempt: Attempt) -> None:
    for content in (b"cut", b"cut longer", b"cut at"):
        visits.lay(attempt, content)
    with pytest.raises(NotYet):
        visits.visit(attempt, b"page")
    assert visits.kept == [b"cut longer"]


def test_what_nobody_knows_is_taken_in_the_end_when_it_came_twice(visits: Visits, attempt: Attempt) -> None:
    visits.bench.clock.advance(PATIENCE.total_seconds())
    assert visits.visit(attempt, b"what", b"what", b"page").container is None


def test_how_long_a_result_lives_is_counted_from_when_it_was_ready(visits: Visits, attempt: Attempt) -> None:
    """From its claim where nobody knows when that was."""
    visits.bench.clock.advance(timedelta(days=7).total_seconds() + 1)
    with pytest.raises(DeliveryDelayed):
        gone(visits, attempt._replace(completed_at=visits.bench.clock()), UrlExpired("HTTP 403"))
    with pytest.raises(ResultLost):
        gone(visits, attempt._replace(completed_at=None), UrlExpired("HTTP 403"))


def test_a_file_that_can_not_be_read_is_fetched_again(visits: Visits, attempt: Attempt) -> None:
    """A folder in its place, for one."""
    path = visits.lay(attempt, b"whole")
    path.unlink()
    target = path.with_name(f"{path.name}.mp4")
    target.symlink_to("nowhere")
    assert visits.visit(attempt, b"whole").file.path == target and len(visits.urls) == 1
