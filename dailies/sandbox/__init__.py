"""A provider that costs nothing: both APIs over real HTTP, real MP4s, faults on request, its own list of charges."""

from __future__ import annotations

from dailies.sandbox.app import create_app
from dailies.sandbox.config import SandboxConfig
from dailies.sandbox.faults import Fault
from dailies.sandbox.server import Sandbox, serve
from dailies.sandbox.world import Charge

__all__ = ["Charge", "Fault", "Sandbox", "SandboxConfig", "create_app", "serve"]
