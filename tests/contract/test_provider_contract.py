"""The contract that is shipped for third parties (`dailies.testing`), kept by all six of ours."""

from __future__ import annotations

from dailies.registry import declared
from dailies.testing import ProviderContract


class TestAiml(ProviderContract):
    """Found again in its log."""

    provider = "aiml"
    model = "google/veo-3.1-i2v"


class TestOneRouter(ProviderContract):
    """Its answer is the clip itself; a lost one is a person's to settle."""

    provider = "onerouter"
    synchronous = True


class TestRunware(ProviderContract):
    """By an id of our own."""

    provider = "runware"
    model = "klingai/v2.1-master-image-to-video"


class TestHiggsfield(ProviderContract):
    """By the same request with its own key."""

    provider = "higgsfield"


class TestFal(ProviderContract):
    """By its history."""

    provider = "fal"
    model = "google/veo-3.1-i2v-fast"


class TestOpenRouter(ProviderContract):
    """By its webhook alone."""

    provider = "openrouter"
    model = "google/veo-3.1-i2v"


def test_each_of_them_is_here() -> None:
    assert {one.provider for one in ProviderContract.__subclasses__()} >= set(declared())
