"""From a CSV to a plan: every row checked, measured, priced; every bad row named; nothing bought."""
