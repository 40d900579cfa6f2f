"""A last frame is taken like a first one: a file beside the CSV, an object in S3, an address; known by its bytes or address."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import pytest

from dailies.catalog import load_catalog
from dailies.domain.clips import without_digest
from dailies.errors import BadInput, BadRows
from dailies.media.images import BadImage, ImageFacts
from dailies.media.unchanged import PictureChanged
from dailies.planning.images import Measured
from dailies.planning.plan import Plan
from dailies.steps.image import as_text, further_images
from tests.e2e.harness import picture
from tests.unit.planned import World, plan

MODEL, HEAD = "klingai/video-v3-pro-image-to-video", "id,prompt,image,model,last_image"
PNG = picture(640, 360)
DIGEST = hashlib.sha256(PNG).hexdigest()


class Disk(World):
    """A folder with one file and one that is no picture."""

    def __init__(self, file: Path, facts: ImageFacts = ImageFacts("png", 640, 360, len(PNG))) -> None:  # noqa: B008 - frozen
        super().__init__()
        self.file, self.facts = file, facts

    async def measure_all(self, sources: Any, progress: object = None) -> dict[str, Measured | BadInput]:
        found: dict[str, Measured | BadInput] = dict(await super().measure_all(sources))
        for source in sources:
            if source == "end.png":
                found[source] = Measured(source, self.facts, self.file, DIGEST, DIGEST)
            elif source.startswith("s3:"):
                found[source] = Measured(source, self.facts)
            elif "://" not in source:
                found[source] = BadImage(f"{source}: there is no such file")
        return found


def made(last: str, file: Path, **facts: Any) -> Plan:
    return plan(f"{HEAD}|a,<a>,https://x.example/a.png,{MODEL},{last}", Disk(file, **facts))


def sent(made: Plan, takes_data_uri: bool = True) -> str:
    batch: Any = SimpleNamespace(plan=made)
    model = load_catalog().find(made.rows[0].clip.model)

    async def text() -> str:
        found = await further_images(None, batch, made.rows[0], model, takes_data_uri)  # type: ignore[arg-type]
        image = found["last_image"]
        assert not isinstance(image, tuple)
        return await as_text(image)

    return anyio.run(text)


def test_a_file_goes_out_as_its_bytes_and_is_recorded_by_them(tmp_path: Path) -> None:
    file = tmp_path / "end.png"
    file.write_bytes(PNG)
    found = made("end.png", file)
    assert found.rows[0].clip.options["last_image"] == f"end.png#sha256={DIGEST}"
    assert sent(found) == f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
    again = made(str(found.rows[0].clip.options["last_image"]), file)
    assert again.rows[0].clip.key == found.rows[0].clip.key, "as it stands on record it is the same row"
    file.write_bytes(PNG + b"x")
    with pytest.raises(PictureChanged, match="has changed"):
        sent(found)


def test_an_address_is_sent_as_the_standard_writes_it_and_a_data_uri_as_it_is(tmp_path: Path) -> None:
    assert sent(made("https://bücher.example/a b.png", tmp_path)) == "https://xn--bcher-kva.example/a%20b.png"
    assert sent(made("data:image/png;base64;x", tmp_path)) == "data:image/png;base64;x"


def test_an_object_in_s3_is_known_by_its_address(tmp_path: Path) -> None:
    found = made("s3://b/end.png", tmp_path)
    assert found.rows[0].clip.options["last_image"] == "s3://b/end.png" and not found.further_files


@pytest.mark.parametrize(("last", "facts", "words"), [
    ("nowhere.png", {}, "there is no such file"),
    ("ftp://x/a.png", {}, "write a path beside the CSV, s3://"),
    ("end.png", {"facts": ImageFacts("webp", 640, 360, 9)}, "takes png or jpeg"),
    ("end.png", {"facts": ImageFacts("png", 40, 30, 9)}, "use a larger image"),
    ("end.png", {"facts": ImageFacts("jpeg", 640, 360, 9, 6)}, "save it upright"),
])  # fmt: skip
def test_one_that_can_not_be_sent_is_a_bad_row(last: str, facts: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(BadRows, match=f"last_image.*{words}"):
        made(last, tmp_path, **facts)


def test_a_name_with_a_hash_in_it_is_no_digest() -> None:
    assert without_digest("a#sha256=beef.png") == "a#sha256=beef.png"
