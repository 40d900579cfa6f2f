"""`dailies ledger check`: the record and the store agree, or it is said."""

from __future__ import annotations

from tests.e2e.harness import World


def test_what_left_s3_and_what_does_not_add_up_is_listed(world: World) -> None:
    world.csv(2)
    assert world.run().code == 0
    fine = world.command("ledger", "check", "--json")
    assert (fine.code, fine.json) == (0, [])
    world.s3().delete_object(Bucket=world.bucket, Key=min(world.clips()))
    world.sql("UPDATE spend SET usd_counted = 0 WHERE scope = 'batch'")
    off = world.command("ledger", "check", "--json")
    assert off.code == 1 and {entry["id"] for entry in off.json} == {None, "clip-1"}
    assert all(any(name.startswith("usd_") for name in entry) and entry["what"] for entry in off.json)
    assert "2 things are off" in world.command("ledger", "check").stdout
