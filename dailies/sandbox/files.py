"""Clips and test images to download."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dailies.sandbox.answers import Refusal
from dailies.sandbox.pictures import test_image
from dailies.sandbox.render import FPS, Spec, render, stamped
from dailies.sandbox.spoil import spoiled
from dailies.sandbox.world import Generation, World

URL_LIFE_S = 3600
"""How long a signed URL works; the real ones live 600 s to 24 h."""

_QUICK_FPS = 2
_MAX_SIDE = 4096
_IMAGE_TYPES = {"png": "image/png", "jpg": "image/jpeg", "webp": "image/webp"}


class Files:
    """`/files/NAME.mp4` and `/images/WIDTHxHEIGHT.png|jpg|webp`. No key is asked for, as at the real hosts."""

    def __init__(self, world: World) -> None:
        self.world = world
        # One encoder at a time: a small machine stays responsive, and the second wish for a clip is a cache hit.
        self._encoder = asyncio.Lock()

    def routes(self) -> list[Route]:
        """Both kinds of file."""
        return [
            Route("/files/{name:path}", self.clip, methods=["GET", "HEAD"]),
            Route("/images/{wide:int}x{high:int}.{form}", self.image, methods=["GET", "HEAD"]),
        ]

    async def clip(self, request: Request) -> Response:
        """One clip, or what a fault makes of it."""
        try:
            generation = self._generation(request)
        except Refusal as refusal:
            return Response(refusal.message, refusal.status, media_type="text/plain")
        order = generation.order
        fault = None
        if request.method == "GET":
            texts = (order.prompt, generation.id, order.model.id)
            fault = self.world.faults.take("download", order.provider, *texts)
        data = await self.data(generation)
        if fault is None:
            return Response(data, media_type="video/mp4")
        other = Spec(
            size=(fault.width or order.size[0], fault.height or order.size[1]),
            duration_s=fault.duration_s or order.duration_s,
            audio=fault.audio and order.audio,
            fps=_QUICK_FPS,
        )
        return await spoiled(fault, data, lambda: self._render(other, None), request.headers)

    async def image(self, request: Request) -> Response:
        """A test image of up to 4096x4096 pixels."""
        size = request.path_params["wide"], request.path_params["high"]
        form = request.path_params["form"]
        if form not in _IMAGE_TYPES or not all(1 <= side <= _MAX_SIDE for side in size):
            return Response("no such image", 404, media_type="text/plain")
        return Response(await asyncio.to_thread(test_image, size, form), media_type=_IMAGE_TYPES[form])

    async def data(self, generation: Generation) -> bytes:
        """The clip's own bytes, the same at each call."""
        order, quick = generation.order, self.world.config.render == "quick"
        fps = order.fps or (_QUICK_FPS if quick else FPS)
        spec = Spec(order.size, order.duration_s, order.audio, fps)
        return stamped(await self._render(spec, order.image), generation.id)

    async def _render(self, spec: Spec, image: bytes | None) -> bytes:
        async with self._encoder:
            return await asyncio.to_thread(render, spec, image)

    def _generation(self, request: Request) -> Generation:
        name = request.path_params["name"]
        folder, _, file = name.rpartition("/")
        generation = self.world.by_file(file)
        if generation is None or not self.world.ended(generation) or self.world.failed(generation):
            raise Refusal(404, "", "no such file")
        needs_slash = getattr(self.world.fronts[generation.order.provider], "encodes_slash", False)
        if needs_slash != (b"%2f" in request.scope["raw_path"].lower()) or folder not in ("", "sandbox"):
            # The real signature covers the encoded slash: whoever normalises the URL is turned away.
            raise Refusal(403, "", "SignatureDoesNotMatch")
        self._check_signature(request, file)
        return generation

    def _check_signature(self, request: Request, file: str) -> None:
        if "sig" not in request.query_params and "expires" not in request.query_params:
            return
        expires, sig = (request.query_params.get("expires", ""), request.query_params.get("sig", ""))
        if not hmac.compare_digest(sig.encode(), _signature(file, expires).encode()):
            raise Refusal(403, "", "SignatureDoesNotMatch")
        if self.world.now() >= datetime.fromtimestamp(int(expires) / 1000, UTC):
            raise Refusal(403, "", "Request has expired")


def clip_url(
    request: Request, generation: Generation, world: World, *, encoded_slash: bool = False, life_s: float = URL_LIFE_S
) -> str:
    """A fresh signed URL of the clip, on the host the request came to, for `life_s` seconds."""
    expires = str(int((world.now().timestamp() + life_s) * 1000))
    name = f"sandbox%2F{generation.file}" if encoded_slash else generation.file
    return f"{request.base_url}files/{name}?expires={expires}&sig={_signature(generation.file, expires)}"


def _signature(file: str, expires: str) -> str:
    return hashlib.sha256(f"sandbox:{file}:{expires}".encode()).hexdigest()[:40]
