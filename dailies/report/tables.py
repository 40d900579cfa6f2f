"""`credits.parquet`: the columns of `credits.csv` with their types, for people who load them into a warehouse."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from dailies.domain.figures import COLUMNS
from dailies.domain.marks import Marks
from dailies.report.credits import Credits, own_columns

WHOLE = ("row", "duration_s", "attempts", "size_bytes", "credits_used", "polls", "unreported")
DOLLARS = ("usd_quoted", "usd_charged", "usd_at_risk", "usd_unreported_quoted")
MOMENTS = ("created_at", "stored_at")
YES_OR_NO = ("counted", "c2pa")
FRAME_ROWS = 2000


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
        for frame in credits_frames(credits):
            writer.write_table(pa.Table.from_pandas(frame, schema, preserve_index=False))
    return out.getvalue()


def credits_frames(credits: Credits) -> Iterator[pd.DataFrame]:
    """One row per clip as plain objects, some thousands in a frame; the same columns in the same order as `credits.csv`."""
    own = own_columns(credits)
    columns = pd.Index([*COLUMNS, *own.values()])
    for start in range(0, len(credits.lines), FRAME_ROWS):
        some = slice(start, start + FRAME_ROWS)
        rows = [
            [*(_value(name, getattr(line, name)) for name in COLUMNS), *(labels.get(name, "") for name in own)]
            for line, labels in zip(credits.lines[some], credits.labels[some], strict=True)
        ]
        yield pd.DataFrame(rows, columns=columns, dtype=object)


def _value(name: str, value: object) -> object:
    if isinstance(value, Marks):
        return str(value)
    return datetime.fromisoformat(value) if name in MOMENTS and isinstance(value, str) else value
