"""Reference images are several in one cell, each taken like a first image; the clip is known by their bytes, in their order."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import pytest

from dailies.catalog import ResolvedOptions, load_catalog, request_body
from dailies.domain.clips import Clip, Image
from dailies.domain.creates import PaidRequest, Reference
from dailies.domain.kept_request import keep
from dailies.errors import BadInput, BadRows
from dailies.media.images import BadImage, ImageFacts
from dailies.media.unchanged import PictureChanged
from dailies.planning.images import Measured
from dailies.planning.plan import Plan
from dailies.prompts import RawRow
from dailies.providers.openrouter.client import OpenRouter
from dailies.report.credits import credits_of, csv_pieces
from dailies.report.facts import _settings
from dailies.report.page import Drawing, PageFacts
from dailies.settings import Settings
from dailies.steps.calls import Receiver
from dailies.steps.image import as_text, further_images
from dailies.steps.start import _beside
from tests.e2e.harness import picture
from tests.ledger.factories import a_clip
from tests.report.factories import MADE_AT, mixed_rows
from tests.unit.planned import World, plan

HEAD = "id,prompt,image,model,provider,reference_images"
SEEDANCE, GROK, WAN, KLING = (
    "bytedance/seedance-2-0", "x-ai/grok-imagine-video", "alibaba/wan-3-0-video", "klingai/video-v3-pro-image-to-video",
)  # fmt: skip
FIRST, SIDE = "https://x.example/a.png", "https://x.example/side.png"
CATALOG = load_catalog()
OPTIONS: tuple[dict[str, Any], ...] = ({"reference_images": f"{SIDE}|{FIRST}", "seed": 1}, {"seed": 2})


class Folder(World):
    """A folder of small pictures, each of its own bytes."""

    def __init__(self, folder: Path, *names: str) -> None:
        super().__init__()
        self.files = {name: folder / name for name in names}
        for at, file in enumerate(self.files.values()):
            file.write_bytes(picture(320 + at, 320))

    async def measure_all(self, sources: Any, progress: object = None) -> dict[str, Measured | BadInput]:
        found: dict[str, Measured | BadInput] = dict(await super().measure_all(sources))
        for source in sources:
            if source in self.files:
                content = self.files[source].read_bytes()
                facts, digest = ImageFacts("png", 320, 320, len(content)), hashlib.sha256(content).hexdigest()
                found[source] = Measured(source, facts, self.files[source], digest, digest)
            elif source.startswith("s3:"):
                found[source] = Measured(source, ImageFacts("png", 320, 320, 9))
            elif "://" not in source:
                found[source] = BadImage(f"{source}: there is no such file")
        return found


def made(cell: str, world: World, model: str = SEEDANCE, provider: str = "aiml", image: str = "") -> Plan:
    return plan(f"{HEAD}\na,<a>,{image},{model},{provider},{cell}", world)


def sent(found: Plan, runtime: Any = None) -> tuple[str, ...]:
    batch: Any = SimpleNamespace(plan=found)
    row = found.rows[0]

    async def texts() -> tuple[str, ...]:
        images = await further_images(runtime, batch, row, CATALOG.find(row.clip.model), True)
        return tuple([await as_text(image) for image in images["reference_images"]])  # type: ignore[union-attr]

    return anyio.run(texts)


def body(found: Plan, provider: str = "aiml") -> dict[str, Any]:
    clip = found.rows[0].clip
    resolved = ResolvedOptions(clip.resolution, clip.aspect_ratio, clip.duration_s, {"reference_images": sent(found)})
    image = clip.image.source or None
    return dict(request_body(CATALOG.find(clip.model), provider, resolved, prompt="<a>", image_url=image))


def data_uri(file: Path) -> str:
    return f"data:image/png;base64,{base64.b64encode(file.read_bytes()).decode()}"


def test_files_and_addresses_in_one_cell_go_out_in_their_order(tmp_path: Path) -> None:
    folder = Folder(tmp_path, "hero.png", "coat.png")
    found = made(f" hero.png | {SIDE} |coat.png|", folder)
    assert sent(found) == (data_uri(folder.files["hero.png"]), SIDE, data_uri(folder.files["coat.png"]))
    assert body(found)["image_urls"] == list(sent(found)) and "reference_images" not in body(found)
    recorded = str(found.rows[0].clip.options["reference_images"])
    assert [part.partition("#sha256=")[0] for part in recorded.split("|")] == ["hero.png", SIDE, "coat.png"]
    assert made(recorded, folder).rows[0].clip.key == found.rows[0].clip.key, (
        "as it stands on record it is the same row"
    )
    folder.files["coat.png"].write_bytes(b"other")
    with pytest.raises(PictureChanged, match="has changed"):
        sent(found)


def test_an_object_in_s3_is_read_there(tmp_path: Path) -> None:
    found = made("s3://b/side.png", World())
    store = SimpleNamespace(read=lambda bucket, key, most: picture(320, 320))
    (url,) = sent(found, SimpleNamespace(s3=lambda: store))
    assert url.startswith("data:image/png;base64,")


def test_the_key_is_made_of_bytes_and_order_and_not_of_paths_or_signatures(tmp_path: Path) -> None:
    folder = Folder(tmp_path, "a.png", "b.png")
    (tmp_path / "copy.png").write_bytes(folder.files["a.png"].read_bytes())
    folder.files["copy.png"] = tmp_path / "copy.png"
    keys = [
        made(cell, folder).rows[0].clip.key
        for cell in ("a.png|b.png", "copy.png|b.png", "b.png|a.png", "a.png", "b.png", "", f"{SIDE}|{FIRST}?token=1")
    ]
    assert keys[0] == keys[1] and len(set(keys)) == len(keys) - 1
    assert made(f"{SIDE}|{FIRST}?token=2", folder).rows[0].clip.key == keys[-1]


def test_a_row_without_them_keeps_its_key() -> None:
    without = plan(f"id,prompt,image,model,provider\na,<a>,{FIRST},{SEEDANCE},aiml").rows[0].clip
    assert made("", World(), image=FIRST).rows[0].clip.key == without.key and not without.options


@pytest.mark.parametrize(("cell", "model", "provider", "image", "words"), [
    ("|".join([SIDE] * 10), SEEDANCE, "aiml", "", "names 10 images.*at most 9"),
    (f"{SIDE}|nowhere.png", SEEDANCE, "aiml", "", "nowhere.png: there is no such file"),
    (f"{SIDE}|ftp://x/a.png", SEEDANCE, "aiml", "", "is no image"),
    (SIDE, WAN, "aiml", FIRST, "only where image is empty"),
    (SIDE, GROK, "aiml", FIRST, "only where image is empty"),
    (SIDE, SEEDANCE, "openrouter", FIRST, "only where image is empty"),
    (SIDE, SEEDANCE, "runware", FIRST, "runware has no option reference_images"),
])  # fmt: skip
def test_what_can_not_be_sent_is_a_bad_row(cell: str, model: str, provider: str, image: str, words: str) -> None:
    class Nothing(World):
        async def measure_all(self, sources: Any, progress: object = None) -> dict[str, Measured | BadInput]:
            found = await super().measure_all(sources)
            return {s: one if "://" in s else BadImage(f"{s}: there is no such file") for s, one in found.items()}

    with pytest.raises(BadRows, match=f"(?s)reference_images.*{words}"):
        made(cell, Nothing(), model, provider, image)


def test_where_a_model_has_none_the_column_is_the_teams_own() -> None:
    found = plan(f"{HEAD}\na,<a>,{FIRST},{KLING},aiml,{SIDE}")
    assert not found.rows[0].clip.options and found.rows[0].labels["reference_images"] == SIDE
    assert any("reference_images is no option of" in note for note in found.notes)


def test_each_provider_is_told_in_its_own_words() -> None:
    found = made(f"{SIDE}|{FIRST}", World(), provider="fal")
    assert body(found, "fal")["model"] == "bytedance/seedance-2.0/reference-to-video"
    assert body(found, "fal")["image_urls"] == [SIDE, FIRST]
    client: Any = SimpleNamespace(base_url="https://o.example")
    opening: Any = SimpleNamespace(hook=lambda *_: None)
    request = OpenRouter(client, opening).request(body(found, "openrouter"), Reference("a", "k"))
    references = [one["image_url"]["url"] for one in request.body["input_references"]]
    assert references == [SIDE, FIRST] and not {"reference_images", "frame_images"} & request.body.keys()


def test_the_exact_request_is_made_again_of_the_same_pictures_only(tmp_path: Path) -> None:
    folder = Folder(tmp_path, "a.png", "b.png")
    texts = [f"{data_uri(file)}{'A' * 5000}" for file in folder.files.values()]
    request = PaidRequest("https://a.example", {"image_urls": texts})
    kept = keep(request, Reference("a", "k"), datetime(2026, 11, 27, tzinfo=UTC))
    assert kept.again(texts) == request and kept.again(texts[:1]) is None


def test_in_a_csv_in_s3_each_lies_beside_it() -> None:
    row = RawRow(1, {"image": ""}, {"reference_images": f"a.png | {SIDE}|s3://o/b.png"})
    beside = _beside(row, "s3://b/in/a.csv", frozenset({"reference_images"}))
    assert beside.labels["reference_images"] == f"s3://b/in/a.png|{SIDE}|s3://o/b.png"


def test_the_report_groups_by_them_nowhere_and_its_csv_has_them() -> None:
    rows = [
        row._replace(clip=replace(row.clip, options=one)) for row, one in zip(mixed_rows()[:2], OPTIONS, strict=True)
    ]
    credits = credits_of("b", rows)
    drawn = Drawing(credits, PageFacts(MADE_AT))
    assert "reference_images" not in drawn.own and "seed" in drawn.own
    assert "reference_images" not in {bars.column for bars in drawn.bars}
    assert SIDE in b"".join(csv_pieces(credits)).decode()


def test_no_signature_of_theirs_goes_into_the_facts_beside_a_clip() -> None:
    options = {"reference_images": f"{SIDE}?X-Amz-Signature=s3cret|{FIRST}?token=s3cret"}
    told = _settings(Clip(SEEDANCE, "<a>", Image("", 0, 0, ""), "720p", "16:9", 5, options=options))
    assert told["options"]["reference_images"] == f"{SIDE}|{FIRST}"


def test_a_webhook_means_the_endpoint_that_the_references_were_sent_to() -> None:
    """fal has one endpoint for each form of a model; the addresses of a job are below its own."""
    called = {}
    for images in ({}, {"reference_images": SIDE}):
        clip = replace(a_clip(model=SEEDANCE), options=images)
        ledger: Any = SimpleNamespace(clips_of=lambda _, clip=clip: {"key": clip})
        receiver = Receiver(Settings.model_validate({}), ledger, CATALOG, {}, lambda: MADE_AT)
        attempt: Any = SimpleNamespace(clip_key="key", provider="fal")
        called[bool(images)] = receiver._model_of(attempt)
    assert called[True] == CATALOG.find(SEEDANCE).offers["fal"].reference != called[False]


def test_a_model_is_found_by_the_name_of_its_endpoint_for_references() -> None:
    names = {offer.reference: model for model in CATALOG for offer in model.offers.values() if offer.reference}
    assert names
    for name, model in names.items():
        assert CATALOG.find(name.upper()) is model and CATALOG.provider_of(name) == "fal"
