"""What is read of a sheet wherever it lies, checked, measured and priced, before anything of it is on record."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from dailies.errors import BadInput, BadRows, Misconfigured
from dailies.logs import hidden
from dailies.planning.request import BatchRequest
from dailies.prompts import RawRow
from dailies.providers.live import Live
from dailies.steps import start
from dailies.steps.start import (
    free_texts,
    plan_batch,
)
from dailies.storage.s3 import StoreTrouble
from tests.ledger.factories import FakeClock
from tests.unit.beginnings import MODEL, PLACE, SHEET, TALL, asking, picture, planned, started, ways_open, written
from tests.unit.steps_bench import Bench


@pytest.fixture
def bench(sqlite_url: str, tmp_path: Path, clock: FakeClock) -> Iterator[Bench]:
    for bench in ways_open(sqlite_url, tmp_path, clock):
        written(bench, SHEET)
        yield bench


# Read, checked, measured and priced


def test_every_row_of_a_file_is_planned(bench: Bench) -> None:
    """With its own columns and options, and a price; nothing is on record yet."""
    found = planned(bench)
    assert (found.batch, found.source) == ("smiles", str(bench.folder / "smiles.csv"))
    assert [(row.id, row.clip.prompt, row.clip.model, row.providers) for row in found.rows] == [
        ("dawn", "a cat smiles", MODEL, ("aiml",)), ("dusk", "a dog", MODEL, ("aiml",)),
    ]  # fmt: skip
    assert dict(found.rows[0].clip.options) == {"negative_prompt": "no dogs please"}
    assert found.rows[0].labels == {"client": "acme"} and found.own_columns == ("client",)
    assert found.usd_quoted > 0 and bench.ledger.batch_source("smiles") is None


def test_what_rows_do_not_say_the_settings_do(bench: Bench) -> None:
    bench.settings = {"dailies_model": MODEL, "dailies_provider": "fal"}
    (row,) = planned(bench, prompts=written(bench, "prompt\na cat\n")).rows
    assert (row.clip.model, row.providers) == (MODEL, ("fal",))


def test_an_image_lies_beside_its_file_and_is_measured(bench: Bench) -> None:
    """Whatever folder the command is called from; how many are measured is told."""
    picture(bench.folder / "cat.png")
    told: list[tuple[int, int]] = []
    request = asking(bench, prompts=written(bench, f"prompt,image,model\na cat,cat.png,{TALL}\n"))
    found = bench.run(plan_batch, request, lambda *done: told.append(done))
    image = found.rows[0].clip.image
    assert (image.source, image.width, image.height, image.format) == ("cat.png", 1280, 720, "png") and told == [(1, 1)]
    assert found.files[found.rows[0].clip.key].path == bench.folder / "cat.png"


@pytest.mark.parametrize("where", ["~", "."])
def test_a_path_may_begin_at_home_or_here(bench: Bench, where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    picture(bench.folder / "cat.png")
    written(bench, f"prompt,image,model\na cat,cat.png,{TALL}\n", "here.csv")
    monkeypatch.setenv("HOME", str(bench.folder))
    monkeypatch.chdir(bench.folder)
    found = planned(bench, prompts=f"{where}/here.csv")
    assert found.files[found.rows[0].clip.key].path == bench.folder / "cat.png"


def test_an_image_is_fitted_only_where_that_was_asked_for(bench: Bench) -> None:
    """What is made of it, and a copy of one that lies elsewhere, is kept at home."""
    content = picture(bench.folder / "cat.png", 1300, 731)
    bench.shelf.lay("cat.png", content, "pictures")
    sheet = written(bench, f"prompt,image,model\na cat,s3://pictures/cat.png,{TALL}\n", "fit.csv")
    with pytest.raises(BadRows):
        planned(bench, prompts=sheet)
    assert not (bench.folder / "images").exists()
    found = planned(bench, prompts=sheet, fit="crop")
    assert found.files[found.rows[0].clip.key].path.parent == bench.folder / "images"
    assert any(file.read_bytes() == content for file in (bench.folder / "images").iterdir())


def test_an_address_is_asked_for_its_image_only_where_it_leads_outside(bench: Bench) -> None:
    content = picture(bench.folder / "cat.png")
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return httpx.Response(200, stream=httpx.ByteStream(content), headers={"Content-Length": str(len(content))})

    bench.http = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    image = "https://203.0.113.7/cat.png"
    found = planned(bench, prompts=written(bench, f"prompt,image,model\na,{image},{TALL}\n", "web.csv"))
    assert found.rows[0].clip.image.width == 1280 and set(asked) == {image}
    with pytest.raises(BadRows, match=r"127\.0\.0\.1"):
        planned(bench, prompts=written(bench, f"prompt,image,model\na,http://127.0.0.1/a,{TALL}\n", "own.csv"))
    assert set(asked) == {image}


def test_what_people_wrote_is_kept_out_of_the_log(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Prompts, and options that are sentences; not words to choose from."""
    told: list[str] = []
    monkeypatch.setattr(hidden, "hide_prompts", told.extend)
    planned(bench)
    assert told == ["a cat smiles", "no dogs please", "a dog"]
    assert free_texts({"seed": 12, "shot_type": "single", "negative_prompt": "no dogs", "audio": True}) == ["no dogs"]


def test_each_provider_is_asked_what_it_sells_and_with_a_key_for_how_much(bench: Bench) -> None:
    """An estimate is of our own account; it goes before the catalog's price."""
    bench.vendor.sells, bench.vendor.price = Live(True), Decimal("0.5")
    known = planned(bench)
    assert known.usd_quoted != Decimal(1)
    assert {asked[0] for asked in bench.vendor.asked} == {"live"}
    assert bench.vendor.asked[0] == ("live", [MODEL], bench.folder / "cache")
    bench.settings = {"aiml_api_key": SecretStr("k" * 32)}
    assert planned(bench).usd_quoted == Decimal(1)
    estimates = [asked[1] for asked in bench.vendor.asked if asked[0] == "estimate"]
    assert "a cat smiles" in [body["prompt"] for body in estimates]


def test_whoever_asks_least_is_looked_for_where_there_is_a_key(bench: Bench) -> None:
    bench.settings = {"fal_api_key": SecretStr("k" * 32)}
    (row,) = planned(bench, prompts=written(bench, f"prompt,model\na cat,{MODEL}\n"), provider="cheapest").rows
    assert row.providers == ("fal",)


def test_a_gone_model_is_refused_by_the_provider_s_own_list(bench: Bench) -> None:
    bench.vendor.sells = Live(False)
    with pytest.raises(BadInput, match=f"{MODEL} is no longer served at aiml"):
        planned(bench)


def test_a_bad_sheet_is_named(bench: Bench) -> None:
    with pytest.raises(BadRows) as error:
        planned(bench, prompts=written(bench, "id,model\na,b\n", "bad.csv"))
    assert "bad.csv" in str(error.value)


def test_a_matrix_multiplies_the_rows(bench: Bench) -> None:
    """Its values stand in the request, or in a file, whose columns may be options."""
    looks = written(bench, "seed,negative_prompt\n1,no dogs\n2,no cats\n", "looks.csv")
    found = planned(bench, matrix=("seed=7,8",))
    assert [row.clip.options["seed"] for row in found.rows] == [7, 8, 7, 8]
    found = planned(bench, matrix=(looks,), prompts=written(bench, f"prompt,model\na cat,{MODEL}\n", "one.csv"))
    assert [dict(row.clip.options) for row in found.rows] == [
        {"seed": 1, "negative_prompt": "no dogs"}, {"seed": 2, "negative_prompt": "no cats"},
    ]  # fmt: skip
    bench.shelf.lay("looks.csv", Path(looks).read_bytes(), "studio")
    again = planned(bench, matrix=("s3://studio/looks.csv",), prompts=str(bench.folder / "one.csv"))
    assert again.rows == found.rows


def test_a_matrix_that_can_not_be_read_is_named(bench: Bench) -> None:
    with pytest.raises(BadRows) as error:
        planned(bench, matrix=(written(bench, "", "looks.csv"),))
    assert "looks.csv" in str(error.value)


# A sheet in S3


def test_a_sheet_in_s3_has_its_images_beside_it(bench: Bench) -> None:
    """A first image, and further ones, one by one; the cells of others stay as they are."""
    content = picture(bench.folder / "cat.png")
    for name in ("cat.png", "end.png", "side.png"):
        bench.shelf.lay(f"week/{name}", content, "studio")
    sheet = (
        "prompt,image,model,client,last_image,reference_images\n"
        f"a cat,cat.png,{TALL},cat.png,,\na dog,cat.png,bytedance/seedance-2-0,,end.png,\n"
        "a cow,cat.png,bytedance/seedance-2-0,,,cat.png|side.png\n"
    )
    bench.shelf.lay("week/smiles.csv", sheet.encode(), "studio")
    found = planned(bench, prompts="s3://studio/week/smiles.csv")
    assert {row.clip.image.source for row in found.rows} == {"s3://studio/week/cat.png"}
    assert found.rows[0].labels["client"] == "cat.png" and found.source == "s3://studio/week/smiles.csv"
    assert str(found.rows[1].clip.options["last_image"]).startswith("s3://studio/week/end.png")
    references = str(found.rows[2].clip.options["reference_images"])
    assert "s3://studio/week/cat.png" in references and "s3://studio/week/side.png" in references


@pytest.mark.parametrize(
    ("image", "where"),
    [
        ("a.png", "s3://b/week/a.png"), ("more\\a.png", "s3://b/week/more/a.png"), ("s3://c/a.png", "s3://c/a.png"),
        ("https://x.example/a.png", "https://x.example/a.png"), ("data:image/png;base64,AA", "data:image/png;base64,AA"),
        ("/a.png", "/a.png"), ("\\a.png", "\\a.png"), ("../a.png", "../a.png"), ("x/../a.png", "x/../a.png"),
        ("a..b.png", "s3://b/week/a..b.png"), ("a|b.png", "s3://b/week/a|b.png"), ("", ""),
    ],
)  # fmt: skip
def test_only_a_path_from_here_leads_to_an_object_beside_a_sheet(image: str, where: str) -> None:
    """Not one that leads out of its folder, and no address."""
    row = RawRow(1, {"prompt": "p", "image": image}, {"last_image": image, "client": image}, 2)
    moved = start._beside(row, "s3://b/week/smiles.csv", frozenset({"last_image", "reference_images"}))
    assert moved.cells == {"prompt": "p", "image": where} and moved.labels == {"last_image": where, "client": image}


def test_a_sheet_that_is_not_in_s3_or_can_not_be_asked_for_is_refused(bench: Bench) -> None:
    uri = "s3://studio/week/smiles.csv"
    with pytest.raises(BadInput) as gone:
        planned(bench, prompts=uri)
    assert str(gone.value) == f"{uri}: there is no such object. Nothing was bought." and gone.value.trouble == "no-file"
    bench.shelf.trouble = [StoreTrouble("it is away")]
    with pytest.raises(Misconfigured) as away:
        planned(bench, prompts=uri)
    assert str(away.value) == f"{uri} can't be read: it is away. Nothing was bought." and away.value.trouble == "store"


def test_a_sheet_on_this_machine_that_is_not_there_is_refused(bench: Bench) -> None:
    with pytest.raises(BadInput, match="there is no such file"):
        planned(bench, prompts=str(bench.folder / "none.csv"))


# A batch as it is on record


def test_a_batch_on_record_is_planned_without_its_file(bench: Bench) -> None:
    """Its images lie where the file lay; what has left it is no row."""
    picture(bench.folder / "cat.png")
    sheet = written(bench, f"id,prompt,image,model\na,a cat,cat.png,{TALL}\nb,a dog,cat.png,{TALL}\n")
    before = started(bench, prompts=sheet, takes=2).plan
    Path(sheet).unlink()
    request = BatchRequest(prompts=sheet, to=PLACE)
    again = bench.run(plan_batch, request, lambda *_: None, True)
    assert [row.clip.key for row in again.rows] == [row.clip.key for row in before.rows if not row.clip.take]
    assert again.files[again.rows[0].clip.key].path == bench.folder / "cat.png"
    with pytest.raises(BadRows, match="a path needs a CSV on this machine"):
        bench.run(plan_batch, request.but(prompts="s3://studio/smiles.csv"), lambda *_: None, True)


def test_a_batch_of_which_nothing_is_on_record_can_not_be_made_again(bench: Bench) -> None:
    with pytest.raises(BadInput) as error:
        planned(bench, on_record=True)
    assert str(error.value) == "batch smiles has no rows on record. Nothing was bought."
    assert error.value.trouble == "which-one"
