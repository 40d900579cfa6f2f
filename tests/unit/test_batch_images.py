"""Every image of a batch is found and measured, each once, wherever it lies; what can't be used says why, and stops no other."""

from __future__ import annotations

import asyncio
import hashlib
import io
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as Picture

from dailies.errors import BadInput
from dailies.media.images import MAX_BYTES, BadImage
from dailies.net import Trust, UnsafeUrl, vetted_client
from dailies.planning.images import Images, Measured, read_object
from dailies.storage.s3 import StoreRefused, StoreTrouble
from tests.unit.loopback import reply, serve


def picture(width: int = 320, orientation: int = 1) -> bytes:
    out, exif = io.BytesIO(), Picture.Exif()
    exif[0x0112] = orientation
    Picture.linear_gradient("L").resize((width, 180)).convert("RGB").save(out, "JPEG", exif=exif)
    return out.getvalue()


def large() -> bytes:
    """So large that its header is measured long before its end has come."""
    out, exif = io.BytesIO(), Picture.Exif()
    exif[0x0112] = 6
    Picture.frombytes("RGB", (800, 800), os.urandom(3 * 800 * 800)).save(out, "JPEG", exif=exif, quality=95)
    return out.getvalue()


UPRIGHT, TURNED, LARGE = picture(), picture(orientation=6), large()
ROUTES = {
    "/a.jpg": reply(UPRIGHT), "/turned.jpg": reply(TURNED), "/cut.jpg": reply(LARGE[:-200], length=len(LARGE)),
    "/unsized.jpg": reply(UPRIGHT, length=None),
}  # fmt: skip


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class Shelf:
    """A store with these objects, by `bucket/key`; an exception is raised where it stands."""

    def __init__(self, **objects: bytes | Exception) -> None:
        self.objects, self.asked = objects, list[tuple[str, str, int]]()

    def read(self, bucket: str, key: str, most: int) -> bytes:
        self.asked.append((bucket, key, most))
        found = self.objects[key.partition(".")[0]]
        if isinstance(found, Exception):
            raise found
        return found[:most]


def measured(
    sources: Sequence[str], folder: Path, below: bool = True, shelf: Shelf | None = None, fits: bool = False
) -> tuple[dict[str, Measured | BadInput], list[tuple[int, int]], list[str]]:
    """What was found, the progress that was told, and what the server was asked; `SERVER` stands for its address."""
    told: list[tuple[int, int]] = []

    async def run() -> tuple[dict[str, Measured | BadInput], list[str]]:
        async with serve(ROUTES) as server, vetted_client(server.trust, user_agent="t") as client:
            store: Any = shelf or Shelf()
            images = Images(folder if below else None, client, server.trust, lambda: store, folder / "kept", fits)
            there = [source.replace("SERVER", server.url("")) for source in sources]
            found = await images.measure_all(there, lambda *at: told.append(at))
            heads = [head.split()[1] for head in server.heads]
            return {source.replace(server.url(""), "SERVER"): one for source, one in found.items()}, heads

    found, heads = asyncio.run(run())
    return found, told, heads


def one(source: str, folder: Path, **how: Any) -> Measured:
    found = measured([source], folder, **how)[0][source]
    assert isinstance(found, Measured), found
    return found


def why(source: str, folder: Path, **how: Any) -> str:
    found = measured([source], folder, **how)[0][source]
    assert isinstance(found, BadInput), found
    return str(found)


def test_a_file_is_known_by_its_bytes_and_sent_from_where_it_lies(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(UPRIGHT)
    found = one("a.jpg", tmp_path)
    assert (found.source, found.path, found.fetched, found.made) == ("a.jpg", tmp_path / "a.jpg", None, "")
    assert found.sha256 == found.content == digest(UPRIGHT)
    assert (found.facts.width, found.facts.size_bytes) == (320, len(UPRIGHT))


def test_a_file_that_is_not_there_is_said_with_the_one_that_nearly_is(tmp_path: Path) -> None:
    (tmp_path / "Cat.jpg").write_bytes(b"no picture")
    assert why("cat.jpg", tmp_path) == f"{tmp_path / 'cat.jpg'}: there is no such file; there is 'Cat.jpg'"
    assert why("dog.jpg", tmp_path) == f"{tmp_path / 'dog.jpg'}: there is no such file"
    assert why("Cat.jpg", tmp_path) == f"{tmp_path / 'Cat.jpg'}: not an image; save it as PNG, JPEG or WebP"


def test_a_sheet_that_lies_elsewhere_has_no_files_beside_it(tmp_path: Path) -> None:
    said = why("a.jpg", tmp_path, below=False)
    assert said == "a path needs a CSV on this machine; use https:// or s3://"


@pytest.mark.parametrize("source", ["ftp://x.example/a.png", "FTP://x.example/a.png"])
def test_what_is_read_nowhere_is_said_with_what_is(source: str, tmp_path: Path) -> None:
    assert why(source, tmp_path) == "ftp:// images are not read; use https, s3:// or a path beside the CSV"


def test_each_distinct_image_is_measured_once_and_counted_as_it_is_done(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(UPRIGHT)
    found, told, heads = measured(["SERVER/a.jpg", "a.jpg", "SERVER/a.jpg", "none.jpg", "a.jpg"], tmp_path)
    assert list(map(type, (found["SERVER/a.jpg"], found["a.jpg"], found["none.jpg"]))) == [Measured, Measured, BadImage]
    assert told == [(1, 3), (2, 3), (3, 3)] and heads == ["/a.jpg"]


def test_an_address_is_measured_and_not_kept(tmp_path: Path) -> None:
    found = one("SERVER/a.jpg", tmp_path)
    assert (found.path, found.sha256, found.content, found.fetched) == (None, None, None, None)
    assert found.facts.shown_size == (320, 180) and found.facts.seen
    assert not (tmp_path / "kept").exists()


@pytest.mark.parametrize(("path", "fits"), [("turned.jpg", False), ("a.jpg", True)])
def test_of_one_to_which_something_has_to_be_done_there_is_a_copy(path: str, fits: bool, tmp_path: Path) -> None:
    found = one(f"SERVER/{path}", tmp_path, fits=fits)
    assert found.fetched and found.fetched.read_bytes() == (UPRIGHT if fits else TURNED)
    assert found.fetched.parent == tmp_path / "kept" and found.fetched.name.startswith("source-")
    assert (found.content, found.path) == (None, None), "its address still names it"


def test_a_copy_of_which_not_all_came_is_none(tmp_path: Path) -> None:
    said = why("SERVER/cut.jpg", tmp_path)
    assert "/cut.jpg: not all of it came (" in said and list((tmp_path / "kept").glob("source-*")) == []


def test_an_address_that_may_not_be_asked_and_one_that_gives_nothing_stop_no_other(tmp_path: Path) -> None:
    found, _, _ = measured(["http://127.0.0.2:1/a.png", "SERVER/none.jpg", "SERVER/a.jpg"], tmp_path)
    assert isinstance(found["http://127.0.0.2:1/a.png"], UnsafeUrl)
    assert "the server answered 404" in str(found["SERVER/none.jpg"])
    assert isinstance(found["SERVER/a.jpg"], Measured)


def test_an_address_whose_links_are_made_anew_each_time_is_known_by_its_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dailies.planning.images.names_its_content", lambda source: False)
    found = one("SERVER/a.jpg", tmp_path)
    assert found.content == digest(UPRIGHT) and found.fetched and found.path is None


def test_an_object_is_read_whole_and_a_copy_kept_of_one_that_has_to_be_turned(tmp_path: Path) -> None:
    shelf = Shelf(a=UPRIGHT, turned=TURNED)
    plain, turned = one("s3://b/a.jpg", tmp_path, shelf=shelf), one("S3://b/turned.jpg", tmp_path, shelf=shelf)
    assert (plain.fetched, plain.path, plain.content) == (None, None, None)
    assert turned.fetched == tmp_path / "kept" / f"source-{digest(TURNED)[:32]}"
    assert turned.fetched.read_bytes() == TURNED
    assert stat.S_IMODE((tmp_path / "kept").stat().st_mode) == 0o700
    assert shelf.asked[0] == ("b", "a.jpg", MAX_BYTES + 1)
    assert one("s3://b/a.jpg", tmp_path, shelf=shelf, fits=True).fetched


def test_an_object_that_can_not_be_read_says_why(tmp_path: Path) -> None:
    shelf = Shelf(refused=StoreRefused("no permission to read it"), away=StoreTrouble("it does not answer"))
    assert why("s3://b/none.jpg", tmp_path, shelf=shelf) == "s3://b/none.jpg: there is no such object"
    assert why("s3://b/refused.jpg", tmp_path, shelf=shelf) == "no permission to read it"
    assert why("s3://b/away.jpg", tmp_path, shelf=shelf) == "it does not answer"


def test_an_object_may_have_as_many_bytes_as_any_image() -> None:
    store: Any = Shelf(most=bytes(MAX_BYTES), more=bytes(MAX_BYTES + 1))
    assert len(read_object(store, "s3://b/most.png")) == MAX_BYTES
    with pytest.raises(BadImage, match=r"^s3://b/more.png: an image may have 30 MiB$"):
        read_object(store, "s3://b/more.png")


def test_nothing_is_asked_where_no_row_has_an_image(tmp_path: Path) -> None:
    images = Images(tmp_path, None, Trust(), lambda: None, tmp_path)  # type: ignore[arg-type, return-value]
    assert asyncio.run(images.measure_all([])) == {}
