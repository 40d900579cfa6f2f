"""`credits.parquet`: the columns of `credits.csv` with their types, for people who load them into a warehouse."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from dailies.domain.figures import COLUMNS
from dailies.report.blocks import Block
from dailies.report.credits import Credits, own_columns

WHOLE = ("row", "duration_s", "attempts", "size_bytes", "credits_used", "polls", "unreported")
DOLLARS = ("usd_quoted", "usd_charged", "usd_at_risk", "usd_unreported_quoted")
MOMENTS = ("created_at", "stored_at")
YES_OR_NO = ("counted", "c2pa")
A_GROUP = 4
"""Blocks of clips that are one row group of the file."""


def parquet_bytes(credits: Credits) -> bytes:
    """The file's bytes."""
    return b"".join(parquet_pieces(credits))


def parquet_pieces(credits: Credits) -> Iterator[bytes]:
    """The same, row group by row group. Money is decimal(18, 9), moments are UTC timestamps, what is not known is null."""
    types: dict[str, Any] = (
        dict.fromkeys(WHOLE, pa.int64()) | dict.fromkeys(DOLLARS, pa.decimal128(18, 9)) | dict.fromkeys(YES_OR_NO, pa.bool_())
        | {"seconds": pa.float64()} | dict.fromkeys(MOMENTS, pa.timestamp("s", tz="UTC"))
    )  # fmt: skip
    own = own_columns(credits)
    schema = pa.schema([(name, types.get(name, pa.string())) for name in (*COLUMNS, *own.values())])
    out = _Out()
    with pq.ParquetWriter(out, schema, compression="zstd") as writer:
        blocks = credits.clips.blocks()
        while some := [*islice(blocks, A_GROUP)]:
            columns = [_column(name, some) for name in COLUMNS]
            columns += [[labels.get(name, "") for block in some for labels in block.labels] for name in own]
            arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
            yield out.taken()
    yield out.taken()


def _column(name: str, blocks: Sequence[Block]) -> list[object]:
    values = [value for block in blocks for value in block.column(name)]
    if name in MOMENTS:
        return [None if text is None else int(datetime.fromisoformat(text).timestamp()) for text in values]
    return [None if marks is None else str(marks) for marks in values] if name == "marks" else values


class _Out(io.RawIOBase):
    """What a file would hold, given away as it comes."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._length = 0

    def writable(self) -> bool:
        """It is."""
        return True

    def write(self, piece: Any) -> int:
        """Take some bytes."""
        self._pieces.append(bytes(piece))
        self._length += len(self._pieces[-1])
        return len(self._pieces[-1])

    def tell(self) -> int:
        """How many there were."""
        return self._length

    def taken(self) -> bytes:
        """What came since."""
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces)
