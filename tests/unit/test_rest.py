"""Of a file that broke off only the rest is asked for, as long as it is surely the same file."""

from __future__ import annotations

import asyncio
import hashlib
import os
from dataclasses import replace
from pathlib import Path

import pytest

from dailies.net import vetted_client
from dailies.storage.download import BeginLost, Download, DownloadFailed, ServerTrouble, TooBig, download
from dailies.storage.rest import Rest, is_begun_by
from tests.unit.loopback import reply, serve

CLIP = b"\0\0\0\x18ftypisom" + os.urandom(3_000_000)
ALL, HALF = len(CLIP), 1_200_000
ETAG, DATE = 'ETag: "v1"', "Last-Modified: Tue, 24 Nov 2026 10:00:00 GMT"


def fetched(folder: Path, answer: bytes, begun: Download | None = None, max_bytes: int = 2**30) -> tuple[Download, str]:
    """What an answer makes of a file that has begun to come, and the head of the request."""

    async def run() -> tuple[Download, str]:
        async with serve({"/a.mp4": answer}) as server, vetted_client(server.trust, user_agent="t") as client:
            url, trust = server.url("/a.mp4"), server.trust
            got = await download(url, folder, "clip", client=client, trust=trust, begun=begun, max_bytes=max_bytes)
            return got, server.heads[-1]

    return asyncio.run(run())


def broken_off(folder: Path, *headers: str, length: int | None = ALL) -> Download:
    return fetched(folder, reply(CLIP[:HALF], *headers, length=length))[0]


def rest(*headers: str, start: int = HALF, of: int | str = ALL, end: int = ALL, length: int = -1) -> bytes:
    span = f"Content-Range: bytes {start}-{ALL - 1}/{of}"
    return reply(CLIP[start:end], span, *(headers or (ETAG,)), status=206, length=length)


def test_the_rest_alone_is_asked_for_and_makes_the_file_whole(tmp_path: Path) -> None:
    begun = broken_off(tmp_path, ETAG, DATE)
    assert begun.rest == Rest('"v1"', ALL)
    got, head = fetched(tmp_path, rest(), begun)
    assert f"Range: bytes={HALF}-\r\n" in head and 'If-Range: "v1"\r\n' in head
    digest = hashlib.sha256(CLIP).hexdigest()
    assert got == Download(tmp_path / f"clip.{digest}", ALL, digest, True) and got.path.read_bytes() == CLIP
    assert sorted(os.listdir(tmp_path)) == sorted([begun.path.name, got.path.name])


def test_a_rest_that_breaks_off_too_is_gone_on_from(tmp_path: Path) -> None:
    begun, _ = fetched(tmp_path, rest(end=2 * HALF, length=ALL - HALF), broken_off(tmp_path, ETAG))
    assert (begun.size_bytes, begun.told_whole, begun.rest) == (2 * HALF, False, Rest('"v1"', ALL))
    assert fetched(tmp_path, rest(start=2 * HALF), begun)[0].path.read_bytes() == CLIP


@pytest.mark.parametrize(
    ("headers", "name"),
    [
        ((ETAG,), '"v1"'),
        (('ETag: W/"v1"', DATE), DATE.partition(": ")[2]),
        ((DATE,), DATE.partition(": ")[2]),
        (('ETag: W/"v1"',), None),
        (("ETag: v1",), None),
        ((), None),
        ((ETAG, "Content-Encoding: gzip"), None),
        ((ETAG, "Content-Encoding: identity"), '"v1"'),
    ],
    ids=["etag", "weak and date", "date", "weak", "bare", "nothing", "wrapped", "said to be bare"],
)
def test_only_what_surely_names_the_file_is_asked_by(
    tmp_path: Path, headers: tuple[str, ...], name: str | None
) -> None:
    assert broken_off(tmp_path, *headers).rest == (Rest(name, ALL) if name else None)


def test_a_whole_file_and_one_that_announced_nothing_have_no_rest(tmp_path: Path) -> None:
    assert fetched(tmp_path, reply(CLIP, ETAG))[0].rest is None
    assert broken_off(tmp_path, ETAG, length=None).rest is None


def test_where_the_whole_comes_all_the_same_it_is_taken(tmp_path: Path) -> None:
    """Another file by now, or a server that knows no ranges."""
    other = b"\0\0\0\x18ftypisom" + os.urandom(2_000_000)
    begun = broken_off(tmp_path, ETAG)
    assert fetched(tmp_path, reply(other), begun)[0].path.read_bytes() == other
    from_the_start = reply(CLIP, f"Content-Range: bytes 0-{ALL - 1}/{ALL}", status=206)
    assert fetched(tmp_path, from_the_start, begun)[0].path.read_bytes() == CLIP


@pytest.mark.parametrize(
    "answer",
    [
        rest(start=HALF + 1),
        rest(of=ALL + 1),
        rest('ETag: "v2"'),
        rest('ETag: W/"v1"'),
        rest(ETAG, "Content-Encoding: gzip"),
        reply(CLIP[HALF:], status=206),
    ],
    ids=["elsewhere", "another length", "another file", "perhaps another", "wrapped", "no span"],
)
def test_what_does_not_go_on_is_not_put_behind(tmp_path: Path, answer: bytes) -> None:
    with pytest.raises(ServerTrouble):
        fetched(tmp_path, answer, broken_off(tmp_path, ETAG))


@pytest.mark.parametrize(("told", "goes_on"), [(DATE, True), ("X: y", True), (DATE.replace("24", "25"), False)])
def test_a_file_known_by_its_date_goes_on_unless_another_one_is_told(tmp_path: Path, told: str, goes_on: bool) -> None:
    begun = broken_off(tmp_path, DATE)
    if goes_on:
        assert fetched(tmp_path, rest(told), begun)[0].path.read_bytes() == CLIP
    else:
        with pytest.raises(ServerTrouble):
            fetched(tmp_path, rest(told), begun)


def test_a_length_that_is_not_told_need_not_be_the_same(tmp_path: Path) -> None:
    begun = broken_off(tmp_path, ETAG)
    assert fetched(tmp_path, rest(of="*"), begun)[0].path.read_bytes() == CLIP
    unknown = replace(begun, rest=Rest('"v1"', None))
    assert fetched(tmp_path, rest(), unknown)[0].path.read_bytes() == CLIP


def test_a_part_that_nobody_asked_for_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ServerTrouble, match="another part"):
        fetched(tmp_path, rest())


def test_a_rest_of_nothing_brought_nothing(tmp_path: Path) -> None:
    begun = broken_off(tmp_path, ETAG)
    with pytest.raises(DownloadFailed):
        fetched(tmp_path, rest(end=HALF, length=ALL - HALF), begun)
    assert begun.path.read_bytes() == CLIP[:HALF] and len(os.listdir(tmp_path)) == 1


def test_both_parts_together_may_not_be_too_large(tmp_path: Path) -> None:
    begun = broken_off(tmp_path, ETAG)
    with pytest.raises(TooBig):
        fetched(tmp_path, rest(), begun, max_bytes=ALL - 1)


@pytest.mark.parametrize("now", [None, b"something else"], ids=["gone", "garbled"])
def test_a_begin_that_is_not_there_any_more_is_no_begin(tmp_path: Path, now: bytes | None) -> None:
    begun = broken_off(tmp_path, ETAG)
    begun.path.unlink()
    if now:
        begun.path.write_bytes(now)
    with pytest.raises(BeginLost):
        fetched(tmp_path, rest(), begun)


@pytest.mark.parametrize(
    ("first", "same"), [(CLIP[:HALF], True), (CLIP, True), (CLIP + b"x", False), (b"x" + CLIP[1:HALF], False)],
    ids=["begin", "all", "longer", "other"],
)  # fmt: skip
def test_a_file_is_known_again_by_its_begin(tmp_path: Path, first: bytes, same: bool) -> None:
    path = tmp_path / "kept"
    path.write_bytes(CLIP)
    assert is_begun_by(path, len(first), hashlib.sha256(first).hexdigest()) is same
