"""Which clip a person means by CLIP: a clip_key, its first digits, or `BATCH/ID[/TAKE]`; which names are on record."""

from __future__ import annotations

import re
from collections.abc import Iterator

import sqlalchemy as sa

from dailies.errors import BadInput
from dailies.ledger import tables as t
from dailies.ledger.reader import Reader

FEWEST_DIGITS = 12
MOST_SHOWN = 10
KEY = re.compile(rf"[0-9a-f]{{{FEWEST_DIGITS},64}}")


def clip_named(ledger: Reader, text: str, batch: str | None = None) -> str:
    """The clip_key of the one clip that is meant; `batch` is where an ID alone is looked for.

    Raises BadInput where there is none, and with the candidates where there are several.
    """
    found = clips_named(ledger, text, batch)
    if not found:
        raise BadInput(
            f"{text}: no such clip. Say its clip_key, at least {FEWEST_DIGITS} digits of it, or BATCH/ID (with several takes "
            "BATCH/ID/TAKE). Nothing was changed.",
            trouble="which-one",
        )
    if len(found) > 1:
        shown = "\n".join(f"  {name}    {key}" for key, name in list(found.items())[:MOST_SHOWN])
        more = f"\n  and {len(found) - MOST_SHOWN} more" if len(found) > MOST_SHOWN else ""
        raise BadInput(
            f"{text}: {len(found)} clips are called so; say which. Nothing was changed.\n{shown}{more}",
            trouble="which-one",
        )
    return next(iter(found))


def clips_named(ledger: Reader, text: str, batch: str | None = None) -> dict[str, str]:
    """The clips that a text may mean: the clip_key of each, with a name that means it alone or nearly."""
    wanted = sa.or_(*_meanings(text, batch))
    query = (
        sa.select(t.clip.c.clip_key, t.clip.c.take, t.batch_row.c.batch, t.batch_row.c.row_id)
        .join_from(t.clip, t.batch_row, t.batch_row.c.clip_key == t.clip.c.clip_key)
        .where(wanted)
        .order_by(t.batch_row.c.batch, t.batch_row.c.number)
    )
    with ledger.engine.connect() as connection, connection.begin():
        rows = connection.execute(query).all()
    exact = [row for row in rows if row.clip_key == text]
    found = exact or rows
    first = "1" if len(found) > 1 else ""
    return {row.clip_key: "/".join(filter(None, (row.batch, row.row_id, row.take or first))) for row in found}


def providers_on_record(ledger: Reader) -> frozenset[str]:
    """Every provider that was asked for something."""
    return _distinct(ledger, t.attempt.c.provider)


def models_on_record(ledger: Reader) -> frozenset[str]:
    """The ids of all models that clips were planned of."""
    return _distinct(ledger, t.clip.c.model)


def _distinct(ledger: Reader, column: sa.ColumnElement[str]) -> frozenset[str]:
    with ledger.engine.connect() as connection, connection.begin():
        return frozenset(connection.execute(sa.select(column).distinct()).scalars())


def _meanings(text: str, batch: str | None) -> Iterator[sa.ColumnElement[bool]]:
    yield sa.false()
    if KEY.fullmatch(text):
        yield t.clip.c.clip_key.startswith(text)
    if batch is not None:
        yield (t.batch_row.c.batch == batch) & (t.batch_row.c.row_id == text)
    parts = text.split("/")
    for at in range(1, len(parts)):  # a batch's name, and an id, may hold a slash themselves
        named, rest = "/".join(parts[:at]), parts[at:]
        yield (t.batch_row.c.batch == named) & (t.batch_row.c.row_id == "/".join(rest))
        if len(rest) > 1:
            of_row = (t.batch_row.c.batch == named) & (t.batch_row.c.row_id == "/".join(rest[:-1]))
            yield of_row & (t.clip.c.take == rest[-1])
            if rest[-1] == "1":  # the row as it stands, whatever its own take is called
                yield of_row & t.clip.c.clip_key.not_in(sa.select(t.take.c.clip_key))
