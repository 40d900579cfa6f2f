"""The settings' model and provider serve where a run names none, and a wrong one is the setting's fault."""

from __future__ import annotations

import pytest

from dailies.errors import Misconfigured
from dailies.planning.defaults import with_defaults
from dailies.planning.request import BatchRequest
from dailies.settings import Settings
from tests.unit.planned import CATALOG

SEEDANCE, KLING = "bytedance/seedance-2-0", "klingai/video-v3-pro-image-to-video"
NOTHING = BatchRequest(prompts="a.csv", take="b")


def test_they_serve_where_nothing_is_said_and_nothing_else_of_the_request_changes() -> None:
    settings = Settings(dailies_model=SEEDANCE, dailies_provider="fal,aiml")
    assert with_defaults(NOTHING, settings, CATALOG) == NOTHING.but(model=SEEDANCE, provider="fal,aiml")
    said = NOTHING.but(model=KLING, provider="runware")
    assert with_defaults(said, settings, CATALOG) == said
    assert with_defaults(NOTHING, Settings(), CATALOG) == NOTHING


@pytest.mark.parametrize(("settings", "said"), [
    (Settings(dailies_model="seedanse"), "DAILIES_MODEL=seedanse: no model is called 'seedanse'"),
    (Settings(dailies_provider="fall"), "DAILIES_PROVIDER=fall: 'fall' is not a provider; there are aiml, "),
])  # fmt: skip
def test_a_wrong_one_is_named_with_its_setting_even_where_the_run_says_another(settings: Settings, said: str) -> None:
    for order in (NOTHING, NOTHING.but(model=KLING, provider="aiml")):
        with pytest.raises(Misconfigured) as caught:
            with_defaults(order, settings, CATALOG)
        assert str(caught.value).startswith(said) and str(caught.value).endswith(". Nothing was bought.")
