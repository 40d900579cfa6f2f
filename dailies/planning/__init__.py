"""From a CSV to a plan: every row checked, measured, priced; every bad row named; nothing bought."""

from dailies.planning.plan import Plan, make_plan

__all__ = ["Plan", "make_plan"]
