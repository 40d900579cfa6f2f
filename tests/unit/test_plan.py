"""What a plan is made of beside its rows: who is bought from, what is said to a person, and every reason why nothing is."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as Picture

from dailies.domain.clips import Clip
from dailies.errors import BadInput, BadRow, BadRows
from dailies.media.images import BadImage, ImageFacts, measure
from dailies.planning.images import Measured
from dailies.planning.plan import SentFile, unpriced_message
from dailies.providers.live import Live
from tests.unit.planned import FRAME, Blank, World, plan
from tests.unit.test_cheapest import sold

SEEDANCE, KLING, WAN = "bytedance/seedance-2-0", "klingai/video-v3-pro-image-to-video", "alibaba/wan-2-7-i2v"
URL, HEAD = "https://x.example/a.png", "id,prompt,image,model,provider"


@dataclass
class Pictures(World):
    """Where these images are found, and nothing is known of any other."""

    found: Mapping[str, Measured | BadInput] = field(default_factory=dict)

    async def measure_all(self, sources: Sequence[str], progress: object = None) -> dict[str, Measured | BadInput]:
        return {source: self.found[source] for source in sources}


def refused(csv: str, world: World | None = None, **asked: Any) -> tuple[BadRow, ...]:
    with pytest.raises(BadRows) as caught:
        plan(csv, world, **asked)
    return caught.value.rows


def notes(made: Any) -> list[str]:
    """What is said of the rows; that nobody could be asked is said in each of these plans."""
    return [note for note in made.notes if "could not be asked" not in note]


def test_it_is_bought_from_whoever_still_serves_the_model() -> None:
    row = f"{HEAD}|a,a cat,{URL},{SEEDANCE},'runware,fal,aiml'".replace("'", '"')
    made = plan(row, World(gone=frozenset({"fal"})))
    assert made.rows[0].providers == ("runware", "aiml") and made.providers == ("aiml", "runware")


def test_what_a_clip_costs_at_the_provider_that_a_row_is_moved_to() -> None:
    made = plan(f"id,prompt,image,model|a,<a>,{URL},m", catalog=sold(aiml="1", fal=None), provider="aiml,fal")
    (row,) = made.rows
    assert (
        made.usd_quoted == made.quote_at(row.clip.key, "aiml") == made.quote_at(row.clip.key, "runware") == Decimal(8)
    )
    assert made.quote_at(row.clip.key, "fal") is None, "nobody knows, which is not the first one's price"
    assert made.unpriced == []


def test_without_a_price_it_is_said_of_what_and_how_to_buy_it_all_the_same() -> None:
    catalog = sold(aiml=None, fal="1")
    csv = "\n".join([HEAD, *(f"r{n},<{n}>,{URL},m,aiml" for n in range(6)), f"priced,<p>,{URL},m,fal"])
    made = plan(csv, catalog=catalog)
    assert [row.id for row in made.unpriced] == [f"r{n}" for n in range(6)] and made.usd_quoted == Decimal(8)
    assert unpriced_message(made) == (
        "no price is known for m with these settings (rows r0, r1, r2, r3, r4…); the others come to $8.00. Nothing was bought. "
        "Say --allow-unpriced to buy without a quote, or add a price in DAILIES_MODELS"
    )
    assert "(rows r0, r1, r2, r3, r4); " in unpriced_message(plan(csv, catalog=catalog, limit=5))
    assert made.price_origins == {"unknown": 6, "catalog of 2026-11-26": 1}


def test_all_that_is_wrong_is_said_at_once_in_the_order_of_the_file_and_once() -> None:
    csv = f"{HEAD},duration|a,,{URL},{SEEDANCE},,99|b,a dog,{URL},nomodel,,|c,a cat,{URL},{SEEDANCE},,98"
    assert [(bad.row, bad.column, bad.id) for bad in refused(csv)] == [
        (2, "duration", "a"), (2, "prompt", "a"), (3, "model", "b"), (4, "duration", "c"),
    ]  # fmt: skip


def test_forty_rows_without_a_prompt_are_not_twins_as_well() -> None:
    said = refused(f"{HEAD}|a,,{URL},{SEEDANCE},|b,,{URL},{SEEDANCE},")
    assert [(bad.row, bad.column) for bad in said] == [(2, "prompt"), (3, "prompt")]


def test_a_part_of_the_file_keeps_the_names_of_the_whole() -> None:
    csv = f"{HEAD}|,a cat,{URL},{SEEDANCE},|,a dog,{URL},{SEEDANCE},|,an owl,{URL},{SEEDANCE},"
    made = plan(csv, rows="2-3", limit=1)
    assert [(row.id, row.number, row.sheet_row) for row in made.rows] == [("row-02", 2, 3)]


def test_an_option_of_other_models_is_said_to_be_the_teams_own_where_a_row_has_it() -> None:
    csv = f"{HEAD},seed,mood|a,a cat,{URL},{KLING},,7,x|b,a dog,{URL},{SEEDANCE},,7,y|c,an owl,{URL},{WAN},,,z"
    made = plan(csv)
    assert notes(made) == [f"column seed is no option of {KLING}: kept as the team's own, not sent"]
    assert [dict(row.labels) for row in made.rows] == [{"seed": "7", "mood": "x"}, {"mood": "y"}, {"mood": "z"}]
    assert made.rows[1].clip.options == {"seed": 7} and made.own_columns == ("mood",)


@pytest.mark.parametrize(("found", "said"), [
    (BadImage("a.png: there is no such file"), ("a.png: there is no such file", "")),
    (Measured("a.png", ImageFacts("webp", 1280, 720, 9)), (f"is a webp; {KLING} takes png or jpeg", "use png or jpeg")),
])  # fmt: skip
def test_an_image_that_can_not_be_sent_is_a_bad_row(found: Any, said: tuple[str, str]) -> None:
    (bad,) = refused(f"{HEAD}|a,a cat,a.png,{KLING},", Pictures(found={"a.png": found}))
    assert (bad.row, bad.column, bad.id) == (2, "image", "a") and (bad.reason, bad.cure) == said


def test_of_a_file_it_is_on_record_where_it_lies_and_what_it_is(tmp_path: Path) -> None:
    file = Measured("a.png", FRAME, tmp_path / "a.png", "ab" * 32, "ab" * 32)
    made = plan(f"{HEAD}|a,a cat,a.png,{SEEDANCE},|b,a cat,{URL},{SEEDANCE},", Pictures(
        found={"a.png": file, URL: Measured(URL, FRAME)}))  # fmt: skip
    assert made.files == {made.rows[0].clip.key: SentFile(tmp_path / "a.png", "ab" * 32)}
    image = made.rows[0].clip.image
    assert (image.source, image.width, image.height, image.sha256) == ("a.png", 1280, 720, "ab" * 32)


class Sideways(Blank):
    """A ledger in which a clip of the photo as it is stored was bought by the first version, which did not turn it."""

    def __init__(self) -> None:
        self.asked: list[Sequence[str]] = []

    def keys_like(self, identities: Sequence[str]) -> Mapping[str, str]:
        self.asked.append(identities)
        return {} if len(self.asked) == 1 else {one: one for one in identities}

    def clips_of(self, clip_keys: Sequence[str]) -> Mapping[str, Clip]:
        return {}


def photo(folder: Path) -> Measured:
    """1280x720 as it is stored, 720x1280 as it is shown."""
    out, exif = io.BytesIO(), Picture.Exif()
    exif[0x0112] = 6
    Picture.linear_gradient("L").resize((1280, 720)).convert("RGB").save(out, "JPEG", exif=exif)
    content = out.getvalue()
    (folder / "a.jpg").write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    return Measured("a.jpg", measure(content, len(content)), folder / "a.jpg", digest, digest)


def test_a_photo_is_turned_upright_and_known_by_its_own_bytes(tmp_path: Path) -> None:
    taken = photo(tmp_path)
    made = plan(f"{HEAD}|a,a cat,a.jpg,{WAN},", Pictures(found={"a.jpg": taken}), derived=tmp_path / "made")
    image = made.rows[0].clip.image
    assert (image.width, image.height, image.made, image.sha256) == (720, 1280, "upright", taken.sha256)
    sent = made.files[made.rows[0].clip.key]
    assert sent.path.parent == tmp_path / "made" and sent.sha256 == hashlib.sha256(sent.path.read_bytes()).hexdigest()
    assert notes(made) == []


def test_one_that_was_bought_lying_on_its_side_is_not_bought_again_and_that_is_said(tmp_path: Path) -> None:
    csv = "\n".join([HEAD, *(f"r{n},<{n}>,a.jpg,{WAN}," for n in range(4))])
    world, known = Pictures(found={"a.jpg": photo(tmp_path)}), Sideways()
    made = plan(csv, world, record=known, derived=tmp_path / "made")
    assert [row.clip.key for row in made.rows] == known.asked[1]
    assert notes(made) == [
        "row 2 (r0), row 3 (r1), row 4 (r2), …: bought by an earlier version with the image as it is stored, which may be lying on "
        "its side; give the row another take to buy it upright"
    ]


@dataclass
class Ended(World):
    """Every provider says that its models are switched off, but of some ids."""

    serves: frozenset[str] = frozenset()

    async def ask(self, provider: str, names: list[str]) -> dict[str, Live]:
        return {name: Live(name in self.serves, "withdrawn", "2026-09-24") for name in names}


def ended(*rows: str, serves: Sequence[str] = ()) -> str:
    with pytest.raises(BadInput) as caught:
        plan("\n".join([f"{HEAD},duration", *rows]), Ended(serves=frozenset(serves)))
    assert not isinstance(caught.value, BadRows) and caught.value.trouble == "model-gone"
    return str(caught.value)


def test_a_model_that_nobody_serves_any_more_is_refused_with_what_takes_its_rows() -> None:
    """Of the same length, and of an image where the rows have one."""
    said = ended(f"a,a cat,{URL},{KLING},aiml,10", f"b,a dog,{URL},{KLING},aiml,5", serves=[WAN, SEEDANCE])
    assert said.startswith(f"{KLING} is no longer served at aiml (withdrawn on 2026-09-24).")
    assert f"--model {WAN} (" in said and "for 2 clips)" in said
    text = ended("a,a cat,,google/veo-3.1-t2v,aiml,8", serves=[WAN, "bytedance/seedance-1-0-pro-t2v"])
    assert WAN not in text, "it makes none of its prompt alone"


def test_of_two_that_ended_both_are_told_and_of_none_where_a_row_is_wrong() -> None:
    said = ended(f"a,a cat,{URL},{KLING},aiml,5", f"b,a dog,{URL},{WAN},aiml,5")
    assert said.index(f"{WAN} is no longer") < said.index(f"{KLING} is no longer")
    assert [bad.column for bad in refused(f"{HEAD}|a,,{URL},{KLING},aiml", Ended())] == ["prompt"]
