"""The beginning of a run: what is read of a sheet wherever it lies, what refuses it before its first cent, and T0."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image
from pydantic import SecretStr

from dailies.domain.account import AccountStatus
from dailies.domain.clips import object_key
from dailies.domain.money import show_usd
from dailies.domain.states import State
from dailies.domain.takes import Link
from dailies.errors import BadInput, BadRows, Misconfigured
from dailies.ledger import AnotherFile, TakenNumber
from dailies.logs import hidden
from dailies.planning.batch import Batch
from dailies.planning.plan import Plan
from dailies.planning.request import BatchRequest
from dailies.planning.shards import fingerprint
from dailies.prompts import RawRow
from dailies.providers.live import Live
from dailies.steps import start
from dailies.steps.start import (
    check_accounts,
    free_texts,
    plan_batch,
    refuse_another_plan,
    start_batch,
    vetted_batch,
)
from dailies.storage.abilities import StoreAbilities
from dailies.storage.s3 import StoreTrouble
from tests.ledger.factories import USD, FakeClock, a_row, bring_to, ledgers_on
from tests.unit.steps_bench import Bench, bench_on, row_of

MODEL, TALL = "alibaba/wan-2-7-t2v", "openai/sora-2-pro-i2v"
SHEET = f"id,prompt,model,negative_prompt,client\ndawn,a cat smiles,{MODEL},no dogs please,acme\ndusk,a dog,{MODEL},,\n"
PLACE = "s3://clips/smiles"


@pytest.fixture
def bench(sqlite_url: str, tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    async def reach(*_: object) -> None:
        """Every way is open."""

    monkeypatch.setattr("dailies.steps.reachable.reach", reach)
    for bench in bench_on(sqlite_url, tmp_path, clock):
        bench.stores["clips", "smiles"] = StoreAbilities()
        written(bench, SHEET)
        yield bench


def written(bench: Bench, text: str, name: str = "smiles.csv") -> str:
    """A file in the bench's folder. Returns its path."""
    path = bench.folder / name
    path.write_text(text)
    return str(path)


def asking(bench: Bench, **asked: Any) -> BatchRequest:
    asked.setdefault("prompts", str(bench.folder / "smiles.csv"))
    return BatchRequest(**{"to": PLACE} | asked)


def planned(bench: Bench, on_record: bool = False, **asked: Any) -> Plan:
    return bench.run(plan_batch, asking(bench, **asked), lambda *_: None, on_record)


def started(bench: Bench, plan: Plan | None = None, **asked: Any) -> Batch:
    request = asking(bench, **asked)
    return bench.run(start_batch, request, plan or bench.run(plan_batch, request))


def picture(path: Path, width: int = 1280, height: int = 720) -> bytes:
    Image.new("RGB", (width, height)).save(path, "PNG")
    return path.read_bytes()


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


# What refuses a batch, and T0


def test_a_batch_that_starts_is_on_record(bench: Bench) -> None:
    """From where, whither, and how it was asked for; by the setting where nothing else says whither."""
    batch = started(bench, budget_usd=Decimal(100))
    assert (batch.destination, batch.caps.batch_usd) == (PLACE, Decimal(100)) and not batch.delivered_before
    assert [row.id for row in bench.ledger.rows("smiles")] == ["dawn", "dusk"]
    assert bench.ledger.batch_source("smiles") == str(bench.folder / "smiles.csv")
    assert bench.ledger.batch_destination("smiles") == PLACE
    bench.settings = {"dailies_to": PLACE, "dailies_budget_usd": Decimal(50), "dailies_daily_budget_usd": Decimal(70)}
    batch = started(bench, to=None)
    assert (batch.destination, batch.caps.batch_usd, batch.caps.day_usd) == (PLACE, Decimal(50), Decimal(70))
    assert started(bench, budget_usd=Decimal(60)).caps.batch_usd == 60


def test_t0_is_told_the_whole_plan(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its takes, its drafts that leave, its takes that stay removed, and whether other rows leave."""
    found = replace(planned(bench), takes=(Link("a" * 64, 2, "b" * 64),), replaced=("c" * 64,), forgotten=("d" * 64,))
    told: list[Any] = []
    monkeypatch.setattr(bench.ledger, "plan", lambda *asked, **named: told.append((asked, named)))
    for asked in ({}, {"limit": 2}):
        started(bench, found, **asked)
    request = asking(bench)
    assert told[0] == (
        ("smiles", found.source, PLACE, found.rows, found.quotes, False, request.asked()),
        {"takes": found.takes, "replaced": found.replaced, "staying": found.forgotten},
    )
    assert told[1][0][5] is True


def test_nothing_says_where_the_clips_go(bench: Bench) -> None:
    with pytest.raises(Misconfigured) as error:
        started(bench, to=None)
    assert error.value.trouble == "no-destination" and str(error.value) == (
        "nothing says where the clips go: pass --to s3://bucket/prefix or set DAILIES_TO. Nothing was bought."
    )


def test_a_file_under_the_name_of_another_s_batch_is_refused(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where that one was planned a moment ago."""
    started(bench)
    other = written(bench, f"prompt,model\na cow,{MODEL}\n", "other.csv")
    with pytest.raises(BadInput, match=r"the batch smiles is another file's: .*smiles.csv, and .*other.csv asks"):
        started(bench, prompts=other, batch="smiles")

    def refuse(*_: object, **__: object) -> None:
        raise AnotherFile("/moment/ago.csv")

    monkeypatch.setattr(bench.ledger, "plan", refuse)
    with pytest.raises(BadInput, match=r"the batch smiles is another file's: /moment/ago.csv, and .*smiles.csv asks"):
        started(bench)


def test_a_take_that_another_run_has_taken_is_planned_again(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise TakenNumber(Link("a" * 64, 2, "b" * 64))

    monkeypatch.setattr(bench.ledger, "plan", refuse)
    with pytest.raises(BadInput) as error:
        started(bench)
    assert str(error.value) == (
        "another run gave away the same take at this moment (take 2 of aaaaaaaaaaaa is another clip): run it again. Nothing was bought."
    )


def test_rows_without_a_price_are_bought_only_where_that_was_asked_for(bench: Bench) -> None:
    found = planned(bench)
    found = replace(found, quotes=dict.fromkeys(found.quotes))
    with pytest.raises(BadInput, match="dawn") as error:
        started(bench, found)
    assert error.value.trouble == "no-price" and bench.ledger.batch_source("smiles") is None
    assert started(bench, found, allow_unpriced=True).plan == found


def test_a_batch_that_costs_more_than_it_may_is_on_record_and_not_bought(bench: Bench) -> None:
    with pytest.raises(BadInput, match="budget"):
        started(bench, budget_usd=Decimal("0.01"))


def test_in_which_ways_the_store_is_unusual_is_said_once(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    bench.stores["clips", "smiles"] = StoreAbilities(conditional=False)
    caplog.set_level(logging.WARNING, "dailies.start")
    started(bench)
    assert caplog.messages == ["the store at s3://clips: no conditional writes: HEAD before PUT"]


def test_what_the_store_holds_already_is_not_bought(bench: Bench) -> None:
    """A shard relies on the look that its dispatch has taken."""
    found = planned(bench)
    dawn, dusk = found.rows
    told = {
        "sha256": hashlib.sha256(b"a clip").hexdigest(),
        "attempt": "e" * 32,
        "provider": "aiml",
        "generation-id": "g-1",
        "usd-quoted": "1",
        "row": "dawn",
    }
    told |= {"clip-key": dawn.clip.key, "batch": "smiles", "model": MODEL, "created": bench.clock().isoformat()}
    bench.shelf.objects["clips", object_key("smiles", "smiles", "dawn", dawn.clip.key)] = b"a clip", told
    bench.ledger.plan("smiles", found.source, PLACE, found.rows, found.quotes)
    assert started(bench, found, fingerprint=fingerprint(found.rows)).delivered_before == frozenset()
    cost = found.quotes[dusk.clip.key]
    batch = started(bench, found, budget_usd=(cost or 0) + 1)  # what it has cost counts
    assert batch.delivered_before == {dawn.clip.key} and not bench.ledger.attempts(dusk.clip.key)


def delivered(bench: Bench) -> Plan:
    """A plan whose clips are in S3 by the ledger, without an object of theirs there."""
    found = planned(bench)
    bench.ledger.plan("smiles", found.source, PLACE, found.rows, found.quotes)
    for row in found.rows:
        bring_to(bench.ledger, State.STORED, row.clip.key)
    return found


def test_a_delivered_batch_asks_nobody_but_the_store(bench: Bench) -> None:
    """No budget, no spool, no key and no provider; what is gone from there is to be fetched again."""
    found = delivered(bench)
    dawn = found.rows[0]
    uri = str(bench.ledger.attempts(dawn.clip.key)[0].s3_uri)
    bench.shelf.lay(uri.removeprefix("s3://clips/"), bytes(1_234_567))
    bench.stores.clear()
    (bench.folder / "spool").mkdir()
    (bench.folder / "spool" / "garbled.json").write_text("{")
    bench.vendor.standing = AccountStatus(refused="bad key")
    bench.vendor.asked.clear()
    batch = started(bench, found, budget_usd=Decimal(0))
    assert batch.delivered_before == {dawn.clip.key} and bench.vendor.asked == [] and bench.stores == {}


def test_a_ledger_at_home_that_knows_of_money_is_not_passed_by(bench: Bench, clock: FakeClock) -> None:
    """Where it is not the configured one."""
    found = planned(bench)
    with ledgers_on(f"sqlite:///{bench.folder}/ledger.db", clock) as make:
        bring_to(make(), State.SUBMITTED)
    with pytest.raises(Misconfigured) as error:
        started(bench, found)
    assert error.value.trouble == "ledger-elsewhere" and bench.ledger.batch_source("smiles") is None


def test_a_time_out_that_no_answer_can_meet_is_refused(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(start, "refuse_short_timeout", lambda *given: asked.append(given))
    found = planned(bench)
    bench.ledger.plan("smiles", found.source, PLACE, found.rows, found.quotes)
    bring_to(bench.ledger, State.STORED, found.rows[0].clip.key)
    bench.run(vetted_batch, asking(bench), found, PLACE)
    ((settings, catalog, rows),) = asked
    assert settings.home == bench.folder and catalog.find(MODEL) and rows == [found.rows[1]]


def test_a_provider_that_can_not_be_reached_is_found_before_anything_is_bought(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A row that may go elsewhere goes on, with a warning."""
    reached: list[str] = []

    async def reach(_network: object, address: str) -> None:
        reached.append(address)
        if "aimlapi" in address:
            raise Misconfigured("no route to it")

    monkeypatch.setattr("dailies.steps.reachable.reach", reach)
    with pytest.raises(Misconfigured) as error:
        started(bench)
    assert str(error.value) == "aiml: no route to it. Nothing was bought." and error.value.trouble == "network"
    found = planned(bench)
    elsewhere = tuple(row_of(row, ("aiml", "fal")) for row in found.rows)
    with pytest.raises(Misconfigured):
        started(bench, replace(found, rows=(*elsewhere[:1], found.rows[1])))
    caplog.set_level(logging.WARNING, "dailies.ways")
    started(bench, replace(found, rows=elsewhere))
    assert caplog.messages == ["aiml: no route to it"] and len(set(reached)) == 2


@pytest.mark.parametrize("dispatched", [False, True])
def test_the_store_is_tried_before_anything_is_bought(
    bench: Bench, dispatched: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once for all shards; a check that names none asks none."""
    tried: list[Any] = []

    def attempt(s3: object, bucket: str, prefix: str, now: object) -> StoreAbilities:
        tried.append((s3, bucket, prefix, now))
        return StoreAbilities(checksum=False)

    monkeypatch.setattr("dailies.steps.store.try_store", attempt)
    found = planned(bench)
    bench.stores.clear()
    bench.ledger.note_store(f"{bench.shelf.endpoint} s3://clips/smiles", StoreAbilities().record())
    request = asking(bench, fingerprint=fingerprint(found.rows) if dispatched else None)
    batch = bench.run(vetted_batch, request, found, "")
    assert (tried, bench.stores, batch.destination) == ([], {}, "s3:")
    batch = bench.run(vetted_batch, request, found, PLACE)
    assert batch.place == ("clips", "smiles") and bench.stores[batch.place].checksum is dispatched
    assert tried == ([] if dispatched else [(bench.shelf, "clips", "smiles", bench.clock())])


# The providers' accounts


def test_a_refused_key_stops_the_batch(bench: Bench) -> None:
    bench.vendor.standing = AccountStatus(refused="unknown key")
    with pytest.raises(Misconfigured) as error:
        started(bench)
    assert error.value.trouble == "key-refused" and str(error.value) == (
        "aiml refuses the key in AIML_API_KEY: unknown key. Nothing was bought. Copy it again, or make a new one"
    )


@pytest.mark.parametrize("left", ["1.26", "1.255", "1.25"])
def test_a_balance_that_can_not_pay_is_a_warning(bench: Bench, left: str, caplog: pytest.LogCaptureFixture) -> None:
    """To the cent, and by what each provider is to be asked for first."""
    rows = (row_of(a_row(1), ("aiml", "fal")), row_of(a_row(2), ("fal",)))
    quotes = {rows[0].clip.key: USD, rows[1].clip.key: USD - Decimal("0.005")}
    bench.vendor.standing = AccountStatus(balance_usd=Decimal(left))
    caplog.set_level(logging.WARNING, "dailies.start")
    bench.run(check_accounts, bench.batch(rows=rows, quotes=quotes).plan)
    assert caplog.messages == [
        f"the balance at {name} is {show_usd(Decimal(left))}, and this batch is quoted at {show_usd(usd)} there"
        for name, usd in zip(("aiml", "fal"), quotes.values(), strict=True) if Decimal(left) < usd
    ]  # fmt: skip


def test_a_balance_that_nobody_knows_is_no_warning(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "dailies.start")
    bench.run(check_accounts, bench.batch().plan)
    assert caplog.messages == []


# A shard


def test_a_shard_makes_what_was_dispatched_or_nothing(bench: Bench) -> None:
    batch = bench.batch(2)
    same = batch.request.but(fingerprint=fingerprint(batch.plan.rows), rows="1-2")
    bench.run(refuse_another_plan, same, batch.plan)
    fewer = replace(batch.plan, rows=batch.plan.rows[:1])
    bench.run(refuse_another_plan, batch.request, fewer)
    with pytest.raises(BadInput) as error:
        bench.run(refuse_another_plan, same, fewer)
    assert error.value.trouble == "dispatch" and str(error.value) == (
        "rows 1-2 of smiles.csv are not what was dispatched: the CSV, an image or this machine's settings differ, or a "
        "verdict was given since on which their takes depend. Dispatch it again. Nothing was bought."
    )


def test_a_shard_on_another_ledger_than_its_dispatch_makes_nothing(bench: Bench) -> None:
    batch = bench.batch(on_record=False)
    with pytest.raises(Misconfigured) as error:
        bench.run(refuse_another_plan, batch.request.but(fingerprint=fingerprint(batch.plan.rows)), batch.plan)
    assert error.value.trouble == "dispatch" and str(error.value) == (
        f"this worker's ledger ({bench.ledger.engine.url}) does not know the batch smiles that was dispatched. "
        "Set DAILIES_LEDGER_URL to the same Postgres everywhere. Nothing was bought."
    )


def test_a_shard_is_looked_at_for_its_plan_alone(bench: Bench) -> None:
    """Its file was looked at by its dispatch."""
    started(bench)
    other = written(bench, f"prompt,model\na cow,{MODEL}\n", "other.csv")
    found = planned(bench, prompts=other, batch="smiles")
    asked = {"prompts": other, "batch": "smiles", "fingerprint": fingerprint(found.rows)}
    assert bench.run(vetted_batch, asking(bench, **asked), found, PLACE).plan == found
    with pytest.raises(BadInput, match="are not what was dispatched"):
        started(bench, planned(bench), **asked)
