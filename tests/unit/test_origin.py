"""What a file says of where it comes from: a C2PA manifest noticed, and the IPTC's term as it stands there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dailies.domain.origin import Origin
from dailies.media.origin import C2PA, XMP, origin_of, said_in

TRAINED = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
FTYP = b"\0\0\0\x18ftypisom\0\0\0\0isommp42"


def box(kind: bytes, content: bytes, large: bool = False) -> bytes:
    """A box, perhaps with a length of 64 bits."""
    if large:
        return b"\0\0\0\1" + kind + (len(content) + 16).to_bytes(8, "big") + content
    return (len(content) + 8).to_bytes(4, "big") + kind + content


def cbor(text: str) -> bytes:
    """A text as CBOR has it."""
    length = len(text)
    head = bytes([0x60 + length]) if length < 24 else bytes([0x78, length])
    return head + text.encode()


ACTIONS = b"\xa1gactions\x81\xa2factionlc2pa.created" + cbor("digitalSourceType") + cbor(TRAINED)
MANIFEST = C2PA + b"\0\0\0\0manifest\0" + b"\0" * 8 + b"jumb" + ACTIONS
MOVIE = box(b"moov", b"\0" * 64) + box(b"mdat", b"\0" * 64)


def of(content: bytes, tmp_path: Path) -> Origin:
    """What a file with this content says."""
    (tmp_path / "clip.mp4").write_bytes(content)
    return origin_of(tmp_path / "clip.mp4")


@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize("last", [False, True])
def test_a_manifest_is_noticed_wherever_it_lies(large: bool, last: bool, tmp_path: Path) -> None:
    manifest = box(b"uuid", MANIFEST, large)
    content = FTYP + (MOVIE + manifest if last else manifest + MOVIE)
    assert of(content, tmp_path) == Origin(True, TRAINED)


def test_a_clip_without_one_says_so(tmp_path: Path) -> None:
    """Another `uuid` box, or the same words in the film's own bytes, are none."""
    assert of(FTYP + box(b"uuid", b"x" * 16 + MANIFEST) + MOVIE + box(b"mdat", C2PA), tmp_path) == Origin(False)


def test_xmp_may_say_it_as_well(tmp_path: Path) -> None:
    xmp = XMP + f'<rdf:Description Iptc4xmpExt:DigitalSourceType="{TRAINED}"/>'.encode()
    assert of(FTYP + box(b"uuid", xmp) + MOVIE, tmp_path) == Origin(False, TRAINED)


@pytest.mark.parametrize(
    "content",
    [
        json.dumps({"digitalSourceType": TRAINED}).encode(),
        f"<Iptc4xmpExt:DigitalSourceType>{TRAINED}</Iptc4xmpExt:DigitalSourceType>".encode(),
        f'<Iptc4xmpExt:DigitalSourceType rdf:resource="{TRAINED}"/>'.encode(),
        cbor("digitalSourceType") + b"\xf6" + cbor("digitalSourceType") + cbor(TRAINED),
    ],
)
def test_the_term_is_found_as_it_is_written(content: bytes) -> None:
    """JSON, XMP's element and resource, and CBOR after an entry that says nothing."""
    assert said_in(content) == TRAINED


@pytest.mark.parametrize(
    "content",
    [
        b"digitalSourceType", cbor("digitalSourceType") + b"\x79\xff\xff" + b"a" * 70_000, cbor("digitalSourceType") + b"\x63a\0b",
        b'digitalSourceType="' + "ü".encode() * 9 + b'"', b"digitalSourceType" + b"\x78",
    ],
)  # fmt: skip
def test_hostile_words_are_no_words(content: bytes) -> None:
    """Too long, cut short, with controls, or not in plain letters."""
    assert said_in(content) is None


@pytest.mark.parametrize("content", [b"", b"\x1aE\xdf\xa3", FTYP + b"\0\0\0\2uuid", FTYP + box(b"uuid", MANIFEST)[:40]])
def test_no_file_is_too_broken_to_be_asked(content: bytes, tmp_path: Path) -> None:
    assert of(content, tmp_path) in (Origin(False), Origin(True))


def test_a_record_reads_back() -> None:
    assert Origin.of_record(Origin(True, TRAINED).record()) == Origin(True, TRAINED) and Origin.of_record(None) is None
