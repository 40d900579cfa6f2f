"""The beginning of a run: what refuses a batch before its first cent, and T0."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from dailies.domain.account import AccountStatus
from dailies.domain.clips import object_key
from dailies.domain.money import show_usd
from dailies.domain.states import State
from dailies.domain.takes import Link
from dailies.errors import BadInput, Misconfigured
from dailies.ledger import AnotherFile, TakenNumber
from dailies.planning.plan import Plan
from dailies.planning.shards import fingerprint
from dailies.steps import start
from dailies.steps.start import (
    check_accounts,
    refuse_another_plan,
    vetted_batch,
)
from dailies.storage.abilities import StoreAbilities
from tests.ledger.factories import USD, FakeClock, a_row, bring_to, ledgers_on
from tests.unit.beginnings import MODEL, PLACE, SHEET, asking, planned, started, ways_open, written
from tests.unit.steps_bench import Bench, row_of


@pytest.fixture
def bench(sqlite_url: str, tmp_path: Path, clock: FakeClock) -> Iterator[Bench]:
    for bench in ways_open(sqlite_url, tmp_path, clock):
        written(bench, SHEET)
        yield bench


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


@pytest.mark.parametrize("asked", ["keep_local", "report_dir"])
def test_a_file_where_a_folder_is_wanted_is_found_before_anything_is_read(bench: Bench, asked: str) -> None:
    """For whoever calls the flow, too; a folder that is still to be made is none."""
    file = written(bench, "mine", "file")
    in_the_way: dict[str, Any] = {asked: f"{file}/below"}
    with pytest.raises(
        BadInput, match=f"^--{asked.replace('_', '-')} {file}/below: {file} is no folder: name one, such as"
    ):
        planned(bench, prompts="none.csv", **in_the_way)
    to_be_made: dict[str, Any] = {asked: str(bench.folder / "new" / "below")}
    assert planned(bench, **to_be_made).rows


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
