"""Where a clip goes is its own batch's record, whatever batch is in hand when it comes home."""

from __future__ import annotations

from dailies.domain.states import State
from tests.e2e.forks import KILLED
from tests.e2e.harness import World
from tests.e2e.invariants import assert_stored


def a_paid_clip_left_behind(world: World, name: str = "a", nth: int = 1, options: tuple[str, ...] = ()) -> None:
    """One batch of this name, killed when its clip, the nth that is fetched, is paid and not yet here."""
    world.csv(1, name=f"{name}.csv")
    child = world.start("run", str(world.prompts), "--json", *options, DAILIES_FAILPOINTS=f"before-download=kill@{nth}")
    assert child.wait() == KILLED


def second_bucket(world: World) -> str:
    """Another bucket of the same store."""
    world.s3().create_bucket(Bucket=f"{world.bucket}-b")
    return f"{world.bucket}-b"


def homes(world: World) -> dict[str, str]:
    """Where each clip lies, by its batch."""
    return {a.batch: (a.s3_uri or "").removesuffix(".mp4").rsplit("/", 1)[0] for a in world.attempts()}


def test_a_clip_of_another_batch_goes_where_its_own_batch_goes(world: World) -> None:
    a_paid_clip_left_behind(world)
    other = second_bucket(world)
    world.csv(2, name="b.csv")
    kept = world.folder / "films"
    assert world.run("--to", f"s3://{other}/else", "--keep-local", str(kept)).code == 0
    assert homes(world) == {"a": f"s3://{world.bucket}/clips/a", "b": f"s3://{other}/else/b"}
    posters = [key for key in world.objects() if key.endswith(".webp")]
    assert len(posters) == 1 and "/a/" in f"/{posters[0]}", "its poster lies beside it"
    assert len(list(kept.glob("*.mp4"))) == 2, "the copies are the batch's own"
    assert not list((world.home / "downloads").glob("*.mp4"))
    assert_stored(world, world.attempts())


def test_a_clip_of_another_batch_is_kept_where_its_own_batch_wants_it(world: World) -> None:
    """Its `--keep-local` and `--report-dir` stand in its record; those of the run in hand are not for it."""
    hers, figures, mine = (world.folder / name for name in ("hers", "figures", "mine"))
    a_paid_clip_left_behind(world, options=("--keep-local", str(hers), "--report-dir", str(figures)))
    world.csv(2, name="b.csv")
    assert world.run("--keep-local", str(mine)).code == 0
    assert [len(list(folder.glob("*.mp4"))) for folder in (hers, mine)] == [1, 2]
    assert len(list(figures.rglob("*.webp"))) == 1


def test_collect_and_a_run_of_another_prefix_of_the_same_bucket_keep_to_the_record(world: World) -> None:
    a_paid_clip_left_behind(world, "a")
    a_paid_clip_left_behind(world, "c", nth=2)  # it brings the clip of a home too
    assert world.command("collect", DAILIES_TO=f"s3://{second_bucket(world)}/nowhere").code == 0
    assert homes(world) == {"a": f"s3://{world.bucket}/clips/a", "c": f"s3://{world.bucket}/clips/c"}


def test_a_batch_that_is_planned_for_another_place_takes_what_is_not_home_along(world: World) -> None:
    """The record is the batch's as it was planned last."""
    a_paid_clip_left_behind(world)
    other = second_bucket(world)
    assert world.run("--to", f"s3://{other}/moved").code == 0
    assert homes(world) == {"a": f"s3://{other}/moved/a"}


def test_a_bucket_that_refuses_the_clip_of_another_batch_stops_nothing_here(world: World) -> None:
    a_paid_clip_left_behind(world)
    other = second_bucket(world)
    world.s3().delete_bucket(Bucket=world.bucket)  # the place of the other batch is gone
    world.csv(3, name="b.csv")
    result = world.run("--to", f"s3://{other}/else", "--in-flight", "1")
    assert (result.json["delivered"], result.json["not_started"]) == (3, 0)
    states = {a.batch: a.state for a in world.attempts()}
    assert states == {"a": State.COMPLETED, "b": State.STORED}
