"""Paints the demo's images: skies, seas and hills in numpy, so that nothing here belongs to anybody else.

python data/paint_images.py        (re)writes data/images/*
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

FOLDER = Path(__file__).parent / "images"
SCENES = {
    "sunrise-720.png": (1280, 720, (255, 176, 96), (64, 84, 160), (24, 34, 60), 3),
    "harbour-720.png": (1280, 720, (240, 214, 180), (92, 148, 176), (30, 62, 78), 5),
    "tower-portrait-720.png": (720, 1280, (250, 220, 190), (120, 96, 150), (40, 26, 60), 7),
    "forest-1080.jpg": (1792, 1024, (226, 236, 190), (98, 150, 120), (18, 48, 34), 11),
    "dune-portrait-1080.jpg": (1024, 1792, (255, 226, 170), (214, 150, 100), (120, 66, 36), 13),
    "night-720.png": (1280, 720, (60, 70, 120), (14, 16, 44), (4, 6, 16), 17),
}


def paint(
    width: int, height: int, glow: tuple[int, ...], sky: tuple[int, ...], ground: tuple[int, ...], seed: int
) -> Image.Image:
    """A sky that fades into a glow at the horizon, a sun, and three rows of hills."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    horizon = height * 0.62
    fade = np.clip(y / horizon, 0, 1)[..., None] ** 1.6
    picture = np.array(sky, np.float32) * (1 - fade) + np.array(glow, np.float32) * fade
    sun_x, sun_y, radius = width * random.uniform(0.3, 0.7), horizon * 0.78, min(width, height) * 0.07
    distance = np.hypot(x - sun_x, y - sun_y)
    light = np.exp(-((distance / (radius * 3.2)) ** 2))[..., None]
    picture = picture + light * (np.array([255, 244, 214], np.float32) - picture) * 0.8
    for layer in range(3):
        phases, scale = random.uniform(0, 6.28, 4), width / (2.2 + layer)
        ridge = sum(np.sin(x[0] / scale * (k + 1) * 2.4 + phases[k]) / (k + 1.5) for k in range(4))
        edge = horizon + height * (0.02 + 0.11 * layer) + ridge * height * 0.035
        shade = np.array(ground, np.float32) * (1.9 - 0.45 * layer) + np.array(glow, np.float32) * (0.22 - 0.07 * layer)
        picture = np.where((y > edge[None, :])[..., None], shade, picture)
    grain = random.normal(0, 2.0, (height, width, 1))
    image = Image.fromarray(np.clip(picture + grain, 0, 255).astype(np.uint8))
    return image.filter(ImageFilter.GaussianBlur(0.6))


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, scene in SCENES.items():
        image = paint(*scene)
        if name.endswith(".jpg"):
            image.save(FOLDER / name, quality=88)
        else:
            image.quantize(256, dither=Image.Dither.FLOYDSTEINBERG).convert("RGB").save(FOLDER / name, optimize=True)
