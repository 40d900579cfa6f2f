"""The providers behind one small protocol: create, look, find again, and what can be asked for free."""

from dailies.providers.base import Created, Found, Look, LookKind, Provider
from dailies.providers.open import open_providers

__all__ = ["Created", "Found", "Look", "LookKind", "Provider", "open_providers"]
