"""Cleans everything below DAILIES_HOME but the ledger itself: reports, pictures, downloads, answers, copies, Prefect's history."""

from __future__ import annotations

import hashlib
import os
import stat
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from dailies.domain.needles import Needles
from dailies.errors import Misconfigured
from dailies.ledger.erasing import MASK
from dailies.ledger.scrub import is_sqlite, scrub
from dailies.report.write import replace

BESIDE_A_DATABASE = ("-wal", "-shm", "-journal")
LARGEST_PICTURE = 64 << 20


@dataclass(frozen=True, slots=True)
class Traces:
    """By what a file is recognised: texts in it, ids in its name, or its digest."""

    texts: Needles
    names: frozenset[str]
    digests: frozenset[str]

    def without(self, text: str) -> str:
        """A text with what is to be forgotten taken out."""
        return self.texts.without(text, MASK)


def clean_home(home: Path, traces: Traces, ledger: Path | None, progress: Callable[[int, int], None]) -> int:
    """Clean every file below a home, but the ledger's own. Returns how many changed or went. Blocks.

    Databases are cleaned last, so that one that is in use stops nothing else. Raises Misconfigured for it, and where a file
    can't be written.
    """
    files = [path for path in _files(home) if path != ledger]
    try:
        databases = [path for path in files if is_sqlite(path)]
        others = [path for path in files if path not in set(databases)]
        changed = 0
        for done, path in enumerate([*others, *databases], 1):
            changed += scrub(path, traces.without) > 0 if path in set(databases) else _clean(path, traces)
            progress(done, len(files))
    except OSError as error:
        raise Misconfigured(
            f"{error.filename or home} can't be cleaned: {error.strerror}. Say the same command again", trouble="disk"
        ) from error
    return changed


def _files(home: Path) -> Iterator[Path]:
    for folder, _, names in os.walk(home):
        for name in names:
            path = Path(folder) / name
            if not name.endswith(BESIDE_A_DATABASE) and stat.S_ISREG(path.lstat().st_mode):
                yield path


def _clean(path: Path, traces: Traces) -> bool:
    """Rewrite or remove one file, if it has to be."""
    if any(name in path.name for name in traces.names) or _is_picture(path, traces) or _packs(path, traces):
        path.unlink()
        return True
    content = path.read_bytes()
    try:
        text = content.decode()
    except UnicodeDecodeError:
        if traces.texts.found_in(content.decode("latin-1")) or traces.texts.found_in(content.decode("utf-8", "ignore")):
            path.unlink()
            return True
        return False
    cleaned = traces.without(text)
    if cleaned != text:
        replace(path, cleaned.encode())
    return cleaned != text


def _is_picture(path: Path, traces: Traces) -> bool:
    if not traces.digests or path.stat().st_size > LARGEST_PICTURE:
        return False
    if any(digest in path.name for digest in traces.digests):
        return True
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() in traces.digests


def _packs(path: Path, traces: Traces) -> bool:
    """Whether a packed file holds any of it: what can be made anew is removed."""
    if path.suffix == ".parquet":
        return _parquet_holds(path, traces)
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as packed:
            return any(traces.texts.found_in(packed.read(name).decode("utf-8", "ignore")) for name in packed.namelist())
    return False


def _parquet_holds(path: Path, traces: Traces) -> bool:
    from pyarrow import ArrowException, parquet

    try:
        table = parquet.read_table(path)
    except (ArrowException, OSError):
        return False
    cells = (str(cell) for column in table.columns for cell in column.to_pylist() if cell is not None)
    return any(traces.texts.found_in(cell) for cell in cells)
