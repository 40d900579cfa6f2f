"""A run over delivered rows asks the store; what is missing is fetched again, what lies elsewhere is copied, nothing is bought."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from tests.e2e.harness import World, named


def delete(world: World, *keys: str) -> None:
    for key in keys:
        world.s3().delete_object(Bucket=world.bucket, Key=key)


def test_a_deleted_clip_is_fetched_again_and_not_bought_again(world: World) -> None:
    world.csv(named("a", "b"))
    first = world.run()
    assert first.code == 0
    before, charges = world.clips(), len(world.charges())
    delete(world, next(key for key in before if "/a-" in key))
    looked = world.command("check", str(world.prompts), "--json")
    assert looked.code == 0 and looked.json["to_buy"] == 0
    assert "1 delivered clip is no longer in S3: it is fetched again" in looked.json["notes"]
    again = world.run()
    assert again.code == 0 and again.json["already_delivered"] == 1 and again.json["delivered"] == 1, again.stderr
    assert world.clips() == before and len(world.charges()) == charges
    assert "no longer in S3" in again.stderr


def test_one_that_the_provider_has_no_more_is_said_and_exit_1(world: World) -> None:
    """Still not bought again: a person decides that."""
    world.csv(named("a", "b"))
    assert world.run().code == 0
    charges = len(world.charges())
    delete(world, *world.clips())
    world.sandbox.fault("poll", "status", times=None, status=404)
    again = world.run(DAILIES_CLIP_DEADLINE_S="1")
    assert again.code == 1 and again.json["delivered"] + again.json["already_delivered"] == 0, again.stdout
    assert len(world.charges()) == charges


def test_another_object_under_its_name_is_not_the_clip(world: World) -> None:
    world.csv(named("a"))
    assert world.run().code == 0
    key = next(iter(world.clips()))
    world.s3().put_object(Bucket=world.bucket, Key=key, Body=b"something else")
    again = world.run()
    assert again.code == 0, again.stderr
    assert again.json["clips"][0]["s3_uri"] != f"s3://{world.bucket}/{key}" and len(world.charges()) == 1


def test_the_same_clip_for_another_batch_or_place_is_copied_without_a_charge(world: World) -> None:
    world.csv(named("a", "b"))
    first = world.run()
    for options in (("--batch", "second"), ("--batch", "second", "--to", f"s3://{world.bucket}/elsewhere")):
        looked = world.command("check", str(world.prompts), "--json", *options)
        assert any("2 clips that were bought earlier are copied" in note for note in looked.json["notes"])
        copied = world.run(*options)
        assert copied.code == 0 and copied.json["already_delivered"] == 2, copied.stderr
        uris = [clip["s3_uri"] for clip in copied.json["clips"]]
        prefix = options[3] if len(options) > 2 else f"s3://{world.bucket}/clips"
        assert all(uri.startswith(f"{prefix}/second/") for uri in uris)
        for clip, uri in zip(first.json["clips"], uris, strict=True):
            body = world.objects()[uri.removeprefix(f"s3://{world.bucket}/")]
            assert hashlib.sha256(body).hexdigest() == clip["sha256"]
    assert len(world.charges()) == 2
    report = world.command("report", "--batch", "second", "--json").json
    assert [clip["s3_uri"] for clip in report["clips"]] == uris


def test_a_copy_brings_back_a_clip_that_was_deleted_where_it_was_made(world: World) -> None:
    world.csv(named("a"))
    assert world.run().code == 0
    original = next(iter(world.clips()))
    assert world.run("--batch", "second").code == 0
    delete(world, original)
    world.sandbox.fault("poll", "status", times=None, status=404)
    again = world.run()
    assert again.code == 0 and original in world.clips() and len(world.charges()) == 1, again.stderr


def test_keep_local_also_brings_what_was_delivered_earlier(world: World, tmp_path: Path) -> None:
    world.csv(named("a"))
    assert world.run().code == 0
    world.csv(named("a", "b"))
    assert world.run("--keep-local", str(tmp_path / "kept")).code == 0
    kept = sorted((tmp_path / "kept").glob("*.mp4"))
    assert [path.name[:2] for path in kept] == ["a-", "b-"]
    assert {path.read_bytes() for path in kept} == set(world.clips().values())


def test_fetch_brings_delivered_clips_to_disk_and_goes_on_where_it_stopped(world: World, tmp_path: Path) -> None:
    world.csv(named("a", "b"))
    assert world.run().code == 0
    folder = tmp_path / "here"
    folder.mkdir()
    key, content = next((key, body) for key, body in world.clips().items() if "/a-" in key)
    part = folder / (Path(key).name + ".part")
    part.write_bytes(content[:1000])
    fetched = world.command("fetch", "--batch", "batch", "--to", str(folder), "--json")
    assert fetched.code == 0 and fetched.json["fetched"] == 2, fetched.stderr
    assert {path.read_bytes() for path in folder.iterdir()} == set(world.clips().values())
    again = world.command("fetch", "--to", str(folder))
    assert again.code == 0 and "0 clips fetched, 2 were there already" in again.stdout


@pytest.mark.parametrize("left", [b"bytes of something else, longer or shorter", b"x" * 5_000_000])
def test_a_rest_of_another_file_is_not_taken_for_the_clip(world: World, tmp_path: Path, left: bytes) -> None:
    world.csv(named("a"))
    assert world.run().code == 0
    key, content = next(iter(world.clips().items()))
    (tmp_path / (Path(key).name + ".part")).write_bytes(left)
    assert world.command("fetch", "--to", str(tmp_path)).code == 0
    assert (tmp_path / Path(key).name).read_bytes() == content


def test_fetch_says_what_is_gone_and_where_it_may_not_go(world: World, tmp_path: Path) -> None:
    world.csv(named("a"))
    assert world.run().code == 0
    assert world.command("fetch", "--to", "s3://elsewhere/x").code == 2
    assert world.command("fetch", "--batch", "no-such").code == 2
    delete(world, *world.clips())
    gone = world.command("fetch", "--to", str(tmp_path / "x"))
    assert gone.code == 1 and "a: there is no s3://" in gone.stderr


def test_a_copy_that_is_gone_is_missed_and_its_clip_still_to_be_had(world: World, tmp_path: Path) -> None:
    """The record's check names it; fetch and export take the clip from where it was put first; a run copies it again."""
    world.csv(named("a"))
    assert world.run("--batch", "mon").code == world.run("--batch", "tue").code == 0
    (copy,) = (key for key in world.clips() if "/tue/" in key)
    delete(world, copy)
    off = world.command("ledger", "check", "--json")
    assert off.code == 1 and [(one["id"], one["usd_charged"]) for one in off.json] == [("a", 0.0)], off.stdout
    assert f"{copy} is not there" in off.json[0]["what"] and "the next run of tue" in off.json[0]["what"]
    fetched = world.command("fetch", "--batch", "tue", "--to", str(tmp_path / "films"), "--json")
    assert fetched.code == 0 and fetched.json["fetched"] == 1, fetched.stdout
    assert world.command("export", "--batch", "tue", "--as", "zip", "--to", f"{tmp_path}/").code == 0
    assert world.run("--batch", "tue").code == 0 and copy in world.clips() and len(world.charges()) == 1
    assert world.command("ledger", "check", "--json").json == []
