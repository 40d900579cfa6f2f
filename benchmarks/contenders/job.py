"""What all contenders are given, and what they answer. `python -m benchmarks.contenders.NAME < job.json`."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict, dataclass
from typing import Any

import boto3
from botocore.config import Config

PATH = "/v2/video/generations"


@dataclass(frozen=True)
class Job:
    """So many clips, so many at once; `look_s` is the program's fixed wait, or its first, at this time scale."""

    base_url: str
    key: str
    model: str
    image: str
    bucket: str
    s3_url: str
    clips: int
    in_flight: int
    look_s: float
    deliver: bool = True

    @property
    def headers(self) -> dict[str, str]:
        """Of every request to the provider."""
        return {"Authorization": f"Bearer {self.key}"}

    def body(self, number: int) -> dict[str, Any]:
        """A create's body, as the documents show it."""
        return {
            "model": self.model, "prompt": f"clip {number}", "image_url": self.image, "resolution": "720p",
            "aspect_ratio": "16:9", "duration": 4,
        }  # fmt: skip

    def s3(self) -> Any:
        """A boto3 client with room for all."""
        return boto3.client("s3", endpoint_url=self.s3_url, config=Config(max_pool_connections=50))


@dataclass
class Clip:
    """One clip's story in Unix seconds."""

    id: str = ""
    started: float = 0.0
    noticed: float = 0.0
    stored: float = 0.0
    polls: int = 0


def read() -> Job:
    """The job on standard input."""
    return Job(**json.load(sys.stdin))


def answer(clips: list[Clip]) -> None:
    """The stories on standard output."""
    json.dump([asdict(clip) for clip in clips], sys.stdout)


def now() -> float:
    """Unix seconds; the sandbox has the same clock."""
    return time.time()
