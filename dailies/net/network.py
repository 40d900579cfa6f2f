"""The one rule by which every client of ours reaches other hosts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import httpx

from dailies.environment import variables
from dailies.net.authorities import Authorities, certificate_trouble
from dailies.net.routes import Route, Routes


@dataclass(frozen=True, slots=True)
class Network:
    """Proxies and certificates: for providers, images, results and the store alike."""

    routes: Routes = field(default_factory=Routes)
    authorities: Authorities = field(default_factory=Authorities)

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Network:
        """As the environment's common variables say; they belong to the machine, not to dailies."""
        return cls(Routes.read(environ), Authorities.read(environ))

    @classmethod
    def here(cls) -> Network:
        """As this process's environment says."""
        return cls.read(variables())

    def describe(self, url: str | httpx.URL, error: BaseException) -> str:
        """What kept us from a host: the way that was taken, the cause, and for certificates what they were checked by."""
        cause = certificate_trouble(error)
        if cause:
            cause = f"its certificate is not accepted: {cause} (checked by {self.authorities})"
        cause = cause or str(error).strip() or type(error).__name__
        route: Route = self.routes.to(url)
        return f"{route}: {cause}" if route.proxy else cause
