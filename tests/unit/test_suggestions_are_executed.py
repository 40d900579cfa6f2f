"""Every command that an output suggests is typed by a test: here is which, and nothing is suggested that is not here."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from dailies.domain import commands

ROOT = Path(__file__).resolve().parents[2]
TROUBLE, SUGGESTED = "e2e/test_suggested_in_trouble.py", "e2e/test_suggested_commands.py"
ON_THE_PAGE = f"{SUGGESTED}::test_every_command_on_the_page_works_as_it_stands"
STEP_BY_STEP = f"{SUGGESTED}::test_what_settles_a_doubt_is_shown_step_by_step_and_works"
EXECUTED = {
    "COLLECT": (
        f"{TROUBLE}::test_an_answer_in_the_spool_comes_home_by_the_command_that_is_named",
        f"{TROUBLE}::test_a_ledger_is_copied_once_it_has_taken_what_waits_in_the_spool",
        f"{TROUBLE}::test_a_clip_whose_answer_waits_in_the_spool_says_what_goes_on_from_there",
        STEP_BY_STEP,
    ),
    "STATUS": (
        f"{TROUBLE}::test_a_ledger_in_use_is_copied_once_status_shows_none",
        f"{TROUBLE}::test_an_upgrade_that_has_to_wait_for_a_run_is_over_when_status_answers",
    ),
    "ADOPT": (f"{TROUBLE}::test_what_the_ledger_does_not_take_is_told_by_the_command_that_is_named",),
    "TIDY": (f"{TROUBLE}::test_where_there_is_no_room_for_a_download_tidy_makes_some",),
    "LEDGER_COPY": (
        "e2e/test_upgrades.py::"
        "test_a_run_refuses_while_a_ledger_in_the_home_knows_more_and_the_command_that_it_names_moves_it",
    ),
    "ARCHIVE": ("cli/test_archive_command.py::test_a_dry_run_counts_and_a_yes_does_that",),
    "DOCTOR": ("cli/test_says_what_next.py::test_a_setting_that_is_none_leads_to_the_doctor",),
    "DEMO": ("flows/test_wheel.py::test_*",),
    "HOOKS": ("cli/test_hooks_server.py::test_*",),
    "of_ledger": ("e2e/test_upgrades.py::test_where_both_hold_something_the_old_one_is_settled_first",),
    "resolve": (STEP_BY_STEP,),
    "refund_pack": (ON_THE_PAGE,),
    "show_model": ("cli/test_models.py::test_the_list_ends_with_a_command_that_shows_one",),
    "check_with_model": ("e2e/test_first_commands.py::test_the_commands_that_init_prints_make_its_three_clips",),
    "export_names": ("review/test_export_command.py::test_one_name_for_two_clips_writes_nothing",),
    "retakes": (
        "e2e/test_takes_in_runs.py::test_what_was_sent_back_is_made_once_more",
        "e2e/test_takes_in_runs.py::test_each_batch_with_retakes_is_named_with_its_command",
    ),
    "review": ("review/test_room_by_http.py::test_*",),
    "import_verdicts": ("review/test_verdict_files.py::test_*",),
    "fetch": ("e2e/test_exit_0_means_s3.py::test_fetch_brings_delivered_clips_to_disk_and_goes_on_where_it_stopped",),
    "as_command": (
        "e2e/test_check_is_run.py::test_the_command_that_a_check_suggests_runs_as_it_stands",
        f"{SUGGESTED}::test_a_check_without_a_destination_says_so",
        ON_THE_PAGE,
    ),
    # Commands that are put together where they are said
    "dailies/cli/answers.py": ("cli/test_says_what_next.py::test_a_refusal_ends_with_a_command_that_the_program_knows",),
    "dailies/cli/cancel.py": ("contract/test_cancel.py::test_each_batch_that_has_some_is_named_with_its_command",),
    "dailies/cli/explain.py": ("unit/test_troubles.py::test_an_unknown_code_is_refused_with_the_nearest",),
    "dailies/domain/troubles.py": ("unit/test_troubles.py::test_each_code_has_texts_and_commands_that_the_program_knows",),
    "dailies/cli/init.py": ("e2e/test_first_commands.py::test_the_commands_that_init_prints_make_its_three_clips",),
    "dailies/cli/retry.py": ("e2e/test_retry.py::test_several_batches_are_asked_about",),
    "dailies/cli/run.py": (ON_THE_PAGE,),
    "dailies/planning/request.py": ("e2e/test_check_is_run.py::test_the_command_that_a_check_suggests_runs_as_it_stands",),
    "dailies/report/advice.py": (ON_THE_PAGE,),
}  # fmt: skip
"""By the name in `dailies/domain/commands.py`, or by the module that puts words together with `command`."""


def said() -> Iterator[str]:
    """What the program suggests: the names that it imports from the one module, and the modules that word one themselves."""
    for path in (path for room in ("dailies", "flows", "tasks") for path in (ROOT / room).rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module == "dailies.domain.commands":
                names = {alias.name for alias in node.names}
                yield from (str(path.relative_to(ROOT)) if name == "command" else name for name in names)
            elif isinstance(node, ast.ImportFrom) and node.module == "dailies.domain":
                yield from (str(path.relative_to(ROOT)) for alias in node.names if alias.name == "commands")
            elif isinstance(node, ast.Attribute) and node.attr == "as_command":
                yield "as_command"


def test_whatever_is_suggested_has_a_test_that_types_it() -> None:
    assert {*said()} == {*EXECUTED}


def test_nothing_in_the_one_module_is_without_a_user() -> None:
    public = {name for name, value in vars(commands).items() if isinstance(value, str) or callable(value)}
    assert {name for name in public if name[0] != "_" and name != "annotations"} - {"command", "word"} <= {*EXECUTED}


@pytest.mark.parametrize("test", sorted({test for tests in EXECUTED.values() for test in tests}))
def test_that_test_is_there(test: str) -> None:
    file, _, name = test.partition("::")
    found = ast.parse((ROOT / "tests" / file).read_text(encoding="utf-8")).body
    functions = {node.name for node in found if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    assert name in functions or (name == "test_*" and any(one.startswith("test_") for one in functions))
