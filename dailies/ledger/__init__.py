"""The record of every clip, attempt and cent, on SQLite or Postgres."""

from dailies.ledger.engine import open_engine
from dailies.ledger.ledger import Adopted, Caps, Ledger, Unclaimed
from dailies.ledger.owner import Owner
from dailies.ledger.spool import Spool

__all__ = ["Adopted", "Caps", "Ledger", "Owner", "Spool", "Unclaimed", "open_engine"]
