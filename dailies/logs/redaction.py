"""What no log line may hold: keys, passwords, the queries of signed addresses, and people's prompts."""

from __future__ import annotations

import re
from collections.abc import Iterable
from threading import Lock

from dailies.domain.needles import Needles

QUERY = re.compile(r"(\b[a-z][a-z0-9+.-]*://[^\s?#\"'<>]+)\?[^\s\"'<>]*", re.IGNORECASE)
PASSWORD = re.compile(r"(\b[a-z][a-z0-9+.-]*://[^\s:/@\"'<>]*):[^\s/\"'<>]*@", re.IGNORECASE)
SHORTEST_SECRET = 6
"""What is shorter is not looked for: it would blank words that mean something else."""
MASK, PROMPT_MASK = "***", "[prompt]"


class Redaction:
    """Knows what is secret in this process, and takes it out of texts. Safe to use from several threads."""

    def __init__(self) -> None:
        self.looks_for_prompts = False
        self._secrets: frozenset[str] = frozenset()
        self._prompts = Needles()
        self._lock = Lock()

    def hide_secrets(self, values: Iterable[str | None]) -> None:
        """Keys and passwords that no line may hold from now on."""
        with self._lock:
            self._secrets |= {v for v in values if v and len(v) >= SHORTEST_SECRET}

    def hide_prompts(self, prompts: Iterable[str]) -> None:
        """Prompts that no line may hold from now on, also where a provider repeats only their beginning. Does nothing where
        nobody collects the lines."""
        if not self.looks_for_prompts:
            return
        with self._lock:
            self._prompts.add(prompts)

    def clean(self, text: str) -> str:
        """The text without what is secret."""
        text = PASSWORD.sub(rf"\1:{MASK}@", QUERY.sub(rf"\1?{MASK}", text))
        for secret in self._secrets:
            text = text.replace(secret, MASK)
        return self._prompts.without(text, PROMPT_MASK) if self._prompts else text


hidden = Redaction()
"""What this process keeps out of its log lines."""
