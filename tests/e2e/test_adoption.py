"""A ledger that is gone or old: what the store, the spool and the provider's log know is taken in, not bought again."""

from __future__ import annotations

import json
import shutil
import sqlite3

import pytest

from dailies.domain.clips import slug
from tests.e2e.harness import World
from tests.e2e.invariants import assert_invariants


def forget(world: World) -> None:
    """The ledger is gone; the spool and the store are still there."""
    for path in world.home.glob("ledger.db*"):
        path.unlink()


def test_a_fresh_container_adopts_the_whole_batch_from_s3(world: World) -> None:
    """DAILIES_HOME is gone: every clip is found under its key, adopted with its figures, and nothing is bought."""
    world.csv(3)
    first = world.run()
    shutil.rmtree(world.home)
    again = world.run()
    assert again.code == 0
    assert again.json["already_delivered"] == 3
    assert len(world.posts()) == 3
    kept = ("s3_uri", "sha256", "size_bytes", "usd_charged", "credits_used", "generation_id")
    for clip in first.json["clips"]:
        assert {name: again.clip(clip["id"])[name] for name in kept} == {name: clip[name] for name in kept}
    assert_invariants(world)


def test_a_bucket_that_was_copied_without_metadata_is_adopted_by_its_sidecars(world: World) -> None:
    """As `aws s3 cp --metadata-directive REPLACE`, rclone and other movers do it: nothing is bought."""
    world.csv(2)
    first = world.run()
    for key, content in world.objects().items():
        world.s3().put_object(Bucket=world.bucket, Key=key, Body=content)
    shutil.rmtree(world.home)
    again = world.run()
    assert (again.code, again.json["already_delivered"], len(world.posts())) == (0, 2, 2)
    kept = ("s3_uri", "sha256", "size_bytes", "usd_charged", "credits_used", "generation_id")
    for clip in first.json["clips"]:
        assert {name: again.clip(clip["id"])[name] for name in kept} == {name: clip[name] for name in kept}
    assert_invariants(world, rerun=False)


def test_a_ledger_that_forgot_one_purchase_adopts_it_and_buys_the_others(world: World) -> None:
    """The new rows are bought, the old one is adopted."""
    world.csv(1)
    world.run()
    forget(world)
    world.csv(3)
    again = world.run()
    assert (again.code, again.json["already_delivered"], again.json["delivered"]) == (0, 1, 2)
    assert len(world.charges()) == 3
    assert_invariants(world)


def test_a_key_that_holds_no_whole_clip_of_ours_is_not_adopted(world: World) -> None:
    """Somebody else's object under our key: the clip is bought and stored beside it; theirs is untouched."""
    world.csv(1)
    key = world.command("check", str(world.prompts), "--json").json["clips"][0]["clip_key"]
    taken = f"clips/batch/clip-1-{key[:12]}.mp4"
    world.s3().put_object(Bucket=world.bucket, Key=taken, Body=b"holiday.mp4", Metadata={"clip-key": key})
    result = world.run()
    assert result.code == 0
    assert result.json["clips"][0]["s3_uri"] != f"s3://{world.bucket}/{taken}"
    assert world.objects()[taken] == b"holiday.mp4"
    assert_invariants(world)


def test_clips_of_rows_that_nobody_wants_now_are_adopted_too(world: World) -> None:
    """Clips of the batch that neither the ledger nor the CSV knows: their money counts before anything new is bought."""
    world.csv(2)
    world.run()
    forget(world)
    world.csv([{"id": "other", "prompt": "something new"}])
    bought = world.run()
    assert (bought.code, bought.json["delivered"], len(world.charges())) == (0, 1, 3)
    assert len(world.attempts()) == 3
    assert_invariants(world)


def test_a_spool_that_knows_more_than_the_ledger_is_taken_in_before_anything_is_bought(world: World) -> None:
    """An answer of a forgotten attempt waits in the spool: it is written anew and brought home."""
    world.csv(1)
    world.sandbox.fault("poll", "never", times=None)
    world.run(DAILIES_CLIP_DEADLINE_S="0.2")
    [attempt] = world.attempts()
    forget(world)
    (world.home / "spool").mkdir(exist_ok=True)
    answer = {
        "attempt_id": attempt.id, "generation_id": attempt.generation_id, "clip_key": attempt.clip_key, "batch": "batch",
        "provider": "aiml", "usd_quoted": str(attempt.usd_quoted), "created_at": attempt.created_at.isoformat(),
    }  # fmt: skip
    (world.home / "spool" / f"{attempt.id}.json").write_text(json.dumps(answer))
    world.sandbox.clear_faults()
    result = world.run()
    assert (result.code, len(world.charges())) == (0, 1)
    assert not list((world.home / "spool").glob("*.json"))
    assert_invariants(world)


def test_a_file_of_the_spool_that_nobody_can_read_is_asked_about_before_anything_is_bought(world: World) -> None:
    """It may hold the id of the very clip that would be bought."""
    world.csv(1)
    (world.home / "spool").mkdir(parents=True)
    strange = world.home / "spool" / f"{'0a' * 16}.json"
    strange.write_text('{"version": 99}')
    refused = world.run()
    assert refused.code == 2 and str(strange) in refused.stderr and not world.posts()
    strange.rename(world.folder / "looked at.json")
    assert world.run().code == 0


def test_doctor_adopts_what_lies_below_the_destination(world: World) -> None:
    """Without a CSV: every clip whose metadata says what it is."""
    world.csv(2)
    world.run()
    forget(world)
    adopted = world.command("doctor", "--adopt")
    assert adopted.stderr.count("adopted s3://") == 2
    assert len(world.attempts()) == 2 and len(world.posts()) == 2


ROWS = [{"id": f"scene-{n}", "prompt": f"the scene {n}"} for n in range(3)]
NEW = {"id": "new", "prompt": "one more"}


EDITS: dict[str, tuple[list[dict[str, str]], str, list[str]]] = {
    "inserted": ([NEW, *ROWS], "batch.csv", []),
    "ids edited": ([{**row, "id": f"renamed {row['id']}"} for row in ROWS] + [NEW], "batch.csv", []),
    "file renamed": ([*ROWS, NEW], "another.csv", []),
    "batch renamed": ([*ROWS, NEW], "batch.csv", ["--batch", "another name"]),
    "all at once": ([*reversed(ROWS), NEW], "third.csv", ["--batch", "窓" * 100]),
}


@pytest.mark.parametrize(("edit", "lost"), [
    ("inserted", "older"), ("ids edited", "gone"), ("file renamed", "older"), ("batch renamed", "gone"),
    ("all at once", "older"), ("all at once", "gone"),
])  # fmt: skip
def test_a_ledger_that_knows_less_buys_only_what_is_new(world: World, edit: str, lost: str) -> None:
    """Clips are known by what they are. The place where each lies is on record, and its money in its own batch."""
    rows, name, options = EDITS[edit]
    older = world.folder / "older.db"
    if lost == "older":
        world.csv(ROWS[:1])
        world.run()
        with sqlite3.connect(world.home / "ledger.db") as now, sqlite3.connect(older) as copy:
            now.backup(copy)
    world.csv(ROWS)
    first = world.run()
    forget(world)
    if lost == "older":
        shutil.copy(older, world.home / "ledger.db")
    world.csv(rows, name)
    again = world.run(*options)
    assert (again.code, again.json["already_delivered"], again.json["delivered"]) == (0, 3, 1)
    assert len(world.charges()) == 4
    lies = {clip["sha256"]: clip["s3_uri"] for clip in first.json["clips"]}
    shown = {clip["sha256"]: clip["s3_uri"] for clip in again.json["clips"]}
    assert {attempt.sha256: attempt.s3_uri for attempt in world.attempts()}.items() >= lies.items()
    if slug(again.json["batch"], "batch") == "batch":  # one folder
        assert shown.items() > lies.items() and len(world.clips()) == 4
    else:  # another batch has copies of its own, for which nothing was charged
        assert shown.keys() > lies.keys() and not {*shown.values()} & {*lies.values()} and len(world.clips()) == 7
    assert_invariants(world, rerun=False)


def test_check_counts_what_a_run_would_buy_after_it_has_looked_into_store_and_log(world: World, hasty: None) -> None:
    """One clip in S3, one paid and not fetched, one new: the ledger is gone, and `check` says what `run` then does."""
    world.csv(ROWS[:1])
    world.run()
    world.sandbox.fault("download", "expired", times=None)
    world.csv(ROWS[:2])
    world.run()
    world.sandbox.clear_faults()
    shutil.rmtree(world.home)
    world.csv([*ROWS[:2], NEW])
    checked = world.command("check", str(world.prompts), "--json").json
    assert (checked["to_buy"], checked["usd_to_buy"]) == (1, 1.26)
    assert {clip["id"]: clip["check"] for clip in checked["clips"]}[ROWS[0]["id"]] == "delivered"
    assert len(world.charges()) == 2
    assert world.run().code == 0 and len(world.charges()) == 3
    assert_invariants(world)


def test_an_older_ledger_finds_unfetched_purchases_in_the_providers_log(world: World, hasty: None) -> None:
    """Not only an empty one: bought after the copy was made, never fetched, and the row has another number now."""
    world.csv(ROWS[:1])
    world.run()
    older = world.folder / "older.db"
    with sqlite3.connect(world.home / "ledger.db") as now, sqlite3.connect(older) as copy:
        now.backup(copy)
    world.csv(ROWS)
    world.sandbox.fault("download", "expired", times=None)
    world.run()
    world.sandbox.clear_faults()
    forget(world)
    shutil.rmtree(world.home / "downloads")
    shutil.copy(older, world.home / "ledger.db")
    world.csv([NEW, *reversed(ROWS)], "renamed.csv")
    again = world.run()
    assert again.code == 0 and len(world.charges()) == 4
    assert_invariants(world)


def test_one_listing_and_one_head_for_each_find(world: World) -> None:
    """And neither listing nor log is asked where nothing is to be bought."""
    world.csv(ROWS)
    world.run()
    forget(world)
    world.store.seen.clear()
    world.csv([*ROWS, NEW])
    world.run()
    before = world.store.seen[: next(n for n, (method, path) in enumerate(world.store.seen) if "/new-" in path)]
    listings = [path for method, path in before if "list-type=2" in path and "dailies-probe" not in path]
    heads = [path for method, path in before if method == "HEAD" and ".mp4" in path]
    assert len(listings) == 2 and len(heads) == 3, "the destination for what is ours, the batch for what is delivered"
    world.store.seen.clear()
    logs = sum(seen.path == "/v2/logs" for seen in world.sandbox.requests())
    assert world.run().code == 0
    assert sum("list-type=2" in path for _, path in world.store.seen) == 1
    assert not [path for _, path in world.store.seen if "dailies-probe" in path]
    assert sum(seen.path == "/v2/logs" for seen in world.sandbox.requests()) == logs


def test_a_key_that_may_not_list_adopts_by_the_expected_names(world: World) -> None:
    """A store answers it 403 for what is not there; that is read as nothing there, and the new row is bought."""
    world.store.manners.add("no-list")
    world.csv(ROWS)
    assert world.run().code == 0
    forget(world)
    world.csv([*ROWS, NEW])
    again = world.run()
    assert (again.code, again.json["already_delivered"], len(world.charges())) == (0, 3, 4)
    world.store.manners.clear()
    assert_invariants(world)


@pytest.mark.parametrize("flipped", [True, False])
def test_a_clip_is_adopted_only_when_its_bytes_are_proven(world: World, flipped: bool) -> None:
    """A store without digests: the object is read back. Other bytes under our metadata are nobody's purchase."""
    world.store.manners.add("no-digest")
    world.csv(ROWS[:1])
    world.run()
    [(key, content)] = world.clips().items()
    if flipped:
        metadata = world.s3().head_object(Bucket=world.bucket, Key=key)["Metadata"]
        world.s3().put_object(Bucket=world.bucket, Key=key, Body=content[::-1], Metadata=metadata)
    forget(world)
    (world.home / "downloads").mkdir(exist_ok=True)
    again = world.run()
    assert again.code == 0
    assert again.json["already_delivered"] == (0 if flipped else 1)
    assert len(world.charges()) == 1, "the provider's log knows the purchase that the store does not prove"


def test_a_lost_ledger_finds_unfetched_purchases_in_the_providers_log(world: World, hasty: None) -> None:
    """Bought, never fetched, ledger gone: our reference in the provider's log ends in the clip's identity."""
    world.csv(2)
    world.sandbox.fault("download", "expired", times=None)
    world.run()
    world.sandbox.clear_faults()
    shutil.rmtree(world.home)
    again = world.run()
    assert again.code == 0
    assert len(world.charges()) == 2
    assert_invariants(world)
