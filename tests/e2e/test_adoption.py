"""A ledger that is gone or old: what the store, the spool and the provider's log know is taken in, not bought again."""

from __future__ import annotations

import json
import shutil

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


def test_a_store_that_knows_more_than_the_ledger_stops_the_run_until_it_is_adopted(world: World) -> None:
    """Clips of the batch that neither the ledger nor the CSV knows: the ledger is old, so nothing is bought before."""
    world.csv(2)
    world.run()
    forget(world)
    world.csv([{"id": "other", "prompt": "something new"}])
    refused = world.run()
    assert refused.code == 2
    assert "dailies doctor --adopt" in refused.stderr
    assert len(world.posts()) == 2
    adopted = world.command("doctor", "--adopt")
    assert adopted.stderr.count("adopted s3://") == 2
    bought = world.run()
    assert (bought.code, bought.json["delivered"]) == (0, 1)
    assert_invariants(world)


def test_a_spool_that_knows_more_than_the_ledger_stops_the_run_until_it_is_adopted(world: World) -> None:
    """An answer of a forgotten attempt waits in the spool: taken in by `doctor --adopt`, then brought home."""
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
    refused = world.run()
    assert refused.code == 2
    assert "1 answers in the spool" in refused.stderr
    world.sandbox.clear_faults()
    assert "adopted generation" in world.command("doctor", "--adopt").stderr
    result = world.run()
    assert (result.code, len(world.charges())) == (0, 1)
    assert_invariants(world)


def test_a_lost_ledger_finds_unfetched_purchases_in_the_providers_log(world: World) -> None:
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
