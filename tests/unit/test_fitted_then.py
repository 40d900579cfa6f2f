"""What the first version fitted and is only turned today is the same picture, and known by the ledger."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest
from PIL import Image as Picture

from dailies.catalog import load_catalog
from dailies.domain.clips import Clip, Image
from dailies.media.fit import fit_image
from dailies.media.images import measure
from dailies.planning.earlier import Wanted, recognised
from dailies.planning.fitting import earlier_digests, first_version_fitted, make_ready
from dailies.planning.images import Measured
from dailies.planning.request import BatchRequest
from dailies.prompts import RawRow
from tests.ledger.factories import a_clip

SIZED, ANY_SIZE = (load_catalog().find(name) for name in ("openai/sora-2-pro-i2v", "alibaba/wan-2-7-i2v"))


class Bought:
    """A ledger that holds one clip."""

    def __init__(self, clip: Clip) -> None:
        self.clip = clip

    def keys_like(self, identities: Sequence[str]) -> Mapping[str, str]:
        return {one: "bought" for one in identities if one == self.clip.identity}

    def clips_of(self, clip_keys: Sequence[str]) -> Mapping[str, Clip]:
        return dict.fromkeys(clip_keys, self.clip)


def photo(folder: Path) -> Measured:
    """1280x720 as it is stored, 720x1280 as it is shown."""
    out, exif = io.BytesIO(), Picture.Exif()
    exif[0x0112] = 6
    picture = Picture.linear_gradient("L").resize((1280, 720)).convert("RGB")
    picture.paste((250, 0, 0), (0, 0, 300, 200))
    picture.save(out, "JPEG", exif=exif)
    path, content = folder / "photo.jpg", out.getvalue()
    path.write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    return Measured("photo.jpg", measure(content, len(content)), path, digest, digest)


def clip_with(image: Measured, sha256: str | None, made: str = "") -> Clip:
    return a_clip(image=Image(image.source, 720, 1280, "jpeg", None, sha256, made))


@pytest.mark.parametrize("mode", ["crop", "pad"])
@pytest.mark.parametrize("encoder", ["the same", "another"])
def test_a_photo_of_the_right_size_is_known_by_what_was_made_of_it(
    tmp_path: Path, mode: Literal["crop", "pad"], encoder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the bytes that we make too, else by the first version's own file, which has the same pixels."""
    image, derived = photo(tmp_path), tmp_path / "images"
    assert image.path
    then = fit_image(image.path.read_bytes(), 720, 1280, mode)
    digest = hashlib.sha256(then).hexdigest()
    if encoder == "another":
        derived.mkdir()
        (derived / f"{digest}.jpeg").write_bytes(then)
        monkeypatch.setattr("dailies.media.fit.JPEG_QUALITY", 81)
    ready = make_ready(image, SIZED, RawRow(1, {}), BatchRequest(prompts="b.csv", fit=mode), derived)
    assert ready.made == "upright"
    today = clip_with(ready, ready.content, ready.made)
    record = Bought(clip_with(image, digest))
    assert recognised([Wanted(today, ready)], record) == {today.identity: "bought"}
    assert recognised([Wanted(replace(today, take="2"), ready)], record) == {}
    other = Bought(clip_with(image, "ab" * 32))
    assert recognised([Wanted(today, ready)], other) == {}


@pytest.mark.parametrize(
    ("model", "fit", "fitted"), [(SIZED, "crop", True), (SIZED, "strict", False), (ANY_SIZE, "crop", False)]
)
def test_the_first_version_fitted_only_to_a_size(tmp_path: Path, model: object, fit: str, fitted: bool) -> None:
    """Else it sent a turned photo as it is stored, and by that it is known."""
    request = BatchRequest(prompts="b.csv", fit=fit)
    assert first_version_fitted(photo(tmp_path), model, RawRow(1, {}), request) is fitted  # type: ignore[arg-type]


@pytest.mark.parametrize(("made", "known"), [("crop 1x1", ["ab"]), ("pad 1x1", ["ab"]), ("upright", []), ("", [])])
def test_what_we_fit_today_may_be_what_the_first_version_made(tmp_path: Path, made: str, known: list[str]) -> None:
    file = tmp_path / "a.jpeg"
    file.write_bytes(b"")
    assert earlier_digests(file, "ab", made) == known
    assert earlier_digests(None, "ab", made) == earlier_digests(file, None, made) == []


@pytest.mark.parametrize("label", ["2.0", "2,0"])
def test_a_take_bought_under_a_rewritten_number_is_known(label: str, tmp_path: Path) -> None:
    """Also where its image is turned today, and was sent as it is stored then."""
    image = photo(tmp_path)
    today, stored = (replace(clip_with(image, sha256), take="2") for sha256 in ("ab" * 32, "cd" * 32))
    record = Bought(replace(today, take=label))
    assert recognised([Wanted(today, image)], record) == {today.identity: "bought"}
    assert recognised([Wanted(replace(today, take="3"), image)], record) == {}
    turned = Bought(replace(stored, take=label))
    assert recognised([Wanted(today, image, stored)], turned) == {today.identity: "bought"}
