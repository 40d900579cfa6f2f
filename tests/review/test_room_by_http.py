"""The room's doors: the token, the host, the headers, and the bytes behind them, spoken to as any program could."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest

from dailies.domain.verdicts import Said, Word
from dailies.review.media import film
from dailies.storage.s3 import S3, Opened
from tests.e2e.harness import s3_client, until
from tests.review.conftest import Studio

PATHS = (
    "",
    "review.js",
    "review.css",
    "clips.json",
    "news.json",
    "clip/x",
    "poster/x",
    "image/x",
    "about/x",
    "verdict",
    "left",
    "anything",
)


@pytest.fixture(scope="module")
def open_room(moto_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Studio, str, list[str]]]:
    """One room for this module: the studio behind it, its address, and the keys of its clips."""
    folder = tmp_path_factory.mktemp("room")
    (folder / "home").mkdir()
    s3_client(moto_url).create_bucket(Bucket="room-by-http")
    studio = Studio(folder, moto_url, "room-by-http", f"sqlite:///{folder / 'home' / 'ledger.db'}")
    keys = studio.shoot([("sunrise", ""), ("sunrise", "2"), ("harbour", "")])
    with studio.command() as address:
        yield studio, address, keys


Room = tuple[Studio, str, list[str]]


def root_of(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}/"


@pytest.mark.parametrize("path", PATHS)
def test_without_the_token_every_path_answers_403(open_room: Room, path: str) -> None:
    root = root_of(open_room[1])
    for place in (path, f"wrong/{path}", f"{urlsplit(open_room[1]).path.strip('/')}x/{path}"):
        for method in ("GET", "POST", "HEAD", "OPTIONS"):
            answer = httpx.request(method, root + place)
            assert answer.status_code == 403, (method, place)
            assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_a_foreign_host_is_refused(open_room: Room) -> None:
    port = urlsplit(open_room[1]).port
    for host in (
        "evil.example",
        f"evil.example:{port}",
        "127.0.0.1.evil.example",
        "[::1]",
        f"[::1]:{port}",
        "127.0.0.1",
        f"127.1:{port}",
        f"0.0.0.0:{port}",
        "",
    ):
        assert httpx.get(open_room[1], headers={"Host": host}).status_code in (400, 421)


def test_every_answer_is_strict_and_no_other_origin_may_read_it(open_room: Room) -> None:
    for path in ("", "review.js", "clips.json", f"clip/{open_room[2][0]}", "nothing"):
        answer = httpx.get(open_room[1] + path, headers={"Origin": "https://evil.example"})
        assert not [name for name in answer.headers if name.startswith("access-control")]
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy and "http" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"


def test_a_clip_whose_length_the_store_does_not_tell_is_served_without_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """As behind some proxies."""
    untold = Opened(None, None, "video/mp4", "etag", iter([b"a clip"]))
    monkeypatch.setattr(S3, "open", lambda *_: untold)
    monkeypatch.setattr(S3, "__init__", lambda _: None)  # no store is asked
    served = film(S3(), "s3://clips/a.mp4", None)
    assert served.status_code == 200 and "content-length" not in served.headers


def test_a_clip_is_served_in_ranges(open_room: Room) -> None:
    studio, address, keys = open_room
    whole = httpx.get(f"{address}clip/{keys[0]}")
    assert (whole.status_code, whole.headers["accept-ranges"], whole.headers["content-type"]) == (
        200,
        "bytes",
        "video/mp4",
    )
    assert whole.content == (studio.folder / "film-0.mp4").read_bytes()
    size = len(whole.content)
    for asked, start, end in (("bytes=0-99", 0, 99), ("bytes=100-", 100, size - 1), ("bytes=-50", size - 50, size - 1)):
        part = httpx.get(f"{address}clip/{keys[0]}", headers={"Range": asked})
        assert (part.status_code, part.headers["content-range"]) == (206, f"bytes {start}-{end}/{size}")
        assert part.content == whole.content[start : end + 1]
    assert httpx.get(f"{address}clip/{keys[0]}", headers={"Range": f"bytes={size + 5}-"}).status_code == 416
    for odd in ("bytes=0-1,5-6", "bytes=5-2", "bytes=a-b", "frames=0-1", "bytes=", "bytes=--5", f"bytes=-{size + 999}"):
        found = httpx.get(f"{address}clip/{keys[0]}", headers={"Range": odd})
        assert (found.status_code in (200, 206), found.content == whole.content) == (True, True), odd
    head = httpx.head(f"{address}clip/{keys[0]}")
    assert (head.status_code, int(head.headers["content-length"]), head.content) == (200, size, b"")


def test_an_unknown_clip_is_404_and_one_that_left_the_store_too(open_room: Room) -> None:
    studio, address, keys = open_room
    assert httpx.get(f"{address}clip/{'f' * 64}").status_code == 404
    ledger = studio.ledger()
    uri = str(ledger.attempts(keys[2])[0].s3_uri)
    ledger.engine.dispose()
    client = s3_client(studio.s3_url)
    key = uri.removeprefix(f"s3://{studio.bucket}/")
    content = client.get_object(Bucket=studio.bucket, Key=key)["Body"].read()
    client.delete_object(Bucket=studio.bucket, Key=key)
    assert httpx.get(f"{address}clip/{keys[2]}").status_code == 404
    client.put_object(Bucket=studio.bucket, Key=key, Body=content, ContentType="text/html")
    assert httpx.get(f"{address}clip/{keys[2]}").headers["content-type"] == "application/octet-stream", "never a page"


def test_the_input_image_is_served_only_as_long_as_it_is_the_same_file(open_room: Room) -> None:
    studio, address, keys = open_room
    file = studio.folder / "first.png"
    content = file.read_bytes()
    found = httpx.get(f"{address}image/{keys[0]}")
    assert (found.headers["content-type"], found.content) == ("image/png", content)
    file.write_bytes(b"another file, perhaps a secret")
    assert httpx.get(f"{address}image/{keys[0]}").status_code == 404
    file.write_bytes(content)


def test_a_verdict_is_on_record_when_it_is_answered(open_room: Room) -> None:
    studio, address, keys = open_room
    said = {"clip_key": keys[1], "verdict": "retake", "note": "too dark", "prompt": "brighter"}
    answer = httpx.post(f"{address}verdict", json=said).json()
    assert (answer["verdicts"][-1]["by"], answer["verdicts"][-1]["prompt"]) == ("Ana", "brighter")
    ledger = studio.ledger()
    assert ledger.verdict_history(keys[1])[-1].said == Said(Word.RETAKE, "too dark", "brighter")
    ledger.engine.dispose()
    assert httpx.post(f"{address}undo", json={"clip_key": keys[1]}).json()["verdicts"][-1]["verdict"] == ""
    comment = {"clip_key": keys[1], "second": 1.25, "text": "the hand"}
    assert httpx.post(f"{address}comment", json=comment).json()["comments"][0]["second"] == 1.25


@pytest.mark.parametrize(("path", "body", "status"), [
    ("verdict", {"clip_key": "f" * 64, "verdict": "keep"}, 404), ("verdict", {"clip_key": "K", "verdict": "maybe"}, 400),
    ("verdict", {"verdict": "keep"}, 400), ("comment", {"clip_key": "K", "second": -1, "text": "x"}, 400),
    ("undo", [], 400), ("undo", {"clip_key": "K", "seen": 2**70}, 400),
])  # fmt: skip
def test_what_is_no_verdict_is_refused(open_room: Room, path: str, body: object, status: int) -> None:
    assert httpx.post(open_room[1] + path, json=body).status_code == status
    assert httpx.post(open_room[1] + path, content=b"verdict=keep").status_code == 400


def test_news_since_an_entry_that_no_database_can_count_to_is_refused(open_room: Room) -> None:
    for after in ("x", "-1", "9" * 30, "9" * 5000):
        assert httpx.get(f"{open_room[1]}news.json", params={"after": after}).status_code == 400


def test_a_port_that_is_taken_is_said_before_anything_is_served(open_room: Room) -> None:
    studio, address, _ = open_room
    command = [sys.executable, "-m", "dailies", "review", "--no-browser", "--port", str(urlsplit(address).port)]
    done = subprocess.run(command, cwd=studio.folder, env=studio.environ, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert "--port" in done.stderr


def test_the_token_is_another_at_each_start_and_stands_in_no_log(open_room: Room) -> None:
    studio, address, _ = open_room
    with studio.command() as another:
        assert urlsplit(another).path != urlsplit(address).path
        assert len(urlsplit(another).path) > 24
    assert urlsplit(another).path.strip("/") not in (studio.folder / "review.log").read_text()


def test_it_is_opened_in_the_browser_that_is_set(open_room: Room) -> None:
    studio, _, _ = open_room
    opened = studio.folder / "opened"
    browser = studio.folder / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" >> {opened}\n')
    browser.chmod(0o755)
    command = [sys.executable, "-m", "dailies", "review"]
    environ = {**studio.environ, "BROWSER": str(browser)}
    with subprocess.Popen(command, cwd=studio.folder, env=environ, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        address = process.stdout.readline()
        until(lambda: opened.exists() and opened.read_text() == address)
        process.send_signal(signal.SIGINT)
    assert process.returncode == 0


def test_what_a_page_says_again_when_it_is_left_is_taken_once_and_in_its_order(open_room: Room) -> None:
    """Whether what was under way arrives before it or after."""
    _, address, keys = open_room

    def said(turn: int, page: str = "p", **given: str) -> dict[str, object]:
        return {"clip_key": keys[2], "page": page, "turn": turn, **given}

    with httpx.Client(base_url=address) as client:
        first, second = said(1, verdict="keep"), said(2, verdict="retake", prompt="slower")
        for path, body in (
            ("verdict", first),
            ("left", {"verdicts": [first, second, said(3, verdict="reject"), said(4)]}),
            ("verdict", second),
            ("undo", said(4)),
        ):
            assert client.post(path, json=body).status_code == 200
        assert client.post("left", json={"verdicts": [said(5, verdict="perhaps")]}).status_code == 400
        history = client.get(f"about/{keys[2]}").json()["verdicts"]
        assert [entry["verdict"] for entry in history] == ["keep", "retake", "reject", "retake"]
        assert (
            client.post("verdict", json=said(1, page="q", verdict="keep")).json()["verdicts"][-1]["verdict"] == "keep"
        )
