"""`credits.parquet`: the columns of `credits.csv` with their types, for people who load them into a warehouse."""

from __future__ import annotations

import io
from array import array
from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from itertools import accumulate, chain, islice
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from dailies.domain.clip_line import COLUMNS
from dailies.domain.text import as_utf8, whole_letters
from dailies.report.credits import Credits, own_columns

WHOLE = ("row", "duration_s", "attempts", "size_bytes", "credits_used", "polls", "unreported")
DOLLARS = ("usd_quoted", "usd_charged", "usd_at_risk", "usd_unreported_quoted")
MOMENTS = ("created_at", "stored_at")
YES_OR_NO = ("counted", "c2pa")
A_GROUP = 4
"""Blocks of clips that are one row group of the file."""


def parquet_pieces(credits: Credits) -> Iterator[bytes]:
    """The file's bytes, row group by row group. Money is decimal(18, 9), moments are UTC timestamps, what is not known is null."""
    types: dict[str, Any] = (
        dict.fromkeys(WHOLE, pa.int64()) | dict.fromkeys(DOLLARS, pa.decimal128(18, 9)) | dict.fromkeys(YES_OR_NO, pa.bool_())
        | {"seconds": pa.float64()} | dict.fromkeys(MOMENTS, pa.timestamp("s", tz="UTC"))
    )  # fmt: skip
    own = own_columns(credits)
    schema = pa.schema([(name, types.get(name, pa.string())) for name in (*COLUMNS, *map(whole_letters, own.values()))])
    out = _Out()
    with pq.ParquetWriter(out, schema, compression="zstd") as writer:
        blocks = credits.clips.blocks()
        while some := [*islice(blocks, A_GROUP)]:
            columns = [[*chain.from_iterable(block.column(name) for block in some)] for name in COLUMNS]
            columns += [[labels.get(name, "") for block in some for labels in block.labels] for name in own]
            arrays = [array_of(values, field.type) for values, field in zip(columns, schema, strict=True)]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
            yield out.taken()
    yield out.taken()


def array_of(values: Sequence[Any], kind: Any) -> Any:
    """A column in Arrow's own form. `pyarrow.array` would do it too, and load pandas to ask whether a list is one of its."""
    if len(values) > 1 and values.count(values[0]) == len(values):
        return pa.repeat(array_of(values[:1], kind)[0], len(values))
    known = _bits([value is not None for value in values]) if None in values else None
    if pa.types.is_string(kind):
        return _texts(["" if value is None else str(value) for value in values], known)
    if pa.types.is_boolean(kind):
        content = _bits(list(map(bool, values)))
    elif pa.types.is_decimal(kind):
        content = b"".join([_ZERO if usd is None else _billionths(usd) for usd in values])
    elif pa.types.is_floating(kind):
        content = array("d", [0.0 if value is None else value for value in values]).tobytes()
    elif pa.types.is_timestamp(kind):
        content = array("q", [0 if text is None else _second(text) for text in values]).tobytes()
    else:
        content = array("q", [0 if value is None else value for value in values]).tobytes()
    return pa.Array.from_buffers(kind, len(values), [_buffer(known), _buffer(content)])


def _texts(texts: Sequence[str], known: bytes | None) -> Any:
    together = "".join(texts)
    content = as_utf8(together)
    plain = len(content) == len(together)
    lengths = map(len, texts if plain else [as_utf8(text) for text in texts])
    offsets = array("i", accumulate(lengths, initial=0)).tobytes()
    return pa.Array.from_buffers(pa.string(), len(texts), [_buffer(known), _buffer(offsets), _buffer(content)])


def _buffer(content: bytes | None) -> Any:
    return None if content is None else pa.py_buffer(content)


def _bits(flags: Sequence[bool]) -> bytes:
    """Flags as a bitmap, the first in the lowest bit."""
    number = int("0" + "".join(["1" if flag else "0" for flag in reversed(flags)]), 2)
    return number.to_bytes((len(flags) + 7) // 8, "little")


_ZERO = bytes(16)


@lru_cache(10_000)
def _billionths(usd: Decimal) -> bytes:
    return int(usd.scaleb(9)).to_bytes(16, "little", signed=True)


def _second(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


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
