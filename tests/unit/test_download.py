"""Clips come whole, hashed and under their name, or not at all."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import os
import shutil
import socket
import stat
import struct
import tracemalloc
import zlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from io import BytesIO
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from zipfile import ZIP_BZIP2, ZIP_DEFLATED, ZIP_STORED, ZipFile

import pytest

from dailies.errors import Misconfigured
from dailies.media import archives
from dailies.media.archives import END, ZIP, clips_in
from dailies.net import Trust, UnsafeUrl, vetted_client
from dailies.storage.download import (
    STALE_S,
    CutShortDownload,
    Download,
    DownloadFailed,
    ServerTrouble,
    TooBig,
    TooSlow,
    UrlExpired,
    download,
)
from tests.unit.loopback import Answer, framed, redirect, reply, serve

CLIP = b"\0\0\0\x18ftypisom" + os.urandom(3_000_000)
SHA256 = hashlib.sha256(CLIP).hexdigest()
NAME = f"clip.{SHA256}"
MIB = 2**20
NOTHING: Mapping[str, bytes] = MappingProxyType({})


def fetch(folder: Path, answer: Answer, *, more: Mapping[str, Answer] | None = None, **limits: float) -> Download:
    async def run() -> Download:
        routes = {"/a.mp4": answer, **(more or {})}
        async with serve(routes) as server, vetted_client(server.trust, user_agent="t", read_timeout_s=5) as client:
            url = server.url("/a.mp4?X-Amz-Signature=secret")
            return await download(url, folder, "clip", client=client, trust=server.trust, **limits)  # type: ignore[arg-type]

    return asyncio.run(run())


async def silence(writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def reset(writer: asyncio.StreamWriter) -> None:
    writer.write(reply(CLIP[:50_000], length=len(CLIP)))
    await writer.drain()
    hang_up_hard = struct.pack("ii", 1, 0)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, hang_up_hard)
    writer.transport.abort()


async def endless(writer: asyncio.StreamWriter) -> None:
    writer.write(reply(b"", length=None))
    while True:
        writer.write(b"x" * 65536)
        await writer.drain()


async def drip(writer: asyncio.StreamWriter) -> None:
    writer.write(reply(b"", length=None))
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("length", [-1, None])
def test_a_clip_comes_whole_hashed_and_private(tmp_path: Path, length: int | None) -> None:
    folder = tmp_path / "home" / "downloads"
    got = fetch(folder, reply(CLIP, length=length))
    told = None if length is None else True
    assert got == Download(folder / NAME, len(CLIP), SHA256, told)
    assert got.path.read_bytes() == CLIP
    assert stat.S_IMODE(got.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert os.listdir(folder) == [NAME]


def test_a_clip_behind_redirects_comes_too(tmp_path: Path) -> None:
    assert fetch(tmp_path, redirect("/b%2Fc"), more={"/b%2Fc": reply(CLIP)}).size_bytes == len(CLIP)


async def part_then_silence(writer: asyncio.StreamWriter) -> None:
    writer.write(reply(CLIP[:50_000], length=len(CLIP)))
    await writer.drain()
    await asyncio.Event().wait()


def test_a_connection_that_is_reset_leaves_what_came_or_says_so(tmp_path: Path) -> None:
    """How much of it can be read after the reset is the system's affair."""
    with suppress(DownloadFailed):
        got = fetch(tmp_path, reset)
        assert got.told_whole is False and CLIP.startswith(got.path.read_bytes())


CHUNKED = b"5\r\nhello\r\n"


@pytest.mark.parametrize(
    ("answer", "size_bytes", "told", "why"),
    [
        (reply(CLIP[:100_000], length=len(CLIP)), 100_000, False, "broke off"),
        (reply(CLIP, length=len(CLIP) + 7), len(CLIP), False, "broke off"),
        (reply(CHUNKED, "Transfer-Encoding: chunked", length=None), 5, False, "broke off"),
        (part_then_silence, 50_000, False, "not finished in time"),
        (reply(CLIP[:99], length=99), 99, True, ""),
        (reply(CLIP[:99], length=None), 99, None, ""),
        (reply(CLIP[:99], "Content-Range: bytes 0-98/99", status=206), 99, True, ""),
        (reply(CLIP[:99], "Content-Range: bytes 0-98/*", status=206), 99, True, ""),
        (reply(CLIP[:99], "Content-Range: bytes 0-98/200", status=206), 99, False, ""),
        (reply(CLIP[:99], status=203), 99, True, ""),
    ],
)
def test_bytes_that_came_are_kept_with_what_was_told_of_them(
    tmp_path: Path, answer: Answer, size_bytes: int, told: bool | None, why: str
) -> None:
    """Whatever ends a download: nothing paid is thrown away before it was looked at."""
    got = fetch(tmp_path, answer, deadline_s=1)
    assert (got.size_bytes, got.told_whole) == (size_bytes, told)
    assert why in got.broke_off and bool(why) is bool(got.broke_off)
    assert got.path.stat().st_size == size_bytes
    assert got.sha256 == hashlib.sha256(got.path.read_bytes()).hexdigest()
    assert os.listdir(tmp_path) == [got.path.name]


def gzipped(content: bytes) -> bytes:
    return gzip.compress(content, 1)


def in_members(content: bytes) -> bytes:
    """As pigz and bgzip write it, with an empty one at its end; the first is short."""
    first, content = content[:3], content[3:]
    return (
        gzipped(first)
        + b"".join(gzipped(content[at : at + 700_001]) for at in range(0, len(content), 700_001))
        + gzipped(b"")
    )


def zipped(content: bytes, others: Mapping[str, bytes] = NOTHING, method: int = ZIP_DEFLATED) -> bytes:
    """An archive with a clip in a folder, and files beside it."""
    packed = BytesIO()
    with ZipFile(packed, "w", method) as archive:
        archive.mkdir("results")
        archive.writestr("results/clip", content)
        for name, other in others.items():
            archive.writestr(name, other)
    return packed.getvalue()


def test_the_length_of_an_archives_directory_is_read_where_its_end_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A length that is spelled as the mark of an end hid a directory of a hundred megabytes."""
    at = tmp_path / "clip.zip"
    length = int.from_bytes(END, "little")
    with at.open("wb") as file:
        file.write(ZIP + bytes(26))
        file.truncate(30 + length)
        file.seek(30 + length)
        file.write(struct.pack("<4s4H2LH", END, 0, 0, 1, 1, length, 30, 0))
    monkeypatch.setattr(archives, "ZipFile", None)
    assert clips_in(at) == 0, "and it was not opened"


def raw_deflated(content: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(content) + packer.flush()


@pytest.mark.parametrize(
    ("encoding", "wrapped"),
    [
        ("", bytes),
        ("aws-chunked", bytes),
        ("identity", bytes),
        ("none", bytes),
        ("UTF-8", bytes),
        ("binary, 8bit", bytes),
        ("gzip", bytes),
        ("br", bytes),
        ("aws-chunked", framed),
        ("aws-chunked", partial(framed, signed=False)),
        ("", framed),
        ("gzip", gzipped),
        ("x-gzip", gzipped),
        ("", gzipped),
        ("deflate", partial(zlib.compress, level=1)),
        ("deflate", raw_deflated),
        ("gzip", in_members),
        ("", in_members),
        ("", lambda clip: in_members(clip) + b"rest"),
        ("gzip,aws-chunked", lambda clip: framed(in_members(clip))),
        ("", zipped),
        (
            "",
            partial(
                zipped, others={"readme": b"# Your clip", "still": b"\x89PNG\r\n\x1a\n", "0": b""}, method=ZIP_STORED
            ),
        ),
        ("gzip,aws-chunked", lambda clip: framed(gzipped(clip))),
        ("aws-chunked, gzip", lambda clip: gzipped(framed(clip))),
    ],
)
def test_what_is_wrapped_around_a_clip_is_undone_and_what_only_a_header_claims_is_not(
    tmp_path: Path, encoding: str, wrapped: Callable[[bytes], bytes]
) -> None:
    got = fetch(tmp_path, reply(wrapped(CLIP), f"Content-Encoding: {encoding}"))
    assert (got.size_bytes, got.sha256, got.told_whole) == (len(CLIP), SHA256, True)
    assert got.path.read_bytes() == CLIP and stat.S_IMODE(got.path.stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == [NAME]


def test_a_wrapping_that_is_cut_gives_what_is_in_it(tmp_path: Path) -> None:
    for body in (gzipped(CLIP)[:-100_000], framed(CLIP)[:-100_000]):
        got = fetch(tmp_path, reply(body, "Content-Encoding: gzip", length=len(body) + 100_000))
        assert got.told_whole is False and CLIP.startswith(got.path.read_bytes()) and got.size_bytes > 2_000_000


@pytest.mark.parametrize(
    "body",
    [
        zipped(CLIP, {"other": CLIP[:5000]}),
        zipped(b"no clip"),
        zipped(CLIP)[:-100],
        zipped(CLIP, method=ZIP_BZIP2),
        zipped(CLIP, {f"a{n}": b"" for n in range(1000)}),
        zipped(CLIP, {f"{n}{'a' * 60_000}": b"" for n in range(20)}),
        gzipped(zipped(CLIP)),
    ],
    ids=["two", "none", "cut", "unknown packing", "many entries", "large directory", "in another wrapping"],
)
def test_an_archive_without_the_one_clip_stays_as_it_came(tmp_path: Path, body: bytes) -> None:
    assert fetch(tmp_path, reply(body)).path.read_bytes() == body


def test_an_archive_whose_clip_is_garbled_or_a_bomb_gives_no_whole_one(tmp_path: Path) -> None:
    body = bytearray(zipped(CLIP, method=ZIP_STORED))
    body[2_000_000] ^= 1
    assert fetch(tmp_path, reply(bytes(body))).size_bytes < len(CLIP)
    with pytest.raises(TooBig, match="once unpacked"):
        fetch(tmp_path, reply(zipped(CLIP[:12] + bytes(50 * MIB))), max_bytes=MIB)


def test_more_members_than_a_clip_has_are_not_gone_through(tmp_path: Path) -> None:
    body = gzipped(CLIP[:1000]) + gzipped(b"") * 200_000
    assert fetch(tmp_path, reply(body)).path.read_bytes() == CLIP[:1000]


def test_a_bomb_stays_folded_and_one_with_a_clip_at_its_head_ends_at_the_most_bytes(tmp_path: Path) -> None:
    zeros = gzip.compress(bytes(50 * MIB))
    assert fetch(tmp_path, reply(zeros, "Content-Encoding: gzip")).size_bytes == len(zeros)
    with pytest.raises(TooBig, match="once unpacked"):
        fetch(tmp_path, reply(gzip.compress(CLIP[:12] + bytes(50 * MIB)), "Content-Encoding: gzip"), max_bytes=MIB)
    assert len(os.listdir(tmp_path)) == 1


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (reply(b"", status=403), UrlExpired),
        (reply(b"", status=404), UrlExpired),
        (reply(b"", status=410), UrlExpired),
        (reply(b"<Code>ExpiredToken</Code>", status=400), UrlExpired),
        (reply(b"", status=429), ServerTrouble),
        (reply(b"", status=500), ServerTrouble),
        (reply(b"", status=503), ServerTrouble),
        (reply(b"part", status=206), ServerTrouble),
        (reply(b"", status=204, length=None), ServerTrouble),
        (reply(b"part", "Content-Range: bytes 4-7/8", status=206), ServerTrouble),
        (redirect("/a.mp4"), ServerTrouble),
        (b"", CutShortDownload),
        (b"SSH-2.0-OpenSSH\r\n", CutShortDownload),
        (reply(b""), CutShortDownload),
        (reply(b"", length=None), CutShortDownload),
        (reply(b"", length=9), CutShortDownload),
    ],
)
def test_a_failed_download_says_what_to_do_and_leaves_nothing(
    tmp_path: Path, answer: Answer, error: type[DownloadFailed]
) -> None:
    with pytest.raises(error) as failure:
        fetch(tmp_path, answer)
    assert "/a.mp4: " in str(failure.value)
    assert "secret" not in str(failure.value)
    assert os.listdir(tmp_path) == []


def test_too_many_bytes_are_refused_when_announced_and_when_they_come(tmp_path: Path) -> None:
    for answer in (reply(b"x", length=3 * MIB), endless):
        with pytest.raises(TooBig):
            fetch(tmp_path, answer, max_bytes=2 * MIB)
    assert fetch(tmp_path, reply(CLIP), max_bytes=len(CLIP)).size_bytes == len(CLIP)


def test_the_deadline_ends_silence_and_one_byte_at_a_time(tmp_path: Path) -> None:
    with pytest.raises(TooSlow, match=r"within 0\.2 s"):
        fetch(tmp_path, silence, deadline_s=0.2)
    assert os.listdir(tmp_path) == []
    assert "not finished in time" in fetch(tmp_path, drip, deadline_s=0.2).broke_off


def test_a_server_that_keeps_silent_or_is_gone_is_trouble_that_may_pass(tmp_path: Path) -> None:
    async def run(port: int | None) -> None:
        async with serve({"/a": silence}) as server:
            trust = Trust.parse("127.0.0.1")
            url = server.url("/a") if port is None else f"http://127.0.0.1:{port}/a"
            async with vetted_client(trust, user_agent="t", read_timeout_s=0.1) as client:
                await download(url, tmp_path, "clip", client=client, trust=trust)

    for port in (None, 1):
        with pytest.raises(ServerTrouble):
            asyncio.run(run(port))


def test_a_redirect_into_the_private_network_is_unsafe(tmp_path: Path) -> None:
    with pytest.raises(UnsafeUrl):
        fetch(tmp_path, redirect("https://[::ffff:10.0.0.1]/clip.mp4"))
    assert os.listdir(tmp_path) == []


def test_a_cancelled_download_leaves_nothing(tmp_path: Path) -> None:
    started = asyncio.Event()

    async def some(writer: asyncio.StreamWriter) -> None:
        writer.write(reply(CLIP[:2_000_000], length=len(CLIP)))
        await writer.drain()
        started.set()
        await asyncio.Event().wait()

    async def run() -> None:
        async with serve({"/a": some}) as server, vetted_client(server.trust, user_agent="t") as client:
            job = asyncio.create_task(download(server.url("/a"), tmp_path, "clip", client=client, trust=server.trust))
            await started.wait()
            job.cancel()
            with pytest.raises(asyncio.CancelledError):
                await job

    asyncio.run(run())
    assert os.listdir(tmp_path) == []


def test_two_downloads_of_one_clip_at_once_both_come_whole(tmp_path: Path) -> None:
    async def run() -> list[Download]:
        async with serve({"/a": reply(CLIP)}) as server, vetted_client(server.trust, user_agent="t") as client:
            jobs = (download(server.url("/a"), tmp_path, "clip", client=client, trust=server.trust) for _ in range(4))
            return await asyncio.gather(*jobs)

    assert len(set(asyncio.run(run()))) == 1
    assert os.listdir(tmp_path) == [NAME]
    assert (tmp_path / NAME).read_bytes() == CLIP


def test_what_a_killed_download_left_behind_is_swept_away_and_a_living_one_is_not(tmp_path: Path) -> None:
    dead, living, other = (tmp_path / name for name in ("clip.1.part", "clip.2.part", "else.1.part"))
    for path in (dead, living, other):
        path.write_bytes(b"x")
    for path in (dead, other):
        os.utime(path, (path.stat().st_mtime - 2 * STALE_S,) * 2)
    fetch(tmp_path, reply(CLIP))
    assert {*os.listdir(tmp_path)} == {"clip.2.part", NAME, "else.1.part"}


def test_a_disk_too_full_for_the_clip_is_said_before_any_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=MIB))
    with pytest.raises(Misconfigured, match="1 MiB free"):
        fetch(tmp_path, reply(CLIP))
    assert os.listdir(tmp_path) == []


def test_a_disk_that_fills_up_on_the_way_says_how_much_is_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def on_a_full_disk(prefix: str, suffix: str, dir: Path) -> tuple[int, str]:  # noqa: A002 - mkstemp's own name for it
        part = dir / f"{prefix}1{suffix}"
        part.symlink_to("/dev/full")
        return os.open("/dev/full", os.O_WRONLY), str(part)

    monkeypatch.setattr("tempfile.mkstemp", on_a_full_disk)
    with pytest.raises(Misconfigured, match=r"no room .* MiB free\): free some space; `dailies tidy`"):
        fetch(tmp_path, reply(CLIP))
    assert os.listdir(tmp_path) == []


def test_a_folder_that_can_not_be_written_is_misconfigured(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Misconfigured, match="can't write"):
        fetch(tmp_path / "file" / "downloads", reply(CLIP))


@pytest.mark.parametrize("name", ["../clip.mp4", "a/b.mp4", "", ".", "..", ".hidden", "/etc/passwd"])
def test_the_name_is_a_plain_file_name(tmp_path: Path, name: str) -> None:
    async def run() -> None:
        async with vetted_client(Trust(), user_agent="t") as client:
            await download("https://a.example/", tmp_path, name, client=client, trust=Trust())

    with pytest.raises(ValueError, match="plain file name"):
        asyncio.run(run())


def test_memory_stays_small_whatever_the_size(tmp_path: Path) -> None:
    """Sixty megabytes pass through while Python never holds more than a few."""

    async def large(writer: asyncio.StreamWriter) -> None:
        writer.write(reply(b"", length=60 * MIB))
        for _ in range(240):
            writer.write(CLIP[: MIB // 4])
            await writer.drain()

    tracemalloc.start()
    try:
        got = fetch(tmp_path, large)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert got.size_bytes == 60 * MIB
    assert peak < 8 * MIB
