"""Prefect tasks: one step each. Each takes ids, calls one thing in `dailies`, and returns an id or a failed state.

No task caches or persists a result: the ledger decides what has been done.
"""

from tasks.collect import go_on, settle, take
from tasks.create import create
from tasks.deliver import deliver
from tasks.plan import plan
from tasks.poll import follow, poll, poll_until_ready
from tasks.recover import recover
from tasks.report import report

__all__ = [
    "create",
    "deliver",
    "follow",
    "go_on",
    "plan",
    "poll",
    "poll_until_ready",
    "recover",
    "report",
    "settle",
    "take",
]
