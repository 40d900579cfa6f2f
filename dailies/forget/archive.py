"""Old attempts as Parquet files: whole, with their histories, which then leave the ledger. Sums are compared before anything goes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq

from dailies.domain.money import ZERO, sum_usd
from dailies.errors import BadInput
from dailies.ledger import Ledger
from dailies.ledger.archiving import Past
from dailies.ledger.types import MovedMeanwhile
from dailies.system import sync_folder, try_lock

USD, AT, TEXT = pa.decimal128(18, 9), pa.timestamp("us", tz="UTC"), pa.string()
MOVE = pa.struct([("at", AT), ("before", TEXT), ("after", TEXT), ("owner", TEXT), ("note", TEXT)])
ATTEMPT = {
    "id": TEXT, "clip_key": TEXT, "batch": TEXT, "no": pa.int64(), "provider": TEXT, "state": TEXT, "failure": TEXT,
    "error": TEXT, "generation_id": TEXT, "usd_quoted": USD, "usd_charged": USD, "credits_used": pa.int64(), "s3_uri": TEXT,
    "sha256": TEXT, "size_bytes": pa.int64(), "mismatch": TEXT, "polls": pa.int64(), "created_at": AT, "submitted_at": AT,
    "completed_at": AT, "stored_at": AT, "updated_at": AT, "request_digest": TEXT, "image_sha256": TEXT,
}  # fmt: skip
"""Fields of the attempt itself; `id` is called `attempt` in the file, where `row_id` is called `id`, as in `credits.csv`."""
CLIP = {"day": TEXT, "row_id": TEXT, "model": TEXT, "resolution": TEXT, "duration_s": pa.int64(), "take": TEXT}
CALLED = {"id": "attempt", "row_id": "id"}
SCHEMA = pa.schema(
    [(CALLED.get(name, name), kind) for name, kind in {**CLIP, **ATTEMPT}.items()] + [("history", pa.list_(MOVE))]
)
MOST = 20_000
"""Attempts in one file, and in one transaction."""
NAMES, PART = "attempts-*.parquet", ".part"


@dataclass(frozen=True, slots=True)
class Sums:
    """What some attempts come to."""

    attempts: int = 0
    moves: int = 0
    usd_quoted: Decimal = ZERO
    usd_charged: Decimal = ZERO

    def plus(self, other: Sums) -> Sums:
        """Both together."""
        return Sums(
            self.attempts + other.attempts, self.moves + other.moves, self.usd_quoted + other.usd_quoted,
            self.usd_charged + other.usd_charged,
        )  # fmt: skip


def sums_of(some: Iterable[Past]) -> Sums:
    """What they come to. Pure."""
    known = list(some)
    return Sums(
        len(known), sum(len(one.events) for one in known), sum_usd(one.attempt.usd_quoted for one in known),
        sum_usd(one.attempt.usd_charged or ZERO for one in known),
    )  # fmt: skip


def due(ledger: Ledger, before: datetime) -> Sums:
    """What an archive would take. Changes nothing."""
    total = Sums()
    for some in ledger.past(before):
        total = total.plus(sums_of(some))
    return total


def archive(ledger: Ledger, folder: Path, before: datetime) -> Iterator[tuple[Path, Sums]]:
    """Write everything due into files of this folder, one after another, and let its history leave the ledger.

    Killed anywhere, nothing is lost and nothing stands in two files: the next archive into this folder finishes it. Raises
    BadInput, where the files that were told of stay, when an attempt was changed meanwhile.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _alone_in(folder):
        _finish_what_was_interrupted(ledger, folder)
        while True:
            name = f"attempts-{ledger.now():%Y%m%dT%H%M%SZ}-{uuid4().hex[:8]}.parquet"
            part = folder / f"{name}{PART}"
            sums, seen = _write(part, ledger.past(before))
            if not seen:
                part.unlink()
                return
            _hand_over(ledger, part, sums, seen)
            yield _named(part), sums
            if sums.attempts < MOST:
                return


def _write(part: Path, found: Iterable[list[Past]]) -> tuple[Sums, dict[str, datetime | None]]:
    total, seen = Sums(), dict[str, datetime | None]()
    with part.open("xb") as file:
        os.chmod(part, 0o600)
        with pq.ParquetWriter(file, SCHEMA, compression="zstd") as writer:
            for some in found:
                writer.write_table(pa.Table.from_pylist([_row(one) for one in some], SCHEMA))
                total = total.plus(sums_of(some))
                seen |= {one.attempt.id: one.attempt.updated_at for one in some}
                if total.attempts >= MOST:
                    break
        file.flush()
        os.fsync(file.fileno())
    sync_folder(part.parent)
    return total, seen


def _row(one: Past) -> dict[str, object]:
    fields = {CALLED.get(name, name): getattr(one, name) for name in CLIP}
    fields |= {CALLED.get(name, name): _plain(getattr(one.attempt, name)) for name in ATTEMPT}
    moves = [
        {"at": e.at, "before": _plain(e.before), "after": str(e.after), "owner": e.owner, "note": e.note}
        for e in one.events
    ]
    return {**fields, "history": moves}


def _plain(value: object) -> object:
    return str(value) if isinstance(value, str) else value


def _hand_over(ledger: Ledger, part: Path, sums: Sums, seen: Mapping[str, datetime | None]) -> None:
    """What was written is read back and compared; only then do the histories go."""
    try:
        if read_sums(part) != sums:
            raise BadInput(f"{part} does not hold what was written there. Nothing more was archived.", trouble="disk")
        ledger.leave_to(part.name.removesuffix(PART), seen)
    except MovedMeanwhile as error:
        part.unlink()
        raise BadInput(
            f"attempt {error.attempt.id[:8]} was changed while it was written down. Nothing more was archived: say it again",
            trouble="ledger-busy",
        ) from error


def _named(part: Path) -> Path:
    """A part gets its name once the ledger knows of it."""
    done = part.with_name(part.name.removesuffix(PART))
    part.replace(done)
    sync_folder(part.parent)
    return done


def _finish_what_was_interrupted(ledger: Ledger, folder: Path) -> None:
    """A part whose histories have left the ledger is whole; any other was never the only copy of anything."""
    for part in sorted(folder.glob(NAMES + PART)):
        if ledger.is_archived_to(part.name.removesuffix(PART)):
            _named(part)
        else:
            part.unlink()


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    with (folder / ".lock").open("ab") as file:
        if not try_lock(file):
            raise BadInput(f"another process is archiving into {folder}. Nothing was archived.", trouble="ledger-busy")
        yield


def read_sums(file: Path) -> Sums:
    """What a file's attempts come to, by its own columns."""
    table = pq.read_table(file, columns=["usd_quoted", "usd_charged", "history"])
    moves = sum(len(one) for one in table["history"].to_pylist())
    quoted, charged = (
        sum_usd(one or ZERO for one in table[name].to_pylist()) for name in ("usd_quoted", "usd_charged")
    )
    return Sums(table.num_rows, moves, quoted, charged)


def differing(ledger: Ledger, folder: Path) -> tuple[Sums, list[str]]:
    """What all files of a folder come to, and the attempts whose dollars are no longer, or nowhere, on record as there."""
    total, wrong, known = Sums(), list[str](), set[str]()
    for file in sorted(folder.glob(NAMES)):
        total = total.plus(read_sums(file))
        rows = pq.read_table(file, columns=["attempt", "usd_quoted", "usd_charged"]).to_pylist()
        kept = ledger.dollars_of([row["attempt"] for row in rows])
        for row in rows:
            key, there = row["attempt"], (row["usd_quoted"], row["usd_charged"])
            if key in known or kept.get(key) != there:
                wrong.append(key)
            known.add(key)
    return total, wrong
