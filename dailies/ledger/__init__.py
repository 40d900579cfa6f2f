"""The record of every clip, attempt and cent, on SQLite or Postgres."""

from dailies.domain.caps import Caps
from dailies.ledger.engine import open_engine
from dailies.ledger.ledger import Ledger
from dailies.ledger.owner import Owner
from dailies.ledger.spool import Spool
from dailies.ledger.types import (
    Adopted,
    AnotherFile,
    BoughtAgain,
    DuplicateGeneration,
    LostOwnership,
    MovedMeanwhile,
    TakenNumber,
    Unclaimed,
)

__all__ = [
    "Adopted",
    "AnotherFile",
    "BoughtAgain",
    "Caps",
    "DuplicateGeneration",
    "Ledger",
    "LostOwnership",
    "MovedMeanwhile",
    "Owner",
    "Spool",
    "TakenNumber",
    "Unclaimed",
    "open_engine",
]
