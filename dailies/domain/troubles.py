"""Every kind of trouble: what it means, what it cost, what to do, what to type. Pure.

`dailies explain`, the last lines of a refusal and docs/trouble.md are all made from this one table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dailies.domain import commands as c
from dailies.errors import Trouble

Section = Literal["Refused", "In doubt", "Overdue", "Failed", "Lost", "The machine"]
NOTHING = "Nothing was bought."
CSV, BATCH, ATTEMPT = "prompts.csv", "prompts", "1234abcd"
CHECK = c.command("check", CSV)
MODELS = c.command("models")


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of trouble in a person's words. `commands` are examples, whole as they stand, the most likely first."""

    section: Section
    means: str
    cost: str
    cure: str
    commands: tuple[str, ...]


def _refused(means: str, cure: str, *commands: str, cost: str = NOTHING) -> Kind:
    return Kind("Refused", means, cost, cure, commands)


def _machine(means: str, cure: str, *commands: str, cost: str = NOTHING) -> Kind:
    return Kind("The machine", means, cost, cure, commands)


KINDS: dict[Trouble, Kind] = {
    "request": _refused(
        "A command, an option or its value can't be used as it was typed.",
        "Correct the word that the message names; every command explains its options.",
        c.command("run", "--help"),
    ),
    "bad-rows": _refused(
        "Some rows of the CSV can't become clips. Each is named with its row number, its column and its cure, all at once.",
        "Mend the cells in the spreadsheet, save it, and check again.",
        CHECK,
    ),
    "no-file": _refused(
        "The CSV is not there, is a folder, is too large, or can't be read.",
        "Name the file as it is called; begin with a starter if you have none yet.",
        c.command("init"), CHECK,
    ),
    "model-unknown": _refused(
        "No model, or no provider of this model, is called so.",
        "Take an id from the list; the nearest one is suggested in the message.",
        MODELS, c.command("models", "--for", "frame.png"),
    ),
    "model-gone": _refused(
        "The provider no longer serves this model.",
        "Add one of the three `--model` flags in the message: they take these rows, at the price that stands beside them.",
        MODELS,
    ),
    "no-price": _refused(
        "Nobody says what one of these clips costs, so no budget could hold.",
        "Ask the providers and keep the answers in a file that `DAILIES_MODELS` names; or say `--allow-unpriced`.",
        c.command("models", "prices", "--write"), c.command("check", CSV, "--allow-unpriced"),
    ),
    "budget": _refused(
        "What is to be bought does not fit into a budget: the batch's, the day's, the week's, the month's, or a client's.",
        "Raise that budget, or buy fewer rows with `--rows` or `--limit`.",
        c.command("check", CSV, "--budget", "50"), c.command("report", "--group-by", "day"),
    ),
    "not-approved": _refused(
        "Somebody was asked and said no, or nobody said yes in time.",
        "Run it again when it may be bought.",
        CHECK,
    ),
    "nobody-to-ask": _refused(
        "This command asks before it does something that can't be taken back, and there is no terminal to ask at.",
        "Look first where it has `--dry-run`, then say `--yes`.",
        c.command("retry", "--dry-run"), c.command("retry", "--yes"),
        cost="Nothing was touched.",
    ),
    "which-one": _refused(
        "The ledger knows no batch, clip or attempt of this name, or several of them.",
        "Take the name as the list shows it.",
        c.STATUS, c.command("report"),
    ),
    "batch-name": _refused(
        "Another file was made under this batch's name, and this one asks for none of its clips.",
        "Give this file a name of its own.",
        c.command("run", CSV, "--batch", "prompts-2"),
    ),
    "settings": _refused(
        "A setting is misspelt, has a value it can't have, or does not fit together with another.",
        "The message names it; the doctor shows each setting and where its value is from.",
        c.DOCTOR,
    ),
    "no-key": _refused(
        "There is no key for a provider that these rows need.",
        "Set it in the environment or `.env`, or let the starter ask for it; without one there is the demo.",
        c.DOCTOR, c.DEMO,
    ),
    "key-refused": _refused(
        "The provider does not accept the key.",
        "Copy it again from the provider's page, or make a new one.",
        c.DOCTOR,
    ),
    "no-destination": _refused(
        "Nothing says where in S3 the clips go, or the address is none.",
        "Name a bucket with `--to`, or once and for all in `DAILIES_TO`.",
        c.command("check", CSV, "--to", "s3://bucket/prefix"),
    ),
    "store": _refused(
        "The S3 store can't be reached, or does not take what a clip needs. It is tried before anything is paid.",
        "Give the key the permission that the message names, or make the bucket.",
        c.DOCTOR, cost=f"{NOTHING} Clips that are paid for already wait on disk and lose nothing.",
    ),
    "network": _refused(
        "A host can't be reached from here: a proxy, a certificate, a name, or its own outage.",
        "Set the proxy or the certificates as the message says, then run it again.",
        c.DOCTOR,
    ),
    "dispatch": _refused(
        "A part of a large batch reached a worker that sees another CSV, other images, other settings or another ledger.",
        "Give all workers the same ledger and settings, then dispatch the batch again.",
        c.DOCTOR,
    ),
    "catalog": _refused(
        "A file of models that `DAILIES_MODELS` names has mistakes; the message lists them.",
        "Mend the entries, or leave the setting out.",
        c.command("models", "show", "google/veo-3.1-i2v"), MODELS,
    ),
    "not-in-doubt": _refused(
        "What is to be settled is settled already, or the provider shows something else for it.",
        "Look at it as it stands now.",
        c.STATUS, cost="Nothing was changed.",
    ),
    "unsettled": _refused(
        "Something of what is to be forgotten is still being made, is paid for and not home, or is in doubt.",
        "Bring it home and settle it first.",
        c.COLLECT, c.STATUS, cost="Nothing was removed.",
    ),
    "in-doubt": Kind(
        "In doubt",
        "A request was sent and its answer was lost: the provider may have made and charged the clip.",
        "Perhaps the clip's quote. It is shown as money at risk, and never bought again by itself.",
        "`collect` looks for it where the provider can be asked; what only a person can know, `resolve` takes.",
        (c.COLLECT, c.STATUS, c.resolve(ATTEMPT, "--not-charged"), c.resolve(ATTEMPT, "--charged", "GENERATION_ID")),
    ),
    "overdue": Kind(
        "Overdue",
        "The clip takes longer than it ever should, or the run ended before it was there.",
        "The clip is paid for. Nothing is lost as long as the provider keeps it.",
        "Bring it home.",
        (c.COLLECT,),
    ),
    "delayed": Kind(
        "Overdue",
        "The clip is made and safe, at the provider or on this disk, and not yet in S3.",
        "The clip is paid for, once.",
        "See that the store takes it, then bring it home.",
        (c.DOCTOR, c.COLLECT),
    ),
    "failed": Kind(
        "Failed",
        "The provider accepted the clip and then failed to make it.",
        "What the provider says that it charged: often nothing. The report has it.",
        "Make it again as it is, or change the row.",
        (c.command("retry", "--failed", "--dry-run"), c.command("retry", "--failed"), c.refund_pack(BATCH)),
    ),
    "refused": Kind(
        "Failed",
        "The provider said no to this clip: its prompt, its image, or a value.",
        "Nothing.",
        "Change the row: the same words would be refused again.",
        (c.command("retry", "--refused", "--dry-run"), CHECK),
    ),
    "stopped": Kind(
        "Failed",
        "The provider says no to every clip: the key, or no credits. No more is asked of it in this run.",
        "Nothing for the clips that it refused.",
        "Set the key again or top up, then run the same command.",
        (c.DOCTOR,),
    ),
    "busy": Kind(
        "Failed",
        "The provider had no room for too long.",
        "Nothing for this clip.",
        "Run the same command later, with fewer at once.",
        (c.command("run", CSV, "--in-flight", "4"),),
    ),
    "lost": Kind(
        "Lost",
        "The clip was paid for, and the provider has it no more.",
        "The clip was charged. Buying it again is a second charge.",
        "First ask for the money; then buy it again.",
        (c.refund_pack(BATCH), c.command("retry", "--lost", "--dry-run"), c.command("retry", "--lost")),
    ),
    "disk": _machine(
        "A file or folder of this machine can't be written, or there is no room.",
        "Free some space, or mend the folder's permissions.",
        c.TIDY, cost=f"{NOTHING} What is paid for is on record, and waits.",
    ),
    "port": _machine(
        "Another program listens on this port already.",
        "Leave `--port` out, or name another.",
        c.command("review", "--port", "0"),
    ),
    "extra": _machine(
        "This command needs an optional part that is not installed.",
        "Install it as the message says.",
        c.command("--version"),
    ),
    "prefect": _machine(
        "The Prefect API can't be used: it does not answer, keeps a value that can't be, or lacks a deployment.",
        "Do what the message says, or start it. In production, `make deploy` once more.",
        c.DOCTOR,
    ),
    "ledger": _machine(
        "The database with the record of every cent can't be opened, read or written.",
        "See that it answers, then run the same command again.",
        c.command("doctor", "--ready"), cost="Nothing was bought that is not on record there, or in the spool.",
    ),
    "ledger-busy": _machine(
        "The ledger is in use by another run, a backup or an open transaction.",
        "Wait until nothing works with it, then say the same command again.",
        c.STATUS, cost="Nothing was changed.",
    ),
    "ledger-elsewhere": _machine(
        "This ledger is not the one that counts: it was copied elsewhere, would vanish with its container, or another beside it "
        "holds clips that are paid for.",
        "Set `DAILIES_LEDGER_URL` to the one that counts.",
        c.DOCTOR, c.LEDGER_COPY,
    ),
    "ledger-newer": _machine(
        "A later version of dailies has written this ledger.",
        "Install that version, or a later one.",
        c.command("--version"),
    ),
    "spool": _machine(
        "An answer that was saved on disk has not reached the ledger, and may stand for a clip that is paid for.",
        "Let it be taken in first.",
        c.ADOPT, c.COLLECT,
    ),
    "unexpected": _machine(
        "Something happened that dailies has no name for.",
        "Run the same command again. Whatever was paid is on record; with `DAILIES_LOG=json` there is more to report.",
        c.STATUS, c.DOCTOR, cost="Whatever was paid is on record.",
    ),
}  # fmt: skip
"""Each code with what there is to say. Its order is that of the page."""
