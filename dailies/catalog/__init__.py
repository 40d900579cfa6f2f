"""Models as data: what each accepts, what it is called at each provider, and what it costs.

Adding a model needs no Python: one entry in `models/*.json`, or in a file of the same form named by `DAILIES_MODELS`.
"""

from __future__ import annotations

from dailies.catalog.at_provider import image_problem, options_at, problems_at, values_at
from dailies.catalog.find import Catalog
from dailies.catalog.load import load_catalog
from dailies.catalog.models import (
    FROM_IMAGE,
    FROM_TEXT,
    JSON,
    Choice,
    ExpectedVideo,
    ImageRule,
    IntChoice,
    Kind,
    Model,
    Offer,
    Option,
    OptionValue,
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
    "FROM_IMAGE",
    "FROM_TEXT",
    "JSON",
    "Catalog",
    "Choice",
    "ExpectedVideo",
    "ImageRule",
    "IntChoice",
    "Kind",
    "Model",
    "Offer",
    "Option",
    "OptionValue",
    "Price",
    "Problem",
    "Rate",
    "ResolvedOptions",
    "check_prompt",
    "expected_video",
    "image_problem",
    "live_quote",
    "load_catalog",
    "nearest_size",
    "options_at",
    "problems_at",
    "quote",
    "request_body",
    "resolve_options",
    "values_at",
]
