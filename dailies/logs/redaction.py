"""What no log line may hold: keys, passwords, the queries of signed addresses, and people's prompts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from threading import Lock

QUERY = re.compile(r"(\b[a-z][a-z0-9+.-]*://[^\s?#\"'<>]+)\?[^\s\"'<>]*", re.IGNORECASE)
PASSWORD = re.compile(r"(\b[a-z][a-z0-9+.-]*://[^\s:/@\"'<>]*):[^\s/\"'<>]*@", re.IGNORECASE)
SHORTEST_SECRET, SHORTEST_PROMPT, HEAD = 6, 6, 16
"""What is shorter is not looked for: it would blank words that mean something else. A longer prompt is known by its first
letters, because providers repeat prompts cut off."""
MASK, PROMPT_MASK = "***", "[prompt]"


class Redaction:
    """Knows what is secret in this process, and takes it out of texts. Safe to use from several threads."""

    def __init__(self) -> None:
        self.looks_for_prompts = False
        self._secrets: set[str] = set()
        self._prompts: dict[str, set[str]] = {}
        self._lock = Lock()

    def hide_secrets(self, values: Iterable[str | None]) -> None:
        """Keys and passwords that no line may hold from now on."""
        with self._lock:
            self._secrets = self._secrets | {v for v in values if v and len(v) >= SHORTEST_SECRET}

    def hide_prompts(self, prompts: Iterable[str]) -> None:
        """Prompts that no line may hold from now on, also where a provider repeats only their beginning. Does nothing where
        nobody collects the lines."""
        if not self.looks_for_prompts:
            return
        with self._lock:
            for prompt in prompts:
                for text in {prompt, json.dumps(prompt)[1:-1], json.dumps(prompt, ensure_ascii=False)[1:-1]}:
                    if len(text.strip()) >= SHORTEST_PROMPT:
                        self._prompts.setdefault(text[:HEAD], set()).add(text)

    def clean(self, text: str) -> str:
        """The text without what is secret."""
        text = PASSWORD.sub(rf"\1:{MASK}@", QUERY.sub(rf"\1?{MASK}", text))
        for secret in self._secrets:
            text = text.replace(secret, MASK)
        return self._without_prompts(text) if self._prompts else text

    def _without_prompts(self, text: str) -> str:
        lengths = sorted({len(head) for head in self._prompts}, reverse=True)
        parts, done, at = [], 0, 0
        while at < len(text):
            length = self._prompt_at(text, at, lengths)
            if length:
                parts += [text[done:at], PROMPT_MASK]
                done = at = at + length
            else:
                at += 1
        return "".join([*parts, text[done:]])

    def _prompt_at(self, text: str, at: int, lengths: Iterable[int]) -> int:
        """How many letters from here on are a prompt or the beginning of one."""
        for length in lengths:
            prompts = self._prompts.get(text[at : at + length])
            if prompts:
                return max(_common(text, at, prompt) for prompt in prompts)
        return 0


def _common(text: str, at: int, prompt: str) -> int:
    length = 0
    for ours, theirs in zip(prompt, text[at : at + len(prompt)], strict=False):
        if ours != theirs:
            break
        length += 1
    return length


hidden = Redaction()
"""What this process keeps out of its log lines."""
