"""A lost answer is asked for again with the same bytes, on any machine that has the row and its files: first frame, last frame,
references, a long prompt; and not at all where one of them is another."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import pytest

from dailies.catalog import load_catalog
from dailies.domain.creates import PaidRequest, Reference
from dailies.domain.kept_request import KeptRequest, keep
from dailies.domain.pictures import pictures_in
from dailies.domain.records import Attempt
from dailies.ledger import Caps
from dailies.planning.plan import Plan
from dailies.planning.request import BatchRequest
from dailies.sender.claims import request_for
from dailies.sender.shelf import Hold, Shelf
from dailies.steps.ask_again import _file_of, _further_files_of, _on_record
from dailies.steps.prepare import prepare
from dailies.steps.settle import _prepared_again
from tests.e2e.harness import picture
from tests.ledger.factories import FakeClock, ledgers_on
from tests.unit.planned import plan
from tests.unit.test_reference_images import Folder

NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)
NAMES = ("first.png", "end.png", "hero.png", "coat.png")
PROMPT = "She walks along the quay. " * 200
CSV = f"""id,prompt,image,model,provider,last_image,reference_images
a,"{PROMPT}",first.png,bytedance/seedance-2-0,aiml,end.png,hero.png|https://x.example/side.png|coat.png|hero.png"""
RUNTIME: Any = SimpleNamespace(catalog=load_catalog())


def a_machine(folder: Path) -> Folder:
    """A folder with the CSV's images, the same bytes everywhere."""
    folder.mkdir()
    found = Folder(folder, *NAMES)
    for at, file in enumerate(found.files.values()):
        file.write_bytes(picture(320 + at, 320) + bytes([at]) * 4000)
    return found


def sent_by(found: Plan, takes_pictures: bool) -> tuple[PaidRequest, KeptRequest]:
    """The row's request as it is sent, and as it is on record."""
    batch: Any = SimpleNamespace(plan=found, request=SimpleNamespace(allow_unpriced=True))
    prepared = anyio.run(prepare, RUNTIME, batch, found.rows[0], "aiml")
    hold = Hold(Shelf(10**9), pictures_in(prepared.body))
    anyio.run(hold.take)
    client: Any = SimpleNamespace(
        takes_pictures=takes_pictures, request=lambda body, _: PaidRequest("https://a.example/x", dict(body))
    )
    request = request_for(client, prepared, Reference("a", "k"), hold)  # type: ignore[arg-type]
    return request, keep(request, Reference("a", "k"), NOON)


def asked_again(found: Plan, kept: KeptRequest, provider: str = "higgsfield") -> PaidRequest | None:
    ledger = SimpleNamespace(kept_request=lambda _: kept, now=lambda: NOON)
    runtime: Any = SimpleNamespace(ledger=ledger, catalog=RUNTIME.catalog)
    attempt: Any = SimpleNamespace(id="a", provider=provider, request_digest="d", usd_quoted=Decimal(1))
    batch: Any = SimpleNamespace(plan=found)
    prepared = anyio.run(_prepared_again, runtime, batch, found.rows[0], attempt)
    return prepared.again[1] if prepared and prepared.again else None


@pytest.mark.parametrize("takes_pictures", [True, False])
def test_on_another_machine_it_is_the_same_bytes(tmp_path: Path, takes_pictures: bool) -> None:
    request, kept = sent_by(plan(CSV, a_machine(tmp_path / "one")), takes_pictures)
    again = asked_again(plan(CSV, a_machine(tmp_path / "other")), kept)
    assert again is not None and again.content == request.content
    assert hashlib.sha256(again.content).hexdigest() == kept.sha256
    assert again.content.count(b"data:image/png;base64,") == 5 and PROMPT.strip().encode() in again.content


def changed(folder: Folder) -> None:
    folder.files["coat.png"].write_bytes(folder.files["coat.png"].read_bytes() + b"x")


def gone(folder: Folder) -> None:
    folder.files["end.png"].unlink()


@pytest.mark.parametrize("spoil", [changed, gone])
def test_where_one_image_is_another_or_gone_nothing_is_sent(tmp_path: Path, spoil: Callable[[Folder], None]) -> None:
    machine = a_machine(tmp_path / "one")
    found = plan(CSV, machine)
    _, kept = sent_by(found, True)
    spoil(machine)
    assert asked_again(found, kept) is None


def test_a_row_that_says_something_else_now_is_not_sent_under_the_old_key(tmp_path: Path) -> None:
    machine = a_machine(tmp_path / "one")
    _, kept = sent_by(plan(CSV, machine), True)
    assert asked_again(plan(CSV.replace("quay", "pier"), machine), kept) is None


@pytest.mark.parametrize("provider", ["aiml", "onerouter", "fal", "openrouter"])
def test_a_provider_without_a_key_is_never_asked_so(tmp_path: Path, provider: str) -> None:
    found = plan(CSV, a_machine(tmp_path / "one"))
    assert asked_again(found, sent_by(found, True)[1], provider) is None


def test_a_person_who_asks_needs_the_record_and_the_folder_alone(tmp_path: Path) -> None:
    """`resolve --ask-again` reads no CSV: files are where it said, and known by the digests that are on record."""
    found = plan(CSV, a_machine(tmp_path / "one"))
    request, kept = sent_by(found, True)
    row = found.rows[0]
    asked = BatchRequest(prompts=str(tmp_path / "one" / "a.csv"))
    further = _further_files_of(asked, row)
    assert further == found.further_files and len(further) == 4
    from_record = Plan("b", asked.prompts, (row,), {}, _file_of(asked, row), further_files=further)
    again = asked_again(from_record, kept)
    assert again is not None and again.content == request.content
    assert not _further_files_of(BatchRequest(prompts="s3://b/a.csv"), row)


def test_what_is_asked_for_again_is_found_by_the_record_of_its_attempt(tmp_path: Path) -> None:
    """The way of `resolve --ask-again` from an attempt on record to the bytes that were sent."""
    found = plan(CSV, a_machine(tmp_path / "one"))
    request, kept = sent_by(found, True)
    (row,) = found.rows
    with ledgers_on(f"sqlite:///{tmp_path / 'ledger.db'}", FakeClock(NOON)) as make:
        ledger = make()
        ledger.plan("b", "a.csv", "s3://clips/b", [row], {row.clip.key: Decimal(1)})
        attempt = ledger.claim(row.clip.key, "b", "higgsfield", Decimal(1), Caps(), "digest", "ab" * 32)
        assert isinstance(attempt, Attempt)
        asked = SimpleNamespace(request=BatchRequest(prompts=str(tmp_path / "one" / "a.csv"), batch="b"))
        runtime: Any = SimpleNamespace(ledger=ledger, batches={"b": asked})
        batch, on_record = anyio.run(_on_record, runtime, attempt)
    again = asked_again(batch.plan, kept)
    assert on_record.clip.key == row.clip.key
    assert again is not None and again.content == request.content
