"""From a provider's call to an answer: who calls, whom it means, and whether it is on record."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import datetime

from dailies.catalog import Catalog
from dailies.domain.clips import IMAGE_LISTS
from dailies.domain.records import Attempt
from dailies.hooks.app import Answer, Call
from dailies.ledger import Ledger
from dailies.ledger.calling import LEDGER_AWAY, name_of
from dailies.providers.base import Provider
from dailies.providers.webhooks import BadSignature, CannotVerify, Unreadable, attempt_of
from dailies.settings import Settings
from dailies.steps.webhook import CallRecorder, NotOnRecord, UnknownAttempt

logger = logging.getLogger("dailies.hooks")


class Receiver:
    """Answers calls for one ledger and the providers that call it. `now` is the clock of signatures, aware UTC."""

    def __init__(
        self,
        settings: Settings,
        ledger: Ledger,
        catalog: Catalog,
        providers: Mapping[str, Provider],
        now: Callable[[], datetime],
    ) -> None:
        self._settings, self._ledger, self._catalog = settings, ledger, catalog
        self._providers, self._now = providers, now
        self._recorder = CallRecorder(ledger, self._model_of)

    async def __call__(self, call: Call) -> Answer:
        """2xx once it is on record, 401 for a bad signature, 404 for nobody's, 400 for what can't be read; 503: call again."""
        provider = self._providers.get(call.provider)
        if provider is None:
            return Answer(404, "no provider of this name calls here")
        try:
            told = await provider.told(call.headers, call.body, self._now())
            attempt_id = self._referred(call)
            return Answer(200, await self._recorder.record(provider, attempt_id, told))
        except BadSignature as error:
            return Answer(401, str(error))
        except Unreadable as error:
            return Answer(400, str(error))
        except UnknownAttempt as error:
            return Answer(404, str(error))
        except (NotOnRecord, CannotVerify, *LEDGER_AWAY) as error:
            logger.warning("%s: a call is not on record now (%s)", call.provider, name_of(error))
            return Answer(503, "not on record now; call again")

    def _referred(self, call: Call) -> str | None:
        """The attempt of a reference of ours; None without one. Raises BadSignature or UnknownAttempt."""
        if not call.reference:
            return None
        attempt_id = attempt_of(call.reference, call.provider, self._settings.require_key(call.provider))
        if attempt_id is None:
            raise UnknownAttempt("no attempt has this reference")
        return attempt_id

    def _model_of(self, attempt: Attempt) -> str:
        clip = self._ledger.clips_of([attempt.clip_key])[attempt.clip_key]
        has_references = any(name in clip.options for name in IMAGE_LISTS)
        return self._catalog.find(clip.model).offer_at(attempt.provider).called(bool(clip.image), has_references)
