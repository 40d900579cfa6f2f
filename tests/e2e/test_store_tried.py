"""The store is tried before the first cent, by every command that says it is ready; and clips go the way it takes them."""

from __future__ import annotations

import pytest

from dailies.domain.states import State
from tests.e2e.harness import World, named
from tests.e2e.invariants import assert_invariants


@pytest.mark.parametrize(("manner", "said"), [
    ("sse-required", "set DAILIES_S3_SSE=AES256"),
    ("full", "the cluster has no free volume"),
    ("quota", "the user's quota of 5 GiB is used up"),
    ("read-only", "s3:PutObject"),
    ("kms-disabled", "KMS.DisabledException"),
    ("body-limit", "nginx: client_max_body_size"),
])  # fmt: skip
def test_what_can_not_be_stored_is_not_bought(world: World, manner: str, said: str) -> None:
    """`run`, `check` and `doctor` say the same: exit 2, the cause in the store's own words, and no POST."""
    world.csv(2)
    world.store.manners.add(manner)
    for result in (world.run(), world.command("check", str(world.prompts)), world.command("doctor")):
        assert result.code == 2 and said in result.stdout + result.stderr
    assert not world.posts() and not world.objects()


@pytest.mark.parametrize("manners", [
    ["checksum-400"], ["conditional-501"], ["ignores-conditional", "no-digest"], ["no-delete"],
])  # fmt: skip
def test_a_store_of_other_manners_gets_its_clips(world: World, manners: list[str]) -> None:
    """Clips, posters and reports arrive byte for byte; a stranger's object under the key stays as it was."""
    world.csv(2)
    world.store.manners |= set(manners)
    check = world.command("check", str(world.prompts), "--json")
    assert check.code == 0
    key = check.json["clips"][0]["clip_key"]
    taken = f"clips/batch/clip-1-{key[:12]}.mp4"
    world.s3().put_object(Bucket=world.bucket, Key=taken, Body=b"holiday")
    result = world.run()
    assert (result.code, result.json["delivered"]) == (0, 2)
    assert world.objects()[taken] == b"holiday"
    assert any(name.endswith("report.html") for name in world.objects())
    assert sum(name.endswith(".webp") for name in world.objects()) == 2
    world.store.manners.clear()
    assert_invariants(world)


def test_encryption_and_storage_class_go_with_every_object(world: World) -> None:
    """A bucket whose policy refuses all else: clips, posters, reports, the probe."""
    world.csv(1)
    world.store.manners.add("sse-required")
    result = world.run(DAILIES_S3_SSE="aes256", DAILIES_S3_STORAGE_CLASS="STANDARD_IA")
    assert (result.code, result.json["delivered"]) == (0, 1)
    assert len(world.store.puts) >= 5
    for path, headers in world.store.puts:
        sent = (headers.get("x-amz-server-side-encryption"), headers.get("x-amz-storage-class"))
        assert sent == ("AES256", "STANDARD_IA"), path


@pytest.mark.parametrize(("manner", "said"), [
    ("clips-full", "507 InsufficientStorage: the cluster has no free volume"),
    ("clips-quota", "the user's quota of 5 GiB is used up"),
    ("clips-checksum", "x-amz-checksum-sha256 is not supported"),
    ("clips-limit", "client_max_body_size"),
])  # fmt: skip
def test_a_refusal_in_mid_run_stops_claiming_at_once(world: World, manner: str, said: str) -> None:
    """The paid clips are kept and not called overdue, the store's words are shown, and the next run stores them unpaid."""
    world.csv(named("a", "b", "c", "d"))
    world.store.manners.add(manner)
    first = world.run("--in-flight", "1")
    kept = [clip for clip in first.json["clips"] if clip["state"] == "completed"]
    counted = {word: first.json[word] for word in ("interrupted", "overdue", "not_started")}
    assert first.code == 1 and kept
    assert counted == {"interrupted": len(kept), "overdue": 0, "not_started": 4 - len(kept)} and len(kept) < 4
    assert all(said in clip["error"] and str(world.home) in clip["error"] for clip in kept)
    assert len(list((world.home / "downloads").glob("*.mp4"))) == len(kept)
    bought = len(world.posts())
    world.store.manners.clear()
    assert world.command("collect").code == 0
    assert len(world.posts()) == bought
    assert all(attempt.state is State.STORED for attempt in world.attempts())
    assert_invariants(world)


def test_a_key_that_may_not_delete_leaves_one_object_a_day(world: World) -> None:
    """It is noted in the ledger; further runs and checks try nothing more that day."""
    world.store.manners.add("no-delete")
    for number in (1, 2):
        world.csv([{"id": f"n{number}", "prompt": f"number {number}"}])
        assert world.run().code == 0
    probes = [name for name in world.objects() if "dailies-probe-" in name]
    assert len(probes) == 1 and probes[0].startswith("clips/")
    check = world.command("check", str(world.csv([{"id": "n3", "prompt": "number 3"}])))
    assert check.code == 0 and "may not delete" in check.stderr


def test_an_id_of_200_japanese_letters_is_stored(world: World) -> None:
    """And so is a batch that is called like that: the metadata fits, and the whole id stands in ledger and report."""
    name = "扉" * 200
    world.csv([{"id": name, "prompt": "a door opens"}])
    result = world.run("--batch", "窓" * 200)
    assert (result.code, result.json["delivered"]) == (0, 1)
    assert result.json["clips"][0]["id"] == name
    assert_invariants(world, rerun=False)
