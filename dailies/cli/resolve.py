"""`dailies resolve`: what only a person can decide, about one attempt or about all that are in doubt."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from dailies.cli.command_settings import settings_here
from dailies.cli.screen import say
from dailies.cli.tables import table
from dailies.domain.commands import resolve
from dailies.domain.money import show_usd, sum_usd
from dailies.domain.records import Attempt, at_risk
from dailies.domain.states import State
from dailies.errors import BadInput
from dailies.ledger import Ledger
from dailies.registry import declaration
from dailies.report.advice import doubt_commands
from dailies.runtime import make_home, open_ledger, open_runtime
from dailies.settings import Settings
from dailies.steps.ask_again import ask_again
from dailies.steps.resolve import (
    Word,
    attempt_named,
    doubts,
    reopen_lost,
    settle_all,
    settle_charged,
    settle_one,
)

SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*([smhd]?)", re.IGNORECASE)
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "": 3600}
SHOWN = 20


@dataclass(frozen=True, slots=True)
class Said:
    """What stood on the command line. `charged` is None unless that flag was given, if only with an empty id."""

    charged: str | None = None
    not_charged: bool = False
    resubmit: bool = False
    take_back: bool = False
    ask_again: bool = False
    json: bool = False
    yes: bool = False

    @property
    def nothing(self) -> bool:
        """Whether no word was said."""
        return self.charged is None and not (self.not_charged or self.resubmit or self.take_back or self.ask_again)

    def word(self, *allowed: Word) -> Word:
        """The one thing that was said. Raises BadInput for none, several, or what is not allowed here."""
        given = {Word.CHARGED: self.charged is not None, Word.NOT_CHARGED: self.not_charged,
                 Word.RESUBMIT: self.resubmit, Word.TAKE_BACK: self.take_back, Word.ASK_AGAIN: self.ask_again}  # fmt: skip
        words = [word for word, said in given.items() if said]
        if len(words) != 1 or words[0] not in allowed:
            raise BadInput(f"say one of {', '.join(_flag(word) for word in allowed)}. Nothing was changed")
        return words[0]


def _flag(word: Word) -> str:
    flag = f"--{word.replace('_', '-')}"
    return f"{flag} GENERATION_ID" if word is Word.CHARGED else flag


def run_resolve(name: str, said: Said) -> int:
    """Settle one attempt by a person's word, which stays in the ledger's history; without a word show what may be said.

    Exit code 1 where it was asked again and stays in doubt.
    """
    settings = settings_here()
    make_home(settings.home)
    if said.nothing and not said.json:
        return _show(settings, name)
    word = said.word(*Word)
    return asyncio.run(_resolve(settings, name, word, said))


def _show(settings: Settings, name: str) -> int:
    """One attempt, and what a person may say about it. Changes nothing."""
    ledger = open_ledger(settings)
    try:
        attempt = attempt_named(ledger, name)
    finally:
        ledger.close()
    state, risk = attempt.state.replace("_", " "), show_usd(attempt.usd_at_risk)
    since = f"{attempt.created_at:%Y-%m-%d %H:%M} UTC"
    print(
        f"attempt {attempt.id[:8]} of batch {attempt.batch}: {state}, sent to {attempt.provider} {since}, {risk} at risk"
    )
    if attempt.error:
        print(attempt.error)
    if attempt.usd_at_risk:
        lines = [[one.text, one.hint] for one in doubt_commands(attempt.id, attempt.usd_at_risk)]
        known = declaration(attempt.provider)
        if known and (known.settling.asks or known.settling.repeats):
            how = ", or by the same request with its own key" if known.settling.repeats else ""
            lines.insert(0, [resolve(attempt.id, "--ask-again"), f"ask {attempt.provider} now{how}"])
        table(["type", "when"], lines)
    else:
        print("There is nothing to settle.")
    return 0


async def _resolve(settings: Settings, name: str, word: Word, said: Said) -> int:
    async with open_runtime(settings) as runtime:
        attempt = attempt_named(runtime.ledger, name)
        for path in runtime.spool.answers_of(attempt.id):
            say(f"what came in answer to it, and could not be read, is kept in {path}")
        if word is Word.CHARGED:
            settled, sentence = await settle_charged(runtime, attempt, said.charged or "")
        elif word is Word.TAKE_BACK and attempt.lost:
            settled, sentence = await reopen_lost(runtime, attempt)
        elif word is Word.ASK_AGAIN:
            settled, sentence = await ask_again(runtime, attempt)
        else:
            settled, sentence = settle_one(runtime.ledger, attempt, word)
        _tell(runtime.ledger, [settled], sentence, said.json)
    return int(word is Word.ASK_AGAIN and settled.state is State.IN_DOUBT)


def run_resolve_all(said: Said, older_than: str, batch: str | None) -> int:
    """Settle everything that has been in doubt for so long, after a preview. Exit code 2, and nothing touched, where nobody
    can be asked and `--yes` was not said."""
    word, age = said.word(Word.NOT_CHARGED, Word.RESUBMIT), span(older_than)
    if not said.yes and not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise BadInput(
            "this settles many at once and there is nobody to ask: say --yes. Nothing was changed",
            trouble="nobody-to-ask",
        )
    settings = settings_here()
    make_home(settings.home)
    ledger = open_ledger(settings)
    try:
        if batch is not None and batch not in ledger.batches():
            raise BadInput(f"the ledger knows no batch {batch!r}. Nothing was changed", trouble="which-one")
        found = doubts(ledger, age, batch)
        left = {"younger": found.younger, "whose sender is there and may hold the answer": found.sender_lives}
        for why, count in left.items():
            if count:
                say(f"{count} in doubt left alone: {why}")
        _preview(ledger, found.old, word)
        if found.old and not said.yes:
            _confirm(found.old, word)
        settled = settle_all(ledger, found.old, word)
        _tell(ledger, settled, _sentence(settled, word), said.json)
    finally:
        ledger.close()
    return 0


def span(text: str) -> timedelta:
    """`2h`, `90m`, `1d12h`, `0`: a length of time; hours where no unit stands. Raises BadInput."""
    compact = text.replace(" ", "")
    if not compact or SPAN.sub("", compact):
        raise BadInput(f"--older-than {text}: not a length of time such as 2h, 30m or 1d. Nothing was changed")
    return timedelta(seconds=sum(float(number) * SECONDS[unit.lower()] for number, unit in SPAN.findall(compact)))


def _preview(ledger: Ledger, attempts: Sequence[Attempt], word: Word) -> None:
    labels = _labels(ledger, attempts)
    rows = [[a.batch, labels[a.clip_key], a.provider, show_usd(a.usd_quoted), a.error or ""] for a in attempts[:SHOWN]]
    if rows:
        table(["batch", "clip", "provider", "quoted", "what happened"], rows, ["quoted"], stderr=True)
    if len(attempts) > SHOWN:
        by_batch = Counter(a.batch for a in attempts)
        say(f"… and {len(attempts) - SHOWN} more: " + ", ".join(f"{n} of {name}" for name, n in by_batch.items()))
    what = "declared never charged" if word is Word.NOT_CHARGED else "given up, and may be bought again"
    say(f"{len(attempts)} clips in doubt, {show_usd(at_risk(attempts))}: {what}")


def _confirm(attempts: Sequence[Attempt], word: Word) -> None:
    doing = "Declare" if word is Word.NOT_CHARGED else "Give up"
    ending = " never charged" if word is Word.NOT_CHARGED else ""
    print(f"{doing} {len(attempts)} clips{ending}? [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise BadInput("not approved: nothing was changed", trouble="not-approved")


def _sentence(settled: Sequence[Attempt], word: Word) -> str:
    if not settled:
        return "nothing was in doubt for so long: nothing was changed"
    if word is Word.NOT_CHARGED:
        return f"{len(settled)} attempts were not charged; the next run of their batches may buy the clips again"
    risk = show_usd(at_risk(settled))
    return f"{len(settled)} attempts are given up; {risk} stays at risk; the next run of their batches buys the clips again"


def _tell(ledger: Ledger, settled: Sequence[Attempt], sentence: str, as_json: bool) -> None:
    if not as_json:
        print(sentence)
        return
    labels = _labels(ledger, settled)
    entries = [
        {
            "id": labels[a.clip_key], "batch": a.batch, "clip_key": a.clip_key, "attempt": a.id, "provider": a.provider,
            "state": str(a.state), "generation_id": a.generation_id, "usd_quoted": float(a.usd_quoted),
            "usd_at_risk": float(sum_usd([a.usd_at_risk])), "error": a.error,
        }
        for a in settled
    ]  # fmt: skip
    print(json.dumps(entries, ensure_ascii=False))
    say(sentence)


def _labels(ledger: Ledger, attempts: Sequence[Attempt]) -> dict[str, str]:
    rows = ledger.rows_of_clips(a.clip_key for a in attempts)
    return {a.clip_key: a.clip_key[:12] for a in attempts} | {row.clip_key: row.id for row in rows}
