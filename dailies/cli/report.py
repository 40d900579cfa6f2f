"""`dailies report`: the figures on the terminal, and the files for a folder."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

from dailies.catalog import load_catalog
from dailies.cli.command_settings import settings_here
from dailies.cli.screen import say, tell
from dailies.cli.tables import table
from dailies.domain.commands import retakes
from dailies.domain.figures import Totals
from dailies.domain.money import show_usd, sum_usd
from dailies.domain.records import BatchRow
from dailies.domain.text import as_utf8
from dailies.errors import BadInput
from dailies.ledger import Ledger
from dailies.memory import seldom_collected
from dailies.registry import declaration
from dailies.report.credits import Credits, answer_json, credits_of, dump, plain_totals, statuses_json
from dailies.report.divide import BY_ATTEMPT
from dailies.report.focus import focus_csv
from dailies.report.gather import gather_posters
from dailies.report.kept import kept_by, kept_json
from dailies.report.known import with_known_names
from dailies.report.links import POSTERS, PRESIGNED, Linker, from_base, links_end, on_disk, presigned
from dailies.report.page import PageFacts, Ways
from dailies.report.reconcile import Reconciliation, reconciliation_csv
from dailies.report.refund import Claim, refund_claims, refund_files
from dailies.report.rounds import Round, is_sent_back, retake_round
from dailies.report.runs import runs_of
from dailies.report.select import Selection, chosen, each_chosen, grouped
from dailies.report.sidecars import keep_all_sidecars
from dailies.report.target import file_named, folder_named
from dailies.report.write import Extras, Places, to_disk, write_report
from dailies.report.write import replace as replace_file
from dailies.runtime import make_home, open_ledger
from dailies.settings import Settings
from dailies.steps.budgets import budgets_on_record, caps_over_all
from dailies.steps.reconcile import learn_charges, reconciliation_of
from dailies.storage.s3 import S3

MOST_DIFFERENCES = 60


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the command line asks for."""

    selection: Selection
    group_by: str | None = None
    out: Path | None = None
    link_base: str | None = None
    reconcile: bool = False
    refund_pack: bool = False
    json: bool = False
    focus: str | None = None
    sidecars: bool = False


def run_report(wanted: Wanted) -> int:
    """The credits of one batch or all, over any span, grouped by a column. Exit code 0: a report is no verdict."""
    with seldom_collected():
        return _run_report(wanted)


def _run_report(wanted: Wanted) -> int:
    _refuse_what_takes_nothing(wanted)
    settings = settings_here()
    make_home(settings.home)
    ledger = open_ledger(settings)
    try:
        catalog = partial(load_catalog, settings.dailies_models)
        wanted = replace(wanted, selection=with_known_names(wanted.selection, ledger, catalog))
        alone = _alone(ledger, wanted)
        read = _in_one_reading(ledger, wanted, alone) if alone else _whole(settings, ledger, wanted)
        next_round = retake_round(ledger, read.sent_back)
        budgets = budgets_on_record(ledger, caps_over_all(settings))
        credits = replace(read.credits, unknown_statuses=tuple(ledger.unknown_statuses()))
        places = Places(settings.home, ledger.report_folders())
        if wanted.sidecars:
            say(_sidecars(ledger, read.rows))
    finally:
        ledger.close()
    rows, reconciliation, runs = read.rows, read.reconciliation, read.runs
    claims = refund_claims(rows, reconciliation) if wanted.refund_pack else []
    folder = _write(places, credits, wanted, reconciliation, claims, runs)
    if wanted.focus is not None:
        _write_focus(rows, wanted.focus)
        if wanted.focus == "-":
            return 0
    if wanted.json:
        capped = {"budgets": [budget.entry() for budget in budgets]} if budgets else {}
        answer = _answer(rows, credits, wanted, reconciliation, claims, folder)
        print(dump(answer | _decided(credits, next_round) | capped))
        return 0
    _print(rows, credits, wanted.group_by or "batch")
    for budget in budgets:
        print(budget.line)
    _print_decided(credits, next_round, wanted.selection.batch)
    if reconciliation:
        _print_reconciliation(reconciliation)
    if wanted.refund_pack:
        say_claims(claims)
    if folder:
        print(f"Report: {folder}")
    return 0


def _refuse_what_takes_nothing(wanted: Wanted) -> None:
    """Raises BadInput for a place in which nothing can be written."""
    if wanted.out is not None:
        folder_named("--out", wanted.out)
    if wanted.focus not in (None, "-"):
        file_named("--focus", str(wanted.focus), "costs.csv")


@dataclass(frozen=True, slots=True)
class _Read:
    """What the ledger says. `rows` are there only where more than the figures is asked for."""

    credits: Credits
    sent_back: Sequence[BatchRow]
    runs: Mapping[str, str]
    rows: Sequence[BatchRow] = ()
    reconciliation: Reconciliation | None = None


def _alone(ledger: Ledger, wanted: Wanted) -> str | None:
    """The one batch that is asked about, where its figures are all that is needed: then no row is kept."""
    more = wanted.reconcile or wanted.refund_pack or wanted.sidecars or wanted.focus is not None
    if more or wanted.group_by in BY_ATTEMPT:
        return None
    names = [wanted.selection.batch] if wanted.selection.batch else ledger.batches()
    return names[0] if len(names) == 1 else None


def _in_one_reading(ledger: Ledger, wanted: Wanted, batch: str) -> _Read:
    sent_back: list[BatchRow] = []

    def each() -> Iterator[BatchRow]:
        for row in each_chosen(ledger.each_row_for_figures(batch), wanted.selection):
            if is_sent_back(row):
                sent_back.append(row)
            yield row

    return _Read(credits_of(wanted.selection.title, each()), sent_back, runs_of(ledger, [batch]))


def _whole(settings: Settings, ledger: Ledger, wanted: Wanted) -> _Read:
    rows = _rows(ledger, wanted)
    chosen(rows, wanted.selection)  # refuses an unknown batch before anything is asked of the provider
    reconciliation = asyncio.run(reconciliation_of(settings, rows, wanted.selection)) if wanted.reconcile else None
    if reconciliation and learn_charges(ledger, reconciliation):
        rows = _rows(ledger, wanted)
    runs = runs_of(ledger, dict.fromkeys(row.batch for row in rows))
    rows = chosen(rows, wanted.selection)
    return _Read(credits_of(wanted.selection.title, rows), rows, runs, rows, reconciliation)


def _sidecars(ledger: Ledger, rows: Sequence[BatchRow]) -> str:
    """Have a true sidecar beside each clip that is in S3, and say of how many."""
    lying = dict.fromkeys(row.clip_key for row in rows if row.attempt and row.attempt.delivered and not row.forgotten)
    true = keep_all_sidecars(ledger, S3(), lying) if lying else 0
    why = "" if true == len(lying) else ": the store did not take the others, or was not to be had"
    return f"sidecars: beside {true} of {len(lying)} clips{why}"


def _write_focus(rows: Sequence[BatchRow], file: str) -> None:
    """Raises BadInput where the file can't be written."""
    text = focus_csv(rows, lambda provider: known.title if (known := declaration(provider)) else provider)
    if file == "-":
        print(text, end="")
        return
    path = Path(file).expanduser().absolute()
    try:
        replace_file(path, as_utf8(text))
    except OSError as error:
        raise BadInput(f"--focus {file}: it can't be written ({error.strerror})", trouble="disk") from error
    say(f"FOCUS: {path}")


def _rows(ledger: Ledger, wanted: Wanted) -> list[BatchRow]:
    """All rows of the batch; of every batch where the whole ledger has to be known."""
    batch = wanted.selection.batch
    names = [batch] if batch and not wanted.reconcile else ledger.batches()
    return [row for name in names for row in ledger.rows(name)]


def _write(
    places: Places,
    credits: Credits,
    wanted: Wanted,
    reconciliation: Reconciliation | None,
    claims: Sequence[Claim],
    runs: Mapping[str, str],
) -> Path | None:
    """The report's folder, or the refund pack alone where no `--out` says that a report is wanted."""
    now = datetime.now(UTC)
    folder = wanted.out.expanduser().absolute() if wanted.out else places.here(credits.batch)
    if not wanted.out:
        files = refund_files(claims, now, lambda claim: _still(folder, claim))
        to_disk(folder, files)
        return folder if files else None
    link = _linker(wanted, credits, folder, places)
    files = refund_files(claims, now, lambda claim: _still(folder, claim))
    files |= {"reconciliation.csv": as_utf8(reconciliation_csv(reconciliation))} if reconciliation else {}
    end = links_end(now) if wanted.link_base == PRESIGNED else None
    facts = PageFacts(now, runs, wanted.selection.detail, Ways.of(wanted.selection.batch, end), reconciliation)
    write_report(credits, folder, None, extras=Extras(link, facts, files))
    return folder


def _linker(wanted: Wanted, credits: Credits, folder: Path, places: Places) -> Linker:
    """How the page finds its clips; posters are brought into the folder unless they are on the web already."""
    base = wanted.link_base
    copies = Path(base).expanduser().absolute() if base and Path(base).expanduser().is_dir() else None
    if base and base != PRESIGNED and not copies:
        return from_base(base)
    s3 = S3() if credits.sums.delivered else None
    to_disk(folder, {})
    gather_posters(credits.lines, folder, places, s3)
    return presigned(s3, folder) if base == PRESIGNED and s3 else on_disk(folder, copies)


def _still(folder: Path, claim: Claim) -> bytes | None:
    try:
        return (folder / POSTERS / f"{claim.name}.webp").read_bytes()
    except OSError:
        return None


def _answer(
    rows: Sequence[BatchRow],
    credits: Credits,
    wanted: Wanted,
    reconciliation: Reconciliation | None,
    claims: Sequence[Claim],
    folder: Path | None,
) -> dict[str, Any]:
    answer = answer_json(credits, str(folder) if folder else None)
    if credits.unknown_statuses:
        answer["unknown_statuses"] = statuses_json(credits.unknown_statuses)
    if wanted.group_by:
        groups = grouped(rows, credits, wanted.group_by)
        answer["groups"] = {value: plain_totals(totals) for value, totals in sorted(groups.items())}
    if reconciliation:
        differences = [
            {name: _plain(value) for name, value in asdict(entry).items()} for entry in reconciliation.differences
        ]
        sums = {"usd_ours": float(reconciliation.usd_ours), "usd_theirs": float(reconciliation.usd_theirs)}
        answer["reconciliation"] = {"sentence": reconciliation.sentence(), **sums, "differences": differences}
    if wanted.refund_pack:
        answer["refunds"] = [claim.facts() for claim in claims]
    return answer


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    return float(value) if isinstance(value, Decimal) else value


def _print(rows: Sequence[BatchRow], credits: Credits, name: str) -> None:
    table_rows = []
    for value, totals in sorted(grouped(rows, credits, name).items()):
        table_rows.append([value, str(totals.rows), str(totals.delivered + totals.already_delivered), str(totals.failed),
                           str(totals.rows - totals.delivered - totals.already_delivered - totals.failed),
                           show_usd(totals.usd_quoted), show_usd(totals.usd_charged), _unreported(totals),
                           show_usd(totals.usd_at_risk)])  # fmt: skip
    numbers = ["clips", "delivered", "failed", "open", "quoted", "charged", "not reported", "at risk"]
    table([name, *numbers], table_rows, numbers)
    tell(credits.totals.sentence())


def _decided(credits: Credits, next_round: Round) -> dict[str, Any]:
    """What verdicts mean in dollars, where there are any."""
    by = kept_json(kept_by(credits))
    answer: dict[str, Any] = {"kept_by": by} if by else {}
    return answer | ({"retake_round": asdict(next_round)} if next_round.clips else {})


def _print_decided(credits: Credits, next_round: Round, batch: str | None) -> None:
    totals = credits.totals
    if totals.usd_per_kept_second is not None:
        tell(f"{totals.kept} kept, {show_usd(totals.usd_per_kept_second)} a kept second")
    if totals.usd_rejected:
        tell(f"{show_usd(totals.usd_rejected)} of it for rejected takes")
    if next_round.clips:
        clips = "1 clip" if next_round.clips == 1 else f"{next_round.clips} clips"
        unpriced = f", {next_round.unpriced} of them at no known price" if next_round.unpriced else ""
        tell(
            f"Sent back: another round of {clips} comes to {show_usd(next_round.usd_quoted)}{unpriced}: {retakes(batch)}"
        )


def _unreported(totals: Totals) -> str:
    return f"{totals.unreported} (~{show_usd(totals.usd_unreported_quoted)})" if totals.unreported else ""


def _print_reconciliation(reconciliation: Reconciliation) -> None:
    shown = reconciliation.differences[:MOST_DIFFERENCES]
    numbers = ["quoted", "answered", "posted"]
    rows = [
        [str(e.verdict), e.id or "–", e.generation_id or "–", show_usd(e.usd_quoted), show_usd(e.usd_answered),
         show_usd(e.usd_posted), e.note]
        for e in shown
    ]  # fmt: skip
    print()
    if rows:
        table(["why", "clip", "generation", *numbers, "note"], rows, numbers)
    if len(shown) < len(reconciliation.differences):
        print(f"… and {len(reconciliation.differences) - len(shown)} more in reconciliation.csv (--out)")
    print(reconciliation.sentence())


def say_claims(claims: Sequence[Claim]) -> None:
    """Each charge to ask back, and their sum."""
    print()
    rows = [[claim.row.id, str(claim.ground), claim.evidence, show_usd(claim.usd)] for claim in claims]
    if rows:
        table(["clip", "ground", "evidence", "charge"], rows, ["charge"])
    total = show_usd(sum_usd(claim.usd for claim in claims))
    print(f"{len(claims)} charges to ask back, {total}" if claims else "nothing to ask back")
