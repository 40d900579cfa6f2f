"""Every fault of the store: a paid clip gets there once, byte for byte, and what was there before is never overwritten."""

from __future__ import annotations

from dailies.domain.states import State
from tests.e2e.harness import World, named
from tests.e2e.invariants import assert_invariants


def test_a_put_that_fails_on_the_way_is_repeated(hasty: None, each_world: World) -> None:
    """503, a reset, a lost answer (our own object is recognised), a flipped byte (the checksum is refused)."""
    kinds = ["503", "reset", "lost", "flip"]
    each_world.csv(named(*kinds))
    for kind in kinds:
        each_world.store.fault(kind, "PUT", times=2, part=f"/{kind}-")
    assert each_world.run().code == 0
    assert len(each_world.clips()) == 4, "nothing is stored twice"
    assert_invariants(each_world)
    assert len(each_world.posts()) == 4


def test_a_head_that_fails_is_repeated(hasty: None, world: World) -> None:
    """The clip counts as stored only after a HEAD agrees."""
    world.csv(named("503", "reset"))
    for kind in ("503", "reset"):
        world.store.fault(kind, "HEAD", times=3, part=f"/{kind}-")
    assert world.run().code == 0
    assert_invariants(world)


def test_a_key_taken_by_other_bytes_is_not_overwritten(world: World) -> None:
    """The clip is stored beside it, and the ledger says where."""
    world.csv(1)
    world.run()
    [key] = world.clips()
    world.s3().put_object(Bucket=world.bucket, Key=key, Body=b"somebody else's")
    other = World(
        world.folder, world.services, world.sandbox, world.store, world.bucket, f"{world.ledger_url}-2", world.engine
    )
    other.prompts = world.prompts
    result = other.run(DAILIES_HOME=str(world.folder / "home-2"))
    assert result.code == 0
    assert world.objects()[key] == b"somebody else's"
    assert other.attempts()[0].s3_uri != f"s3://{world.bucket}/{key}"
    assert len(world.clips()) == 2


def test_a_bucket_that_denies_access_stops_the_run_and_keeps_the_clip(world: World) -> None:
    """The file stays on disk and is named; no more is bought; the next run stores it without paying or downloading."""
    world.csv(3)
    world.store.fault("denied", "PUT", times=999)
    first = world.run("--in-flight", "1")
    assert (
        first.code == 1
        and first.json["interrupted"] >= 1
        and first.json["not_started"] >= 1
        and not first.json["overdue"]
    )
    kept = list((world.home / "downloads").glob("*.mp4"))
    errors = " ".join(str(clip["error"]) for clip in first.json["clips"])
    assert kept and all(str(path) in errors for path in kept)
    bought = len(world.posts())
    world.store.clear_faults()
    world.sandbox.fault("download", "status", status=500, times=None, match="clip 1")
    assert world.command("collect").code == 0, "the download on disk is enough"
    assert len(world.posts()) == bought
    again = assert_invariants(world)
    assert again and again.code == 0 and len(world.charges()) == 3


def test_a_kept_clip_that_a_power_cut_has_garbled_is_fetched_again(world: World) -> None:
    """Its name holds its digest; what does not match is not stored, and the clip comes from the provider once more."""
    world.csv(1)
    world.store.fault("denied", "PUT", times=999)
    assert world.run().code == 1
    [kept] = (world.home / "downloads").glob("*.mp4")
    whole = kept.read_bytes()
    kept.write_bytes(whole[:-64] + bytes(64))
    world.store.clear_faults()
    assert world.command("collect").code == 0
    [key] = world.clips()
    assert world.objects()[key] == whole and len(world.posts()) == 1
    assert not list((world.home / "downloads").iterdir())


def test_a_bucket_that_is_not_there_is_found_before_anything_is_bought(world: World) -> None:
    """Exit 2, the bucket's name, no POST."""
    world.csv(1)
    result = world.run("--to", "s3://no-such-bucket-here/x")
    assert result.code == 2 and "no-such-bucket-here" in result.stderr and not world.posts()


def test_a_bucket_that_refuses_us_is_found_before_anything_is_bought(world: World) -> None:
    """Exit 2 and no POST."""
    world.csv(1)
    world.store.fault("denied", "HEAD", times=99, part=world.bucket)
    result = world.run()
    assert result.code == 2 and "refuses" in result.stderr and not world.posts()


def test_a_store_that_is_away_for_long_delays_a_clip_and_loses_nothing(hasty: None, world: World) -> None:
    """Paid, on disk, stored by the next run."""
    world.csv(1)
    world.store.fault("reset", "PUT", times=999)
    first = world.run()
    assert (first.code, first.json["interrupted"]) == (1, 1)
    assert [attempt.state for attempt in world.attempts()] == [State.COMPLETED]
    again = assert_invariants(world)
    assert again and again.code == 0 and len(world.posts()) == 1


def test_a_report_that_the_store_refuses_does_not_fail_the_batch(world: World) -> None:
    """The clips are delivered; the files are on disk; a warning says so."""
    world.csv(1)
    world.store.fault("denied", "PUT", times=9, part="credits.csv")
    result = world.run()
    assert result.code == 0 and "report is not in S3" in result.stderr
    assert (world.home / "reports" / "batch" / "credits.csv").exists()
    assert_invariants(world)
