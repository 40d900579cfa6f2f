"""JSON answers that are not a batch's report."""

from __future__ import annotations

import json

from dailies.errors import BadRows, DailiesError


def error_answer(error: DailiesError) -> str:
    """A refusal as JSON: the message, and the bad rows one by one."""
    rows = (
        [
            {"row": bad.row, "id": bad.id, "column": bad.column, "reason": bad.reason, "cure": bad.cure}
            for bad in error.rows
        ]
        if isinstance(error, BadRows)
        else []
    )
    return json.dumps({"error": str(error), "bad_rows": rows}, ensure_ascii=False)
