"""Whether a file is the whole clip, may be it, is cut, or is none: by its own bytes."""

from __future__ import annotations

import struct
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dailies.media.containers import Container
from dailies.media.containers import boxes as boxes_of
from dailies.media.fragments import Top, samples_end
from dailies.media.video import inspect
from dailies.media.wholeness import Grade, judge
from tests.unit.video_files import FTYP, box, boxes, clip

MOVIE = box(b"moov") + box(b"mdat", b"x" * 9)
C2PA = box(b"uuid", b"\xd8\xfe\xc3\xd6\x1b\x0eH<\x92\x97X(\x87~\xc4\x81" + b"manifest" * 40)
CONTAINERS = {
    Container.MP4: ("mp4", "mpeg4"),
    Container.MOV: ("mov", "mpeg4"),
    Container.WEBM: ("webm", "libvpx-vp9"),
    Container.MATROSKA: ("matroska", "mpeg4"),
    Container.AVI: ("avi", "mpeg4"),
    Container.MPEG_TS: ("mpegts", "mpeg2video"),
    Container.FLV: ("flv", "flv1"),
}


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> dict[Container, bytes]:
    folder = tmp_path_factory.mktemp("kinds")
    made = {kind: clip(folder / name, container=name, codec=codec) for kind, (name, codec) in CONTAINERS.items()}
    return {kind: path.read_bytes() for kind, path in made.items()}


@pytest.fixture(scope="module")
def forms(tmp_path_factory: pytest.TempPathFactory, clips: dict[Container, bytes]) -> dict[str, bytes]:
    """An MP4 with its index at the end, at the front, and with a box of provenance behind or between."""
    folder = tmp_path_factory.mktemp("forms")
    front = clip(folder / "front.mp4", options={"movflags": "faststart"}).read_bytes()
    last = clips[Container.MP4]
    return {
        "index last": last,
        "index first": front,
        "provenance last": last + C2PA,
        "free last": front + box(b"free", b"0" * 50),
    }


FRAGMENTS = {
    "plain": "frag_keyframe+empty_moov+default_base_moof",
    "old": "frag_keyframe",
    "dash": "dash+frag_keyframe+empty_moov",
    "indexed": "frag_keyframe+empty_moov+global_sidx",
}


@pytest.fixture(scope="module")
def fragmented(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Two seconds in fragments, with pictures alone and with sound; `told` has a `mehd`."""
    folder = tmp_path_factory.mktemp("fragments")
    made = {
        f"{name}{' with sound' * audio}": clip(folder / "a.mp4", audio=audio, options={"movflags": flags}).read_bytes()
        for name, flags in FRAGMENTS.items()
        for audio in (False, True)
    }
    return {
        **made,
        "told": with_mehd(made["plain"], 2000),
        "told with sound": with_mehd(made["plain with sound"], 2022),
    }


def with_mehd(content: bytes, thousandths: int) -> bytes:
    """The same file, whose `moov` says how long all of it is."""
    mehd = box(b"mehd", struct.pack(">II", 0, thousandths))
    longer = bytearray(content)
    for kind in (b"mvex", b"moov"):
        at = longer.index(kind) - 4
        struct.pack_into(">I", longer, at, struct.unpack_from(">I", longer, at)[0] + len(mehd))
    inside = longer.index(b"mvex") + 4
    return bytes(longer[:inside] + mehd + longer[inside:])


def ends(content: bytes) -> list[tuple[bytes, int]]:
    """Kind and end of each box at the top."""
    return [(kind, end) for kind, _, end in boxes_of(BytesIO(content), len(content))]


def with_open_end(content: bytes) -> bytes:
    """The same file, whose last box, the samples, goes to the end of the file, however long that is."""
    at = content.rindex(b"mdat") - 4
    return content[:at] + bytes(4) + content[at + 4 :]


def grade(folder: Path, content: bytes, told: bool | None = None) -> Grade:
    return judge(boxes(folder, content), told).grade


@pytest.mark.parametrize(
    "content",
    [
        FTYP + MOVIE,
        FTYP + box(b"free") + box(b"mdat", b"x" * 9) + box(b"moov"),
        FTYP + box(b"moov") + struct.pack(">I4sQ", 1, b"mdat", 25) + b"x" * 9,
        FTYP + box(b"moov") + struct.pack(">I4s", 0, b"mdat") + b"x" * 9,
        MOVIE,  # QuickTime before there was ftyp
        box(b"wide") + MOVIE,
        FTYP + C2PA + MOVIE,
        FTYP + MOVIE + bytes(8),
        FTYP + MOVIE + bytes(100_000),
    ],
)
def test_boxes_that_add_up_are_whole_in_any_order_and_form_and_zeros_may_follow(tmp_path: Path, content: bytes) -> None:
    assert grade(tmp_path, content) is Grade.WHOLE


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"\0\0\0", "cut short"),
        (FTYP[:12], "box 'ftyp' ends at 20"),
        (FTYP + b"\0\0", "cut short"),
        (FTYP + MOVIE[:-1], "cut short"),
        (FTYP + struct.pack(">I4sI", 1, b"mdat", 0), "cut short"),
        (FTYP + struct.pack(">I4sQ", 1, b"mdat", 2**63), "cut short"),
        (FTYP + box(b"mdat"), "without moov"),
        (FTYP + box(b"free"), "without moov and mdat"),
        (FTYP + struct.pack(">I4s", 7, b"moov"), "length 7"),
        (FTYP + struct.pack(">I4sQ", 1, b"moov", 15), "length 15"),
        (FTYP + box(b"moov") + bytes(64), "length 0"),
        (FTYP + MOVIE + box(b"uuid", b"y" * 90)[:-1], "box 'uuid'"),
    ],
)
def test_boxes_that_do_not_add_up_are_cut(tmp_path: Path, content: bytes, why: str) -> None:
    verdict = judge(boxes(tmp_path, content), None)
    assert verdict.grade is Grade.CUT and why in verdict.detail


@settings(deadline=None, max_examples=300)
@given(data=st.data())
def test_every_truncation_of_a_real_clip_is_noticed(
    forms: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Anywhere, whichever box comes last; but for its end exactly between two boxes after the pictures."""
    whole = forms[data.draw(st.sampled_from(sorted(forms)))]
    between = {len(whole) - len(tail) for tail in (C2PA, box(b"free", b"0" * 50)) if whole.endswith(tail)}
    size = data.draw(st.integers(0, len(whole) - 1).filter(lambda n: n not in between))
    folder = tmp_path_factory.getbasetemp()
    verdict = judge(boxes(folder, whole[:size]), None)
    assert verdict.grade < Grade.WHOLE
    assert judge(boxes(folder, whole), None).grade is Grade.WHOLE


def test_a_cut_between_two_boxes_is_noticed_by_the_announced_length(tmp_path: Path, forms: dict[str, bytes]) -> None:
    cut = forms["provenance last"].removesuffix(C2PA)
    assert grade(tmp_path, cut, told=False) is Grade.ODD


def test_a_whole_clip_in_fragments_is_whole(tmp_path: Path, fragmented: dict[str, bytes]) -> None:
    for name, content in fragmented.items():
        for told in (None, True):
            assert grade(tmp_path, content, told) is Grade.WHOLE, name
        assert grade(tmp_path, with_mehd(content, 0), True) is Grade.WHOLE, name


@pytest.mark.parametrize("name", ["told", "told with sound", "indexed", "indexed with sound"])
def test_a_clip_cut_between_two_fragments_is_noticed_by_what_it_says_of_its_length(
    tmp_path: Path, fragmented: dict[str, bytes], name: str
) -> None:
    """It is odd and not cut, for an index may be wrong: another try brings more of it, or the same bytes are taken."""
    content = fragmented[name]
    half = [end for kind, end in ends(content) if kind == b"mdat" and end < len(content) * 0.8]
    assert len(half) > 20
    for end in half[::5]:
        verdict = judge(boxes(tmp_path, content[:end]), None)
        assert verdict.grade is Grade.ODD and (
            "its fragments end" in verdict.detail or "its own index" in verdict.detail
        )
        assert grade(tmp_path, content[:end], told=True) is Grade.WHOLE


def test_a_clip_in_fragments_that_says_nothing_of_its_length_is_taken_as_it_is(
    tmp_path: Path, fragmented: dict[str, bytes]
) -> None:
    """Nor does one whose fragments don't say when they begin."""
    for content in (fragmented["plain"], fragmented["told"].replace(b"tfdt", b"free")):
        cut = content[: [end for kind, end in ends(content) if kind == b"mdat"][20]]
        assert grade(tmp_path, cut) is Grade.WHOLE


@pytest.mark.parametrize("name", ["plain", "old", "dash", "plain with sound"])
def test_a_fragment_without_its_samples_is_cut(tmp_path: Path, fragmented: dict[str, bytes], name: str) -> None:
    """Between `moof` and `mdat`; and within the samples where their box leaves its length open."""
    content = fragmented[name]
    last = [end for kind, end in ends(content) if kind == b"moof"][-1]
    verdict = judge(boxes(tmp_path, content[:last]), None)
    assert verdict.grade < Grade.WHOLE and "where its samples end at" in verdict.detail
    opened = with_open_end(content[: [end for kind, end in ends(content) if kind == b"mdat"][-1]])
    assert grade(tmp_path, opened) is Grade.WHOLE
    assert grade(tmp_path, opened[:-1]) < Grade.WHOLE


@pytest.mark.parametrize("audio", [False, True])
def test_samples_that_go_to_the_end_of_the_file_are_counted_by_its_index(tmp_path: Path, audio: bool) -> None:
    made = clip(tmp_path / "a.mp4", audio=audio, options={"movflags": "faststart"}).read_bytes()
    whole = with_open_end(made)
    assert whole != made and grade(tmp_path, whole) is Grade.WHOLE
    for size in (len(whole) - 1, len(whole) * 2 // 3):
        assert grade(tmp_path, whole[:size], told=True) is Grade.CUT


@settings(deadline=None, max_examples=300)
@given(data=st.data())
def test_what_a_file_says_of_its_length_may_be_any_bytes(
    fragmented: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    content = bytearray(fragmented[data.draw(st.sampled_from(sorted(fragmented)))][:6000])
    for at in data.draw(st.lists(st.integers(0, 2500), max_size=8)):
        content[at] = data.draw(st.integers(0, 255))
    judge(boxes(tmp_path_factory.getbasetemp(), bytes(content)), None)


@pytest.mark.parametrize(
    "tail", [b"\r\n", b"\r\n--boundary--\r\n", b"\xff" * 64, b"\0\0\0", C2PA[:-1], b"0\r\n\r\n", b"</html>"]
)
def test_what_follows_a_clip_whose_every_sample_is_there_makes_it_odd_and_not_cut(
    tmp_path: Path, forms: dict[str, bytes], tail: bytes
) -> None:
    for name in ("index last", "index first"):
        assert grade(tmp_path, forms[name] + tail) is Grade.ODD


def test_a_few_bytes_missing_of_the_last_sample_make_a_clip_cut_and_not_odd(
    tmp_path: Path, forms: dict[str, bytes]
) -> None:
    assert grade(tmp_path, forms["index first"][:-5]) is Grade.CUT


def test_rubbish_after_a_clip_that_lacks_samples_does_not_make_it_better(
    tmp_path: Path, forms: dict[str, bytes]
) -> None:
    whole = bytearray(forms["index first"])
    at = whole.index(b"mdat") - 4
    (length,) = struct.unpack_from(">I", whole, at)
    struct.pack_into(">I", whole, at, length - 3000)  # as if its writer had been wrong about its length
    assert grade(tmp_path, bytes(whole[:-3000]) + b"junk") is Grade.CUT


@pytest.mark.parametrize("kind", list(CONTAINERS))
def test_other_containers_are_known_and_decoded(tmp_path: Path, clips: dict[Container, bytes], kind: Container) -> None:
    """Where one tells its length it is whole by that; else by the length that was announced, else odd."""
    path = boxes(tmp_path, clips[kind])
    tells = kind not in (Container.MPEG_TS, Container.FLV)
    assert judge(path, None) == judge(path, None)
    assert (judge(path, None).container, judge(path, None).grade) == (kind, Grade.WHOLE if tells else Grade.ODD)
    assert judge(path, True).grade is Grade.WHOLE
    assert judge(path, False).grade is Grade.ODD
    facts = inspect(path)
    assert (facts.width, facts.height) == (128, 72) and facts.duration_s == pytest.approx(2.0, abs=0.3)


@pytest.mark.parametrize("kind", [Container.WEBM, Container.MATROSKA, Container.AVI])
@settings(deadline=None, max_examples=30)
@given(data=st.data())
def test_a_cut_is_noticed_in_other_containers_too(
    clips: dict[Container, bytes], tmp_path_factory: pytest.TempPathFactory, kind: Container, data: st.DataObject
) -> None:
    whole = clips[kind]
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]
    assert judge(boxes(tmp_path_factory.getbasetemp(), cut), None).grade < Grade.WHOLE


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "empty"),
        (b" \r\n", "empty"),
        (b"<html><body>Not found</body></html>", "page"),
        (b"\xef\xbb\xbf\n<!DOCTYPE html>", "page"),
        (b"<?xml version='1.0'?><Error/>", "page"),
        (b'{"error": "not ready"}', "text"),
        (b"nope, none", "text"),
        ("später".encode(), "text"),
        (b"#EXTM3U\n#EXT-X-VERSION:3\n", "text"),
        (b"\x89PNG\r\n\x1a\n" + bytes(90), "picture"),
        (b"\xff\xd8\xff\xe0" + bytes(90), "picture"),
        (b"\x1f\x8b" + bytes(90), "packed"),
        (b"PK\x03\x04" + bytes(90), "packed"),
        (b"GIF89a" + bytes(90), "picture"),
        (b"RIFF\0\0\0\0WEBPVP8 " + bytes(90), "picture"),
        (box(b"ftyp", b"avif\0\0\0\0avifmif1") + box(b"meta") + box(b"mdat", b"x"), "picture"),
        (box(b"ftyp", b"heic\0\0\0\0mif1heic") + box(b"meta") + box(b"mdat", b"x"), "picture"),
        (b"II*\0" + bytes(90), "picture"),
        (b"RIFF\0\0\0\0WAVEfmt " + bytes(90), "sound"),
        (b"ID3\x04" + bytes(90), "sound"),
        (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "document"),
        ("\ufeff<html>".encode("utf-16-le"), "text"),
        ('{"message": "não encontrado"}'.encode("latin-1"), "text"),
    ],
)
def test_what_answers_in_a_clips_place_is_no_clip(tmp_path: Path, content: bytes, why: str) -> None:
    verdict = judge(boxes(tmp_path, content), True)
    assert verdict.grade is Grade.NO_CLIP and why in verdict.detail


def test_an_archive_with_several_clips_is_better_than_nothing_and_no_clip(
    tmp_path: Path, clips: dict[Container, bytes]
) -> None:
    """It is kept as what was paid for, and never stored as the clip while there is hope of that."""
    with ZipFile(tmp_path / "boxes.mp4", "w") as archive:
        archive.writestr("a.mp4", clips[Container.MP4])
        archive.writestr("b.webm", clips[Container.WEBM])
    verdict = judge(tmp_path / "boxes.mp4", True)
    assert (verdict.grade, verdict.container) == (Grade.SEVERAL, None) and "an archive with 2 clips" in verdict.detail
    assert Grade.UNKNOWN < Grade.SEVERAL < Grade.CUT


def test_bytes_of_no_known_kind_are_unknown(tmp_path: Path) -> None:
    assert grade(tmp_path, bytes(range(128, 256)) * 50, told=True) is Grade.UNKNOWN


@settings(deadline=None)
@given(
    content=st.binary(max_size=300),
    start=st.sampled_from([b"", FTYP, b"\x1aE\xdf\xa3", b"RIFF\0\0\0\0AVI ", b"FLV\x01"]),
)
def test_any_bytes_can_be_judged(tmp_path_factory: pytest.TempPathFactory, content: bytes, start: bytes) -> None:
    judge(boxes(tmp_path_factory.getbasetemp(), start + content), None)


def numbers(kind: bytes, *found: int) -> bytes:
    return box(kind, bytes(4) + struct.pack(f">{len(found)}I", *found))


@pytest.mark.parametrize(("firsts", "end"), [((1, 2, 3), 6), ((1, 3, 1), 0), ((2, 2, 2), 0)])
def test_a_sample_table_that_leads_back_is_not_followed(tmp_path: Path, firsts: tuple[int, ...], end: int) -> None:
    """Followed, a file of 64 kB took four seconds, and one of 16 MB would have taken days."""
    spans = [number for first in firsts for number in (first, 1, 1)]
    chunks = numbers(b"stsz", 1, 3) + numbers(b"stsc", 3, *spans) + numbers(b"stco", 3, 3, 4, 5)
    track = numbers(b"tkhd", 0, 0, 1, *[0] * 18) + box(
        b"mdia", numbers(b"mdhd", 0, 0, 1000, 1000, 0) + box(b"minf", box(b"stbl", chunks))
    )
    moov = box(b"moov", numbers(b"mvhd", 0, 0, 1000, 1000, *[0] * 20) + box(b"trak", track))
    path = tmp_path / "clip.mp4"
    path.write_bytes(moov + struct.pack(">I4s", 0, b"mdat") + bytes(9))
    with path.open("rb") as file:
        assert samples_end(file, [Top(b"moov", 0, len(moov)), Top(b"mdat", len(moov), path.stat().st_size)]) == end
