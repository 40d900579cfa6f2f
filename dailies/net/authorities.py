"""Which certificates are accepted: those of the usual authorities, and of what the environment names beside them.

SSL_CERT_FILE, SSL_CERT_DIR, REQUESTS_CA_BUNDLE and AWS_CA_BUNDLE each *add* to the usual ones, for every client. So the
file of a private store's own authority, in AWS_CA_BUNDLE, keeps nobody from reaching a public provider.
"""

from __future__ import annotations

import atexit
import hashlib
import os
import ssl
import stat
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import certifi

from dailies.errors import Misconfigured

VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "AWS_CA_BUNDLE")
_PEM = b"-----BEGIN "


@dataclass(frozen=True, slots=True)
class Authorities:
    """What certificates are checked by: `named` holds (variable, value) of each variable that is set."""

    named: tuple[tuple[str, str], ...] = ()

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Authorities:
        """Take the variables as they are; nothing is opened yet."""
        return cls(tuple((name, environ[name].strip()) for name in VARIABLES if environ.get(name, "").strip()))

    def __str__(self) -> str:
        return ", ".join(["the usual authorities", *(f"{name}={value}" for name, value in self.named)])

    def context(self) -> ssl.SSLContext:
        """A context that verifies always, made once: that takes a twentieth of a second.

        Raises Misconfigured that names the variable whose file is missing or holds no certificate.
        """
        return _context(self)

    def file(self) -> str | None:
        """All of them in one PEM file, for a library that takes nothing else; None when nothing is named.

        It lies in the temporary folder, one file for all processes of this user. Raises Misconfigured as `context` does.
        """
        return _file(self) if self.named else None


@cache
def _context(authorities: Authorities) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=certifi.where())
    for variable, value in authorities.named:
        taken, reason = 0, "there is no certificate in it"
        for path in _files(variable, value):
            try:
                context.load_verify_locations(cafile=str(path))
                taken += 1
            except (OSError, ssl.SSLError) as error:
                reason = error.strerror or str(error)
        if not taken:
            raise Misconfigured(
                f"{variable}={value} can't be used: {reason}. It names a file or folder of PEM certificates",
                trouble="network",
            )
    return context


@cache
def _file(authorities: Authorities) -> str:
    _context(authorities)  # says what can't be used
    paths = [Path(certifi.where()), *(p for variable, value in authorities.named for p in _files(variable, value))]
    try:
        return str(_kept(b"\n".join(path.read_bytes() for path in paths)))
    except OSError as error:
        raise Misconfigured(
            f"no temporary file can be written for the store's certificates: {error.strerror}", trouble="disk"
        ) from error


def _kept(content: bytes) -> Path:
    """A file of this content, named by its digest: written once and whole, then used by every process of this user."""
    folder, user = Path(tempfile.gettempdir()), os.getuid() if hasattr(os, "getuid") else 0
    kept = folder / f"dailies-authorities-{user}-{hashlib.sha256(content).hexdigest()[:32]}.pem"
    if _is_mine(kept, user, content):
        os.utime(kept)  # what tidies old files away leaves it
        return kept
    handle, written = tempfile.mkstemp(prefix="dailies-authorities-", suffix=".pem", dir=folder)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    try:
        return Path(written).replace(kept)
    except OSError:  # another user's file has the name, and could say tomorrow who is to be trusted
        atexit.register(lambda: Path(written).unlink(missing_ok=True))
        return Path(written)


def _is_mine(path: Path, user: int, content: bytes) -> bool:
    """Whether this is a file that nobody but this user can have written, of just this content."""
    try:
        found = path.lstat()
        mine = found.st_uid == user and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
        return stat.S_ISREG(found.st_mode) and mine and path.read_bytes() == content
    except OSError:
        return False


def _files(variable: str, value: str) -> Iterator[Path]:
    """The files that a variable names; of folders (SSL_CERT_DIR may name several) each one that holds PEM, once."""
    seen: set[Path] = set()
    for part in value.split(os.pathsep) if variable == "SSL_CERT_DIR" else [value]:
        path = Path(part).expanduser()
        if not path.is_dir():
            yield path
            continue
        for file in sorted(path.iterdir()):
            real = file.resolve()
            if real not in seen and real.is_file() and _PEM in real.read_bytes():
                seen.add(real)
                yield real


def certificate_trouble(error: BaseException) -> str | None:
    """Why a certificate or a TLS handshake failed, in OpenSSL's own short words, wherever in a chain of errors they stand."""
    todo, seen = [error], set[int]()
    while todo:
        one = todo.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, ssl.SSLCertVerificationError):
            return one.verify_message
        if isinstance(one, ssl.SSLError) and one.reason:
            return one.reason.replace("_", " ").lower()
        inside = (one.__cause__, one.__context__, getattr(one, "reason", None), *one.args)
        todo.extend(e for e in inside if isinstance(e, BaseException))
    return None
