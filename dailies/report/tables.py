"""`credits.parquet`: the columns of `credits.csv` with their types, for people who load them into a warehouse."""

from __future__ import annotations

import io
from datetime import datetime
from typing import Any

import pandas as pd
import pyarrow as pa

from dailies.domain.figures import COLUMNS
from dailies.report.credits import Credits, own_columns

WHOLE = ("row", "duration_s", "attempts", "size_bytes", "credits_used", "polls")
DOLLARS = ("usd_quoted", "usd_charged", "usd_at_risk")
MOMENTS = ("created_at", "stored_at")


def parquet_bytes(credits: Credits) -> bytes:
    """The file's bytes. Money is decimal(18, 9), moments are UTC timestamps, what is not known is null."""
    frame = credits_frame(credits)
    types: dict[str, Any] = (
        dict.fromkeys(WHOLE, pa.int64()) | dict.fromkeys(DOLLARS, pa.decimal128(18, 9)) | {"seconds": pa.float64()}
        | dict.fromkeys(MOMENTS, pa.timestamp("s", tz="UTC"))
    )  # fmt: skip
    schema = pa.schema([(name, types.get(name, pa.string())) for name in frame.columns])
    out = io.BytesIO()
    frame.to_parquet(out, index=False, engine="pyarrow", schema=schema, compression="zstd")
    return out.getvalue()


def credits_frame(credits: Credits) -> pd.DataFrame:
    """One row per clip as plain objects; the same columns in the same order as `credits.csv`."""
    own = own_columns(credits)
    rows = [
        [*(_value(name, getattr(line, name)) for name in COLUMNS), *(labels.get(name, "") for name in own)]
        for line, labels in zip(credits.lines, credits.labels, strict=True)
    ]
    return pd.DataFrame(rows, columns=pd.Index([*COLUMNS, *own.values()]), dtype=object)


def _value(name: str, value: object) -> object:
    return datetime.fromisoformat(value) if name in MOMENTS and isinstance(value, str) else value
