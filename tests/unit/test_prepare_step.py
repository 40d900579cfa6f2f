"""What a create is made of, before its claim: the very body, the images in it as its provider takes them, and the digest."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import anyio
import pytest
from PIL import Image as Drawing

from dailies.catalog import ResolvedOptions, request_body
from dailies.domain.clips import Image, Row
from dailies.domain.creates import PaidRequest
from dailies.domain.pictures import Picture
from dailies.errors import Refused
from dailies.media.images import BadImage, data_uri
from dailies.media.unchanged import PictureChanged, read_unchanged
from dailies.planning.batch import Batch
from dailies.planning.plan import SentFile
from dailies.sender.protocol import Purchase, Repetition
from dailies.steps.image import as_text, further_images, image_url
from dailies.steps.prepare import Prepared, prepare, purchase
from dailies.storage.abilities import StoreAbilities
from dailies.storage.s3 import Stored, StoreTrouble
from tests.ledger.factories import IMAGE, USD, FakeClock, a_clip, a_row
from tests.unit.steps_bench import Bench, Shelf, bench_on, catalog, row_of

SORA, SEEDANCE = "openai/sora-2-pro-i2v", "bytedance/seedance-2-0"
ADDRESS = "https://pictures.example/cat.png"


class Inputs(Shelf):
    """A store in which images are put for providers; how it was asked is kept."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[str, object]] = []

    def head(self, bucket: str, key: str, blind: bool = False) -> Stored | None:
        self.asked.append(("blind" if blind else "head", key))
        return super().head(bucket, key, blind)

    def put_bytes(self, bucket: str, key: str, content: bytes, content_type: str, ways: object = None) -> str:
        self.asked.append(("put", ways))
        return super().put_bytes(bucket, key, content, content_type, ways)


@pytest.fixture
def bench(sqlite_url: str, tmp_path: Path, clock: FakeClock) -> Iterator[Bench]:
    for bench in bench_on(sqlite_url, tmp_path, clock):
        bench.shelf = Inputs()
        bench.stores["clips", "smiles"] = StoreAbilities()
        yield bench


def drawn(folder: Path, name: str = "cat.png", size: int = 8, kind: str = "PNG") -> SentFile:
    """A picture in a file, as it was measured."""
    path = folder / name
    Drawing.effect_noise((size, size), 90).convert("RGB").save(path, kind)
    return SentFile(path, hashlib.sha256(path.read_bytes()).hexdigest())


def of(bench: Bench, image: Image, file: SentFile | None = None, **changes: Any) -> tuple[Batch, Row]:
    """A batch of one row with this image, which is that file where there is one."""
    row = a_row(1, a_clip(image=image, **changes))
    further = changes.pop("further", {})
    plan = {"files": {row.clip.key: file} if file else {}, "further_files": further}
    return bench.batch(rows=(row,), plan=plan, on_record=False), row


def sent(bench: Bench, batch: Batch, row: Row, takes_data_uri: bool) -> Any:
    return bench.run(image_url, batch, row, takes_data_uri)


# The first image


@pytest.mark.parametrize("takes_data_uri", [True, False])
def test_without_an_image_nothing_is_sent(bench: Bench, takes_data_uri: bool) -> None:
    assert sent(bench, *of(bench, Image("", 0, 0, "png")), takes_data_uri) is None


@pytest.mark.parametrize("takes_data_uri", [True, False])
def test_an_address_is_sent_as_it_is(bench: Bench, takes_data_uri: bool) -> None:
    assert sent(bench, *of(bench, IMAGE._replace(source=ADDRESS)), takes_data_uri) == ADDRESS


@pytest.mark.parametrize("source", ["cat.png", ADDRESS])
def test_a_file_is_sent_as_its_bytes_which_are_read_when_they_are_sent(bench: Bench, source: str) -> None:
    """Also what was made of an image behind an address."""
    file = drawn(bench.folder)
    found = sent(bench, *of(bench, Image(source, 8, 8, "png", sha256=file.sha256), file), True)
    assert found == Picture(str(file.path), file.sha256, "png", file.path.stat().st_size)
    content = file.path.read_bytes()
    assert anyio.run(as_text, found) == data_uri(content, "png") and anyio.run(as_text, "as it is") == "as it is"


@pytest.mark.parametrize("takes_data_uri", [True, False])
def test_a_file_that_is_not_the_one_that_was_measured_is_not_sent(bench: Bench, takes_data_uri: bool) -> None:
    file = drawn(bench.folder)
    batch, row = of(bench, Image("cat.png", 8, 8, "png", sha256=file.sha256), file)
    drawn(bench.folder, size=9)
    with pytest.raises(PictureChanged) as changed:
        sent(bench, batch, row, takes_data_uri)
    assert str(changed.value) == "cat.png has changed since it was checked; run again to plan with the new one"
    file.path.unlink()
    with pytest.raises(PictureChanged) as gone:
        sent(bench, batch, row, takes_data_uri)
    assert str(gone.value) == "cat.png can't be read any more: No such file or directory"


@pytest.mark.parametrize("kept", ["its number", "its size"])
def test_a_file_that_only_looks_the_same_is_read_again(bench: Bench, kept: str) -> None:
    """Its time is that of the one that was measured, and so is its number or its size."""
    file = drawn(bench.folder)
    batch, row = of(bench, Image("cat.png", 8, 8, "png", sha256=file.sha256), file)
    sent(bench, batch, row, True)
    then = file.path.stat()
    if kept == "its number":
        file.path.write_bytes(file.path.read_bytes() + b"x")
    else:
        other = file.path.with_name("other")
        other.write_bytes(bytes(then.st_size))
        other.replace(file.path)
    os.utime(file.path, ns=(then.st_atime_ns, then.st_mtime_ns))
    with pytest.raises(PictureChanged, match="has changed since it was checked"):
        sent(bench, batch, row, True)


def test_an_object_is_sent_as_its_bytes(bench: Bench) -> None:
    content = drawn(bench.folder).path.read_bytes()
    bench.shelf.lay("cat.png", content, "pictures")
    found = sent(bench, *of(bench, Image("s3://pictures/cat.png", 8, 8, "png")), True)
    assert found == data_uri(content, "png") and bench.stores.keys() == {("clips", "smiles")}


@pytest.mark.parametrize(
    ("kind", "form", "mime"), [("PNG", "png", "image/png"), ("JPEG", "jpeg", "image/jpeg"), ("WEBP", "webp", "image/webp")]
)  # fmt: skip
@pytest.mark.parametrize("where", ["a file", "an object"])
def test_a_provider_that_wants_an_address_gets_one_in_our_bucket(
    bench: Bench, kind: str, form: str, mime: str, where: str
) -> None:
    """The image is put there once, under its digest, as the store takes it."""
    file = drawn(bench.folder, kind=kind)
    bench.shelf.lay("cat.png", file.path.read_bytes(), "pictures")
    source = "cat.png" if where == "a file" else "s3://pictures/cat.png"
    batch, row = of(bench, Image(source, 8, 8, form), file if where == "a file" else None)
    key = f"smiles/inputs/{file.sha256}.{form}"
    for _ in range(2):
        assert sent(bench, batch, row, False) == f"https://s3.example/clips/{key}?signed"
    assert bench.shelf.objects["clips", key] == (file.path.read_bytes(), {"type": mime})
    assert isinstance(bench.shelf, Inputs)
    assert bench.shelf.asked == [("head", key), ("put", StoreAbilities()), ("head", key)]


def test_where_nothing_may_be_listed_it_is_looked_for_blindly(bench: Bench) -> None:
    bench.stores["clips", ""] = StoreAbilities(may_list=False)
    file = drawn(bench.folder)
    batch, row = of(bench, Image("cat.png", 8, 8, "png"), file)
    sent(bench, replace(batch, prefix=""), row, False)
    assert isinstance(bench.shelf, Inputs)
    assert bench.shelf.asked[0] == ("blind", f"inputs/{file.sha256}.png")


def test_an_image_that_the_store_does_not_take_is_a_bad_one(bench: Bench) -> None:
    bench.shelf.trouble = [StoreTrouble("it is away")]
    with pytest.raises(BadImage) as error:
        sent(bench, *of(bench, Image("cat.png", 8, 8, "png"), drawn(bench.folder)), False)
    assert str(error.value) == "the image can't be put where the provider can fetch it: it is away"


def test_bytes_are_those_of_the_digest(tmp_path: Path) -> None:
    file = drawn(tmp_path)
    assert read_unchanged(file.path, file.sha256) == file.path.read_bytes()


# Images beside it


def beside(bench: Bench, takes_data_uri: bool, further: dict[str, SentFile], **options: Any) -> dict[str, Any]:
    """What goes out for these options, whose files are kept under these places."""
    row = a_row(1, a_clip(model=SEEDANCE, options=options))
    files = {(row.clip.key, place): file for place, file in further.items()}
    batch = bench.batch(rows=(row,), plan={"further_files": files}, on_record=False)
    found: dict[str, Any] = bench.run(further_images, batch, row, catalog().find(SEEDANCE), takes_data_uri)
    return found


def test_further_images_go_out_by_their_options(bench: Bench) -> None:
    """One, or several in their order; options that are no images do not."""
    end, side = drawn(bench.folder, "end.png"), drawn(bench.folder, "side.jpg", kind="JPEG")
    bench.shelf.lay("hero.png", end.path.read_bytes(), "pictures")
    references = f"data:image/png;base64,AA|{ADDRESS}|s3://pictures/hero.png|side.jpg"
    found = beside(
        bench,
        True,
        {"last_image": end, "reference_images.3": side},
        last_image="end.png",
        seed=7,
        reference_images=references,
    )
    assert found == {
        "last_image": Picture(str(end.path), end.sha256, "png", end.path.stat().st_size),
        "reference_images": (
            "data:image/png;base64,AA", ADDRESS, data_uri(end.path.read_bytes(), "png"),
            Picture(str(side.path), side.sha256, "jpeg", side.path.stat().st_size),
        ),
    }  # fmt: skip


def test_further_images_are_addresses_where_the_provider_wants_them(bench: Bench) -> None:
    end, side = drawn(bench.folder, "end.png"), drawn(bench.folder, "side.jpg", kind="JPEG")
    bench.shelf.lay("side.jpg", side.path.read_bytes(), "pictures")
    found = beside(bench, False, {"last_image": end}, last_image="end.png", reference_images="s3://pictures/side.jpg")
    place = "https://s3.example/clips/smiles/inputs"
    assert found == {
        "last_image": f"{place}/{end.sha256}.png?signed", "reference_images": (f"{place}/{side.sha256}.jpeg?signed",),
    }  # fmt: skip


@pytest.mark.parametrize("takes_data_uri", [True, False])
def test_a_further_file_that_is_not_at_hand_is_not_sent(bench: Bench, takes_data_uri: bool) -> None:
    with pytest.raises(BadImage, match=r"^end\.png is not at hand: run its own CSV again$"):
        beside(bench, takes_data_uri, {}, last_image="end.png")
    end = drawn(bench.folder, "end.png")
    with pytest.raises(PictureChanged, match="has changed since it was checked"):
        beside(bench, takes_data_uri, {"last_image": replace(end, sha256="0" * 64)}, last_image="end.png")


def test_a_picture_s_kind_is_read_however_long_its_header_is(bench: Bench) -> None:
    path = bench.folder / "end.jpg"
    Drawing.new("RGB", (8, 8)).save(path, "JPEG", comment=b"x" * 60_000, icc_profile=b"p" * 200_000)
    end = SentFile(path, hashlib.sha256(path.read_bytes()).hexdigest())
    assert beside(bench, True, {"last_image": end}, last_image="end.jpg")["last_image"].format == "jpeg"


# The request


def prepared(bench: Bench, row: Row, provider: str = "aiml", **changes: Any) -> Prepared:
    return bench.run(prepare, bench.batch(rows=(row,), on_record=False, **changes), row, provider)


def test_a_request_is_built_priced_and_digested(bench: Bench) -> None:
    """The digest is of what is asked for at this provider: an image's identity, never its bytes or a signature."""
    clip = a_clip(image=IMAGE._replace(source=f"{ADDRESS}?X-Amz-Signature=1"), options={"seed": 7}, model=SEEDANCE)
    row = a_row(1, clip)
    found = prepared(bench, row)
    model = catalog().find(SEEDANCE)
    resolved = ResolvedOptions("720p", "16:9", 4, {"seed": 7})
    body = request_body(
        model, "aiml", resolved, prompt=clip.prompt, image_url=f"{ADDRESS}?X-Amz-Signature=1", further={}
    )
    assert (found.body, found.usd_quoted, found.provider, found.row, found.again) == (body, USD, "aiml", row, None)
    named = request_body(model, "aiml", resolved, prompt=clip.prompt, image_url=clip.image.identity)
    assert found.digest == hashlib.sha256(json.dumps(["aiml", named], sort_keys=True).encode()).hexdigest()


def test_a_request_without_an_image_has_none(bench: Bench) -> None:
    found = prepared(bench, a_row(1, a_clip(model=SEEDANCE, image=Image("", 0, 0, "png"))))
    assert not any("image" in name for name in found.body)


def test_further_images_are_in_the_request(bench: Bench) -> None:
    found = prepared(bench, a_row(1, a_clip(model=SEEDANCE, options={"last_image": ADDRESS})), "fal")
    assert found.body["end_image_url"] == ADDRESS


def test_an_image_that_can_not_be_sent_refuses_its_row_for_free(bench: Bench) -> None:
    with pytest.raises(Refused) as error:
        prepared(bench, a_row(1, a_clip(model=SEEDANCE, options={"last_image": "end.png"})))
    assert str(error.value) == (
        "row-1: end.png is not at hand: run its own CSV again. Nothing was sent, nothing was charged"
    )


def test_what_has_no_price_is_bought_only_where_that_was_asked_for(bench: Bench) -> None:
    """By the quote at this very provider."""
    row = row_of(a_row(1), ("aiml", "onerouter"))
    with pytest.raises(Refused) as error:
        prepared(bench, row, usd=None)
    assert str(error.value) == (
        "row-1: no price is known at aiml; nothing was sent (--allow-unpriced buys without a quote)"
    )
    assert prepared(bench, row, usd=None, request={"allow_unpriced": True}).usd_quoted == 0
    elsewhere = {"quotes_elsewhere": {(row.clip.key, "onerouter"): Decimal(3)}}
    assert prepared(bench, row, "onerouter", plan=elsewhere).usd_quoted == 3


def test_the_sender_is_told_the_whole_of_it(bench: Bench) -> None:
    """Of a repeat, the request as it was sent."""
    batch, request = bench.batch(), PaidRequest("https://api.example/v1", {"prompt": "p"})
    row = batch.plan.rows[0]
    one = Prepared(batch, row, "aiml", {"prompt": "p"}, "d" * 64, USD)
    place = ("smiles.csv", "s3://clips/smiles", "aiml")
    assert purchase(one, 3) == Purchase(row, "smiles", *place, {"prompt": "p"}, "d" * 64, USD, batch.caps, 3)
    again = replace(one, again=("a" * 32, request))
    assert purchase(again, 4) == Repetition("a" * 32, row, *place, request, 4)
