"""What `dailies doctor --deep` makes of clocks, certificates, free space, versions, and a write to the ledger."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from dailies.cli import deep
from dailies.cli.commands.serve import doctor
from dailies.domain.clocks import describe_skew, grade_skew
from dailies.errors import BadInput
from dailies.ledger import Ledger
from dailies.ledger import tables as t
from dailies.net import Network, reach
from tests.ledger.factories import NOON
from tests.unit.certificate import Authority
from tests.unit.loopback import reply, serve
from tests.unit.proxy import forward_proxy

NAME = "clips.example"


@pytest.mark.parametrize(
    ("seconds", "grade", "words"),
    [
        (0.4, "ok", "agrees with ours"),
        (-20, "ok", "ours is 20 s behind"),
        (42, "warning", "ours is 42 s ahead"),
        (-900, "wrong", "ours is 900 s behind"),
    ],
)
def test_a_clock_that_is_off_is_said(seconds: float, grade: str, words: str) -> None:
    skew = timedelta(seconds=seconds)
    assert (grade_skew(skew), describe_skew(skew)) == (grade, words)


@pytest.mark.parametrize(("minutes", "grade"), [(0, "ok"), (1, "warning"), (4, "wrong")])
def test_a_clock_behind_prefect_s_is_trouble_sooner_for_its_runs_seem_dead(minutes: int, grade: str) -> None:
    async def run() -> deep.Finding:
        date = format_datetime(datetime.now(UTC) + timedelta(minutes=minutes), usegmt=True)
        async with serve({"/api/health": reply(b"true", f"Date: {date}")}) as server:
            return await asyncio.to_thread(deep.clock_at_prefect, server.url("/api"))

    assert asyncio.run(run()).grade == grade


def test_a_prefect_that_tells_no_time_is_not_blamed() -> None:
    async def run() -> deep.Finding:
        async with serve({"/api/health": reply(b"true")}) as server:
            return await asyncio.to_thread(deep.clock_at_prefect, server.url("/api"))

    assert asyncio.run(run()) == deep.Finding("clock at Prefect", "ok", "is not told (KeyError)")


@pytest.mark.parametrize(("days", "grade"), [(90, "ok"), (20, "warning"), (2, "wrong"), (-1, "wrong")])
def test_a_certificate_that_ends_soon_is_said_before_it_does(days: int, grade: str) -> None:
    assert deep.grade_end(NOON + timedelta(days=days), NOON) == grade


@pytest.mark.parametrize(("gigabytes", "grade"), [(50, "ok"), (3, "warning"), (0.1, "wrong")])
def test_a_disk_that_is_nearly_full_is_said(gigabytes: float, grade: str) -> None:
    assert deep.grade_disk(int(gigabytes * 2**30)) == grade


@pytest.mark.parametrize(
    ("server", "client", "grade"),
    [("3.8.8", "3.8.8", "ok"), ("3.9.1", "3.8.8", "ok"), ("3.8.8", "3.9.1", "warning"), ("3.10.0", "3.9.1", "ok")],
)
def test_a_server_that_is_older_than_its_clients_is_said(server: str, client: str, grade: str) -> None:
    assert deep.judge_version(server, client)[0] == grade


def test_a_write_to_the_ledger_is_tried_and_nothing_of_it_stays(ledger: Ledger) -> None:
    def words() -> list[tuple[str, str]]:
        with ledger.engine.connect() as connection:
            return [(row.name, row.value) for row in connection.execute(sa.select(t.meta).order_by(t.meta.c.name))]

    before = words()
    ledger.try_to_write()
    assert words() == before


def test_when_a_certificate_ends_is_read_off_the_connection_whatever_the_way(tmp_path: Path) -> None:
    authority = Authority.made(tmp_path)

    async def run() -> datetime | None:
        context = authority.server(tmp_path, NAME)
        async with serve({"/a": reply(b"")}, context) as server, forward_proxy(names={NAME: "127.0.0.1"}) as proxy:
            environ = {"HTTPS_PROXY": proxy.url, "AWS_CA_BUNDLE": str(authority.file)}
            return await reach(Network.read(environ), server.url("/a", host=NAME))

    ends = asyncio.run(run())
    assert ends and ends > datetime.now(UTC)


@pytest.mark.parametrize("flags", [{"adopt": True}, {"deep": True}])
def test_a_probe_changes_nothing_so_it_takes_no_other_flag(flags: dict[str, bool]) -> None:
    with pytest.raises(BadInput, match="--ready changes nothing"):
        doctor(ready=True, **flags)
