"""Whole runs into SeaweedFS: delivered, found again without a ledger, and never replacing anybody's object."""

from __future__ import annotations

from dataclasses import replace

from tests.e2e.harness import World, s3_client
from tests.e2e.invariants import assert_invariants
from tests.e2e.s3_proxy import FaultyStore
from tests.storage.seaweed import Seaweed


def test_a_batch_is_delivered_and_adopted_by_a_fresh_ledger(world: World, seaweed: Seaweed) -> None:
    """Clips, posters and reports; a stranger's object under a clip's key; then a new ledger buys only what is new."""
    s3_client(seaweed.url).create_bucket(Bucket=world.bucket)
    with FaultyStore(seaweed.url) as front:
        there = World(
            world.folder,
            replace(world.services, s3_url=seaweed.url),
            world.sandbox,
            front,
            world.bucket,
            world.ledger_url,
            world.engine,
        )
        there.environ["AWS_SECRET_ACCESS_KEY"] = "test"
        there.csv(2)
        check = there.command("check", str(there.prompts), "--json", fork=True)
        taken = f"clips/batch/clip-1-{check.json['clips'][0]['clip_key'][:12]}.mp4"
        there.s3().put_object(Bucket=there.bucket, Key=taken, Body=b"holiday")
        first = there.run(fork=True)
        assert (check.code, first.code, first.json["delivered"]) == (0, 0, 2)
        assert there.objects()[taken] == b"holiday" and not [name for name in there.objects() if "probe" in name]
        for path in there.home.glob("ledger.db*"):
            path.unlink()
        there.csv(3)
        again = there.run("--batch", "renamed", fork=True)
        assert (again.code, again.json["already_delivered"], again.json["delivered"]) == (0, 2, 1)
        assert len(there.charges()) == 3
        assert_invariants(there, rerun=False)
