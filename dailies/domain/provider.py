"""What a provider declares of itself: plain data, from which settings, clients, the sandbox and the documents are made."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

UNDOCUMENTED_KEY_LIFE = timedelta(minutes=15)
"""For how long a key is taken to be known where the provider documents no time."""


class SettledBy(StrEnum):
    """How a lost answer can be settled."""

    OWN_ID = "own id"  # we choose the generation's id, and ask for it
    SAME_KEY = "same key again"  # the same request with the same key gives the first answer
    LOG = "log"  # the provider lists requests with our reference
    HISTORY = "history"  # the provider lists requests with their bodies
    WEBHOOK = "webhook"  # the provider calls our address, which carries our reference
    PERSON = "a person"  # nothing of these: `dailies resolve`


FREE_QUESTIONS = frozenset({SettledBy.OWN_ID, SettledBy.LOG, SettledBy.HISTORY})


@dataclass(frozen=True, slots=True)
class Settling:
    """How a lost answer is settled, in this order; a person is the last of every list.

    `holds_for`: how long after the create the free question still tells; None: it is not documented. `key_life`: how long the
    same key is the same request.
    """

    by: tuple[SettledBy, ...] = ()
    holds_for: timedelta | None = None
    key_life: timedelta = UNDOCUMENTED_KEY_LIFE

    @property
    def asks(self) -> bool:
        """Whether a free question may settle it."""
        return not FREE_QUESTIONS.isdisjoint(self.by)

    @property
    def at_once(self) -> bool:
        """Whether a doubt may be settled right after it arose: a log of finished requests tells only later."""
        return not {SettledBy.OWN_ID, SettledBy.SAME_KEY, SettledBy.HISTORY}.isdisjoint(self.by)

    @property
    def repeats(self) -> bool:
        """Whether the same request again, with its own key, is the same purchase."""
        return SettledBy.SAME_KEY in self.by


@dataclass(frozen=True, slots=True)
class TextSetting:
    """A setting that only this provider has: its name in the environment, and what it may be (anything where nothing is said)."""

    name: str
    default: str
    description: str
    choices: tuple[str, ...] = ()
    secret: bool = False
    """Whether nobody may see it: masked wherever settings are shown, and kept in a Secret block on a Prefect server."""


@dataclass(frozen=True, slots=True)
class Declaration:
    """One provider, as its package declares it under the name PROVIDER.

    `rank` is its place in every list; the first one is asked where a row names none. `client` and `front` name what is loaded
    only when it is needed, as `module:attribute`: a function that takes `Opening` (`dailies/providers/base.py`) and returns a
    `Provider`, and a class of the sandbox's (`dailies/sandbox/fronts.py:Front`). `offers` (`package:file.json`) says for models of
    the catalog what they are called there, which fields they take, and what they cost.
    """

    name: str
    title: str
    base_url: str
    client: str
    offers: str | None = None
    front: str | None = None
    rank: int = 100
    vendor_keys: tuple[tuple[str, ...], ...] = ()
    """The vendor's own names for the key, read where ours is not set; the parts of one key are joined by a colon."""
    settings: tuple[TextSetting, ...] = ()
    create_timeout_s: float = 120.0
    creates_at_once: int | None = 50
    """How many creates may be on their way together; None where the answer is the clip itself and takes minutes."""
    result_life: timedelta | None = None
    """How long it documents to keep a result; None where it does not say."""
    settling: Settling = field(default_factory=Settling)
    account: str | None = None
    """Its own ledger, where it publishes one: a function that takes `Opening` and returns an `Account`."""
    tells_balance: bool = True
    """Whether a working key is always told the balance: then no answer means a wrong key or address."""
    cancels: bool = False
    cancel_rule: str = ""
    """What cancelling means there, in a sentence that is said before it is asked for."""
    webhook: bool = False
    webhook_signature: str = ""
    """How its calls are signed, in the words of a table; empty where they are not, and only hints then."""
    cost_from: str = "the answer"
    """Where a clip's cost is told, in the words of a table."""
    sells_more: bool = False
    """Whether it also sells models that only its own list names, and not the catalog."""

    @property
    def key_name(self) -> str:
        """The environment's name of its key."""
        return f"{self.name.upper()}_API_KEY"

    @property
    def base_url_name(self) -> str:
        """The environment's name of its address."""
        return f"{self.name.upper()}_BASE_URL"

    @property
    def key_block(self) -> str:
        """The Prefect Secret block that may hold its key."""
        return self.key_name.lower().replace("_", "-")


def in_order(declared: Iterable[Declaration]) -> dict[str, Declaration]:
    """By name, in the order of their ranks."""
    return {one.name: one for one in sorted(declared, key=lambda one: (one.rank, one.name))}
