"""`credits.parquet`: the columns of `credits.csv` with their types, for people who load them into a warehouse."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from dailies.domain.figures import COLUMNS
from dailies.domain.marks import Marks
from dailies.report.credits import Credits, own_columns

WHOLE = ("row", "duration_s", "attempts", "size_bytes", "credits_used", "polls", "unreported")
DOLLARS = ("usd_quoted", "usd_charged", "usd_at_risk", "usd_unreported_quoted")
MOMENTS = ("created_at", "stored_at")
YES_OR_NO = ("counted", "c2pa")
SOME_ROWS = 2000


def parquet_bytes(credits: Credits) -> bytes:
    """The file's bytes. Money is decimal(18, 9), moments are UTC timestamps, what is not known is null."""
    types: dict[str, Any] = (
        dict.fromkeys(WHOLE, pa.int64()) | dict.fromkeys(DOLLARS, pa.decimal128(18, 9)) | dict.fromkeys(YES_OR_NO, pa.bool_())
        | {"seconds": pa.float64()} | dict.fromkeys(MOMENTS, pa.timestamp("s", tz="UTC"))
    )  # fmt: skip
    names = [*COLUMNS, *own_columns(credits).values()]
    schema = pa.schema([(name, types.get(name, pa.string())) for name in names])
    out = io.BytesIO()
    with pq.ParquetWriter(out, schema, compression="zstd") as writer:
        for columns in credits_columns(credits):
            writer.write_table(pa.table(columns, schema=schema))
    return out.getvalue()


def credits_columns(credits: Credits) -> Iterator[dict[str, list[object]]]:
    """The columns of `credits.csv` in its order, by name, of some thousand clips at a time."""
    own = own_columns(credits)
    for start in range(0, len(credits.lines), SOME_ROWS):
        some = slice(start, start + SOME_ROWS)
        lines, labels = credits.lines[some], credits.labels[some]
        columns = {name: [_value(name, getattr(line, name)) for line in lines] for name in COLUMNS}
        yield columns | {header: [one.get(name, "") for one in labels] for name, header in own.items()}


def _value(name: str, value: object) -> object:
    if isinstance(value, Marks):
        return str(value)
    return datetime.fromisoformat(value) if name in MOMENTS and isinstance(value, str) else value
