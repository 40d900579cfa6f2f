"""A store, or a proxy before it, may answer with metadata names spelled as HTTP headers are in its language."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from dailies.storage.s3 import S3


@pytest.mark.parametrize("name", ["clip-key", "Clip-Key", "CLIP-KEY"])
def test_metadata_is_known_however_its_names_are_spelled(name: str) -> None:
    found: dict[str, Any] = {"ContentLength": 4, "ETag": '"e"', "Metadata": {name: "k1"}}
    store: Any = SimpleNamespace(_call=lambda *_, **__: found)
    stored = S3.head(store, "clips", "a.mp4")
    assert stored is not None and stored.metadata == {"clip-key": "k1"}
