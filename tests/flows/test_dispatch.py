"""A batch in parts: how it is split, what a part may and may not do, and when a part is started again."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dailies.domain.clips import Clip, Image, Row
from dailies.errors import BadInput, Misconfigured
from dailies.ledger import Ledger
from dailies.planning.request import BatchRequest
from dailies.planning.shards import chosen, died, fingerprint, parse_rows, share, split
from dailies.runtime import open_runtime
from dailies.steps.inbox import Delivered, batch_of, inbox_folder
from dailies.steps.report import batch_credits
from dailies.steps.shards import open_shards
from dailies.steps.start import begin_batch, plan_batch
from tests.e2e.harness import World


def a_row(number: int, prompt: str = "a boat") -> Row:
    """A good row."""
    image = Image("boat.png", 1280, 720, "png", 1000, "ab" * 32)
    clip = Clip("openai/sora-2-pro-i2v", f"{prompt} {number}", image, "720p", "16:9", 4)
    return Row(number, f"clip-{number}", clip, ("aiml",))


@given(st.sets(st.integers(1, 3000), min_size=1, max_size=120), st.integers(1, 50))
def test_every_row_is_in_exactly_one_shard_and_no_shard_is_too_large(numbers: set[int], size: int) -> None:
    rows = [a_row(number) for number in numbers]
    shards = split(rows, size)
    keys = [key for shard in shards for key in shard.clip_keys]
    assert sorted(keys) == sorted(row.clip.key for row in rows)
    assert all(len(shard.clip_keys) <= size for shard in shards)
    for shard in shards:  # what a shard is called finds its rows again, and nothing else
        assert fingerprint(chosen(rows, shard.rows)) == shard.fingerprint


def test_the_same_batch_gives_the_same_shards_whatever_the_order_and_a_changed_row_changes_only_its_own() -> None:
    rows = [a_row(number) for number in range(1, 21)]
    before = split(rows, 5)
    assert split(list(reversed(rows)), 5) == before
    after = split([*rows[:7], a_row(8, "a bird"), *rows[8:]], 5)
    assert [a.fingerprint == b.fingerprint for a, b in zip(after, before, strict=True)] == [True, False, True, True]
    assert before[0].key("b", 0) != before[0].key("b", 1) != after[1].key("b", 0)


@pytest.mark.parametrize("text", ["0-3", "5-4", "a", "", "1-", "-3", "1-2-3", "1,2"])
def test_rows_that_mean_nothing_are_refused(text: str) -> None:
    with pytest.raises(BadInput, match="Nothing was bought"):
        parse_rows(text)


def test_a_part_without_rows_is_refused() -> None:
    with pytest.raises(BadInput, match="none of these"):
        chosen([a_row(1)], "7-9")


def test_all_shards_together_keep_to_what_may_be_in_flight() -> None:
    assert [share(20, 4), share(20, 3), share(3, 8)] == [5, 6, 1]


def test_only_a_run_that_had_no_say_is_started_again() -> None:
    assert died("CRASHED", "Crashed") and died("FAILED", "Interrupted")
    assert not any(
        died(kind, name) for kind, name in (("COMPLETED", "PartialSuccess"), ("FAILED", "Failed"), ("CANCELLED", ""))
    )


def test_a_part_makes_only_its_rows_and_reports_only_on_them(world: World) -> None:
    prompts = world.csv(12)
    part = _made(world, BatchRequest(prompts=str(prompts), batch="big", rows="4-6"))
    assert part == "clip-4 clip-5 clip-6"
    assert [row.id for row in _rows(world, "big")] == ["clip-4", "clip-5", "clip-6"]


def test_a_part_leaves_the_other_rows_of_its_batch_as_they_are(world: World) -> None:
    prompts = world.csv(12)
    _made(world, BatchRequest(prompts=str(prompts), batch="big"))
    _made(world, BatchRequest(prompts=str(prompts), batch="big", rows="4-6"))
    assert len(_rows(world, "big")) == 12
    _made(world, BatchRequest(prompts=str(world.csv(3)), batch="big"))
    assert len(_rows(world, "big")) == 3, "the whole CSV still says which rows have left it"


def test_a_rows_name_is_the_same_in_a_part_as_in_the_whole(world: World) -> None:
    prompts = world.csv([{"id": "", "prompt": f"boat {number}"} for number in range(1, 121)])
    assert _made(world, BatchRequest(prompts=str(prompts), batch="big", rows="7")) == "row-007"


def test_a_shard_that_is_not_what_was_dispatched_buys_nothing(world: World) -> None:
    prompts = world.csv(6)
    _made(world, BatchRequest(prompts=str(prompts), batch="big"))
    order = BatchRequest(prompts=str(prompts), batch="big", rows="1-3", fingerprint="0" * 12)
    with pytest.raises(BadInput, match="not what was dispatched"):
        _made(world, order)


def test_a_shard_on_another_ledger_than_the_dispatchs_buys_nothing(world: World) -> None:
    order = BatchRequest(prompts=str(world.csv(6)), batch="big", rows="1-3", fingerprint="0" * 12)
    with pytest.raises(Misconfigured, match="DAILIES_LEDGER_URL"):
        _made(world, order)


def test_a_second_dispatch_finds_no_shard_with_anything_left_to_do(world: World) -> None:
    prompts = world.csv(6)
    assert _open(world, BatchRequest(prompts=str(prompts), batch="big"), 2) == ["1-2", "3-4", "5-6"]
    assert world.run("--batch", "big").code == 0
    assert _open(world, BatchRequest(prompts=str(prompts), batch="big"), 2) == []
    assert _open(world, BatchRequest(prompts=str(world.csv(7)), batch="big"), 2) == ["7-7"]


async def _start(world: World, order: BatchRequest) -> str:
    from dailies.settings import load_settings

    async with open_runtime(load_settings(dotenv=False)) as runtime:
        batch = await begin_batch(runtime, order)
        lines = batch_credits(runtime, batch).lines
        assert {line.clip_key for line in lines} >= batch.rows.keys()
        return " ".join(row.id for row in batch.plan.rows)


def _made(world: World, order: BatchRequest) -> str:
    import anyio

    with world.here():
        return anyio.run(_start, world, order)


def _open(world: World, order: BatchRequest, size: int) -> list[str]:
    import anyio

    from dailies.settings import load_settings

    async def opened() -> list[str]:
        async with open_runtime(load_settings(dotenv=False)) as runtime:
            batch = await begin_batch(runtime, order)
            return [shard.rows for shard in await open_shards(runtime, batch, size)]

    with world.here():
        return anyio.run(opened)


def _rows(world: World, batch: str) -> list[Row]:
    with world.ledger() as ledger:
        assert isinstance(ledger, Ledger)
        return [row for row in ledger.rows(batch) if not row.retired]  # type: ignore[misc]


# The inbox


@pytest.mark.parametrize(
    ("key", "prefix", "batch"),
    [
        ("inbox/monday.csv", "inbox", "monday"),
        ("inbox/Week 47/Prompts.CSV", "inbox", "week-47-prompts"),
        ("monday.csv", "", "monday"),
        ("a/b/ä.csv", "a", "b-a"),
    ],
)
def test_a_batch_is_called_after_its_path_in_the_inbox(key: str, prefix: str, batch: str) -> None:
    assert batch_of(key, prefix) == batch


def test_a_csv_is_new_once_and_again_when_its_content_changes() -> None:
    seen = Delivered("s3://b/inbox/a.csv", "a", '"etag-1"')
    assert seen.key == Delivered("s3://b/inbox/a.csv", "a", '"etag-1"').key
    assert (
        len(
            {
                seen.key,
                Delivered("s3://b/inbox/a.csv", "a", '"etag-2"').key,
                Delivered("s3://b/x/a.csv", "a", '"etag-1"').key,
            }
        )
        == 3
    )


def test_the_inbox_lies_below_the_destination_where_no_batch_can_be() -> None:
    from dailies.settings import load_settings

    settings = load_settings({"dailies_to": "s3://studio/clips/"}, environ={}, dotenv=False)
    assert inbox_folder(None, settings) == "s3://studio/clips/_inbox"
    assert inbox_folder(" s3://other/in/ ", settings) == "s3://other/in"
    with pytest.raises(Misconfigured, match="DAILIES_TO"):
        inbox_folder("", load_settings({}, environ={}, dotenv=False))


def test_a_quote_is_never_lost_in_a_part(world: World) -> None:
    """The whole batch's quote is the sum of its parts' quotes."""
    import anyio

    from dailies.settings import load_settings

    prompts = str(world.csv(4))

    async def quoted(order: BatchRequest) -> Decimal:
        async with open_runtime(load_settings(dotenv=False)) as runtime:
            return (await plan_batch(runtime, order)).usd_quoted

    with world.here():
        parts = [anyio.run(quoted, BatchRequest(prompts=prompts, rows=rows)) for rows in ("1-2", "3-4")]
        assert sum(parts) == anyio.run(quoted, BatchRequest(prompts=prompts)) > 0
