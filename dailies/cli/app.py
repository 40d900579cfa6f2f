"""The commands and their options, as `dailies --help` shows them. What they do is in the modules beside this one."""

from __future__ import annotations

import codecs
import io
import logging
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import App, CycloptsError, Parameter

from dailies.cli.batch_options import takes_request
from dailies.cli.ledger_admin import ledger_app
from dailies.cli.models import models_app
from dailies.errors import BadInput, DailiesError, Misconfigured, describe_error, trouble_of
from dailies.logs import stderr_as_asked
from dailies.planning.request import FOLDERS, BatchRequest

REFUSED, INTERRUPTED = 2, 130


def _versions() -> str:
    from importlib.metadata import version

    from dailies import __version__
    from dailies.ledger.migrations import HEAD

    return f"dailies {__version__} (Prefect {version('prefect')}, ledger schema {HEAD})"


app = App(
    name="dailies",
    version=_versions,
    help="A CSV of prompts and images becomes video clips in S3, and every cent is on record.",
    version_flags=["--version"],
    default_parameter=Parameter(negative=()),
    suppress_keyboard_interrupt=False,  # `main` says what an interruption means
)

app.command(ledger_app)
app.command(models_app)
app.register_install_completion_command(help="Let this shell complete commands and options: bash, zsh or fish.")


JsonFlag = Annotated[bool, Parameter(help="Print one JSON object on stdout; logs go to stderr.")]
YesFlag = Annotated[bool, Parameter(help="Do not ask before spending.")]


@app.command
def demo(*, output: Path = Path("demo-output"), stay: bool | None = None) -> int:
    """Everything embedded: sandbox provider, S3, Prefect server. No account, no cost.

    Parameters
    ----------
    output
        Folder for the finished clips and the report.
    stay
        Keep the Prefect UI open until Ctrl-C. Default: on a terminal.
    """
    from dailies.cli.demo import run_demo

    return run_demo(output, sys.stdout.isatty() and sys.stdin.isatty() if stay is None else stay)


@app.command
def init() -> int:
    """A starter in this folder: three rows, their images, every setting; asks for provider, key and bucket on a terminal."""
    from dailies.cli.init import run_init

    return run_init()


def _check_retakes(asked: Mapping[str, Any], *, json: bool = False) -> int:
    from dailies.cli.check import check_retakes

    return check_retakes(asked, json)


@app.command
@takes_request(*FOLDERS, without_csv=_check_retakes)
def check(request: BatchRequest, *, json: JsonFlag = False) -> int:
    """Spends nothing: rows, images, models, prices."""
    from dailies.cli.check import run_check

    return run_check(request, json)


def _retakes(
    asked: Mapping[str, Any], *, json: bool = False, yes: bool = False, approve_above: str | None = None
) -> int:
    from dailies.cli.models import dollars
    from dailies.cli.retake import run_retakes

    return run_retakes(asked, json, yes, dollars("--approve-above", approve_above))


@app.command
@takes_request(without_csv=_retakes)
def run(
    request: BatchRequest,
    *,
    json: JsonFlag = False,
    yes: YesFlag = False,
    approve_above: Annotated[
        str | None,
        Parameter(help="Quoted above so many dollars, wait for a yes in the Prefect UI instead of asking here."),
    ] = None,
) -> int:
    """Make every clip of a CSV and deliver it to S3."""
    from dailies.cli.models import dollars
    from dailies.cli.run import run_batch

    return run_batch(request, json, yes, dollars("--approve-above", approve_above))


@app.command
def collect(*, json: JsonFlag = False) -> int:
    """Finish every paid clip that nobody is watching; settle what is in doubt."""
    from dailies.cli.run import run_collect

    return run_collect(json)


@app.command
def status(
    *,
    batch: Annotated[str | None, Parameter(help="Only this batch.")] = None,
    watch: Annotated[bool, Parameter(help="Show how a batch goes on, wherever it is made, until it is done.")] = False,
    json: JsonFlag = False,
) -> int:
    """What is in flight, in doubt, overdue; money at risk."""
    if watch:
        if json:
            raise BadInput("status: --watch is for people, --json answers once; leave one out")
        from dailies.cli.watch import run_watch

        return run_watch(batch)
    from dailies.cli.ledger import run_status

    return run_status(batch, json)


@app.command
def report(  # noqa: PLR0913 - a command's options are its parameters
    *,
    batch: str | None = None,
    since: str | None = None,
    until: str | None = None,
    provider: str | None = None,
    model: str | None = None,
    group_by: str | None = None,
    out: Path | None = None,
    link_base: str | None = None,
    reconcile: bool = False,
    refund_pack: bool = False,
    focus: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None,
    sidecars: bool = False,
    json: JsonFlag = False,
) -> int:
    """What was made, what it cost, and what to do next.

    Parameters
    ----------
    batch
        One batch only.
    since
        Only clips bought on or after this day (`2026-11-01`, UTC).
    until
        Only clips bought on or before this day.
    provider
        Only clips of this provider.
    model
        Only clips of this model.
    group_by
        Sums by a column: model, provider, batch, state, day, or one of the team's own.
    out
        Write `report.html`, `credits.csv`, `credits.parquet` and `summary.json` into this folder.
    link_base
        Where the page finds the clips: a web address that stands for the bucket, `presigned` (links that work for a
        week, for whoever has the page), or a folder with copies of the clips.
    reconcile
        Compare with the provider's own ledger, row by row.
    refund_pack
        Write letters and evidence for charges that should come back.
    focus
        Write the reported charges into this CSV file by the columns of FOCUS 1.2, for finance tools; `-` is stdout, and then
        nothing else is printed there.
    sidecars
        Bring the sidecar beside each of these clips in S3 up to date, also where an earlier version made none.
    """
    from dailies.cli.report import Wanted, run_report
    from dailies.report.select import Selection, day

    selection = Selection(batch, day("--since", since), day("--until", until), provider, model)
    return run_report(Wanted(selection, group_by, out, link_base, reconcile, refund_pack, json, focus, sidecars))


@app.command
def resolve(  # noqa: PLR0913 - a command's options are its parameters
    attempt: str | None = None, /, *,
    charged: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None,
    not_charged: bool = False, resubmit: bool = False, take_back: bool = False, ask_again: bool = False,
    all_in_doubt: bool = False,
    older_than: str = "2h",
    batch: Annotated[str | None, Parameter(help="With --all-in-doubt: of this batch only.")] = None,
    yes: bool = False,
    json: Annotated[bool, Parameter(help="Print a list of what was settled on stdout.")] = False,
) -> int:  # fmt: skip
    """Settle an attempt in doubt, which only a person can; or all of them.

    Parameters
    ----------
    attempt
        The attempt's id, or its first digits, as `dailies status` shows it.
    charged
        It was charged, and this is its generation id: the provider is asked, then the clip is collected.
    not_charged
        It was surely never charged: the clip may be bought again.
    resubmit
        Buy it again whatever happened; what was in doubt stays on record as at risk.
    take_back
        Take back that it was never charged: in doubt again. For a lost clip: ask the provider once more.
    ask_again
        Ask the provider now: a free question, else the same request with its own key where that is the same purchase.
    all_in_doubt
        Everything in doubt, with --not-charged or --resubmit, after a preview.
    older_than
        With --all-in-doubt: only what was sent so long ago, such as 2h, 30m or 1d.
    yes
        Do not ask.
    """
    from dailies.cli.resolve import Said, run_resolve, run_resolve_all

    said = Said(charged, not_charged, resubmit, take_back, ask_again, json, yes)
    if all_in_doubt is (attempt is not None):
        raise BadInput("say one ATTEMPT, or --all-in-doubt. Nothing was changed.")
    return run_resolve(attempt, said) if attempt is not None else run_resolve_all(said, older_than, batch)


@app.command
def fetch(*, batch: str | None = None, to: str = ".", json: JsonFlag = False) -> int:
    """Delivered clips to disk, checked; what is there already is not fetched again.

    Parameters
    ----------
    batch
        One batch only.
    to
        A folder on this machine.
    """
    from dailies.cli.fetch import run_fetch

    return run_fetch(batch, to, json)


@app.command
def show(clip: str, *, batch: str | None = None, json: JsonFlag = False) -> int:
    """Everything about one clip: what it is, what it cost, where it lies, what was said of it and how it came about.

    Parameters
    ----------
    clip
        Which: a clip_key, at least 12 digits of it, or BATCH/ID[/TAKE].
    batch
        The batch in which an ID alone is looked for.
    """
    from dailies.cli.show import run_show

    return run_show(clip, batch, json)


@app.command
def export(
    *,
    batch: str,
    kept: bool = False,
    as_: Annotated[Literal["otio", "edl", "csv", "zip"], Parameter(name="--as")],
    to: str | None = None,
    name: str = "{id}_{take}",
    json: JsonFlag = False,
) -> int:
    """Hand a batch over to an editor: a timeline with its clips, a list, or one archive, under names that you choose.

    Parameters
    ----------
    batch
        Whose clips.
    kept
        Only those that were kept in `dailies review`.
    as_
        OpenTimelineIO or EDL (with the clips in a folder beside it), a CSV, or a zip of clips and CSV.
    to
        The file, or a folder for it. Default: named after the batch, in this folder.
    name
        What each clip is called, without ending. In braces: id, take, batch, row, clip_key, model, provider, resolution,
        aspect_ratio, duration_s, verdict, and every option and column of your own.
    """
    from dailies.cli.export import run_export

    return run_export(batch, kept, as_, to, name, json)


@app.command
def retry(  # noqa: PLR0913 - a command's options are its parameters
    *,
    batch: str | None = None,
    failed: bool = False,
    refused: bool = False,
    lost: bool = False,
    cancelled: bool = False,
    dry_run: bool = False,
    yes: bool = False,
    json: JsonFlag = False,
) -> int:
    """Buy again what failed, was refused, was lost or was cancelled; none of these words means all four.

    Parameters
    ----------
    batch
        One batch only; needed where several have such clips.
    failed
        Accepted by the provider, then failed.
    refused
        Never accepted.
    lost
        Paid for, and gone: this is a second charge.
    cancelled
        Cancelled by a person.
    dry_run
        Only show them, with what they would cost.
    yes
        Do not ask before spending.
    """
    from dailies.cli.retry import run_retry
    from dailies.domain.retry import Kind

    said = {Kind.FAILED: failed, Kind.REFUSED: refused, Kind.LOST: lost, Kind.CANCELLED: cancelled}
    return run_retry(batch, [kind for kind, wanted in said.items() if wanted], dry_run, yes, json)


@app.command
def review(
    *,
    batch: str | None = None,
    port: int = 0,
    no_browser: bool = False,
    export: Annotated[str | None, Parameter(name="--export", allow_leading_hyphen=True)] = None,
    import_: Annotated[str | None, Parameter(name="--import")] = None,
) -> int:
    """The screening room: look at clips, keep, retake or reject them. It serves a page on loopback until Ctrl-C.

    Parameters
    ----------
    batch
        One batch only.
    port
        Where it listens on 127.0.0.1; 0 takes a free one.
    no_browser
        Do not open the page in a browser; its address is the first line on stdout.
    export
        Write all verdicts into this CSV file (`-` is stdout), and end.
    import_
        Take in the verdicts of this CSV file, all or none, and end.
    """
    from dailies.cli.review import run_review, take_in, write_out

    if export is not None and import_ is not None:
        raise BadInput("review: --export and --import are two commands; say one. No verdict was changed.")
    if export is not None:
        return write_out(batch, export)
    return take_in(batch, import_) if import_ is not None else run_review(batch, port, not no_browser)


@app.command
def forget(*, batch: str | None = None, clip: str | None = None, yes: bool = False) -> int:
    """Remove prompts, images and clips for good, here and in S3; what they cost stays on record.

    Parameters
    ----------
    batch
        All clips of a batch.
    clip
        One clip: its clip_key, at least 12 digits of it, or BATCH/ID[/TAKE].
    yes
        Do not ask.
    """
    from dailies.cli.forget import run_forget

    return run_forget(batch, clip, yes)


@app.command
def tidy(
    *,
    older_than: str | None = None,
    keep_mb: int | None = None,
    dry_run: bool = False,
    yes: bool = False,
    json: Annotated[bool, Parameter(help="Print a list of what was, or would be, removed on stdout.")] = False,
) -> int:
    """Remove what is left over: old downloads, images, answers, copies, logs, reports and probes; nothing that is paid for and
    not in S3.

    Parameters
    ----------
    older_than
        Only what was last changed so long ago, such as 30d or 12h. Default: DAILIES_KEEP_DAYS.
    keep_mb
        Of what can be made again (images, catalog answers, reports) keep no more than so many MiB, the youngest. Default:
        DAILIES_KEEP_MB.
    dry_run
        Only show what would be removed.
    yes
        Do not ask.
    """
    from dailies.cli.tidy import run_tidy

    return run_tidy(older_than, keep_mb, dry_run, yes, json)


@app.command
def cancel(*clips: str, batch: str | None = None, yes: YesFlag = False, json: JsonFlag = False) -> int:
    """Stop clips that are not made yet: what was not sent costs nothing; what waits at a provider is asked to stop there.

    Parameters
    ----------
    clips
        Which: a clip_key, at least 12 digits of it, or BATCH/ID[/TAKE]; none given is every one that can be cancelled.
    batch
        One batch only; needed where several have such clips.
    """
    from dailies.cli.cancel import run_cancel

    return run_cancel(batch, clips, yes, json)


@app.command
def hooks(*, host: str = "127.0.0.1", port: int = 8791) -> int:
    """For machines that watch or call: metrics, health, and providers' webhooks.

    Parameters
    ----------
    host
        The address it listens on; a webhook needs one that the provider reaches through your proxy.
    port
        0 takes a free one.
    """
    from dailies.cli.hooks import run_hooks

    return run_hooks(host, port)


@app.command
def sandbox(*, port: int = 8790, time_scale: float = 1.0, s3: bool = False) -> int:
    """The free provider on its own: both APIs on loopback, real MP4s, no charge.

    Parameters
    ----------
    port
        Where it listens on 127.0.0.1; 0 takes a free one.
    time_scale
        1 takes as long as the real models; 0.01 a hundredth; 0 no time.
    s3
        A store beside it, in memory, so that nothing else is needed to make clips; needs the extra `demo`.
    """
    from dailies.cli.demo import run_sandbox

    return run_sandbox(port, time_scale, s3)


@app.command
def mcp(*, approve_above: str = "0") -> int:
    """For agents: check, run under a budget, status and report, as tools of the Model Context Protocol on stdin and stdout.

    Parameters
    ----------
    approve_above
        A run that is quoted above so many dollars waits for a person's yes in the Prefect UI.
    """
    from dailies.cli.mcp import run_mcp

    return run_mcp(approve_above)


@app.command
def ui() -> int:
    """The Prefect UI over the history of local runs."""
    from dailies.cli.run import run_ui

    return run_ui()


@app.command
def doctor(*, adopt: bool = False, ready: bool = False, deep: bool = False, json: JsonFlag = False) -> int:
    """Pings all it depends on and says what is wrong.

    Parameters
    ----------
    adopt
        Take in clips and answers that the store and the spool know and the ledger has forgotten.
    ready
        For probes: only whether work could begin here, within a second, with nothing written and nobody asked. Exit code
        0 or 1.
    deep
        For people: also a write to the ledger, clocks, free space, when certificates end, the Prefect server's version.
    """
    if ready:
        if adopt or deep:
            raise BadInput(f"doctor: --ready changes nothing, {'--adopt' if adopt else '--deep'} does; leave one out")
        from dailies.cli.ready import run_ready

        return run_ready(json)
    from dailies.cli.doctor import run_doctor

    return run_doctor(adopt, json, deep)


@app.command
def explain(
    code: Annotated[str | None, Parameter(help="A code, as messages and JSON show it; none shows all.")] = None,
    /,
    *,
    json: JsonFlag = False,
) -> int:
    """What a kind of trouble means, what it cost, and what to type."""
    from dailies.cli.explain import run_explain

    return run_explain(code, json)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code. Errors of ours become one clear message, never a traceback."""
    tokens = list(sys.argv[1:] if arguments is None else arguments)
    never_refuse_a_letter()
    with stderr_as_asked():
        return _end_of(tokens)


def _end_of(tokens: Sequence[str]) -> int:
    try:
        result = app(tokens, exit_on_error=False, result_action="return_value")
    except CycloptsError as error:  # its own words are on stderr already
        code = refused(BadInput(str(error)), tokens, usage=True)
    except (BadInput, Misconfigured) as error:
        code = fail(error, REFUSED, tokens)
    except DailiesError as error:
        code = fail(error, 1, tokens)
    except KeyboardInterrupt:
        print("interrupted; what was paid is on record: run it again, or dailies collect", file=sys.stderr)
        code = INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()
        code = 1
    except Exception as error:  # the outermost edge: a person gets one message, whatever it was
        logging.getLogger("dailies").debug("where it happened", exc_info=error)
        code = fail(DailiesError(describe_error(error), trouble=trouble_of(error)), 1, tokens)
    else:
        code = result if isinstance(result, int) else 0
    return code


LETTERS = {"·": "-", "–": "-", "—": "-", "…": "...", "→": "->", "×": "x", "−": "-", "’": "'", "“": '"', "”": '"'}


def never_refuse_a_letter() -> None:
    """On a terminal or into a file that is not UTF-8, letters that it lacks are written as near as may be: what is said
    must never turn success into failure."""
    codecs.register_error("dailies", _nearest)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="dailies")


def _nearest(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    return "".join(LETTERS.get(letter, "?") for letter in error.object[error.start : error.end]), error.end


def fail(error: DailiesError, code: int, tokens: Sequence[str]) -> int:
    """One message on stderr; with `--json` also one object on stdout, so that scripts need not read prose."""
    from dailies.cli.answers import error_answer, headline

    print(headline(error), file=sys.stderr)
    if code == REFUSED:
        return refused(error, tokens)
    if "--json" in tokens:
        print(error_answer(error))
    return code


def refused(error: DailiesError, tokens: Sequence[str], usage: bool = False) -> int:
    """What to type next, after a message that said why; with `--json` the same as an object."""
    from dailies.cli.answers import error_answer, next_command

    line = next_command(error, tokens if tokens and tokens[0] in app else (), usage)
    if line:
        print(f"Next: {line}", file=sys.stderr)
    if "--json" in tokens:
        print(error_answer(error, line))
    return REFUSED
