"""Prefect tasks: one step each. Each takes ids, calls one thing in `dailies`, and returns an id, or why there is none.

No task caches or persists a result: the ledger decides what has been done.
"""

from tasks.asset import materialise
from tasks.create import create
from tasks.deliver import deliver
from tasks.engine.clip_task import NotDone
from tasks.plan import plan
from tasks.poll import poll, poll_until_ready
from tasks.recover import recover
from tasks.reopen import reopen
from tasks.report import report
from tasks.resolve_in_doubt import resolve_in_doubt
from tasks.retakes import plan_retakes
from tasks.settle import settle
from tasks.take_over import take_over
from tasks.wait_for_owner import wait_for_owner

__all__ = [
    "NotDone",
    "create",
    "deliver",
    "materialise",
    "plan",
    "plan_retakes",
    "poll",
    "poll_until_ready",
    "recover",
    "reopen",
    "report",
    "resolve_in_doubt",
    "settle",
    "take_over",
    "wait_for_owner",
]
