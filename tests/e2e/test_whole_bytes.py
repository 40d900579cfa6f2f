"""Whatever a host of results makes of a clip: bytes that were paid for are stored, or kept until better ones come."""

from __future__ import annotations

import gzip
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

import pytest

from dailies.domain.states import State
from dailies.sandbox.render import Spec, render
from tests.e2e.harness import World, named
from tests.e2e.invariants import assert_invariants
from tests.e2e.loopback import Answers
from tests.unit.loopback import framed, reply
from tests.unit.video_files import clip


@pytest.fixture(scope="module")
def bought() -> bytes:
    """A clip as it was bought: 1280x720, four seconds, with sound."""
    return render(Spec((1280, 720), 4, True, 2), None)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Small clips in other containers."""
    folder = tmp_path_factory.mktemp("made")
    kinds = {"webm": "libvpx-vp9", "matroska": "mpeg4", "mov": "mpeg4", "mpegts": "mpeg2video", "avi": "mpeg4"}
    return {kind: clip(folder / kind, container=kind, codec=codec).read_bytes() for kind, codec in kinds.items()}


def zipped(*clips: bytes) -> bytes:
    """An archive with these clips, and a note."""
    packed = BytesIO()
    with ZipFile(packed, "w") as archive:
        archive.writestr("readme.txt", "Your clips.")
        for number, content in enumerate(clips):
            archive.writestr(f"{number}.mp4", content)
    return packed.getvalue()


def redirected(world: World, host: Answers, answers: dict[str, bytes], provider: str = "aiml") -> None:
    host.routes = {f"/{name}": content for name, content in answers.items()}
    world.csv(named(*answers), provider=provider)
    for name in answers:
        world.sandbox.fault("download", "redirect", url=f"{host.url}/{name}", match=f"<{name}>", times=None)


def stored(world: World) -> dict[str, tuple[str | None, bytes | None]]:
    """Of each row its mismatch and the bytes in S3."""
    with world.ledger() as ledger:
        rows = {row.id: row.attempt for row in ledger.rows("batch")}
    objects = world.clips()
    at = f"s3://{world.bucket}/"
    return {
        name: (a.mismatch, objects[a.s3_uri.removeprefix(at)] if a.s3_uri else None) for name, a in rows.items() if a
    }


def test_a_whole_clip_comes_home_in_whatever_it_is_wrapped(hasty: None, world: World, bought: bytes) -> None:
    """Unmarked, for it is what was bought; byte for byte, but for what was wrapped around it."""
    uuid = (16 + 300).to_bytes(4, "big") + b"uuid" + b"provenance" * 31 + b"12345678"[:-2]
    uuid = len(uuid).to_bytes(4, "big") + uuid[4:]
    at = bought.index(b"mdhd") + 20
    mdhd_zero = bought[:at] + bytes(4) + bought[at + 4 :]
    answers = {
        "plain": reply(bought),
        "no length": reply(bought, length=None),
        "part of all": reply(bought, f"Content-Range: bytes 0-{len(bought) - 1}/{len(bought)}", status=206),
        "zeros": reply(bought + bytes(64)),
        "provenance": reply(bought + uuid),
        "mdhd zero": reply(mdhd_zero),
        "empty encoding": reply(bought, "Content-Encoding: "),
        "aws-chunked in name": reply(bought, "Content-Encoding: aws-chunked"),
        "aws-chunked": reply(framed(bought), "Content-Encoding: aws-chunked"),
        "gzip": reply(gzip.compress(bought, 1), "Content-Encoding: gzip"),
        "gzip in members": reply(gzip.compress(bought[:9999]) + gzip.compress(bought[9999:])),
        "zip": reply(zipped(bought)),
        "gzip in name": reply(bought, "Content-Encoding: gzip"),
        "unknown encoding": reply(bought, "Content-Encoding: zzz"),
        "no type": reply(bought, "Content-Type: text/html"),
    }
    answers = {name.replace(" ", "-"): content for name, content in answers.items()}
    with Answers() as host:
        redirected(world, host, answers)
        assert world.run().code == 0
    odd = {"zeros": bought + bytes(64), "provenance": bought + uuid, "mdhd-zero": mdhd_zero}
    assert stored(world) == {name: (None, odd.get(name, bought)) for name in answers}


def test_what_can_not_be_proved_is_stored_and_marked_when_it_came_twice_the_same(
    hasty: None, world: World, bought: bytes, made: dict[str, bytes]
) -> None:
    """Other containers, rubbish at the end, a wrong length, a codec that nobody here knows."""
    unknown = bought.replace(b"avc1", b"zzz9").replace(b"avcC", b"zzzC").replace(b"mp4v", b"zzz9")
    bodies = {
        "rubbish": (bought + b"\r\n--boundary--\r\n", "no box|box|cut short"),
        "too-long": (bought, "fewer bytes"),
        "codec": (unknown, "decode"),
        "webm": (made["webm"], "WebM instead of an MP4"),
        "matroska": (made["matroska"], "Matroska instead of an MP4"),
        "mpegts": (made["mpegts"], "MPEG-TS instead of an MP4"),
        "avi": (made["avi"], "AVI instead of an MP4"),
        "secret": (bytes(range(128, 256)) * 3000, "no known kind of video"),
    }
    answers = {name: reply(body) for name, (body, _) in bodies.items()}
    answers["too-long"] = reply(bought, length=len(bought) + 7)
    with Answers() as host:
        redirected(world, host, answers)
        assert world.run().code == 0
    found = stored(world)
    for name, (body, words) in bodies.items():
        mismatch, content = found[name]
        assert content == body, name
        assert mismatch and any(word in mismatch for word in words.split("|")), (name, mismatch)
    client = world.s3()
    types = {key: client.head_object(Bucket=world.bucket, Key=key)["ContentType"] for key in world.clips()}
    for name, kind in {"webm": "video/webm", "codec": "video/mp4", "avi": "video/x-msvideo"}.items():
        assert [types[key] for key in types if f"/{name}-" in key] == [kind]


def test_what_is_no_clip_or_is_cut_is_not_delivered_and_the_best_of_it_is_kept(
    hasty: None, world: World, bought: bytes, tmp_path: Path
) -> None:
    """A page, a picture, a text, a clip cut anywhere, however often they come; the next run brings the true bytes."""
    at = bought.index(b"moov")
    cuts = {f"cut-{n}": bought[:n] for n in (10, at, len(bought) // 3, len(bought) - 1)}
    texts = {"html": b"<html>Processing</html>", "json": b"{}", "png": b"\x89PNG\r\n\x1a\n" + bytes(99), "empty": b""}
    texts |= {"gif": b"GIF89a" + bytes(99), "webp": b"RIFF\0\0\0\0WEBPVP8 " + bytes(99)}
    cuts["zip"] = zipped(bought, bought)
    with Answers() as host:
        redirected(world, host, {name: reply(body) for name, body in {**cuts, **texts}.items()})
        first = world.run()
    assert (first.code, first.json["delivered"], first.waiting) == (1, 0, len(cuts) + len(texts))
    assert not world.clips()
    kept = {path.read_bytes() for path in (world.home / "downloads").iterdir()}
    assert kept == set(cuts.values())
    again = assert_invariants(world)
    assert again and again.code == 0
    assert not list((world.home / "downloads").iterdir())


def test_the_best_that_came_is_stored_as_evidence_when_the_address_has_ended(
    hasty: None, world: World, bought: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worse piece never takes a better one's place, nor does a page; then the result's life is over."""
    with Answers() as host:
        redirected(world, host, {"a": reply(bought[: len(bought) // 2])}, provider="onerouter")
        world.run()
        for worse in (bought[:1000], b"<html></html>"):
            host.routes["/a"] = reply(worse)
            world.command("collect", "--json")
        del host.routes["/a"]
        world.sandbox.fault("poll", "status", status=404, times=None)
        world.command("collect", "--json")
        assert [a.state for a in world.attempts()] == [State.COMPLETED]
        monkeypatch.setattr("dailies.domain.results.GIVEN_UP_AFTER", timedelta(0))
        world.command("collect", "--json")
    [(mismatch, content)] = stored(world).values()
    assert content == bought[: len(bought) // 2]
    assert mismatch and "all that came before its address ended" in mismatch
    assert not list((world.home / "downloads").iterdir())
    assert len(world.posts()) == 1
