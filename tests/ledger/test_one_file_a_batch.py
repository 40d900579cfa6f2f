"""A batch has one file, also when two files of its name are planned at the same moment."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from dailies.ledger import AnotherFile, Ledger
from dailies.ledger.plan import write_plan
from tests.e2e.harness import until
from tests.ledger.factories import NOON, USD, MakeLedger, a_clip, a_row

WAITING = sa.text("SELECT count(*) FROM pg_locks WHERE NOT granted")


def somebody_waits(ledger: Ledger) -> bool:
    """Whether a transaction waits for another one. SQLite can't be asked; there the second simply comes second."""
    if ledger.engine.dialect.name == "sqlite":
        return True
    with ledger.engine.connect() as connection:
        return bool(connection.execute(WAITING).scalar())


def test_of_two_files_planned_at_once_one_is_refused(make_ledger: MakeLedger) -> None:
    """The second has begun before the first was on record."""
    first, second = make_ledger(), make_ledger()
    acme, zeta = a_row(1, a_clip("acme")), a_row(1, a_clip("zeta"))
    with ThreadPoolExecutor(1) as pool:
        with first._write() as connection:
            write_plan(connection, "prompts", "/acme/prompts.csv", "s3://a", [acme], {acme.clip.key: USD}, NOON)
            quotes = {zeta.clip.key: USD}
            late = pool.submit(second.plan, "prompts", "/zeta/prompts.csv", "s3://z", [zeta], quotes)
            until(lambda: somebody_waits(first))
        with pytest.raises(AnotherFile) as refused:
            late.result(60)
    assert refused.value.recorded == "/acme/prompts.csv"
    assert [row.clip.prompt for row in first.rows("prompts")] == ["acme"]
    assert first.batch_destination("prompts") == "s3://a", "nothing of the second was planned"
