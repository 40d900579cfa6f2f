"""fal's public keys, by which its webhooks are known: a set of Ed25519 keys at an address of its own, kept for a day."""

from __future__ import annotations

import base64
import binascii
import hashlib
import time
from collections.abc import Mapping
from datetime import datetime

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from dailies.providers.base import Opening
from dailies.providers.http import ApiClient
from dailies.providers.webhooks import BadSignature, CannotVerify, fresh, header

SETTING = "FAL_JWKS_URL"
JWKS = "https://rest.alpha.fal.ai/.well-known/jwks.json"
KEPT_S = 24 * 3600.0
_SIGNED = ("x-fal-webhook-request-id", "x-fal-webhook-user-id", "x-fal-webhook-timestamp")


class PublicKeys:
    """Asked without our key, for they may be at another host."""

    def __init__(self, opening: Opening, own_hosts: bool) -> None:
        address = opening.settings.get(SETTING, JWKS)
        self._address = address if own_hosts or address != JWKS else f"{opening.base_url}/.well-known/jwks.json"
        self._client = ApiClient(self._address, None, opening.create_timeout_s)
        self._keys: list[Ed25519PublicKey] = []
        self._asked_at = -KEPT_S

    async def verify(self, headers: Mapping[str, str], content: bytes, now: datetime) -> None:
        """Raises BadSignature unless one of the keys signed this call, not long ago; CannotVerify where none can be had."""
        parts = [header(headers, name) for name in _SIGNED]
        message = "\n".join([*parts, hashlib.sha256(content).hexdigest()]).encode()
        try:
            signature = bytes.fromhex(header(headers, "x-fal-webhook-signature"))
        except ValueError:
            raise BadSignature("the signature is no hexadecimal number") from None
        if not fresh(parts[2], now):
            raise BadSignature("the signature is not of now")
        if not any(_is_signed(key, signature, message) for key in await self._known()):
            raise BadSignature("the signature is not fal's")

    async def _known(self) -> list[Ed25519PublicKey]:
        if time.monotonic() - self._asked_at < KEPT_S:
            return self._keys
        reply = await self._client.get(self._address, {})
        found = reply.body.get("keys") if reply and reply.status == 200 and isinstance(reply.body, dict) else None
        if not isinstance(found, list):
            raise CannotVerify(f"{SETTING}: {self._address} shows no keys")
        self._keys = [key for one in found if (key := _key(one))]
        self._asked_at = time.monotonic()
        return self._keys

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()


def _key(entry: object) -> Ed25519PublicKey | None:
    """One entry of the set; None for a key of another kind."""
    x = entry.get("x") if isinstance(entry, dict) else None
    try:
        return Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(f"{x}===")) if isinstance(x, str) else None
    except (ValueError, binascii.Error):
        return None


def _is_signed(key: Ed25519PublicKey, signature: bytes, message: bytes) -> bool:
    try:
        key.verify(signature, message)
    except InvalidSignature:
        return False
    return True
