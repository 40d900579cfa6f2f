"""What was bought is known again: however it is written, signed, turned or encoded, and whoever put it on record."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import pytest
from PIL import Image, ImageOps

from tests.e2e.harness import Result, World, picture
from tests.e2e.loopback import Elsewhere
from tests.ledger.earlier import code_of_the_first_version

OPEN = "alibaba/wan-2-7-i2v"


def turned(width: int, height: int, orientation: int = 6) -> bytes:
    """A photo as phones store it: so many pixels, and a mark that says how to hold it; its top left corner is red."""
    photo = Image.new("RGB", (width, height), (40, 90, 160))
    photo.paste((250, 20, 20), (0, 0, width // 4, height // 4))
    exif = Image.Exif()
    exif[0x0112] = orientation
    out = io.BytesIO()
    photo.save(out, "JPEG", exif=exif)
    return out.getvalue()


OF_THE_FIRST_VERSION = pytest.mark.production
"""It is run as it was: a program of its own, by Prefect."""


@pytest.fixture
def engine() -> bool:
    """This version's runs go by the stand-in, in `make production` too."""
    return False


@pytest.fixture
def first_version() -> Path:
    """The program as it was: the last version whose keys held signatures, line ends, and digests of derived bytes."""
    return code_of_the_first_version()


def bought_by(world: World, code: Path, *options: str) -> None:
    """The batch, made and delivered by another version."""
    result = world.first_version(code, "run", str(world.prompts), "--json", "--yes", *options)
    assert result.code == 0, result.stderr


def nothing_is_bought_again(world: World, result: Result) -> None:
    """All of it was there already, and no create was sent for it."""
    assert result.code == 0, result.stderr
    assert result.json["already_delivered"] == result.json["rows"] == len(world.charges()), result.stderr


@OF_THE_FIRST_VERSION
def test_what_the_first_version_bought_is_known_again(world: World, first_version: Path) -> None:
    """Line ends, composed letters and a fresh signature are no part of a clip, whichever way round."""
    address = f"{world.sandbox.url}/images/1280x720.png?id=7&X-Amz-Signature="
    rows = [
        {"id": "crlf", "prompt": "First line,\r\nsecond line"},
        {"id": "lf", "prompt": "Another,\nwith LF"},
        {"id": "nfd", "prompt": "Cafe\u0301 im Regen"},
        {"id": "nfc", "prompt": "Café in der Sonne"},
        {"id": "signed", "prompt": "signed", "image": f"{address}aaaa"},
    ]
    world.csv(rows)
    bought_by(world, first_version)
    rows[0]["prompt"], rows[1]["prompt"] = "First line,\nsecond line", "Another,\r\nwith LF"
    rows[2]["prompt"], rows[3]["prompt"] = "Café im Regen", "Cafe\u0301 in der Sonne"
    rows[4]["image"] = f"{address}bbbb"
    world.csv(rows)
    nothing_is_bought_again(world, world.run())
    nothing_is_bought_again(world, world.run())


@OF_THE_FIRST_VERSION
@pytest.mark.parametrize("mode", ["crop", "pad"])
def test_a_fitted_image_of_the_first_version_is_known_again(
    world: World, first_version: Path, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its key was the digest of derived bytes: found when we make the same, and when our encoder makes others."""
    (world.folder / "wide.png").write_bytes(picture(1000, 700))
    world.csv([{"id": "a", "prompt": "a", "image": "wide.png"}])
    bought_by(world, first_version, "--fit", mode)
    monkeypatch.setattr("dailies.media.fit.JPEG_QUALITY", 81)
    nothing_is_bought_again(world, world.run("--fit", mode))
    shutil.rmtree(world.home / "images")
    nothing_is_bought_again(world, world.run("--fit", mode))


@OF_THE_FIRST_VERSION
def test_what_the_first_version_stored_is_adopted_by_a_ledger_that_knows_nothing(
    world: World, first_version: Path
) -> None:
    """In S3 it lies under the key of its time."""
    (world.folder / "wide.png").write_bytes(picture(1000, 700))
    rows = [
        {"id": "crlf", "prompt": "First line,\r\nsecond line", "image": "first-720.png"},
        {"id": "nfd", "prompt": "Cafe\u0301 im Regen", "image": "first-720.png"},
        {"id": "signed", "prompt": "signed", "image": f"{world.sandbox.url}/images/1280x720.png?X-Amz-Signature=aa"},
        {"id": "fitted", "prompt": "fitted", "image": "wide.png"},
    ]
    world.csv(rows)
    bought_by(world, first_version, "--fit", "crop")
    shutil.rmtree(world.home)
    nothing_is_bought_again(world, world.run("--fit", "crop"))
    nothing_is_bought_again(world, world.run("--fit", "crop"))


@OF_THE_FIRST_VERSION
def test_a_photo_that_the_first_version_sent_as_stored_is_known_again_and_said(
    world: World, first_version: Path
) -> None:
    """It may lie on its side; another take buys it upright."""
    (world.folder / "photo.jpg").write_bytes(turned(1280, 720))
    rows = [{"id": "a", "prompt": "a", "image": "photo.jpg", "aspect_ratio": ""}]
    world.csv(rows)
    bought_by(world, first_version)
    again = world.run()
    nothing_is_bought_again(world, again)
    assert "row 2 (a): bought by an earlier version" in again.stderr
    world.csv([{**rows[0], "take": "2"}])
    assert world.run().json["delivered"] == 1


@OF_THE_FIRST_VERSION
@pytest.mark.parametrize("mode", ["crop", "pad"])
def test_a_photo_of_the_right_size_that_the_first_version_fitted_is_known_again(
    world: World, first_version: Path, mode: str
) -> None:
    """Today it is only turned, then it was encoded anew: the same pixels. By the ledger, by its own file, and by S3 alone."""
    (world.folder / "photo.jpg").write_bytes(turned(1280, 720))
    world.csv([{"id": "a", "prompt": "a", "image": "photo.jpg", "aspect_ratio": ""}])
    bought_by(world, first_version, "--fit", mode)
    nothing_is_bought_again(world, world.run("--fit", mode))
    shutil.rmtree(world.home / "images")
    nothing_is_bought_again(world, world.run("--fit", mode))
    if mode == "pad":
        shutil.rmtree(world.home)
        nothing_is_bought_again(world, world.run("--fit", mode))


@OF_THE_FIRST_VERSION
def test_a_turned_photo_for_a_model_that_takes_any_size_is_known_again_whatever_fit_says(
    world: World, first_version: Path
) -> None:
    """There was nothing to fit to, so the first version sent it as it is stored."""
    (world.folder / "photo.jpg").write_bytes(turned(1280, 720))
    world.csv(
        [
            {
                "id": "a",
                "prompt": "a",
                "image": "photo.jpg",
                "model": OPEN,
                "resolution": "",
                "aspect_ratio": "",
                "duration": "",
            }
        ]
    )
    bought_by(world, first_version, "--fit", "crop")
    nothing_is_bought_again(world, world.run("--fit", "crop"))


@pytest.mark.parametrize("where", ["beside the CSV", "behind an address", "in S3"])
def test_a_photo_is_measured_as_shown_and_sent_upright(world: World, where: str) -> None:
    """Stored as 1280x720, shown as 720x1280: bought as a portrait, and the provider gets it the right way up."""
    content = turned(1280, 720)
    (world.folder / "photo.jpg").write_bytes(content)
    world.s3().put_object(Bucket=world.bucket, Key="photo.jpg", Body=content)
    with Elsewhere(content) as host:
        image = {
            "beside the CSV": "photo.jpg",
            "behind an address": f"{host.url}/photo.jpg",
            "in S3": f"s3://{world.bucket}/photo.jpg",
        }[where]
        world.csv([{"id": "a", "prompt": "a", "image": image, "aspect_ratio": ""}])
        checked = world.command("check", str(world.prompts), "--json")
        assert checked.code == 0, checked.stderr
        assert world.run().code == 0
        assert world.run().json["already_delivered"] == 1
    assert len(world.charges()) == 1  # the sandbox is strict: it takes a portrait of 720x1280 and nothing else
    (made,) = (world.home / "images").glob("made-*-upright.jpeg")
    sent = Image.open(made)
    shown = ImageOps.exif_transpose(Image.open(io.BytesIO(content)))
    for point in ((10, 10), (700, 20), (20, 1270), (700, 1270)):
        assert max(abs(a - b) for a, b in zip(sent.getpixel(point), shown.getpixel(point), strict=True)) < 12  # type: ignore[arg-type]
    assert (world.folder / "photo.jpg").read_bytes() == content


def test_another_encoder_buys_nothing_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bytes that Pillow makes of an image are no part of what the clip is."""
    (world.folder / "wide.png").write_bytes(picture(1000, 700))
    (world.folder / "photo.jpg").write_bytes(turned(1280, 720))
    rows = [
        {"id": "wide", "prompt": "w", "image": "wide.png"},
        {"id": "photo", "prompt": "p", "image": "photo.jpg", "aspect_ratio": ""},
    ]
    world.csv(rows)
    assert world.run("--fit", "crop").json["delivered"] == 2
    shutil.rmtree(world.home / "images")
    monkeypatch.setattr("dailies.media.fit.JPEG_QUALITY", 60)
    nothing_is_bought_again(world, world.run("--fit", "crop"))


def test_another_picture_behind_an_address_is_said_and_not_bought(world: World) -> None:
    """By as many bytes too: what was delivered stays, and the note says how to buy the new one."""
    with Elsewhere(picture(1280, 720)) as host:
        world.csv([{"id": "a", "prompt": "a", "image": f"{host.url}/a.png"}, {"id": "b", "prompt": "b"}])
        world.run()
        bought = len(world.charges())
        other = bytearray(picture(1280, 720))
        other[-20] ^= 1
        host.answer = bytes(other)
        for command in ("run", "check"):
            result = world.command(command, str(world.prompts), "--json")
            assert "has changed since it was bought: row 2 (a)" in result.stderr
        assert len(world.charges()) == bought


def test_a_row_that_was_edited_since_it_was_delivered_is_shown_with_its_price(world: World) -> None:
    """What changed, in how many rows, and what buying them again costs; another take and a new row are no change."""
    rows = [{"id": name, "prompt": f"prompt {name}"} for name in "abc"]
    world.csv(rows)
    assert world.run().code == 0
    edited = [
        {**rows[0], "prompt": "another"},
        {**rows[1], "duration": "8"},
        {**rows[2], "take": "2"},
        {"id": "d", "prompt": "d"},
    ]
    world.csv(edited)
    checked = world.command("check", str(world.prompts), "--json").json
    assert [(c["id"], c["row"], c["what"]) for c in checked["changed"]] == [
        ("a", 2, ["prompt"]),
        ("b", 3, ["duration"]),
    ]
    assert all(c["usd_quoted"] > 0 for c in checked["changed"])
    said = world.command("check", str(world.prompts)).stdout
    assert "2 rows were changed since delivery and would be bought again, for $" in said
    assert "row 2 (a): prompt; row 3 (b): duration" in said
    assert "2 rows were changed since delivery" in world.run("--rows", "a,b").stderr


def test_a_row_that_only_moved_is_no_change(world: World) -> None:
    """Ids that are made from the row's number move with it."""
    world.csv([{"id": "", "prompt": "one"}, {"id": "", "prompt": "two"}])
    assert world.run().code == 0
    world.csv([{"id": "", "prompt": "zero"}, {"id": "", "prompt": "one"}, {"id": "", "prompt": "two"}])
    assert world.command("check", str(world.prompts), "--json").json["changed"] == []
