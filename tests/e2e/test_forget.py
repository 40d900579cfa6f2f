"""`dailies forget`: no byte of a clip is left anywhere, the money stays, and nothing of it is made again."""

from __future__ import annotations

import sqlite3
from base64 import b64encode
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from dailies.domain.needles import ways_to_write
from dailies.ledger.copies import copy_beside
from tests.e2e.fixtures import MakeWorld
from tests.e2e.harness import World, picture, sha256

PROMPTS = {
    "heron": "a heron that nobody shall remember takes off",
    "fox": 'a fox says "never mind" & walks away',
    "tide": "the tide comes in slowly\nover the stones",
}


@pytest.fixture
def told(world: World) -> World:
    """Three delivered clips, in a bucket that keeps versions, with a report that was written twice."""
    world.s3().put_bucket_versioning(Bucket=world.bucket, VersioningConfiguration={"Status": "Enabled"})
    world.csv([{"id": name, "prompt": prompt} for name, prompt in PROMPTS.items()])
    assert world.run().code == 0
    assert world.run().code == 0
    return world


def _everything(world: World) -> dict[str, bytes]:
    """Every object in the bucket, with all its versions, and every file below DAILIES_HOME, by name."""
    s3 = world.s3()
    found = {str(path): path.read_bytes() for path in world.home.rglob("*") if path.is_file()}
    for entry in s3.list_object_versions(Bucket=world.bucket).get("Versions", ()):
        version = {"Key": entry["Key"], "VersionId": entry["VersionId"]}
        found[f"{entry['Key']}@{entry['VersionId']}"] = s3.get_object(Bucket=world.bucket, **version)["Body"].read()
    return found


def _holding(world: World, names: list[str]) -> list[str]:
    """Where one of the prompts still stands, however it is written."""
    written = [text.encode() for name in names for text in ways_to_write(PROMPTS[name])]
    return [place for place, content in _everything(world).items() if any(text in content for text in written)]


MONEY = ("usd_quoted", "usd_charged", "usd_at_risk", "credits_used", "unreported", "rows", "delivered")
KEPT = (
    "id",
    "clip_key",
    "state",
    "provider",
    "model",
    "generation_id",
    "sha256",
    "size_bytes",
    "usd_quoted",
    "usd_charged",
)


def _report(world: World) -> dict[str, Any]:
    found: dict[str, Any] = world.command("report", "--batch", "batch", "--json").json
    return found


def test_nothing_is_left_but_the_money(told: World) -> None:
    clips, before = told.clips(), _report(told)
    sidecars = {name.removesuffix(".mp4") + ".json" for name in clips}
    assert sidecars < told.objects().keys()
    charges = len(told.charges())
    assert _holding(told, [*PROMPTS])
    assert told.command("forget", "--batch", "batch", "--yes").code == 0
    assert _holding(told, [*PROMPTS]) == []
    contents = {sha256(content) for content in _everything(told).values()}
    assert not contents & {sha256(content) for content in [*clips.values(), picture(1280, 720)]}
    assert not [name for name in told.objects() if name.endswith((".mp4", ".webp")) or name in sidecars]
    after = _report(told)
    assert {name: after[name] for name in MONEY} == {name: before[name] for name in MONEY}
    assert [{name: clip[name] for name in KEPT} for clip in after["clips"]] == [
        {name: clip[name] for name in KEPT} for clip in before["clips"]
    ]
    assert {clip["error"] for clip in after["clips"]} == {"forgotten"}

    again = told.run()
    assert again.code == 1 and {clip["error"] for clip in again.json["clips"]} == {"forgotten"}
    assert told.command("check", str(told.prompts), "--json").json["to_buy"] == 0
    assert told.command("collect", "--json").code == 0
    assert told.command("retry", "--yes", "--json").json == []
    assert len(told.charges()) == charges and not told.clips()
    assert _holding(told, [*PROMPTS]) == [], "a run over the same CSV puts nothing back"
    assert told.command("forget", "--batch", "batch", "--yes").code == 0


def test_copies_that_upgrades_left_are_cleaned_wherever_the_ledger_lies(make_world: MakeWorld, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    world = make_world(f"sqlite:///{elsewhere}/ledger.db")
    world.csv([{"id": name, "prompt": prompt} for name, prompt in PROMPTS.items()])
    assert world.run().code == 0
    with world.ledger() as ledger:
        copy = copy_beside(ledger.engine, 3)
    assert copy and b"nobody shall remember" in copy.read_bytes()
    assert world.command("forget", "--batch", "batch", "--yes").code == 0
    assert not [path for path in elsewhere.iterdir() if b"nobody shall remember" in path.read_bytes()]


def test_one_clip_goes_and_the_others_stay(told: World) -> None:
    assert told.command("forget", "--clip", "batch/fox", "--yes").code == 0
    assert _holding(told, ["fox"]) == []
    assert _holding(told, ["heron"]) and _holding(told, ["tide"])
    assert len(told.clips()) == 2
    again = told.run()
    assert again.code == 1 and (again.json["already_delivered"], again.json["failed"]) == (2, 1)


def test_a_further_take_that_goes_stays_a_row_of_its_batch_and_is_not_made_again(world: World) -> None:
    world.csv([{"id": "fox", "prompt": "a fox"}])
    assert world.run("--takes", "2").code == 0
    assert world.command("forget", "--clip", "batch/fox/2", "--yes").code == 0
    for asked in ((), ("--takes", "2")):
        again = world.run(*asked)
        assert again.code == 1 and "1 take forgotten on request" in again.stderr
        assert (again.json["rows"], again.json["already_delivered"], again.json["failed"]) == (2, 1, 1)
        assert [(clip["take"], clip["error"]) for clip in again.json["clips"]] == [("", None), ("2", "forgotten")]
    assert len(world.sandbox.charges()) == 2


@pytest.mark.parametrize(
    "words", [("--batch", "batch"), ("--clip", "batch/fox"), ("--batch", "batch", "--clip", "batch/fox"), ()]
)
def test_nobody_was_asked_so_nothing_is_removed(told: World, words: tuple[str, ...]) -> None:
    before = told.dump()
    refused = told.command("forget", *words)
    assert refused.code == 2 and "Nothing was removed" in refused.stderr
    assert told.dump() == before and len(told.clips()) == 3


@pytest.mark.parametrize("words", [("--batch", "nobody"), ("--clip", "batch/nobody")])
def test_what_is_unknown_is_refused(told: World, words: tuple[str, ...]) -> None:
    assert told.command("forget", *words, "--yes").code == 2


def test_what_is_not_settled_is_refused_and_named(world: World) -> None:
    world.csv([{"id": "lost", "prompt": "<lost> and found"}, {"id": "good", "prompt": "<good>"}])
    world.sandbox.fault("create", "status", status=503, match="<lost>")
    assert world.run().code == 1
    before = world.dump()
    refused = world.command("forget", "--batch", "batch", "--yes")
    assert refused.code == 2 and "batch/lost" in refused.stderr
    assert world.dump() == before and len(world.clips()) == 1


def test_a_key_that_may_not_see_versions_is_told_so(told: World) -> None:
    told.store.fault("denied", method="GET", times=999, part="versions")
    done = told.command("forget", "--batch", "batch", "--yes")
    assert done.code == 0 and "keeps versions" in done.stderr
    assert not told.clips()


@pytest.mark.engine
def test_the_local_prefect_server_forgets_too(told: World) -> None:
    """Its database lies in DAILIES_HOME, with the posters that the run's page shows: here a copy of a real server's."""
    database = told.home / "prefect" / "prefect.db"
    database.parent.mkdir()
    real = next(told.services.prefect_folder.glob("*.db"))
    with closing(sqlite3.connect(real)) as server, closing(sqlite3.connect(database)) as copy:
        server.backup(copy)
        copy.execute("CREATE TABLE note (text TEXT)")
        copy.executemany("INSERT INTO note VALUES (?)", [(prompt,) for prompt in PROMPTS.values()])
        copy.commit()
        runs = copy.execute("SELECT count(*) FROM flow_run").fetchone()
    posters = [b64encode(content) for name, content in told.objects().items() if name.endswith(".webp")]
    assert _stills(database, posters)
    assert told.command("forget", "--batch", "batch", "--yes").code == 0
    assert not _stills(database, posters)
    assert not [path for path in database.parent.iterdir() if b"nobody shall remember" in path.read_bytes()]
    with closing(sqlite3.connect(database)) as copy:
        assert copy.execute("SELECT count(*) FROM flow_run").fetchone() == runs


def _stills(database: Path, posters: list[bytes]) -> int:
    """In how many artifacts one of these pictures stands."""
    with closing(sqlite3.connect(database)) as copy:
        artifacts = [str(data) for (data,) in copy.execute("SELECT data FROM artifact")]
    return sum(poster.decode() in data for data in artifacts for poster in posters)
