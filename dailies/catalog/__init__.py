"""Models as data: what each accepts, what it is called at each provider, and what it costs.

Adding a model needs no Python: one entry in `models/*.json`, or in a file of the same form named by `DAILIES_MODELS`.
"""

from __future__ import annotations

from dailies.catalog.find import Catalog
from dailies.catalog.load import load_catalog
from dailies.catalog.models import (
    JSON,
    Choice,
    ExpectedVideo,
    ImageRule,
    IntChoice,
    Model,
    Offer,
    Option,
    Price,
    Problem,
    Rate,
    ResolvedOptions,
)
from dailies.catalog.options import check_prompt, resolve_options
from dailies.catalog.quote import live_quote, quote
from dailies.catalog.request import request_body
from dailies.catalog.sizes import expected_video, nearest_size

__all__ = [
    "JSON",
    "Catalog",
    "Choice",
    "ExpectedVideo",
    "ImageRule",
    "IntChoice",
    "Model",
    "Offer",
    "Option",
    "Price",
    "Problem",
    "Rate",
    "ResolvedOptions",
    "check_prompt",
    "expected_video",
    "live_quote",
    "load_catalog",
    "nearest_size",
    "quote",
    "request_body",
    "resolve_options",
]
