"""What a file says of where it comes from, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Origin:
    """What a clip's own bytes say. `c2pa`: whether they carry a C2PA manifest. `digital_source_type` is the IPTC's term for
    how it was made, in the file's own words; None where it says nothing. Nothing of it is verified.
    """

    c2pa: bool
    digital_source_type: str | None = None

    def record(self) -> dict[str, object]:
        """As JSON, for the ledger."""
        return asdict(self)

    @classmethod
    def of_record(cls, record: Mapping[str, Any] | None) -> Origin | None:
        """From the ledger's JSON; None for a clip that was never asked."""
        return None if record is None else cls(bool(record["c2pa"]), record.get("digital_source_type"))
